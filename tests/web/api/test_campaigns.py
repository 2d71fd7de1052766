"""Campaigns through the API: planned by anyone with a key, sent by the workers."""

import pytest

from app import web
from app.web.api.campaign_models import MAX_RECIPIENTS
from tests.web.api.conftest import NUMBER, OTHER, Asker


@pytest.fixture
def started() -> list[int]:
    """What the workers were asked to send."""
    return []


@pytest.fixture
def app(gateway, started):
    """An app with workers behind it."""
    return web.create_app(gateway.settings, gateway.services, [], None, started.append)


def asked(**changes) -> dict:
    recipients = [
        {"to": NUMBER, "fields": {"nome": "Anna"}},
        {"to": OTHER},
        {"to": OTHER},
        {"to": "12"},
    ]
    body = {"name": "Spring", "body": "Ciao {nome|a te}", "recipients": recipients}
    return body | {"sender": "+393399957505"} | changes


def planned(api: Asker, **changes) -> int:
    answer = api.post("/campaigns", asked(**changes))
    assert answer.status_code == 201, answer.json
    return answer.json["campaign"]["id"]


def test_a_campaign_is_planned_and_nothing_is_sent(api, provider, started):
    """The plan, the places of those that can't be read, and no message."""
    answer = api.post("/campaigns", asked(cost_per_segment=0.1))
    campaign = answer.json["campaign"]
    assert (campaign["status"], campaign["estimated_cost"]) == ("planned", 0.2)
    plan = campaign["plan"]
    assert (plan["recipients"], plan["duplicates"], plan["unreadable"]) == (2, 1, 1)
    assert [fault["place"] for fault in answer.json["faults"]] == [4]
    assert "12" not in answer.json["faults"][0]["fault"]
    assert (provider.sent, started) == ([], [])


def test_a_campaign_is_run_paused_resumed_and_reported(api, gateway, provider, started):
    """The workers are asked at run and at resume; the report says what came of it."""
    campaign_id = planned(api, rate=0)
    path = f"/campaigns/{campaign_id}"
    assert api.post(f"{path}/run").status_code == 202
    assert api.post(f"{path}/pause", {"reason": "the price was wrong"}).json["status"] == "paused"
    assert api.get(path).json["pause_reason"] == "the price was wrong"
    assert api.post(f"{path}/resume").json["status"] == "running"
    assert started == [campaign_id] * 2

    gateway.services.campaigns.work(campaign_id, lambda: False)
    assert sorted(message.to.e164 for message in provider.sent) == sorted([NUMBER, OTHER])
    report = api.get(f"{path}/report").json
    assert (report["campaign"]["status"], report["campaign"]["counts"]["sent"]) == ("finished", 2)
    assert sum(step["sent"] for step in report["timeline"]) == 2
    assert NUMBER not in str(report)


def test_what_cannot_be_done_now_is_a_conflict(api, app):
    """To pause what does not run, to run what is paused, to run without workers: 409, and why."""
    campaign_id = planned(api)
    path = f"/campaigns/{campaign_id}"
    assert api.post(f"{path}/pause", {}).status_code == 409
    api.post(f"{path}/run")
    api.post(f"{path}/pause", {})
    answer = api.post(f"{path}/run")
    assert (answer.status_code, "resume" in answer.json["detail"]) == (409, True)


def test_without_a_broker_the_command_line_is_named(gateway, asker):
    """409 with advice, and the campaign stays as it is."""
    api = Asker(
        web.create_app(gateway.settings, gateway.services, []), asker()._headers["Authorization"]
    )
    campaign_id = planned(api)
    answer = api.post(f"/campaigns/{campaign_id}/run")
    assert (answer.status_code, "BROKER_URL" in answer.json["detail"]) == (409, True)
    assert api.get(f"/campaigns/{campaign_id}").json["status"] == "planned"


@pytest.mark.parametrize(
    "changes",
    [
        {"recipients": []},
        {"recipients": [{"to": NUMBER}] * (MAX_RECIPIENTS + 1)},
        {"body": "Ciao {cognome}"},
        {"rate": -1},
        {"name": "a\nb"},
        {"max_opt_out_share": 0},
    ],
)
def test_a_faulty_campaign_is_refused(api, changes):
    """422, and nothing of it is kept."""
    assert api.post("/campaigns", asked(**changes)).status_code == 422
    assert api.get("/campaigns/1").status_code == 404


def test_a_key_sees_and_runs_only_its_programs_campaigns(api, asker, started):
    """Another program's campaign is as good as not there, by whatever request."""
    path = f"/campaigns/{planned(api)}"
    other = asker("promo")
    for answer in (
        other.get(path),
        other.get(f"{path}/report"),
        other.post(f"{path}/run"),
        other.post(f"{path}/resume"),
        other.post(f"{path}/pause", {}),
        other.get("/campaigns/x"),
    ):
        assert answer.status_code == 404
    assert started == []
    assert api.post("/campaigns", asked(purpose="service")).status_code == 403
