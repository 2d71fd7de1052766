"""Programs: what one consents to. Their consent texts are never changed, only followed."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.database import Database, insert
from app.core.errors import InvalidInputError, NotFoundError
from app.core.language import words
from app.core.models import ConsentText, PrivacyNotice, Program
from app.core.notices import Notice, follow_notice
from app.core.policy import Clock, Controller, Policy
from app.core.program_choices import checked
from app.core.replies import default_consent_text, default_purpose

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}\Z")
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Terms:
    """A program as it holds now: its own choices, and the installation's where it has none.

    `text` is what people are shown and agree to, `text_version` its number. `renewal`: so long
    before its end a consent may be asked for again. `join_words` and `stop_words` are normalised.
    `quiet`: from when until when no marketing goes out, on the recipient's clock; `cap`: at most
    so many messages to a number in so many days. `notice_version` and `notice_sha256`: of the
    privacy notice, where its wording was recorded. `controller`: who answers for the data.
    """

    slug: str
    brand: str
    purpose: str
    language: str
    sender: str | None
    notice_url: str | None
    retention: timedelta
    renewal: timedelta
    double_opt_in: bool
    yes_confirms: bool
    join_words: tuple[str, ...]
    stop_words: tuple[str, ...]
    text: str
    text_version: int
    quiet: tuple[time, time] | None = None
    cap: tuple[int, int] | None = None
    notice_version: int | None = None
    notice_sha256: str | None = None
    controller: Controller = field(default_factory=Controller)


class Programs:
    """Adds, shows and edits programs."""

    def __init__(self, database: Database, policy: Policy, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock

    def add(
        self,
        slug: str,
        choices: Mapping[str, Any],
        text: str | None = None,
        notice: Notice | None = None,
    ) -> Terms:
        """Make a program. Raises InvalidInputError for a slug or a choice that can't be."""
        if not _SLUG.match(slug):
            raise InvalidInputError(
                "a program's name has 1 to 40 of a-z, 0-9 and -, and begins with one of the first"
            )
        row = {"slug": slug, "created_at": self._clock(), **checked(choices)}
        with self._database.write() as connection:
            self._refuse_shared_words(connection, slug, row)
            query = insert(Program).values(row).on_conflict_do_nothing()
            if connection.execute(query.returning(Program.slug)).first() is None:
                raise InvalidInputError(f"there is a program {slug!r} already")
            self._follow_text(connection, slug, text)
            self._follow_notice(connection, slug, notice)
            return terms_of(connection, slug, self._policy)

    def edit(
        self,
        slug: str,
        choices: Mapping[str, Any],
        text: str | None = None,
        notice: Notice | None = None,
    ) -> Terms:
        """Change what is given; None returns a choice to the installation's."""
        values = checked(choices)
        with self._database.write() as connection:
            terms_of(connection, slug, self._policy)
            self._refuse_shared_words(connection, slug, values)
            if values:
                query = sa.update(Program).where(Program.slug == slug).values(values)
                connection.execute(query)
            if text is not None:
                self._follow_text(connection, slug, text)
            self._follow_notice(connection, slug, notice)
            return terms_of(connection, slug, self._policy)

    def show(self, slug: str) -> Terms:
        """Raises NotFoundError."""
        with self._database.read() as connection:
            return terms_of(connection, slug, self._policy)

    def all(self) -> list[Terms]:
        with self._database.read() as connection:
            return all_terms(connection, self._policy)

    def _follow_text(self, connection: Connection, slug: str, text: str | None) -> None:
        terms = terms_of(connection, slug, self._policy, with_text=False)
        text = text or default_consent_text(terms.language, terms.brand, terms.purpose)
        follow_text(connection, slug, text, self._clock())

    def notice_text(self, terms: Terms) -> str | None:
        """The privacy notice's words, where they are kept here."""
        if terms.notice_version is None:
            return None
        query = sa.select(PrivacyNotice.text).where(
            PrivacyNotice.program == terms.slug, PrivacyNotice.version == terms.notice_version
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def _follow_notice(self, connection: Connection, slug: str, notice: Notice | None) -> None:
        if notice is not None:
            follow_notice(connection, slug, notice, self._clock())

    def _refuse_shared_words(
        self, connection: Connection, slug: str, values: Mapping[str, Any]
    ) -> None:
        """A join word that two programs share could join somebody to the wrong one."""
        mine = set(str(values.get("join_words", "")).splitlines())
        for other in all_terms(connection, self._policy):
            if other.slug != slug and mine & set(other.join_words):
                raise InvalidInputError(f"the program {other.slug!r} has this join word already")


def terms_of(connection: Connection, slug: str, policy: Policy, *, with_text: bool = True) -> Terms:
    """A program as it holds now. Raises NotFoundError."""
    row = connection.execute(_QUERY.where(Program.slug == slug)).first()
    if row is None or (with_text and row.text is None):
        raise NotFoundError("there is no such program")
    return _terms(row, policy)


def all_terms(connection: Connection, policy: Policy) -> list[Terms]:
    rows = connection.execute(_QUERY.order_by(Program.created_at, Program.slug)).all()
    return [_terms(row, policy) for row in rows if row.text is not None]


def follow_text(connection: Connection, program: str, text: str, at: datetime) -> None:
    """From now on people are shown this text."""
    version = keep_text(connection, program, text, at)
    query = sa.update(Program).where(Program.slug == program).values(text_version=version)
    connection.execute(query)


def notice_address(terms: Terms, policy: Policy) -> str:
    """Where whoever is asked to consent can read what is done with the data."""
    return terms.notice_url or f"{policy.public_url}/join/{terms.slug}"


def text_digest(text: str) -> bytes:
    """SHA-256 of a consent text in UTF-8: what the ledger keeps of it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def digest_kept(connection: Connection, program: str, version: int) -> bytes:
    """The digest of a text that was shown."""
    query = sa.select(ConsentText.digest).where(
        ConsentText.program == program, ConsentText.version == version
    )
    return connection.execute(query).scalar_one()


def keep_text(connection: Connection, program: str, text: str, at: datetime) -> int:
    """The version of a text that people are shown; a text not seen before gets the next number."""
    if not 0 < len(text.strip()) <= _LONGEST_TEXT:
        raise InvalidInputError(f"the consent text must have 1 to {_LONGEST_TEXT} characters")
    digest = text_digest(text)
    known = sa.select(ConsentText.version).where(
        ConsentText.program == program, ConsentText.digest == digest
    )
    next_version = (
        sa.select(sa.func.coalesce(sa.func.max(ConsentText.version), 0) + 1)
        .where(ConsentText.program == program)
        .scalar_subquery()
    )
    row = {"program": program, "digest": digest, "text": text, "created_at": at}
    query = insert(ConsentText).values(version=next_version, **row)
    keep = query.on_conflict_do_nothing().returning(ConsentText.version)
    while True:  # a conflict means that somebody else was first, with this text or this number
        version = connection.execute(known).scalar() or connection.execute(keep).scalar()
        if version is not None:
            return version


def names_of(program: Terms) -> set[str]:
    """The words by which people may call a program, normalised."""
    return {words(program.slug), *program.stop_words, *program.join_words}


def named_by(topic: str, programs: list[Terms]) -> Terms | None:
    """The one program that the words after STOP name, if they name one."""
    found = [program for program in programs if words(topic) in names_of(program)]
    return found[0] if len(found) == 1 else None


def joined_by(text: str, programs: list[Terms]) -> Terms | None:
    """The program whose join word is the whole of this text."""
    said = words(text)
    return next((program for program in programs if said and said in program.join_words), None)


_QUERY = (
    sa.select(Program, ConsentText.text, ConsentText.version, PrivacyNotice.digest)
    .outerjoin(
        ConsentText,
        sa.and_(
            ConsentText.program == Program.slug,
            ConsentText.version == Program.text_version,
        ),
    )
    .outerjoin(
        PrivacyNotice,
        sa.and_(
            PrivacyNotice.program == Program.slug,
            PrivacyNotice.version == Program.notice_version,
        ),
    )
)


def _terms(row: Any, policy: Policy) -> Terms:
    brand = row.brand or policy.brand
    language = row.language or policy.language
    days = row.retention_days
    double = row.double_opt_in
    return Terms(
        slug=row.slug,
        brand=brand,
        purpose=row.purpose or default_purpose(language),
        language=language,
        sender=row.sender or policy.sender,
        notice_url=row.notice_url,
        retention=policy.retention if days is None else timedelta(days=days),
        renewal=policy.renewal if row.renewal_days is None else timedelta(days=row.renewal_days),
        double_opt_in=policy.double_opt_in if double is None else double,
        yes_confirms=row.yes_confirms,
        join_words=tuple(row.join_words.splitlines()),
        stop_words=tuple(row.stop_words.splitlines()),
        text=row.text or "",
        text_version=row.version or 0,
        quiet=_pair(row.quiet_from, row.quiet_until),
        cap=_pair(row.cap_messages, row.cap_days),
        notice_version=row.notice_version,
        notice_sha256=row.digest.hex() if row.digest else None,
        controller=Controller(
            row.controller_name or policy.controller.name,
            row.controller_address or policy.controller.address,
            row.privacy_contact or policy.controller.contact,
        ),
    )


def _pair(first: Any, second: Any) -> Any:
    return None if first is None else (first, second)
