"""The Celery worker: campaigns, task by task, and the periodic chores.

    celery --app app.worker worker --beat

Nothing is read from the environment before Celery asks for `app`.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.utils.log import get_task_logger

from app import tasks
from app.config import Settings, SettingsError
from app.core.chores import do_all
from app.gateway import Gateway

_TASK_LASTS = 20.0  # seconds, then another takes over: short against what a broker redelivers after
_WAKE_EVERY = 30.0  # seconds
_CHORES_EVERY = 60.0

_log = get_task_logger(__name__)


def __getattr__(name: str) -> Any:
    if name == "app":
        return worker()
    raise AttributeError(name)


@functools.cache
def worker() -> Celery:
    """The worker that the environment describes. Raises SettingsError."""
    settings = Settings.from_env()
    if not settings.broker_url:
        raise SettingsError(["BROKER_URL is missing: a worker takes its work from a broker"])
    # Each process opens its own when it first needs it; in the parent of them all nobody asks.
    return make_worker(settings, functools.cache(lambda: Gateway(settings)))


def make_worker(settings: Settings, gateway: Callable[[], Gateway]) -> Celery:
    """A worker with its tasks, which ask for the gateway of their process."""
    celery = tasks.make_celery(settings.broker_url)

    def send_campaign(campaign_id: int) -> None:
        """Work on a campaign for a while, and let another task go on."""
        campaigns = gateway().services.campaigns
        until = time.monotonic() + _TASK_LASTS
        if campaigns.work(campaign_id, lambda: time.monotonic() >= until):
            tasks.start_campaign(celery, campaign_id, chains=1)

    def wake_campaigns() -> None:
        """Take up what was left lying, whatever became of the tasks that were at it."""
        for campaign_id in gateway().services.campaigns.to_wake():
            tasks.start_campaign(celery, campaign_id)

    def do_chores() -> None:
        """What `optout serve` and `optout chores` do as well; any number may."""
        is_real = settings.sms_provider != "simulator"
        for done in do_all(gateway().services, with_reconcile=is_real):
            if done.fault:
                _log.error("chore failed: %s: %s", done.name, done.fault)

    celery.task(name=tasks.SEND_CAMPAIGN, shared=False)(send_campaign)
    celery.task(name=tasks.WAKE_CAMPAIGNS, shared=False)(wake_campaigns)
    celery.task(name=tasks.DO_CHORES, shared=False)(do_chores)
    celery.conf.beat_schedule = {
        "wake": {"task": tasks.WAKE_CAMPAIGNS, "schedule": _WAKE_EVERY},
        "chores": {"task": tasks.DO_CHORES, "schedule": _CHORES_EVERY},
    }
    return celery
