"""What is written from the map of personal data: the notice's paragraphs, and the docs' table.

GDPR art. 13(1)(c) and (2)(a): why, and how long. Who, rights and recipients are the owner's to add.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from app.core.data_map import TABLES, Aim, Held
from app.core.policy import Policy
from app.core.retention import AFTER_CODE, PROOF, TEXTS

LANGUAGES = ("it", "en")


def paragraphs(language: str, policy: Policy) -> str:
    """A paragraph for each purpose: what is held for it, and how long."""
    words = words_of(language)
    written = []
    for aim in Aim:
        lines = [words["aims"][aim].format(brand=policy.brand)]
        for period in sorted({each.period for each in pairs() if each.aim is aim}):
            ending = words["periods"][period].format(**lengths(policy))
            lines.append(f"- {words['data'][aim][period]}: {ending}.")
        written.append("\n".join(lines))
    return "\n\n".join(written)


def lengths(policy: Policy) -> dict[str, int]:
    """How long the periods are here, by the names that the notice's words have places for."""
    return {
        "code_days": AFTER_CODE.days,
        "text_days": TEXTS.days,
        "record_days": policy.retention.days,
        "proof_years": PROOF.days // 365,
    }


def pairs() -> list[Held]:
    """All that is held, of whatever table."""
    return [held for table in TABLES.values() for held in table.held]


@cache
def words_of(language: str) -> dict[str, Any]:
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


def as_markdown() -> str:
    """The map as docs/personal-data.md shows it: a line for each kind of thing."""
    lines = [
        "| table | columns | what | aim | period | an erasure |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, table in sorted(TABLES.items()):
        for held in table.held:
            columns = ", ".join(f"`{column}`" for column in held.columns.split())
            ending = "ends it" if held.erased else "leaves it"
            cells = (f"`{name}`", columns, held.what, held.aim, held.period, ending)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
