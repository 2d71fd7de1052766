"""The laws of the architecture: each lists everything in the source and compares.

Each law is a function from the source to its offences, so that the last test can show that it
notices: a law that finds nothing anywhere keeps nothing.
"""

import ast
import graphlib
import re
from collections.abc import Callable

import pytest

from tests.source import Modules, calls, imports, last_name, names_for, read_imports, read_modules

# The house by floors: a part may import what lies below it, and nothing beside it.
FLOORS = {
    "app.core": 0,
    "app.config": 1,
    "app.documents": 1,
    "app.migrations": 1,
    "app.tasks": 1,
    "app.twilio_messages": 1,
    "app.providers": 2,
    "app.web": 2,
    "app.gateway": 3,
    "app": 4,
    "app.cli": 5,
    "app.worker": 5,
}
OUTSIDE_OF_CORE = {"celery", "click", "dotenv", "flask", "prometheus_client", "twilio", "werkzeug"}
KNOW_TWILIO = {
    "app.providers.twilio",
    "app.providers.twilio_client",
    "app.providers.twilio_transport",
}
READ_THE_ENVIRONMENT = {"app.config", "app.web.gunicorn_conf", "app.web.metrics"}
SEND_BYTES = {"app.providers.twilio_transport"}  # below the provider: requests' own send
ASK_THE_OUTBOX = {"outbox", "sending"}  # app.web.sending hands drafts to the outbox
PROTECTED = {"Suppression": "suppressions", "LedgerEntry": "ledger_entries"}


def part_of(module: str) -> str:
    """The part of the house a module belongs to: the longest name of FLOORS that fits."""
    fitting = [part for part in FLOORS if module == part or module.startswith(f"{part}.")]
    return max(fitting, key=len)


def unknown_parts(modules: Modules) -> set[str]:
    """A new part needs a floor."""
    return {name for name in modules if part_of(name) == "app" and name != "app"}


def imports_upward_or_sideward(modules: Modules) -> set[str]:
    """web, providers and the entries stand side by side; core imports nothing above it."""
    return {
        f"{name} imports {imported}"
        for name in modules
        for imported in imports(modules, name)
        if imported.split(".")[0] == "app"
        and part_of(imported) != part_of(name)
        and FLOORS[part_of(imported)] >= FLOORS[part_of(name)]
    }


def circles_in_core(modules: Modules) -> set[str]:
    """Inside core, nothing depends on itself by a detour; a folder counts as one."""

    def node(name: str) -> str:
        return ".".join(name.split(".")[:3])

    graph: dict[str, set[str]] = {}
    for name in modules:
        if name.startswith("app.core."):
            ours = {node(each) for each in imports(modules, name) if each.startswith("app.core.")}
            graph.setdefault(node(name), set()).update(ours - {node(name)})
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return {" → ".join(error.args[1])}
    return set()


def foreign_words_in_core(modules: Modules) -> set[str]:
    """Core knows no web framework, no provider and no command line."""
    return {
        f"{name} imports {imported}"
        for name in modules
        if part_of(name) == "app.core"
        for imported in imports(modules, name)
        if imported.split(".")[0] in OUTSIDE_OF_CORE
    }


def twilio_elsewhere(modules: Modules) -> set[str]:
    """Twilio's library is known in one place, so that another provider is one more file."""
    return {
        name
        for name in set(modules) - KNOW_TWILIO
        if any(imported.split(".")[0] == "twilio" for imported in imports(modules, name))
    }


def settings_from_elsewhere(modules: Modules) -> set[str]:
    """The environment is read once, strictly, by the settings."""
    names = {"environ", "environb", "getenv"}
    return {
        name
        for name in set(modules) - READ_THE_ENVIRONMENT
        for node in ast.walk(modules[name])
        if (
            isinstance(node, ast.Attribute) and node.attr in names and last_name(node.value) == "os"
        )
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    }


def imports_in_functions(modules: Modules) -> set[str]:
    """Imports stand at the top: what a module needs can be seen, and no circle is hidden."""
    return {
        f"{name}: {function.name}"
        for name, tree in modules.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom) or last_name(node) == "import_module"
    }


def senders_beside_the_outbox(modules: Modules) -> set[str]:
    """Law 1: only outbound hands a message to a provider; all others ask the outbox."""
    return {
        f"{name}: {ast.unparse(call)}"
        for name in set(modules) - {"app.core.outbound"} - SEND_BYTES
        for call in calls(modules[name])
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "send"
        and last_name(call.func.value).lstrip("_") not in ASK_THE_OUTBOX
    }


