"""Rows as values and values as rows: history, events, suppressions, mails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound
from ticketmail.domain.events import MailEvent
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import HistoryRow

#: Columns of history, as they are written and read.
HISTORY = (
    *("at_us", "kind", "submission_id", "number", "fence", "scope", "state", "account", "worker_id", "outcome", "phase"),
    *("cause", "reason", "reply", "remote_id", "ended_us", "actor"),
)
SUPPRESSION = ("address", "cause", "evidence", "since_us", "until_us", "tenant")


class HistoryStatements:
    """Kept statements on history."""

    def __init__(self, t: Tables, language: Language) -> None:
        self.insert = insert(t.history).values({name: bound(name) for name in HISTORY})


class EventStatements:
    """Kept statements that add events. An event that is there already stays."""

    def __init__(self, t: Tables, language: Language) -> None:
        names = ("event_id", "submission_id", "payload", "created_us", "due_us")
        self.insert = language.insert_once(t.event, names)


class SuppressionStatements:
    """Kept statements that add suppressions: the later word holds."""

    def __init__(self, t: Tables, language: Language) -> None:
        self.put = language.upsert(t.suppression, SUPPRESSION, ("tenant", "address"), SUPPRESSION[1:5])


def history_row(
    kind: str, at_us: int, submission_id: str | None = None, number: int | None = None, **more: Any
) -> dict[str, Any]:
    """A history row's parameters; what is not named is empty."""
    row: dict[str, Any] = {
        "at_us": at_us,
        "kind": kind,
        "submission_id": submission_id,
        "number": number,
        "fence": None,
        "scope": "",
        "state": "",
        "account": "",
        "worker_id": None,
        "outcome": "",
        "phase": "",
        "cause": "",
        "reason": "",
        "reply": "",
        "remote_id": "",
        "ended_us": None,
        "actor": "",
    }
    row.update(more)
    return row


def add_history(tx: Tx, rows: Iterable[dict[str, Any]]) -> None:
    """Write history rows."""
    tx.each(tx.book(HistoryStatements).insert, list(rows))


def add_events(tx: Tx, events: Iterable[MailEvent]) -> None:
    """Write events to the outbox, due now."""
    rows = [
        {
            "event_id": event.event_id.hex,
            "submission_id": event.about.hex,
            "payload": event.model_dump_json(),
            "created_us": tx.now_us,
            "due_us": tx.now_us,
        }
        for event in events
    ]
    if rows:
        tx.each(tx.book(EventStatements).insert, rows)
        tx.tells = True


def add_suppressions(tx: Tx, suppressions: Iterable[Suppression]) -> None:
    """Write suppressions."""
    tx.each(tx.book(SuppressionStatements).put, [{name: getattr(item, name) for name in SUPPRESSION} for item in suppressions])


def to_history(row: Row) -> HistoryRow:
    """A row in the order of :data:`HISTORY`."""
    values = dict(zip(HISTORY, row, strict=True))
    values["submission_id"] = to_uuid(values["submission_id"])
    values["worker_id"] = to_uuid(values["worker_id"])
    return HistoryRow(**values)


def to_uuid(text: str | None) -> UUID | None:
    """A stored id."""
    return UUID(text) if text else None


def utf8(text: str, limit: int = 2000) -> str:
    """Text that every database takes: no NUL, no lone surrogate, not endless (what servers say lands here)."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:limit]
