"""Tx: one open transaction on a DB-API cursor, ours or the host's. All SQL goes through it.

Statements are SQLAlchemy Core values, compiled once per dialect and run on the driver's own cursor: one path for our own
connections and for the host's, and little CPU per statement.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Dialect, Executable, bindparam, or_
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.sql import ClauseElement

from ticketmail.adapters.sql.schema import AnyTable, Tables
from ticketmail.domain.ports.timing import Clock

Row = tuple[Any, ...]
Params = Mapping[str, Any]
B = TypeVar("B")
NOTHING: Mapping[str, Any] = {}


class Language(Protocol):
    """What differs between databases in the SQL itself."""

    name: str
    locks_rows: bool  #: SELECT ... FOR UPDATE SKIP LOCKED is spoken
    returns: bool  #: UPDATE ... RETURNING is spoken
    probes_recursively: bool  #: a recursive query finds each next value of an index by one probe
    partial_indexes: bool  #: CREATE INDEX ... WHERE is spoken
    sa: Dialect

    def within(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """``column`` is one of the values bound to ``name``, a list of any length."""
        ...

    def pack(self, values: Sequence[Any]) -> object:
        """A list as :meth:`within` wants it bound."""
        ...

    def insert_once(self, table: AnyTable, names: Sequence[str]) -> Executable:
        """INSERT of values bound by their columns' names. A row that is there stays, and none is touched then."""
        ...

    def upsert(
        self, table: AnyTable, names: Sequence[str], key: Sequence[str], later: Sequence[str], also: Mapping[str, Any] = NOTHING
    ) -> Executable:
        """The same, but a row with that ``key`` gets the new values of ``later``, and ``also`` (values, or expressions)."""
        ...

    def server_now_us(self, cursor: Any) -> int: ...
    def has_tables(self, cursor: Any, tables: Tables) -> bool:
        """True if our tables are there. Never makes a transaction fail."""
        ...

    def each(self, cursor: Any, sql: str, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
        """Run once per item of ``params``: the number of rows touched and (``fetch``) the rows, each."""
        ...


class Compiler:
    """Compiles statements for one language and set of tables, and keeps them. Thread-safe: a lost race compiles twice."""

    def __init__(self, language: Language, tables: Tables) -> None:
        self.language = language
        self.tables = tables
        self._books: dict[type[Any], Any] = {}
        self._kept: dict[int, tuple[object, str, dict[str, Any]]] = {}

    def book(self, kind: type[B]) -> B:
        """The kept statements of ``kind``, made once."""
        book: B | None = self._books.get(kind)
        if book is None:
            book = self._books[kind] = kind(self.tables, self.language)  # type: ignore[call-arg]
        return book

    def text(self, statement: Executable) -> tuple[str, dict[str, Any]]:
        kept = self._kept.get(id(statement))
        if kept is None:
            kept = (statement, *self.once(statement))
            self._kept[id(statement)] = kept
        return kept[1], kept[2]

    def once(self, statement: Executable) -> tuple[str, dict[str, Any]]:
        """For a statement built for one use, with its values in it."""
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=self.language.sa)
        wanted = {name for name, bind in getattr(compiled, "binds", {}).items() if bind.required}
        fixed = {name: value for name, value in (compiled.params or {}).items() if name not in wanted}
        return str(compiled), fixed


