"""What encryption at rest costs a STOP: `python -m bench.encryption`.

CPU of this process for a text that comes in, without the web around it, with and without a key, in
turns, on SQLite. The web adds to both, so the share that is printed is more than a webhook's.
"""

import statistics
import tempfile
import time

from app.config import Settings
from app.core.encryption import Cipher
from app.core.provider import InboundMessage
from app.core.schema import migrate
from app.gateway import Gateway
from bench.settings import BRAND, FINGERPRINT_KEY, environment

_ROUNDS, _TEXTS = 9, 400
_KEY = "made up for measuring: encryption"


def main() -> None:
    """Print the milliseconds of CPU a STOP takes each way, and the difference."""
    took: dict[str, list[float]] = {"": [], _KEY: []}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(_ROUNDS):
            for key, seconds in took.items():
                url = f"sqlite:///{folder}/{turn}-{bool(key)}.db"
                seconds.append(_seconds_of_a_stop(url, key))
    plain, encrypted = (statistics.median(each) * 1000 for each in took.values())
    pairs = zip(*took.values(), strict=True)
    share = statistics.median(with_key / without for without, with_key in pairs) - 1
    print(f"a STOP: {plain:.2f} ms of CPU; encrypted {encrypted:.2f} ms: {share:+.1%} (limit 10%)")


def _seconds_of_a_stop(url: str, key: str) -> float:
    cipher = Cipher(key) if key else None
    migrate(url, FINGERPRINT_KEY, BRAND, cipher=cipher)
    with Gateway(Settings.from_env(environment(url) | {"ENCRYPTION_KEY": key})) as gateway:
        inbox = gateway.services.inbox
        inbox.receive(_stop(0))  # what is done once is not the text's
        began = time.process_time()
        for place in range(1, _TEXTS + 1):
            inbox.receive(_stop(place))
        return (time.process_time() - began) / _TEXTS


def _stop(place: int) -> InboundMessage:
    return InboundMessage("twilio", f"SM{place}", f"+39333{place:07d}", "+393399957505", "STOP")


if __name__ == "__main__":
    main()
