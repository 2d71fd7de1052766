"""What is said on the handset: short, in six languages, and without a word too much."""

import re
from datetime import UTC, datetime

import pytest

from app.core.language import LANGUAGES, Intent, classify
from app.core.replies import (
    CODE_PLACE,
    Reply,
    default_purpose,
    language_of_region,
    render,
    way_out_by_link,
    way_out_by_word,
    with_notice,
)
from app.core.segments import count_segments

MARKETING = re.compile(
    r"https?:|www\.|%|€|\$|!|\b(?:offer|sale|free|gratis|scont|oferta|angebot|promo|rabatt)",
    re.IGNORECASE,
)

pytestmark = pytest.mark.parametrize("language", LANGUAGES)


def rendered(reply: Reply, language: str, brand: str = "Demo", door: str = "web") -> str:
    facts = {"since": datetime(2026, 1, 1, tzinfo=UTC), "until": datetime(2028, 1, 1, tzinfo=UTC)}
    facts |= {"link": f"https://sms.example.org/u/{'x' * 22}"}
    purpose = default_purpose(language)
    said = render(reply, language, brand, purpose=purpose, door=door, **facts)
    return said.replace(CODE_PLACE, "123456")


@pytest.mark.parametrize("reply", list(Reply))
def test_a_reply_is_one_segment(language: str, reply: Reply):
    """Even with a brand of forty characters each reply costs one GSM-7 message."""
    for door in ("web", "api", "sms", "import"):
        text = rendered(reply, language, "B" * 40, door)
        counted = count_segments(text)
        assert (counted.encoding, counted.count) == ("GSM-7", 1), text
        assert text.startswith("B" * 40)
        assert not re.search(r"[{}]", text)


def test_the_opt_out_is_confirmed_without_marketing_and_with_the_way_back(language: str):
    """47 CFR 64.1200(a)(12): it confirms and says how to return, and sells nothing."""
    text = rendered(Reply.OPTED_OUT, language)
    assert not MARKETING.search(text)
    assert re.search(r"\bSTART\b", text)
    assert classify("START").intent is Intent.OPT_IN


@pytest.mark.parametrize("reply", [Reply.OPTED_IN, Reply.NOT_OPTED_OUT, Reply.HELP, Reply.JOINED])
def test_who_may_get_messages_is_told_how_to_stop(language: str, reply: Reply):
    """The word to stop stands in it, and works."""
    assert re.search(r"\bSTOP\b", rendered(reply, language))
    assert classify("STOP").intent is Intent.OPT_OUT


def test_a_way_out_costs_no_other_alphabet(language: str):
    """What is added to marketing texts must not triple their price."""
    assert re.search(r"\bSTOP\b", way_out_by_word(language))
    for way_out in (way_out_by_word(language), way_out_by_link(language, "https://x.org/u/1")):
        assert count_segments(way_out).encoding == "GSM-7"


@pytest.mark.parametrize("brand", ["{brand}", "{0}", "{code", "a}b", "100%", "\\n"])
def test_a_brand_is_text_and_nothing_else(language: str, brand: str):
    """Braces and backslashes in a brand's name are printed as they are."""
    assert brand in render(Reply.HELP, language, brand)


@pytest.mark.parametrize("reply", list(Reply))
def test_no_reply_is_taken_for_an_act(language: str, reply: Reply):
    """Two gateways that text each other: what one says opts nobody in at the other."""
    assert classify(rendered(reply, language)).intent not in {Intent.OPT_IN, Intent.CONFIRM}


def test_a_region_answers_in_a_language_that_there_is(language: str):
    """Numbers of the language's own country are answered in it."""
    region = {"en": "GB"}.get(language, language.upper())
    assert language_of_region(region) == language


def test_a_text_with_a_code_leads_to_the_privacy_notice(language: str):
    """GDPR 13: its address follows, in two segments at most; one that has no room is left out."""
    text = render(Reply.JOIN_CODE, language, "Pizzeria da Gino", purpose=default_purpose(language))
    address = "https://dagino.example/privacy"

    told = with_notice(text, language, address)
    assert told.endswith(address)
    assert told.startswith(text)
    assert count_segments(told.replace(CODE_PLACE, "123456")).count <= 2
    assert with_notice(text, language, address + "x" * 250) == text
