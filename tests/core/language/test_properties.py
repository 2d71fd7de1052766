"""What must hold for every text, not only for those somebody thought of."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.language import LANGUAGES, READ_LIMIT, Intent, classify
from app.core.language import classifier as reading
from app.core.language.tables import TABLES

# One opt-out by keyword and two by phrase in each language.
OPT_OUTS = [
    "stop",
    "unsubscribe",
    "please take me off your list",
    "don't text me anymore",
    "cancellami",
    "non voglio più ricevere messaggi",
    "toglietemi dalla lista",
    "darme de baja",
    "no me manden más mensajes",
    "quiero darme de baja de la lista",
    "désabonnement",
    "ne m'envoyez plus de messages",
    "retirez-moi de votre liste",
    "abmelden",
    "keine Werbung mehr bitte",
    "löscht mich aus dem Verteiler",
    "descadastrar",
    "não quero mais receber mensagens",
    "parem de me mandar mensagem",
]
OPT_OUT_WORDS = sorted(
    " ".join(phrase)
    for table in TABLES
    for key in ("opt_out", "everyday")
    for phrase in table.phrases("keywords", key)
)
OPT_IN_WORDS = [
    " ".join(phrase) for table in TABLES for phrase in table.phrases("keywords", "opt_in")
]
_BOLD = {chr(ord("a") + i): chr(0x1D5EE + i) for i in range(26)}

decorations = st.sampled_from(
    [
        str.upper,
        str.title,
        lambda text: f"{text}!!!",
        lambda text: f"  {text}\n\n",
        lambda text: f"...{text}",
        lambda text: f"({text})",
        lambda text: f"*{text}*",
        lambda text: f"{text} 😡",
        lambda text: f"🙏{text}🙏",
        "\u200b".join,
        lambda text: f"\u200e{text}\u200f",
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: text.replace("o", "o\u00ad"),
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in text),
        lambda text: "".join(_BOLD.get(c, c) for c in text),
        lambda text: text.replace("o", "\u043e").replace("a", "\u0430"),
        lambda text: f"{text}, grazie",
        lambda text: f"please {text}",
        lambda text: f"{text}\n> Acme: START your day. Reply STOP to end",
        lambda text: f"{text}\nSent from my iPhone",
    ]
)


# Quotation marks are put round the whole: inside a message they mark somebody else's words.
quotes = st.sampled_from(["{}", "“{}”", "«{}»", '"{}"', "„{}“", "'{}'"])


@given(st.sampled_from(OPT_OUTS), st.lists(decorations, max_size=3), quotes)
def test_decorating_an_opt_out_never_loses_it(opt_out, decorated_by, quote):
    """Case, width, emoji, punctuation, courtesy and invisible characters change no opt-out."""
    text = opt_out
    for decorate in decorated_by:
        text = decorate(text)
    text = quote.format(text)
    assert classify(text).intent is Intent.OPT_OUT


@given(st.lists(st.sampled_from([*OPT_OUT_WORDS, *OPT_IN_WORDS]), min_size=1, max_size=8))
def test_no_text_with_an_opt_out_word_is_an_opt_in(listed):
    """However opt-out and opt-in words are mixed, one opt-out word is enough: it is no opt-in."""
    meaning = classify(" ".join(listed))
    if set(listed) & set(OPT_OUT_WORDS):
        assert meaning.intent is not Intent.OPT_IN


@given(st.text(alphabet=st.characters(), max_size=400))
def test_any_text_is_answered(text):
    """Whatever the characters, lone surrogates among them, a meaning comes back."""
    meaning = classify(text)
    assert meaning.intent in Intent
    assert meaning.language in {None, *LANGUAGES}


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data):
    """Bytes of any kind, read as UTF-8 as well as it goes, are answered."""
    assert classify(data.decode("utf-8", "surrogateescape")).intent in Intent


@given(st.sampled_from(OPT_IN_WORDS), st.text(min_size=1, max_size=20).filter(str.isalpha))
def test_an_opt_in_word_with_a_word_beside_it_is_no_opt_in(word, beside):
    """An opt-in is the bare word: with any other word it is none."""
    both = f"{word} {beside}"
    if classify(beside).intent is not Intent.NONE or " ".join(both.split()) != both:
        return
    assert classify(both).intent is not Intent.OPT_IN


@pytest.mark.parametrize(
    "unit", ["stop ", "non voglio ", "a", "don't text me or ", ">", "“x” ", "? "]
)
def test_a_megabyte_is_answered_from_its_beginning(unit):
    """Of a text of a megabyte the first READ_LIMIT characters decide, and nothing after them."""
    text = unit * (1_000_000 // len(unit))
    assert classify(text) == classify(text[: READ_LIMIT + 1])


@given(st.text(min_size=0, max_size=50))
def test_what_stands_behind_the_limit_is_never_read(behind):
    """No step is given more than READ_LIMIT characters."""
    text = "x" * READ_LIMIT + behind
    assert len(reading.explain(text)[1][0].left) == READ_LIMIT


def test_a_cut_text_is_never_an_opt_in():
    """A START at the head of a text too long to be read whole is no consent; a person reads it."""
    meaning = classify("START" + " " * READ_LIMIT + "the engine")
    assert meaning.intent is Intent.NONE
    assert meaning.review
