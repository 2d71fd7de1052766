"""Asking the database about thousands of people at once."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_LENGTH = 32  # bytes of a fingerprint


def end_to_end(fingerprints: Iterable[bytes]) -> bytes:
    """Many fingerprints as one value, for `is_among`."""
    return b"".join(fingerprints)


class is_among(FunctionElement[bool]):  # noqa: N801 - it stands where a function of SQL would
    """`is_among(column, given)`: whether a fingerprint is one of those given `end_to_end`.

    A parameter for each of thousands costs more than finding them: the statement must be written,
    bound and read anew for every number of them. This is one parameter, which the database cuts up.
    """

    type = sa.Boolean()
    inherit_cache = True


@compiles(is_among)
def _in_sqlite(element: is_among, compiler: SQLCompiler, **how: Any) -> str:
    return _filled(_SQLITE, element, compiler, **how)


@compiles(is_among, "postgresql")
def _in_postgresql(element: is_among, compiler: SQLCompiler, **how: Any) -> str:
    return _filled(_POSTGRESQL, element, compiler, **how)


def _filled(text: str, element: is_among, compiler: SQLCompiler, **how: Any) -> str:
    column, given = (compiler.process(each, **how) for each in element.clauses)
    return text.format(column=column, given=given, length=_LENGTH)


_SQLITE = """{column} IN (
    WITH RECURSIVE places(place) AS (
        SELECT 1 UNION ALL SELECT place + {length} FROM places
        WHERE place + {length} < length({given})
    ) SELECT substr({given}, place, {length}) FROM places
)"""

# An array, which the server sorts and looks up in one pass over the index.
_POSTGRESQL = """{column} = ANY (ARRAY(
    SELECT substring({given}, place, {length})
    FROM generate_series(1, length({given}), {length}) AS place
))"""
