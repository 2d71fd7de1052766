"""One of many people is erased: nothing is left of them, and the number stays silent.

    python -m bench.erasure [--people 10000]

On SQLite the raw files are searched, the log among them; on PostgreSQL (BENCH_DATABASE_URL, or an
embedded one) a full dump. Then every door is asked in ten spellings, the number is imported, and
the ledger verified.
"""

import argparse
import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import make_url

from app import Client, RecipientRefused, create_app
from app.config import Settings
from app.core.filters import filter_rows
from app.core.gate import Scope
from app.core.imports import ImportDefaults, SuppressionImport
from app.core.models import Purpose, Suppression
from app.core.number_tables import NumberTable
from app.gateway import Gateway
from bench.database import new_database, new_file, postgresql
from bench.people import fill, gateway_of, id_of, number_of
from bench.settings import ACCOUNT_SID, AUTH_TOKEN, SENDER, environment

_PERSON, _NEIGHBOUR = 20, 30  # both are in every table, and on the campaign's list
_SERVICE = Scope("default", Purpose.SERVICE)
_TEXT = "Saldi! Rispondi STOP per uscire"

Door = Callable[[str], bool]  # whether it refused


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.erasure", description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--pg-dump", default="pg_dump", help="one as new as the server")
    parser.add_argument("--on", nargs="+", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    faults = 0
    if "sqlite" in given.on:
        with new_file() as url:
            faults += _measure("SQLite", url, given.people, lambda: _files(url))
    if "postgresql" in given.on:
        with postgresql() as server, new_database(server) as url:
            faults += _measure("PostgreSQL", url, given.people, lambda: _dump(given.pg_dump, url))
    print("FAILED" if faults else "PASSED")
    return int(bool(faults))


def _measure(name: str, url: str, people: int, stored: Callable[[], bytes]) -> int:
    """Print what was found; how much of it was not as it must be."""
    started = time.monotonic()
    fill(url, people)
    print(f"{name}: {people} people, made in {time.monotonic() - started:.0f} s")
    number, words = number_of(_PERSON), f"{number_of(_PERSON)} said so"
    with gateway_of(url) as gateway:
        _say(gateway, words)
        before = stored()
        started = time.monotonic()
        erased = gateway.services.privacy.erase(number, "the person", "bench").erased
        took = (time.monotonic() - started) * 1000
    found = _report_traces(number, before, stored())
    print(f"  erased in {took:.0f} ms, rows: {sum(erased.values())} of {len(erased)} tables")
    passed = _knock(url, number)
    changed = _import(url, number) + _traces(number, stored())
    print(f"  imported again: {changed} changes")
    return found + passed + changed + _verify(url)


def _say(gateway: Gateway, words: str) -> None:
    """A text of this one person's alone, to be looked for."""
    query = sa.text("UPDATE inbound_messages SET body = :words WHERE provider_message_id = :id")
    with gateway.services.database.write() as connection:
        connection.execute(query, {"words": words, "id": id_of(number_of(_PERSON), "a")})


def _report_traces(number: str, before: bytes, after: bytes) -> int:
    """The number, with and without its country, is in every text of the person too."""
    found, neighbours = _traces(number, after), _traces(number_of(_NEIGHBOUR), after)
    print(
        f"  searched {len(after):,} bytes for the number and the texts: found {found} times, ",
        end="",
    )
    print(f"before {_traces(number, before)} times; the neighbour's number {neighbours} times")
    return found + (not neighbours)


def _traces(number: str, stored: bytes) -> int:
    return stored.count(number[3:].encode())


def _files(url: str) -> bytes:
    path = Path(make_url(url).database or "")
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def _dump(program: str, url: str) -> bytes:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run([program, plain], check=True, capture_output=True).stdout


def _spellings(number: str) -> list[str]:
    national = number[3:]
    spaced = f"{national[:3]} {national[3:6]} {national[6:]}"
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in national)
    return [
        *(number, f"0039{national}", national, spaced, f"+39 {spaced}", f"tel:{number}"),
        *(f"(+39) {national[:3]}.{national[3:]}", f"'{number}", f"{national}.0", wide),
    ]


