"""Whole messages: what a message means that is nothing but keywords and what may stand by them."""

from app.core.language.keywords import LEXICON, Cover, Lexicon, Role, code_of, cover
from app.core.language.meaning import Intent, Meaning
from app.core.language.normalise import MARKS, Words
from app.core.language.tables import CODE_AROUND, TABLES_VERSION

# A bare yes or a cry for help is short; with more around it, it answers something else.
_SHORT = 4
_CODE_INTRODUCED = {Role.CODE_WORD, Role.COURTESY, Role.AROUND, Role.EVERYTHING}
_REFUSAL = {Role.POSSIBLE, Role.COURTESY, Role.AROUND}
_STOP_SIGNS = "🛑"
_MAYBE_SIGNS = "✋🤚🖐⛔🚫🙅"


def whole_message(words: Words, typed: Words, lexicon: Lexicon = LEXICON) -> Meaning | None:
    """Return the meaning of a message that its keywords explain whole, or None.

    `typed` are the words before spelling was corrected: consent is read from them alone.
    """
    if in_ := opt_in(typed, lexicon):
        return in_
    if lexicon.tells_nothing(words.tokens) and not any(map(str.isdecimal, words.tokens)):
        return None
    return read_cover(words, cover(words.tokens, lexicon))


def signs_only(text: str) -> Meaning:
    """Read a message without a word: a stop sign asks, a raised hand may."""
    if any(sign in text for sign in _STOP_SIGNS):
        return Meaning(Intent.OPT_OUT, "stop_sign", TABLES_VERSION)
    maybe = any(sign in text for sign in _MAYBE_SIGNS)
    return Meaning(Intent.NONE, "possible" if maybe else "no_rule", TABLES_VERSION, review=maybe)


def opt_in(words: Words, lexicon: Lexicon) -> Meaning | None:
    """Only the bare word, as it was typed: consent is never guessed."""
    phrase = tuple(token for token in words.tokens if token not in MARKS)
    keyword = lexicon.keyword(phrase)
    if keyword is None or keyword.intent is not Intent.OPT_IN or "?" in words.tokens:
        return None
    return Meaning(Intent.OPT_IN, "keyword", TABLES_VERSION, keyword.language)


def read_cover(words: Words, found: Cover) -> Meaning | None:
    """Decide on a message of known phrases; with words left over nothing is decided."""
    if found.unknown:
        return code(found)
    intents = found.intents()
    if Intent.OPT_OUT in intents:
        return opt_out(words, found)
    if found.numbers:
        return code(found)
    if not intents and Role.POSSIBLE in found.roles and found.roles <= _REFUSAL:
        return Meaning(Intent.NONE, "possible", TABLES_VERSION, found.language(), review=True)
    return help_or_yes(words, found)


def help_or_yes(words: Words, found: Cover) -> Meaning | None:
    """Read a bare cry for help or a bare yes."""
    intents = found.intents() - {Intent.OPT_IN}
    size = sum(token not in MARKS for token in words.tokens)
    if Role.AROUND in found.roles or len(found.intents()) != 1 or not intents or size > _SHORT:
        return None
    return Meaning(intents.pop(), "keyword", TABLES_VERSION, found.language())


def opt_out(words: Words, found: Cover) -> Meaning | None:
    """STOP beats all else in the message. An everyday word needs to be alone."""
    outs = [k for k in found.keywords if k.intent is Intent.OPT_OUT]
    if all(k.everyday for k in outs):
        beside = found.roles - {Role.COURTESY, Role.EVERYTHING}
        if beside or "?" in words.tokens or found.numbers:
            return None
        return Meaning(Intent.OPT_OUT, "everyday_keyword", TABLES_VERSION, found.language())
    if "?" in words.tokens and all(k.language and not k.unmistakable for k in outs):
        return None
    if found.negated and not _contradicts(found):
        return None
    spoken = {k.language for k in outs}
    if None not in spoken and found.around - spoken - {None}:
        return None
    program = next((k.program for k in outs if k.program), None)
    topic = program or " ".join([*found.topic, *found.numbers]) or None
    return Meaning(Intent.OPT_OUT, "keyword", TABLES_VERSION, found.language(), topic=topic)


def _contradicts(found: Cover) -> bool:
    """Whether both directions are asked: the safe reading of "START no STOP" is out."""
    return Intent.OPT_IN in found.intents() or Role.BACK in found.roles or _is_stop_only(found)


def _is_stop_only(found: Cover) -> bool:
    return not found.around - {None} and all(k.language is None for k in found.keywords)


def code(found: Cover) -> Meaning | None:
    """Read a confirmation code, alone or introduced as one."""
    digits = code_of(found.numbers)
    introduced = Role.CODE_WORD in found.roles
    allowed = _CODE_INTRODUCED if introduced else {Role.COURTESY}
    left = [word for word in found.unknown if not introduced or (word,) not in CODE_AROUND]
    if digits is None or left or found.keywords or found.roles - allowed:
        return None
    return Meaning(Intent.CONFIRM, "code", TABLES_VERSION, found.language(), code=digits)
