"""What an act of people reaches: found by reading, then changed in short write transactions that look again.

Finding may scan a table; no scan happens while the write lock is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, select, true
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql import ends
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.reading import in_scope
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.scope import Scope

Key = tuple[str, int]  #: submission, number
Step = Callable[[Tx, Sequence[Key]], int]  #: changes some; says how many
CHUNK = 50  #: rows a transaction on SQLite: what takes about 5 ms of the write lock
#: The same where rows are locked, one by one: claims of others step over them, and a commit costs more than a row.
CHUNK_OF_ROWS = 500
_READ = 5000


class SelectStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        self.lock = (
            select(t.submission.c.id)
            .where(language.within(t.submission.c.id, "p_ids"))
            .order_by(t.submission.c.id)
            .with_for_update()
        )


class Selection:
    """Deliveries in a scope and in some states, with a condition more."""

    def __init__(
        self,
        scope: Scope,
        states: Sequence[DeliveryState],
        more: Callable[[Tables], ColumnElement[bool]] = lambda t: true(),
    ) -> None:
        self._scope = scope
        self._states = states
        self._more = more

    def keys(self, tx: Tx, size: int) -> list[Key]:
        """The oldest of them."""
        d = tx.tables.delivery.c
        found = self._narrowed(select(d.submission_id, d.number), tx.tables)
        rows = tx.rows_once(found.order_by(d.accepted_us, d.submission_id, d.number).limit(size))
        return [(id_, number) for id_, number in rows]

    def briefs(self, tx: Tx, keys: Sequence[Key]) -> list[ends.Brief]:
        """Those of ``keys`` that still belong here. Their mails are locked, so that claims of others skip them."""
        t = tx.tables
        ids = tx.pack(sorted({id_ for id_, _ in keys}))
        if tx.language.locks_rows:
            tx.rows(tx.book(SelectStatements).lock, p_ids=ids)
        found = select(*ends.brief_columns(t)).join(t.submission, t.submission.c.id == t.delivery.c.submission_id)
        chosen = self._narrowed(found, t).where(tx.language.within(t.delivery.c.submission_id, "p_ids"))
        by_key = {(b.submission_id, b.number): b for b in ends.briefs(tx.rows_with(chosen, p_ids=ids))}
        return [by_key[key] for key in keys if key in by_key]

    def _narrowed(self, statement: Select[Any], t: Tables) -> Select[Any]:
        return in_scope(statement, t, self._scope, self._states).where(self._more(t))


def in_chunks(database: Database, selection: Selection, step: Step, limit: int | None) -> int:
    """Change all of a selection, at most ``limit``, in a transaction a chunk. A crash leaves each delivery done or not."""
    total = 0
    while limit is None or total < limit:
        size = _READ if limit is None else min(_READ, limit - total)
        keys = database.read(lambda tx, size=size: selection.keys(tx, size))  # type: ignore[misc]
        chunks = parts(keys, _size(database.language))
        done = sum(database.write(lambda tx, part=part: step(tx, part)) for part in chunks)  # type: ignore[misc]
        total += done
        if not done:
            break
    return total


def chunks_in(tx: Tx, selection: Selection, step: Step) -> int:
    """The same in one open transaction, a host's."""
    total = 0
    while done := sum(step(tx, part) for part in parts(selection.keys(tx, _READ), _size(tx.language))):
        total += done
    return total


def parts(keys: Sequence[Key], size: int = CHUNK) -> Iterator[Sequence[Key]]:
    """Keys by the chunk."""
    return (keys[at : at + size] for at in range(0, len(keys), size))


def _size(language: Language) -> int:
    return CHUNK_OF_ROWS if language.locks_rows else CHUNK
