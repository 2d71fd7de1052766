"""The sender's own words: what was quoted, forwarded or added by a machine is not theirs.

Phones and mail programs put the original under an answer, and send a reaction as a text that
quotes the message reacted to, which is ours with our own "Reply STOP" in it.
"""

import re
from dataclasses import dataclass

from app.core.language.tables import TABLES

# Marks of direction, joiners and soft hyphens: they hide a quotation, and mean nothing here.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_QUOTE = r"[“”„«»\"‟‹›「」]"  # noqa: RUF001
_OBJECTS = (
    "image|movie|video|photo|picture|attachment|message|link|audio message|voice message|sticker"
)


def _listed(key: str) -> str:
    """Return an alternative of all languages' phrases, the longest first; … is a short gap."""
    written = (
        phrase.strip()
        for table in TABLES
        for phrase in table.data.get("not_own", {}).get(key, "").split(",")
    )
    phrases = sorted({phrase for phrase in written if phrase}, key=len, reverse=True)
    return "|".join(
        re.escape(phrase).replace("…", r".{1,25}?").replace("\\ ", r"\s+").replace("'", "['’]")  # noqa: RUF001
        for phrase in phrases
    )


_REACTION = re.compile(
    rf"""^\s*(?:
    (?:{_listed("reactions")}|[^\w\s]{{1,8}}\s*(?:to|a|à|auf|zu|para|em))\s*:?\s*{_QUOTE}.*
    |(?:liked|loved|disliked|laughed\ at|emphasi[sz]ed|questioned|reacted\ .{{1,12}}\ to)
     \s+an?\s+(?:{_OBJECTS.replace(" ", chr(92) + " ")})\s*
    )$""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_ORIGINAL_BEGINS = re.compile(
    rf"""^\s*(?:>(?!.*<\s*$)
    |-{{2,}}\s*(?:{_listed("headers")})
    |_{{5,}}\s*$
    |(?:{_listed("dated")})\s[\s\S]{{4,120}}?(?:{_listed("wrote")}).{{0,40}}:\s*$
    |(?:{_listed("headers")})\s?:\s.{{1,80}}$)""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# What stands under the mark of a signature, and the line that a telephone adds.
_SIGNATURE = re.compile(
    rf"^--[ ]?$[\s\S]*|^\s*(?:{_listed('device_lines')}).{{0,60}}$",
    re.IGNORECASE | re.MULTILINE,
)
# Words quoted inside a sentence. One or two of them may be the keyword itself.
_QUOTATION = re.compile(
    r"“[^“”]{1,600}”|„[^„“”]{1,600}[“”]|«[^«»]{1,600}»|\"[^\"]{1,600}\"|‹[^‹›]{1,600}›",  # noqa: RUF001
)
_SHORT_QUOTATION = 2


@dataclass(frozen=True, slots=True)
class OwnText:
    """What the sender wrote; `reaction` is true where that is nothing but a reaction."""

    text: str
    reaction: bool = False


def own_text(text: str) -> OwnText:
    """Cut what the sender did not write. Of a reaction nothing is left."""
    text = text if text.isascii() else _INVISIBLE.sub("", text)
    if _REACTION.match(text):
        return OwnText("", reaction=True)
    if original := _ORIGINAL_BEGINS.search(text):
        text = text[: original.start()].strip() or _below(text)
    text = _SIGNATURE.sub("", text)
    without = _QUOTATION.sub(_shortened, text)
    return OwnText(without if any(char.isalnum() for char in without) else text)


def _below(text: str) -> str:
    """Return what stands under an original whose lines are marked as such; else nothing."""
    lines = text.splitlines()
    quoted = [i for i, line in enumerate(lines) if line.lstrip().startswith(">")]
    return "\n".join(lines[quoted[-1] + 1 :]) if quoted else ""


def _shortened(quotation: re.Match[str]) -> str:
    words = quotation[0].split()
    return quotation[0] if len(words) <= _SHORT_QUOTATION else " … "
