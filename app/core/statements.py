"""Statements that run for every message: compiled once, then handed to the driver as they are.

SQLAlchemy's own work for one execution (a context, a result, its metadata) takes longer than the
driver's. Of it, this keeps what changes the outcome: the types' conversions, who listens to
statements, and how an error is told. Whatever runs more rarely goes through `connection.execute`.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.core.encryption import cipher_of

_Convert = Callable[[Any], Any]


class Statement:
    """One statement, whose values are given by name each time. A list (IN) can't be one of them."""

    def __init__(self, statement: sa.ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[object, ...], _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """The rows, as named tuples; fails as `connection.execute` does."""
        dialect = connection.dialect
        # The types' conversions of one engine are not those of another that has another key.
        variant = (dialect.name, cipher_of(dialect), *values)
        compiled = self._compiled.get(variant)
        if compiled is None:
            compiled = _compile(self._statement, dialect, list(values))
            self._compiled[variant] = compiled
        return compiled.run(connection, values)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in a database's own words.

    `fixed`: the values that it brings itself. `places`: the order of the values, where they have no
    names. `write` and `read` convert values on their way in and out. `row` makes a row of a tuple;
    None where there are none.
    """

    text: str
    fixed: Mapping[str, Any]
    places: Sequence[str] | None
    write: Sequence[tuple[str, _Convert]]
    read: Sequence[tuple[int, _Convert]]
    row: Callable[[Iterable[Any]], Any] | None

    def run(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        given = {**self.fixed, **values}
        for name, convert in self.write:
            given[name] = convert(given[name])
        in_places = self.places and [given[name] for name in self.places]
        rows = self._execute(connection, in_places or given)
        return [self.row(self._converted(row)) for row in rows] if self.row else []

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        if not self.read:
            return row
        values = list(row)
        for column, convert in self.read:
            values[column] = convert(values[column])
        return values

    def _execute(self, connection: Connection, given: Any) -> Sequence[Sequence[Any]]:
        cursor = _cursor_of(connection)
        try:
            if connection._has_events or connection.engine._has_events:  # noqa: SLF001 - as it does
                look = connection.dispatch.before_cursor_execute
                look(connection, cursor, self.text, given, None, False)  # noqa: FBT003
            cursor.execute(self.text, given)
            return cursor.fetchall() if self.row else ()
        except connection.dialect.loaded_dbapi.Error as error:
            # SQLAlchemy's own way: no parameter is shown, and a broken connection leaves the pool.
            connection._handle_dbapi_exception(error, self.text, given, None, None)  # noqa: SLF001


def _compile(statement: sa.ClauseElement, dialect: sa.Dialect, names: Sequence[str]) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    columns = compiled._result_columns  # noqa: SLF001 - nothing else tells the types
    kinds = [column.type.dialect_impl(dialect) for column in columns]
    write = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect)
        for bind, name in compiled.bind_names.items()
    }
    read = [(i, kind.result_processor(dialect, None)) for i, kind in enumerate(kinds)]
    names_out = [column.keyname for column in columns]
    row: Any = namedtuple("Row", names_out)  # type: ignore[misc] # noqa: PYI024 - known only here
    return _Compiled(
        compiled.string,
        {name: value for name, value in compiled.params.items() if name not in names},
        compiled.positiontup,
        [(name, convert) for name, convert in write.items() if convert],
        [(i, convert) for i, convert in read if convert],
        row._make if columns else None,
    )


def _cursor_of(connection: Connection) -> Any:
    """One for each connection: to make one takes a good part of an execution."""
    cursor = connection.info.get("cursor")
    if cursor is None:
        cursor = connection.info["cursor"] = connection.connection.cursor()
    return cursor
