"""``Book``: small shared documents, changed by pure functions of the domain under a row lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import delete, select, update

from ticketmail.adapters.sql.rows import add_history, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.thread import SpoolThread
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.ports.delivering import Change

T = TypeVar("T")


class DocumentStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        c = t.document.c
        this = (c.kind == bound("p_kind"), c.name == bound("p_name"))
        self.all = select(c.name, c.content).where(c.kind == bound("p_kind"), c.content.is_not(None))
        self.lock = select(c.content).where(*this).with_for_update()
        # A row to lock where there is none yet.
        self.place = language.insert_once(t.document, ("kind", "name", "updated_us"))
        self.put = (
            update(t.document).where(*this).values(content=bound("p_content"), version=c.version + 1, updated_us=bound("p_now"))
        )
        self.delete = delete(t.document).where(*this)


class SqlBook:
    """``Book`` on a database."""

    def __init__(self, thread: SpoolThread) -> None:
        self._thread = thread

    async def load(self, kind: str) -> Mapping[str, bytes]:
        return await self._thread.submit(lambda tx: documents(tx, kind), reads=True)

    async def change(self, kind: str, name: str, step: Callable[[bytes | None, int], tuple[Change | None, T]]) -> T:
        return await self._thread.submit(lambda tx: change(tx, kind, name, step), last=(kind, name))


def documents(tx: Tx, kind: str) -> dict[str, bytes]:
    """All documents of a kind."""
    return {name: bytes(content) for name, content in tx.rows(tx.book(DocumentStatements).all, p_kind=kind)}


def change(tx: Tx, kind: str, name: str, step: Callable[[bytes | None, int], tuple[Change | None, T]]) -> T:
    """See ``Book.change``."""
    book = tx.book(DocumentStatements)
    this, place = {"p_kind": kind, "p_name": name}, {"kind": kind, "name": name, "updated_us": tx.now_us}
    row = tx.row(book.lock, **this)
    if row is None and tx.language.locks_rows:
        tx.run(book.place, **place)
        row = tx.row(book.lock, **this)
    before = bytes(row[0]) if row is not None and row[0] is not None else None
    change_, result = step(before, tx.now_us)
    if change_ is None:
        if row is not None and before is None:
            tx.run(book.delete, **this)
        return result
    if change_.content is None:
        tx.run(book.delete, **this)
    else:
        if row is None:
            tx.run(book.place, **place)
        tx.run(book.put, **this, p_content=change_.content, p_now=tx.now_us)
    if change_.note:
        add_history(
            tx,
            [history_row(kind, tx.now_us, scope=change_.scope or f"{kind}:{name}", reason=change_.note, actor=change_.actor)],
        )
    return result
