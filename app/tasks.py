"""The work that a broker carries, by name: what web and command line ask for and workers do.

JSON alone travels, and of it only a campaign's number: the database is the one truth, so whatever
the broker loses or delivers twice changes nothing but the time.
"""

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from app.core.errors import StorageUnavailableError

SEND_CAMPAIGN = "send campaign"
WAKE_CAMPAIGNS = "wake campaigns"
DO_CHORES = "do chores"
CHAINS = 4  # of tasks that work on one campaign side by side

# A task that a worker had when it died is given to another after this; it must be longer than a
# task takes. RabbitMQ notices by itself, Redis needs to be told.
_REDELIVERED_AFTER = 120  # seconds


def make_celery(broker_url: str) -> Celery:
    """The client that sends tasks, and the base of the worker. Connects only when used."""
    celery = Celery("optout", broker=broker_url, set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue="optout",
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": _REDELIVERED_AFTER}
        if broker_url.startswith(("redis", "rediss"))
        else {},
        # Who asks for a campaign to be sent is told within seconds that the broker is away.
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.2, "interval_step": 0.5},
    )
    return celery


def start_campaign(celery: Any, campaign_id: int, chains: int = CHAINS) -> None:
    """Ask the workers to send a campaign that runs. More tasks than needed do no harm.

    Raises StorageUnavailableError where the broker can't be reached.
    """
    try:
        for _ in range(chains):
            celery.send_task(SEND_CAMPAIGN, [campaign_id])
    except OperationalError as error:
        raise StorageUnavailableError(
            "the broker can't be reached: the workers begin when it is back (see BROKER_URL)"
        ) from error
