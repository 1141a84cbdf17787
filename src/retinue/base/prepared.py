"""Statements of the hot path, compiled once per kind of database and then handed to the driver as they are.

SQLAlchemy's own road looks its compiled form up anew each time, at about a hundred calls a statement; a live prediction
has eleven statements, and that was more processor time than the database took for them. Types, dialects and errors are
still SQLAlchemy's. Values that expand (`IN (…)`) are not for here.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

Processor = Callable[[Any], Any]


class Prepared:
    """`run` gives the rows that the statement returns, as named tuples, and how many rows it hit."""

    def __init__(self, statement: Any, columns: Sequence[str] | None = None) -> None:
        self.statement = statement
        self._columns = columns
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> tuple[list[Any], int]:
        ready = self._on(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(ready.sql, ready.bound(values))
            rows = [ready.row(*row) for row in cursor.fetchall()] if ready.row is not None else []
            return rows, cursor.rowcount
        except ready.error as failure:
            raise _translated(connection, ready.sql, values, failure, cursor) from failure
        finally:
            cursor.close()

    def run_many(self, connection: sa.Connection, values: Sequence[Mapping[str, Any]]) -> None:
        ready = self._on(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(ready.sql, [ready.bound(each) for each in values])
        except ready.error as failure:
            raise _translated(connection, ready.sql, values, failure, cursor) from failure
        finally:
            cursor.close()

    def _on(self, dialect: sa.Dialect) -> "_Ready":
        ready = self._ready.get(dialect.driver)
        if ready is None:
            ready = self._ready[dialect.driver] = _prepare(self.statement, self._columns, dialect)
        return ready


@cache
def inserting(row: Any, columns: tuple[str, ...]) -> Prepared:
    """Of these columns; the others are NULL, or what the table says."""
    return Prepared(sa.insert(row), columns)


@dataclass(frozen=True, slots=True)
class _Ready:
    sql: str
    constants: Mapping[str, Any]
    names: tuple[str, ...]
    by_position: bool
    processors: Sequence[tuple[str, Processor]]
    row: Callable[..., Any] | None
    error: type[Exception]

    def bound(self, values: Mapping[str, Any]) -> Any:
        told = {**self.constants, **values}
        for name, process in self.processors:
            told[name] = process(told[name])
        return tuple([told[name] for name in self.names]) if self.by_position else told


def _prepare(statement: Any, columns: Sequence[str] | None, dialect: sa.Dialect) -> _Ready:
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    processors = []
    for bind, name in compiled.bind_names.items():
        if process := bind.type.dialect_impl(dialect).bind_processor(dialect):
            processors.append((name, process))
    constants = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
    constants |= {column.key: column.default.arg for column in compiled.insert_prefetch}
    return _Ready(
        sql=compiled.string,
        constants=constants,
        names=tuple(compiled.positiontup or compiled.bind_names.values()),
        by_position=bool(compiled.positional),
        processors=processors,
        row=_row_of(statement, dialect),
        error=_driver_of(dialect).Error,
    )


def _row_of(statement: Any, dialect: sa.Dialect) -> Callable[..., Any] | None:
    """Named tuples; a column whose values need work is read by it."""
    columns = [] if isinstance(statement, sa.TextClause) else list(statement.exported_columns)
    if not columns:
        return None
    naming: Any = namedtuple  # whose fields are known only here
    row: Callable[..., Any] = naming("row", [column.key for column in columns])
    readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    if not any(readers):
        return row
    return lambda *values: row(*(read(value) if read else value for read, value in zip(readers, values, strict=True)))


def _translated(connection: sa.Connection, sql: str, values: Any, failure: Exception, cursor: Any) -> Exception:
    """As SQLAlchemy would have raised it; a connection that is lost is not used again."""
    dialect = connection.dialect
    driver = _driver_of(dialect)
    is_lost = isinstance(failure, driver.Error) and dialect.is_disconnect(failure, connection.connection, cursor)
    if is_lost:
        connection.invalidate(failure)
    return sa.exc.DBAPIError.instance(
        sql, values, failure, driver.Error, hide_parameters=True, connection_invalidated=is_lost, dialect=dialect
    )


def _driver_of(dialect: sa.Dialect) -> Any:
    assert dialect.dbapi is not None, "a connection always has a driver"
    return dialect.dbapi
