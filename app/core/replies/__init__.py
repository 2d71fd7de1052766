"""What the house says on the handset: a table per language, filled with the brand's name."""

import tomllib
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib import resources

from app.core.language import LANGUAGES
from app.core.segments import count_segments

# Stands in a stored reply where the code was: the code itself is never stored.
CODE_PLACE = "{code}"

_MOST = 2  # segments that a text with a code may cost

# The language of a country's numbers, where the person's words don't tell: ISO regions.
_LANGUAGE_OF_REGION = {
    **dict.fromkeys(("IT", "SM", "VA"), "it"),
    **dict.fromkeys(("GB", "US", "IE", "AU", "NZ", "CA", "IM", "JE", "GG", "MT"), "en"),
    **dict.fromkeys(("ES", "MX", "AR", "CO", "CL", "PE", "VE", "EC", "UY", "PY", "BO"), "es"),
    **dict.fromkeys(("CR", "PA", "GT", "HN", "NI", "SV", "DO", "CU"), "es"),
    **dict.fromkeys(("FR", "MC", "BE", "LU", "RE", "GP", "MQ", "GF"), "fr"),
    **dict.fromkeys(("DE", "AT", "LI"), "de"),
    **dict.fromkeys(("PT", "BR", "AO", "MZ", "CV"), "pt"),
}


class Reply(StrEnum):
    """The things that are ever said."""

    OPTED_OUT = "opted_out"
    OPTED_OUT_OF_PROGRAM = "opted_out_of_program"
    OPTED_IN = "opted_in"
    NOT_OPTED_OUT = "not_opted_out"
    HELP = "help"
    JOIN_CODE = "join_code"
    JOIN_CODE_FOR_PAGE = "join_code_for_page"  # to type in, or to answer with
    JOIN_CODE_FOR_FORM = "join_code_for_form"  # to type in: the sender can't be answered
    JOINED = "joined"
    WRONG_CODE = "wrong_code"
    CODE_OVER = "code_over"
    WHY_CONSENT = "why_consent"
    WHY_NOTHING = "why_nothing"
    ERASE_CODE = "erase_code"
    ERASED = "erased"
    DATA_CODE = "data_code"
    RENEWAL = "renewal"


def render(reply: Reply, language: str, brand: str, **facts: object) -> str:
    """Fill the text; a code's place stays empty, for app.core.optin.with_code.

    It costs one GSM-7 segment, where brand and purpose are in that alphabet and not too long.
    Times are written as the language writes dates, doors (`door`) by their names.
    """
    table = _table(language)
    written = {name: _written(table, name, fact) for name, fact in facts.items()}
    return table[reply].format(brand=brand, code=CODE_PLACE, **written)


def with_notice(text: str, language: str, address: str) -> str:
    """A text with a code, followed by where the privacy notice stands (GDPR 13), if that has room.

    It may then cost two segments, and never three: where it would, the text stays as it is.
    """
    longer = f"{text} {_table(language)['notice'].format(address=address)}"
    # A code takes up about as much room as its place.
    return longer if count_segments(longer.replace(CODE_PLACE, "0" * 10)).count <= _MOST else text


def _written(table: dict[str, str], name: str, fact: object) -> str:
    if isinstance(fact, datetime):
        return fact.strftime(table["date"])
    return table[f"door_{fact}"] if name == "door" else str(fact)


def language_of_region(region: str | None) -> str | None:
    return _LANGUAGE_OF_REGION.get(region or "")


def way_out_by_word(language: str) -> str:
    """How a text from a sender that can be answered ends."""
    return _table(language)["way_out_by_word"]


def way_out_by_link(language: str, link: str) -> str:
    """How a text from a sender that can't be answered ends."""
    return _table(language)["way_out_by_link"].format(link=link)


def default_purpose(language: str) -> str:
    """What a program is for, where its owner has not said it."""
    return _table(language)["purpose"]


def default_consent_text(language: str, brand: str, purpose: str) -> str:
    """The text to agree to, where the owner has not written one."""
    return _table(language)["consent_text"].format(brand=brand, purpose=purpose)


@cache
def _table(language: str) -> dict[str, str]:
    if language not in LANGUAGES:
        raise ValueError(f"there are no replies in {language}")
    return tomllib.loads(resources.files(__name__).joinpath(f"{language}.toml").read_text("utf-8"))
