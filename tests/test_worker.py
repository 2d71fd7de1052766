"""The worker: it sends what is asked for, hands over, and finds what was left lying."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app import tasks, worker
from app.config import Settings, SettingsError
from app.core.campaigns import Listed, NewCampaign
from app.core.chores import Done
from app.core.models import Campaign, ReviewHold
from app.gateway import Gateway, scope
from tests.making import held, text

NUMBER = "+393331234567"


@pytest.fixture
def gateway(settings: Settings):
    with Gateway(settings) as gateway:
        yield gateway


@pytest.fixture
def celery(settings: Settings, gateway: Gateway):
    """A worker whose broker is this process's memory."""
    made = worker.make_worker(
        settings.model_copy(update={"broker_url": "memory://"}), lambda: gateway
    )
    made.conf.task_always_eager = True
    return made


@pytest.fixture
def campaign_id(gateway: Gateway) -> int:
    new = NewCampaign("spring", "Ciao", scope("default", "marketing"), "+393399957505", rate=0)
    campaign_id = gateway.services.campaigns.create(new, [], [Listed(1, NUMBER)])
    gateway.services.campaigns.start(campaign_id)
    return campaign_id


def sent(gateway: Gateway, campaign_id: int) -> int:
    return gateway.services.campaigns.show(campaign_id).counts["sent"]


def test_a_task_sends_a_campaign(celery, gateway, campaign_id):
    """By its name and number alone; a second such task does no harm."""
    for _ in range(2):
        celery.tasks[tasks.SEND_CAMPAIGN].apply([campaign_id]).get()
    assert sent(gateway, campaign_id) == 1
    assert gateway.services.campaigns.show(campaign_id).status == "finished"


def test_a_task_that_is_not_done_in_its_time_hands_over(celery, campaign_id, monkeypatch):
    """It ends soon, so that a worker can be stopped, and asks for the next."""
    monkeypatch.setattr(worker, "_TASK_LASTS", 0.0)
    handed_over = []
    monkeypatch.setattr(celery, "send_task", lambda name, args: handed_over.append((name, args)))
    celery.tasks[tasks.SEND_CAMPAIGN].apply([campaign_id]).get()
    assert handed_over == [(tasks.SEND_CAMPAIGN, [campaign_id])]


def test_a_campaign_that_nobody_works_on_is_taken_up(celery, gateway, campaign_id, monkeypatch):
    """Whatever became of its tasks: the database says that it should run."""
    asked = []
    monkeypatch.setattr(celery, "send_task", lambda name, args: asked.append((name, args)))
    celery.tasks[tasks.WAKE_CAMPAIGNS].apply().get()
    assert asked == [(tasks.SEND_CAMPAIGN, [campaign_id])] * tasks.CHAINS
    with gateway.services.database.write() as connection:
        connection.execute(sa.update(Campaign).values(status="paused"))
    celery.tasks[tasks.WAKE_CAMPAIGNS].apply().get()
    assert len(asked) == tasks.CHAINS


def test_the_chores_are_done(celery, gateway):
    """A worker does what is due as well: a review that is overdue becomes an opt-out."""
    services = gateway.services
    services.inbox.receive(text("Ciao", NUMBER))
    held(services, services.phones.parse(NUMBER))
    with services.database.write() as connection:
        overdue = services.clock() - timedelta(minutes=1)
        connection.execute(sa.update(ReviewHold).values(due_at=overdue))
    celery.tasks[tasks.DO_CHORES].apply().get()
    assert services.reviews.waiting() == []
    assert [each.reason for each in services.suppressions.all()] == ["opt_out"]


def test_a_chore_that_fails_is_logged_and_stops_no_worker(celery, gateway, monkeypatch, caplog):
    """Its name and what was wrong stand in the log; the task itself ends well."""
    failed = [Done("ledger entries sealed", fault="the database can't be reached")]
    monkeypatch.setattr(worker, "do_all", lambda *_, **__: failed)
    assert celery.tasks[tasks.DO_CHORES].apply().successful()
    assert "ledger entries sealed: the database can't be reached" in caplog.text


def test_a_worker_that_dies_loses_no_task():
    """Acknowledged late, given to another, one at a time, as JSON, and soon enough on Redis."""
    for broker in ("amqp://host", "redis://host"):
        conf = tasks.make_celery(broker).conf
        assert conf.task_acks_late
        assert conf.task_reject_on_worker_lost
        assert conf.worker_prefetch_multiplier == 1
        assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    redelivered_after = tasks.make_celery("redis://host").conf.broker_transport_options
    assert redelivered_after["visibility_timeout"] > 2 * worker._TASK_LASTS


def test_a_worker_needs_a_broker(monkeypatch):
    """It says which setting is missing; importing the module has asked for none."""
    worker.worker.cache_clear()
    with pytest.raises(SettingsError, match="BROKER_URL"):
        _ = worker.app
    monkeypatch.setenv("BROKER_URL", "memory://")
    assert set(worker.app.tasks) >= {tasks.SEND_CAMPAIGN, tasks.WAKE_CAMPAIGNS, tasks.DO_CHORES}
    worker.worker.cache_clear()
