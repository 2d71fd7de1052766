"""What the house says on the handset: a table per language, filled with the brand's name."""

import tomllib
from enum import StrEnum
from functools import cache
from importlib import resources

from app.core.language import LANGUAGES

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
    OPTED_IN = "opted_in"
    NOT_OPTED_OUT = "not_opted_out"
    HELP = "help"


def render(reply: Reply, language: str, brand: str) -> str:
    """The text: one GSM-7 segment, whatever the brand."""
    return _table(language)[reply].format(brand=brand)


def language_of_region(region: str | None) -> str | None:
    return _LANGUAGE_OF_REGION.get(region or "")


@cache
def _table(language: str) -> dict[str, str]:
    if language not in LANGUAGES:
        raise ValueError(f"there are no replies in {language}")
    return tomllib.loads(resources.files(__name__).joinpath(f"{language}.toml").read_text("utf-8"))
