"""`python -m bench [part …]`: measure, and print one table."""

import argparse
import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version

from bench import campaign, gate, inbound, language, millions, phone, send, start
from bench.database import postgresql, version_of
from bench.table import Row, as_markdown

_PARTS: dict[str, Callable[[str, argparse.Namespace], Iterable[Row]]] = {
    "inbound": lambda url, given: inbound.measure(url, given.rounds, given.requests),
    "gate": lambda url, given: gate.measure(url, given.sizes),
    "send": lambda url, _: send.measure(url),
    "phone": lambda _url, _given: phone.measure(),
    "language": lambda _url, _given: language.measure(),
    "campaign": lambda url, _: campaign.measure(url),
    "start": lambda url, _: start.measure(url),
}
# Only where they are named.
_LONG_PARTS: dict[str, Callable[[str, argparse.Namespace], Iterable[Row]]] = {
    "millions": lambda url, given: millions.measure(url, given.millions, given.asked, given.rounds),
}
_LIBRARIES = ("flask", "gunicorn", "sqlalchemy", "psycopg", "twilio")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[*_PARTS, *_LONG_PARTS, []],
        help="all but millions when none is named",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="in each round")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of the list"
    )
    parser.add_argument("--millions", type=int, default=10_000_000, help="on the longest list")
    parser.add_argument("--asked", type=int, default=1_000_000, help="numbers to filter by it")
    given = parser.parse_args()
    rows: list[Row] = []
    with postgresql() as url:
        print(_machine(url))
        try:
            for name in given.parts or _PARTS:
                rows.extend((_PARTS | _LONG_PARTS)[name](url, given))
        finally:  # what was measured before something went wrong is not lost
            print(as_markdown(rows))


def _machine(url: str) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}, PostgreSQL {version_of(url)}, {libraries}\n"
    )


if __name__ == "__main__":
    main()
