"""A campaign as fast as it goes, beside the bare Twilio client with as many threads."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from twilio.rest import Client

from app.config import Settings
from app.core.campaigns import CampaignStatus, Listed, NewCampaign
from app.core.gate import Scope
from app.core.models import Purpose
from app.core.schema import DEFAULT_PROGRAM
from app.gateway import Gateway
from bench.database import new_database
from bench.long_list import number
from bench.provider import local_provider
from bench.send import BODY, bare_client
from bench.settings import SENDER, environment
from bench.table import Row, milliseconds, times

_ROUNDS = 4
_PEOPLE = 2000  # in each round
_THREADS = 16


def measure(server_url: str) -> Iterator[Row]:
    """PostgreSQL; messages a second and CPU of this process, both against a fast provider."""
    with local_provider() as base_url, new_database(server_url) as url:
        given = {**environment(url), "TWILIO_API_BASE_URL": base_url}
        client = bare_client(base_url)
        with Gateway(Settings.from_env(given)) as gateway:
            rounds = [(_campaign(gateway, at), _bare(client)) for at in range(_ROUNDS)][
                1:
            ]  # the first warms up
    ours, theirs = ([side[place] for side in rounds] for place in (0, 1))
    for place, what, aim in ((0, "messages a second", "≥ 0.80 ×"), (1, "CPU a message", "")):  # noqa: RUF001
        mine, other = (median(each[place] for each in side) for side in (ours, theirs))
        show = milliseconds if place else "{:,.0f}".format
        yield Row(
            f"a campaign, {_THREADS} threads, {what}, PostgreSQL",
            show(mine),
            f"{show(other)}, the bare client",
            times(median(a[place] / b[place] for a, b in zip(ours, theirs, strict=True))),
            aim,
        )


def _campaign(gateway: Gateway, at: int) -> tuple[float, float]:
    """Messages a second, and CPU seconds a message, of a list read before."""
    campaigns = gateway.services.campaigns
    new = NewCampaign("bench", BODY, Scope(DEFAULT_PROGRAM, Purpose.MARKETING), SENDER, rate=0)
    people = (Listed(i, number(at * _PEOPLE + i), {}) for i in range(_PEOPLE))
    campaign = campaigns.create(new, [], people)
    campaigns.start(campaign)
    started, used = time.perf_counter(), time.process_time()
    campaigns.work(campaign, lambda: False, _THREADS)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    shown = campaigns.show(campaign)
    assert shown.status is CampaignStatus.FINISHED
    assert shown.counts["sent"] == _PEOPLE
    return _PEOPLE / seconds, cpu / _PEOPLE


def _bare(client: Client) -> tuple[float, float]:
    started, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(_THREADS) as pool:
        sent = pool.map(
            lambda i: client.messages.create(to=number(i), body=BODY, from_=SENDER), range(_PEOPLE)
        )
        assert len(list(sent)) == _PEOPLE
    return _PEOPLE / (time.perf_counter() - started), (time.process_time() - used) / _PEOPLE
