"""A way out in every marketing text: the word to answer, or a link where nobody can answer.

Sources: Codice privacy art. 130 c.5 and ePrivacy art. 13(4) (a valid address in each message);
alphanumeric senders can't be answered (AGCOM 12/23/CIR).
"""

import base64
import hashlib
import re

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import insert
from app.core.models import LinkToken
from app.core.phone import Phone, PhoneReader
from app.core.policy import Policy
from app.core.replies import way_out_by_link, way_out_by_word

_TOKEN_BYTES = 16  # 128 bits: not to be found by trying
_TAIL = 60  # characters at the end in which the opt-out word is looked for
_WORD = re.compile(r"\bSTOP\b")


def with_way_out(
    body: str | None, sender: str | None, language: str, policy: Policy, token: str
) -> str:
    """The text, ending with the way out that this sender allows, added where it lacks one."""
    body = body or ""
    if is_in(body, sender, policy, token):
        return body
    if can_be_answered(sender):
        way_out = way_out_by_word(language)
    else:
        way_out = way_out_by_link(language, _link(policy, token))
    return f"{body}\n{way_out}".lstrip()


def is_in(body: str, sender: str | None, policy: Policy, token: str) -> bool:
    """Whether the text has the way out that this sender allows."""
    if can_be_answered(sender):
        return _WORD.search(body[-_TAIL:]) is not None
    return _link(policy, token) in body


def can_be_answered(sender: str | None) -> bool:
    """A number or a messaging service (MG…) can; a name can't."""
    if sender is None or sender.removeprefix("+").isdigit():
        return True
    return re.fullmatch(r"MG[0-9a-fA-F]{32}", sender) is not None


def token_of(phones: PhoneReader, phone: Phone) -> str:
    """The token in a person's link: a keyed hash, so that it need not be kept to be sent again."""
    digest = phones.fingerprint(f"way out {phone.fingerprint.hex()}")
    return base64.urlsafe_b64encode(digest[:_TOKEN_BYTES]).rstrip(b"=").decode()


def keep_token(connection: Connection, phone: Phone, token: str) -> None:
    """Let the link be recognised when it is opened."""
    row = {"token_hash": _hash(token), "fingerprint": phone.fingerprint}
    connection.execute(insert(LinkToken).values(row).on_conflict_do_nothing())


def person_behind(connection: Connection, token: str) -> bytes | None:
    """The fingerprint that a link stands for; None for a token that is not ours, or no more."""
    query = sa.select(LinkToken.fingerprint).where(LinkToken.token_hash == _hash(token))
    return connection.execute(query).scalar()


def _link(policy: Policy, token: str) -> str:
    return f"{policy.public_url}/u/{token}"


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