def _knock(url: str, number: str) -> int:
    """Ask every door in every spelling; how many let it through."""
    settings = Settings.from_env({**environment(url), "CONSENT": "assumed"})
    app = create_app(settings)
    with Gateway(settings) as gateway, redirect_stdout(io.StringIO()):  # the log's lines
        doors = _doors(gateway, app)
        refused = {name: sum(map(door, _spellings(number))) for name, door in doors.items()}
    app.extensions["gateway"].close()
    told = ", ".join(f"{name} {count}" for name, count in refused.items())
    print(f"  refused, of {len(_spellings(number))} spellings: {told}")
    return sum(len(_spellings(number)) - count for count in refused.values())


def _doors(gateway: Gateway, app: Flask) -> dict[str, Door]:
    web = app.test_client()
    client = Client(gateway=gateway)
    key = gateway.services.api_keys.create("bench", _SERVICE)
    bearer = {"Authorization": f"Bearer {key.secret}"}
    twilio = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"

    def by_twilio(to: str) -> bool:
        form = {"To": to, "From": SENDER, "Body": _TEXT}
        answer = web.post(twilio, data=form, auth=(ACCOUNT_SID, AUTH_TOKEN))
        return bool(answer.json["code"] == 21610)

    def by_json(to: str) -> bool:
        answer = web.post("/api/v1/messages", json={"to": to, "body": _TEXT}, headers=bearer)
        return bool(answer.status_code == 409)

    return {
        "Gateway": _refused(
            lambda to: gateway.messages.create(to=to, body=_TEXT, purpose="service")
        ),
        "Client": _refused(lambda to: client.messages.create(to=to, body=_TEXT, from_=SENDER)),
        "/2010-04-01": by_twilio,
        "/api/v1/messages": by_json,
        "Gateway.allowed": lambda to: not list(gateway.allowed([to], purpose="service")),
        "filter": lambda to: _filter_refuses(gateway, to),
    }


def _refused(send: Callable[..., object]) -> Door:
    def door(to: str) -> bool:
        with suppress(RecipientRefused):
            send(to=to)
            return False
        return True

    return door


def _table(gateway: Gateway, cells: Iterable[str]) -> NumberTable:
    rows = "\n".join(["telefono;nome", *(f"{cell};Anna" for cell in cells)])
    return NumberTable(io.BytesIO(rows.encode()), gateway.services.phones)


def _filter_refuses(gateway: Gateway, to: str) -> bool:
    table, allowed = _table(gateway, [to]), io.StringIO()
    reasons = filter_rows(table, table, gateway.services.gate, _SERVICE, allowed, io.StringIO())
    return list(reasons) == ["suppressed"]


def _import(url: str, number: str) -> int:
    """Import every spelling; how many suppressions were added, and is one another than before."""
    with gateway_of(url) as gateway:
        services = gateway.services
        mine = Suppression.fingerprint == services.phones.parse(number).fingerprint
        query = sa.select(Suppression).where(mine)
        with services.database.read() as connection:
            before = connection.execute(query).all()
        job = SuppressionImport(
            services.suppressions, services.phones, ImportDefaults("*", "imported", {})
        )
        table = _table(gateway, _spellings(number))
        faults = list(job.run(table, table))
        services.database.scrub()
        with services.database.read() as connection:
            after = connection.execute(query).all()
    return job.totals.added + len(faults) + (before != after)


def _verify(url: str) -> int:
    with gateway_of(url) as gateway:
        gateway.services.ledger.seal()
        found = gateway.services.ledger.verify()
    print(f"  the ledger verifies: {found.sealed} sealed entries, {len(found.faults)} faults")
    return len(found.faults)


if __name__ == "__main__":
    sys.exit(main())
