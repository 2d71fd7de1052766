"""Who sends while people say STOP: one process for each door, with threads that never rest.

`python -m bench.barrier_senders DOOR JSON`. The door `naive` is what the product must not be: it
asks whether it may, and then sends by itself. It shows that the run can see a violation.
"""

import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from twilio.base.exceptions import TwilioException
from twilio.rest import Client as BareClient

from app import Client, tasks
from app.config import Settings
from app.core.campaigns import CampaignStatus, Listed, NewCampaign
from app.core.errors import GatewayError, StorageUnavailableError
from app.core.gate import Scope
from app.core.models import Purpose
from app.gateway import Gateway
from bench.settings import ACCOUNT_SID, AUTH_TOKEN, SENDER, environment

_THREADS = 4
_PAUSE = 0.03  # seconds at most between two messages of a thread: others need the machine too

_CAMPAIGNS = 2  # at a time
_CHAINS = 2  # of tasks for each
_LOOK = 0.1  # seconds

CAMPAIGN = "campaign"

Send = Callable[[str], object]


def main() -> None:
    """Send until the process is ended."""
    door, given = sys.argv[1], json.loads(sys.argv[2])
    if door == CAMPAIGN:
        threads = [
            threading.Thread(target=_send_campaigns, args=(given,)) for _ in range(_CAMPAIGNS)
        ]
    else:
        threads = [
            threading.Thread(target=_send_for_ever, args=(_DOORS[door](given), given["numbers"]))
            for _ in range(_THREADS)
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send_for_ever(send: Send, numbers: list[str]) -> None:
    chance = random.Random()
    while True:
        # Refused, or too busy: the next one.
        with suppress(GatewayError, TwilioException, requests.RequestException):
            send(chance.choice(numbers))
        time.sleep(chance.random() * _PAUSE)


def _send_campaigns(given: dict[str, Any]) -> None:
    """One after the other to all of them, by the workers, or here where there is no broker."""
    campaigns = _gateway(given).services.campaigns
    celery = tasks.make_celery(given["broker"]) if given["broker"] else None
    people = [Listed(line, number) for line, number in enumerate(given["numbers"], 1)]
    asked = NewCampaign(
        CAMPAIGN, _text(CAMPAIGN), Scope("default", Purpose.MARKETING), SENDER, rate=0
    )
    while True:
        with suppress(StorageUnavailableError):
            campaign_id = campaigns.create(asked, (), people)
            campaigns.start(campaign_id)
            if celery is None:
                campaigns.work(campaign_id, lambda: False)
                continue
            tasks.start_campaign(celery, campaign_id, chains=_CHAINS)
            while campaigns.show(campaign_id).status is CampaignStatus.RUNNING:
                time.sleep(_LOOK)


def _text(door: str) -> str:
    return f"{door} Saldi! Rispondi STOP per uscire"


def _gateway(given: dict[str, Any]) -> Gateway:
    return Gateway(
        Settings.from_env(
            {**environment(given["database"]), "TWILIO_API_BASE_URL": given["provider"]}
        )
    )


def _by_client(given: dict[str, Any]) -> Send:
    client = Client(gateway=_gateway(given))
    return lambda to: client.messages.create(to=to, body=_text("client"), from_=SENDER)


def _by_gateway(given: dict[str, Any]) -> Send:
    gateway = _gateway(given)
    return lambda to: gateway.messages.create(to=to, body=_text("gateway"))


def _by_twilio_api(given: dict[str, Any]) -> Send:
    session, addresses = requests.Session(), itertools.cycle(given["servers"])
    session.auth = (ACCOUNT_SID, AUTH_TOKEN)
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"

    def send(to: str) -> object:
        fields = {"To": to, "From": SENDER, "Body": _text("twilio-api")}
        return session.post(next(addresses) + path, data=fields, timeout=30)

    return send


def _by_json_api(given: dict[str, Any]) -> Send:
    session, addresses = requests.Session(), itertools.cycle(given["servers"])
    session.headers["Authorization"] = f"Bearer {given['api_key']}"

    def send(to: str) -> object:
        fields = {"to": to, "body": _text("json-api")}
        return session.post(next(addresses) + "/api/v1/messages", json=fields, timeout=30)

    return send


def _naive(given: dict[str, Any]) -> Send:
    gateway, client = _gateway(given), BareClient(ACCOUNT_SID, AUTH_TOKEN)
    client.api.base_url = given["provider"]

    def send(to: str) -> object:
        if not gateway.check([to])[0].allowed:
            return None
        return client.messages.create(to=to, body=_text("naive"), from_=SENDER)

    return send


_DOORS: dict[str, Callable[[dict[str, Any]], Send]] = {
    "client": _by_client,
    "gateway": _by_gateway,
    "twilio-api": _by_twilio_api,
    "json-api": _by_json_api,
    "naive": _naive,
}
GUARDED = [CAMPAIGN, *(door for door in _DOORS if door != "naive")]

if __name__ == "__main__":
    main()
