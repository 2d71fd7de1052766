"""The sender's own words: what was quoted, forwarded or made by a machine is not theirs.

Phones and mail programs put the original under an answer, and send a reaction as a text that
quotes the message reacted to, which is ours with our own "Reply STOP" in it.
"""

import re
from dataclasses import dataclass

_QUOTED = r"[“”„«»\"‟‹›「」]"  # noqa: RUF001
_ORIGINAL_BEGINS = re.compile(
    r"""^\s*(?:>
    |-{2,}\s*(?:original|forwarded|messaggio|mensaje|mensagem|message|urspr|weitergeleitete|inoltrat)
    |_{5,}\s*$
    |(?:on|il|il\ giorno|el|le|am|em|no\ dia)\b[\s\S]{4,120}?
     (?:wrote|ha\ scritto|escribi(?:ó|o)|a\ (?:é|e)crit|schrieb.{0,40}|escreveu)\s*:\s*$
    |(?:from|da|von|de)\s?:\s.{1,80}$)""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
# Reactions in the words of Apple's and Google's phones and of the clients that imitate them.
_REACTION = re.compile(
    rf"""^\s*(?:
    (?:liked|loved|disliked|laughed\ at|emphasi[sz]ed|questioned|reacted\b.{{0,20}}\bto|removed\ an?\b.{{2,25}}\bfrom
    |mi\ piace|(?:gli|le)\ (?:piace|è\ piaciuto)|ha\ messo\b.{{2,20}}\ba|adora|ha\ adorato|non\ mi\ piace|ha\ riso\b(?:\ (?:a|di|per))?|ride\ (?:a|di|per)|ha\ (?:enfatizzato|evidenziato|dato\ enfasi\ a)|ha\ chiesto\ chiarimenti\ su|ha\ (?:rimosso|tolto)\b.{{2,30}}\bda|(?:ha\ )?reagito\b.{{0,25}}\ba|ha\ aggiunto\b.{{2,25}}\ba
    |me\ gusta|le\ (?:gusta|gustó|encanta|encantó)|no\ (?:me|le)\ gusta|se\ r(?:ió|ie)\ de|enfatiz(?:ó|a)|destacó|cuestionó|(?:ha\ reaccionado|reaccionó)\b.{{0,25}}\ba|(?:eliminó|quitó)\b.{{2,30}}\b(?:de|a)
    |(?:a\ )?(?:aimé|adoré|détesté|accentué|ri\ (?:à|de)|réagi\b.{{0,25}}\b(?:à|au))|j['’]aime|j['’]adore|je\ n['’]aime\ pas|a\ (?:mis\ en\ évidence|exprimé\ .{{2,20}}\ à|souligné|remis\ en\ question)|a\ (?:supprimé|retiré)\b.{{2,30}}\b(?:de|du|à)
    |gefällt\ (?:mir|ihm|ihr)(?:\ nicht)?|geliebt|(?:hat\ )?(?:liebt|gelacht\ über|lacht\ über|hervorgehoben|betont|infrage\ gestellt|mit\b.{{1,25}}\bauf)|hat\b.{{1,30}}\bauf|(?:hat\ )?mit\b.{{1,25}}\bauf
    |curtiu|gostou\ de|amou|adorou|não\ (?:curtiu|gostou\ de)|descurtiu|riu\ (?:de|com)|enfatizou|deu\ ênfase\ a|questionou|reagiu\b.{{0,25}}\ba|removeu\b.{{2,30}}\bde
    |[^\w\s]{{1,8}}\s*(?:to|a|à|auf|zu|para|em))
    \s*:?\s*{_QUOTED}.*
    |(?:liked|loved|disliked|laughed\ at|emphasi[sz]ed|questioned|reacted\ .{{1,12}}\ to)\ an?\ (?:image|movie|video|photo|attachment|message|link|audio\ message|voice\ message|sticker)\s*
    )$""",  # noqa: RUF001
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# Words quoted inside a sentence. One or two of them may be the keyword itself.
_QUOTATION = re.compile(
    r"“[^“”]{1,600}”|„[^„“”]{1,600}[“”]|«[^«»]{1,600}»|\"[^\"]{1,600}\"|‹[^‹›]{1,600}›",  # noqa: RUF001
)
_SHORT_QUOTATION = 2
# What stands under the mark of a signature, and the line that a telephone adds.
_SIGNATURE = re.compile(
    r"""^--[ ]?$[\s\S]*
    |^\s*(?:sent\ from|sent\ via|get\ outlook|inviato\ da|inviata\ da|enviado\ d|envoy(?:é|e)\ d|gesendet\ v|von\ mein\w+\ .{1,20}\ gesendet).{0,60}$""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class OwnWords:
    """What the sender wrote; `reaction` is true where that is nothing but a reaction."""

    text: str
    reaction: bool = False


def own_words(text: str) -> OwnWords:
    """Cut what the sender did not write. The own words of a reaction are none."""
    if _REACTION.match(text):
        return OwnWords("", reaction=True)
    if original := _ORIGINAL_BEGINS.search(text):
        text = text[: original.start()].strip() or _below(text)
    text = _SIGNATURE.sub("", text)
    without = _QUOTATION.sub(_shortened, text)
    return OwnWords(without if any(char.isalnum() for char in without) else text)


def _below(text: str) -> str:
    """Return what stands under an original whose lines are marked as such; else nothing."""
    lines = text.splitlines()
    quoted = [i for i, line in enumerate(lines) if line.lstrip().startswith(">")]
    return "\n".join(lines[quoted[-1] + 1 :]) if quoted else ""


def _shortened(quotation: re.Match[str]) -> str:
    words = quotation[0].split()
    return quotation[0] if len(words) <= _SHORT_QUOTATION else " … "