class Tx:
    """An open transaction. ``rings``: something became due for workers; ``tells``: something came into the outbox."""

    def __init__(self, cursor: Any, compiler: Compiler, clock: Clock | None, *, server_now_us: int | None = None) -> None:
        self.cursor = cursor
        self.language = compiler.language
        self.tables = compiler.tables
        self.rings = False
        self.tells = False
        self._compiler = compiler
        self._clock = clock
        self._now_us = None if clock else server_now_us

    @property
    def now_us(self) -> int:
        """The spool's clock, read once per transaction (UTC microseconds)."""
        if self._now_us is None:
            self._now_us = self._clock.now_us() if self._clock else self.language.server_now_us(self.cursor)
        return self._now_us

    def book(self, kind: type[B]) -> B:
        """Kept statements: ``kind(tables, language)``, made once."""
        return self._compiler.book(kind)

    def run(self, statement: Executable, **params: Any) -> int:
        """Run a kept statement; says how many rows it touched."""
        return self.each(statement, [params])[0]

    def rows(self, statement: Executable, **params: Any) -> list[Row]:
        """Run a kept statement; its rows."""
        self._execute(statement, params)
        return list(self.cursor.fetchall())

    def row(self, statement: Executable, **params: Any) -> Row | None:
        """The first row, or None."""
        rows = self.rows(statement, **params)
        return rows[0] if rows else None

    def each(self, statement: Executable, params: Sequence[Params]) -> list[int]:
        """Run a kept statement for each of ``params``: rows touched, each."""
        return [count for count, _ in self._each(statement, params, fetch=False)]

    def each_rows(self, statement: Executable, params: Sequence[Params]) -> list[list[Row]]:
        """Run a kept statement for each of ``params``: the rows, each."""
        return [rows for _, rows in self._each(statement, params, fetch=True)]

    def each_rows_once(self, statement: Executable, params: Sequence[Params]) -> list[list[Row]]:
        """As :meth:`each_rows`, for a statement that was built for this call."""
        if not params:
            return []
        sql, fixed = self._compiler.once(statement)
        return [rows for _, rows in self.language.each(self.cursor, sql, [{**fixed, **one} for one in params], fetch=True)]

    def rows_once(self, statement: Executable) -> list[Row]:
        """Run a statement that was built for this call, with its values in it; its rows."""
        self.cursor.execute(*self._compiler.once(statement))
        return list(self.cursor.fetchall())

    def rows_with(self, statement: Executable, **params: Any) -> list[Row]:
        """As :meth:`rows_once`, with some values bound by name."""
        sql, fixed = self._compiler.once(statement)
        self.cursor.execute(sql, {**fixed, **params})
        return list(self.cursor.fetchall())

    def run_once(self, statement: Executable) -> int:
        """As :meth:`rows_once`, for the number of rows touched."""
        self.cursor.execute(*self._compiler.once(statement))
        return int(self.cursor.rowcount)

    def pack(self, values: Sequence[Any]) -> Any:
        """A list for ``Language.within``."""
        return self.language.pack(values)

    def _execute(self, statement: Executable, params: Params) -> None:
        sql, fixed = self._compiler.text(statement)
        self.cursor.execute(sql, {**fixed, **params} if fixed else params)

    def _each(self, statement: Executable, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
        if not params:
            return []
        sql, fixed = self._compiler.text(statement)
        full = [{**fixed, **item} for item in params] if fixed else params
        return self.language.each(self.cursor, sql, full, fetch=fetch)


class OnConflict:
    """``insert_once`` and ``upsert`` as SQLite and PostgreSQL have them."""

    def insert_once(self, table: AnyTable, names: Sequence[str]) -> Executable:
        return insert_or(table).values({name: bound(name) for name in names}).on_conflict_do_nothing()

    def upsert(
        self, table: AnyTable, names: Sequence[str], key: Sequence[str], later: Sequence[str], also: Mapping[str, Any] = NOTHING
    ) -> Executable:
        added = insert_or(table).values({name: bound(name) for name in names})
        return added.on_conflict_do_update(
            index_elements=list(key), set_={**{name: added.excluded[name] for name in later}, **also}
        )


def one_by_one(cursor: Any, sql: str, params: Sequence[Params], *, fetch: bool) -> list[tuple[int, list[Row]]]:
    """``Language.each`` for drivers without a pipeline."""
    done: list[tuple[int, list[Row]]] = []
    for item in params:
        cursor.execute(sql, item)
        rows = list(cursor.fetchall()) if fetch else []
        done.append((int(cursor.rowcount), rows))
    return done


def bound(name: str) -> BindParameter[Any]:
    """A value that is bound by name when the statement is run."""
    return bindparam(name)


def one_of(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """IN: SQLAlchemy's own expands when SQLAlchemy runs it, and our statements run on the driver's cursor."""
    return or_(*(column == value for value in values))


def as_json(values: Sequence[Any]) -> str:
    """A list for SQLite's ``json_each``."""
    return json.dumps(list(values))