def cancellers_beside_scheduled(modules: Modules) -> set[str]:
    """Law 1: what waits at a provider is cancelled in one place, which writes it down."""
    return {
        f"{name}: {ast.unparse(call)}"
        for name in set(modules) - {"app.core.scheduled"}
        for call in calls(modules[name])
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "cancel"
        and last_name(call.func.value).lstrip("_") in {"provider", "carrier"}
    }


def writers_beside_consent(modules: Modules) -> set[str]:
    """Law 2: only consent writes suppressions and ledger entries, by whatever name or SQL."""
    tables = "|".join(PROTECTED.values())
    raw_sql = re.compile(rf"\b(into|update|from|table)\s+\W?({tables})\b", re.IGNORECASE)
    allowed = {"app.core.consent", "app.core.forgetting"}  # which only takes the person out
    offences = set()
    for name in set(modules) - allowed:
        if part_of(name) == "app.migrations":
            continue
        classes = names_for(modules[name], set(PROTECTED))
        for node in ast.walk(modules[name]):
            if isinstance(node, ast.Call) and _writes(node, classes):
                offences.add(f"{name}: {ast.unparse(node)}")
            if isinstance(node, ast.Constant) and raw_sql.search(str(node.value)):
                offences.add(f"{name}: {node.value}")
            if last_name(node) == "__table__" and last_name(node.value) in classes:
                offences.add(f"{name}: {ast.unparse(node)}")
    return offences


def _writes(call: ast.Call, classes: set[str]) -> bool:
    if last_name(call.func) in classes:  # an object of the class is a row to be
        return True
    verbs = {"insert", "update", "delete", "merge", "upsert"}
    return last_name(call.func) in verbs and any(last_name(each) in classes for each in call.args)


Law = Callable[[Modules], set[str]]

# Each law, and ways to break it: a module and a source that it must not have.
BROKEN: list[tuple[Law, str, str]] = [
    (unknown_parts, "app.cellar", ""),
    (imports_upward_or_sideward, "app.core.gate", "from app.config import Settings"),
    (imports_upward_or_sideward, "app.core.gate", "import app.web.logs"),
    (imports_upward_or_sideward, "app.web.logs", "from app.providers import twilio"),
    (imports_upward_or_sideward, "app.providers.twilio", "from app.web.logs import log"),
    (imports_upward_or_sideward, "app.web.health", "from app import create_app"),
    (imports_upward_or_sideward, "app.cli", "import app.worker"),
    (circles_in_core, "app.core.errors", "from app.core.gate import Decision"),
    (circles_in_core, "app.core.phone", "from app.core import consent, outbound"),
    (foreign_words_in_core, "app.core.gate", "from flask import request"),
    (foreign_words_in_core, "app.core.outbound", "import twilio.rest"),
    (twilio_elsewhere, "app.web.webhooks", "from twilio.request_validator import RequestValidator"),
    (settings_from_elsewhere, "app.core.gate", "import os\nx = os.environ['CONSENT']"),
    (settings_from_elsewhere, "app.cli", "from os import getenv"),
    (imports_in_functions, "app.cli", "def serve():\n    import gunicorn"),
    (imports_in_functions, "app.cli", "def serve():\n    importlib.import_module('gunicorn')"),
    (senders_beside_the_outbox, "app.cli", "services.provider.send(message)"),
    (senders_beside_the_outbox, "app.core.inbound", "self._carrier.send(message)"),
    (cancellers_beside_scheduled, "app.core.inbound", "self._provider.cancel('SM1')"),
    (writers_beside_consent, "app.core.inbound", "x = sa.insert(models.Suppression)"),
    (writers_beside_consent, "app.core.gate", "x = sa.delete(Suppression).where(1)"),
    (writers_beside_consent, "app.core.gate", "x = insert(LedgerEntry)"),
    (writers_beside_consent, "app.core.gate", "session.add(LedgerEntry(act='opt_in'))"),
    (writers_beside_consent, "app.web.logs", "Row = models.Suppression\nx = sa.update(Row)"),
    (writers_beside_consent, "app.cli", "from m import Suppression as S\nx = sa.delete(S)"),
    (writers_beside_consent, "app.cli", "x = Suppression.__table__.delete()"),
    (writers_beside_consent, "app.cli", "run('DELETE FROM suppressions')"),
    (writers_beside_consent, "app.cli", "run(f'insert into ledger_entries {x}')"),
]
LAWS = list(dict.fromkeys(law for law, _, _ in BROKEN))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_source_keeps_the_law(law):
    """There is no offence in the whole source."""
    assert law(read_modules()) == set()


@pytest.mark.parametrize(("law", "module", "source"), BROKEN)
def test_a_law_notices_when_it_is_broken(law, module, source):
    """Each law finds the offence when its like is put into the source."""
    house = read_imports()
    added = ast.parse(source)
    added.body += house[module].body if module in house else []
    assert law(house) == set()
    assert law(house | {module: added})
