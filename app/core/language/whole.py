"""Whole messages: what a message means that is nothing but keywords and what may stand by them."""

from app.core.language.keywords import Cover, Role, code_of, cover
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import MARKS, Words
from app.core.language.tables import KEYWORDS, TABLES_VERSION

# A bare yes or a cry for help is short; with more around it, it answers something else.
_SHORT = 4


def whole_message(words: Words) -> Meaning | None:
    """Return the meaning of a message that its keywords explain whole, or None."""
    return opt_in(words) or read_cover(words, cover(words.tokens))


def opt_in(words: Words) -> Meaning | None:
    """Only the bare word, as it was typed: consent is never guessed."""
    keyword = KEYWORDS.get(tuple(token for token in words.tokens if token not in MARKS))
    if keyword is None or keyword.intent is not Intent.OPT_IN or "?" in words.tokens:
        return None
    return Meaning(Intent.OPT_IN, "keyword", TABLES_VERSION, keyword.language)


def read_cover(words: Words, found: Cover) -> Meaning | None:
    """Decide on a message of known phrases; with words left over nothing is decided."""
    if found.unknown:
        return None
    intents = found.intents()
    if Intent.OPT_OUT in intents:
        return opt_out(words, found)
    if found.numbers:
        return code(found)
    size = sum(token not in MARKS for token in words.tokens)
    if Role.AROUND in found.roles or len(intents) != 1 or size > _SHORT:
        return None
    intent = intents.pop()
    if intent is Intent.OPT_IN:
        return None
    return Meaning(intent, "keyword", TABLES_VERSION, found.language())


def opt_out(words: Words, found: Cover) -> Meaning | None:
    """STOP beats all else in the message. An everyday word needs to be alone."""
    outs = [k for k in found.keywords if k.intent is Intent.OPT_OUT]
    if all(k.everyday for k in outs):
        beside = found.roles - {Role.COURTESY, Role.EVERYTHING}
        if beside or "?" in words.tokens or found.numbers:
            return None
        return Meaning(Intent.OPT_OUT, "everyday_keyword", TABLES_VERSION, found.language())
    if found.negated and not _contradicts(found):
        return None
    spoken = {k.language for k in outs}
    if None not in spoken and found.around - spoken - {None}:
        return None
    topic = " ".join([*found.topic, *found.numbers]) or None
    return Meaning(Intent.OPT_OUT, "keyword", TABLES_VERSION, found.language(), topic=topic)


def _contradicts(found: Cover) -> bool:
    """Whether both directions are asked: the safe reading of "START no STOP" is out."""
    return Intent.OPT_IN in found.intents() or Role.BACK in found.roles or _is_stop_only(found)


def _is_stop_only(found: Cover) -> bool:
    return not found.around - {None} and all(k.language is None for k in found.keywords)


def code(found: Cover) -> Meaning | None:
    """Read a confirmation code, alone or introduced as one."""
    digits = code_of(found.numbers)
    if digits is None or found.roles - {Role.CODE_WORD, Role.COURTESY}:
        return None
    return Meaning(Intent.CONFIRM, "code", TABLES_VERSION, found.language(), code=digits)
