"""``Book``: small shared documents, changed by pure functions of the domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ticketmail.adapters.memory.store import Access, turn
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.ports.delivering import Change

T = TypeVar("T")


class MemoryBook:
    """``Book`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def load(self, kind: str) -> Mapping[str, bytes]:
        await turn()
        with self._access.tx() as tx:
            return documents(tx, kind)

    async def change(self, kind: str, name: str, step: Callable[[bytes | None, int], tuple[Change | None, T]]) -> T:
        await turn()
        with self._access.tx() as tx:
            change, result = step(tx.state.documents.get((kind, name)), tx.now_us)
            if change is not None:
                _write(tx, kind, name, change)
            return result


def documents(tx: Tx, kind: str) -> dict[str, bytes]:
    """All documents of a kind."""
    return {name: content for (of, name), content in sorted(tx.state.documents.items()) if of == kind}


def _write(tx: Tx, kind: str, name: str, change: Change) -> None:
    if change.content is None:
        tx.drop(tx.state.documents, (kind, name))
    else:
        tx.put(tx.state.documents, (kind, name), bytes(change.content))
    if change.note:
        tx.note(kind, scope=change.scope or f"{kind}:{name}", reason=change.note, actor=change.actor)
