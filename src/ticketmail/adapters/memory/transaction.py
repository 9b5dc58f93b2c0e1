"""Tx: changes that happen together or not at all. Whatever fails in the middle is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from ticketmail.adapters.memory.state import Delivery, Event, Incoming, State, Submission
from ticketmail.domain.events import MailEvent
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import HistoryRow

K = TypeVar("K")
V = TypeVar("V")


class Tx:
    """One open transaction. ``rings``: something became due for workers; ``tells``: something came into the outbox."""

    def __init__(self, state: State, now_us: int, now_s: float) -> None:
        self.state = state
        self.now_us = now_us
        self.now_s = now_s  #: monotonic
        self.rings = False
        self.tells = False
        self._undo: list[Callable[[], object]] = []

    def take_back(self) -> None:
        """Undo all of it."""
        while self._undo:
            self._undo.pop()()

    def change(self, record: object, **values: Any) -> None:
        """Give a record's fields new values."""
        self._undo.append(partial(self._write, record, {name: getattr(record, name) for name in values}))
        self._write(record, values)

    def put(self, rows: dict[K, V], key: K, value: V) -> None:
        """Add or replace a row."""
        if key in rows:
            self._undo.append(partial(rows.__setitem__, key, rows[key]))
        else:
            self._undo.append(partial(rows.pop, key))
        rows[key] = value

    def drop(self, rows: dict[K, V], key: K) -> bool:
        """Delete a row. False: it was not there."""
        if key not in rows:
            return False
        self._undo.append(partial(rows.__setitem__, key, rows[key]))
        del rows[key]
        return True

    def enter(self, delivery: Delivery) -> None:
        """Add a delivery."""
        self._undo.append(partial(self.state.leave, delivery))
        self.state.enter(delivery)

    def leave(self, delivery: Delivery) -> None:
        """Delete a delivery."""
        self._undo.append(partial(self.state.enter, delivery))
        self.state.leave(delivery)

    def note(self, kind: str, *, at_us: int | None = None, submission_id: UUID | None = None, **more: Any) -> None:
        """Write a history row, of now unless ``at_us`` says else."""
        seq = self.state.next_seq()
        row = HistoryRow(self.now_us if at_us is None else at_us, kind, submission_id=submission_id, **more)
        self.put(self.state.history, seq, row)
        if submission_id is not None:
            place = self.state.history_of.setdefault(submission_id, [])
            place.append(seq)
            self._undo.append(place.pop)

    def note_on(self, delivery: Delivery, kind: str, **more: Any) -> None:
        """A history row about a delivery and the claim that it is at."""
        values = {"fence": delivery.fence, **more}
        self.note(kind, submission_id=delivery.submission.id, number=delivery.number, **values)

    def amend(self, seq: int, **values: Any) -> None:
        """Complete or correct a history row."""
        self.put(self.state.history, seq, replace(self.state.history[seq], **values))

    def forget(self, seq: int) -> None:
        """Delete a history row."""
        submission_id = self.state.history[seq].submission_id
        self.drop(self.state.history, seq)
        if submission_id is None:
            return
        before = self.state.history_of[submission_id]
        after = [kept for kept in before if kept != seq]
        if after:
            self.put(self.state.history_of, submission_id, after)
        else:
            self.drop(self.state.history_of, submission_id)

    def tell(self, events: Iterable[MailEvent]) -> None:
        """Write events to the outbox, due now. One that is there already stays."""
        for event in events:
            if event.event_id not in self.state.events:
                row = Event(
                    *(self.state.next_seq(), event.event_id, event.about, event.model_dump_json()),
                    created_us=self.now_us,
                    due_us=self.now_us,
                )
                self.put(self.state.events, event.event_id, row)
            self.tells = True

    def suppress(self, suppression: Suppression) -> None:
        """The later word holds."""
        self.put(self.state.suppressions, (suppression.tenant, suppression.address), suppression)

    def use_blobs(self, mail: Submission | Incoming, digests: tuple[str, ...]) -> None:
        """Count what a mail refers to from now on."""
        for step, changed in ((-1, mail.blobs), (1, digests)):
            for digest in changed:
                place = (mail.tenant, digest)
                self.put(self.state.blob_uses, place, self.state.blob_uses.get(place, 0) + step)
        self.change(mail, blobs=digests)

    def _write(self, record: object, values: Mapping[str, Any]) -> None:
        if isinstance(record, Delivery):
            self.state.unindex(record)
        for name, value in values.items():
            setattr(record, name, value)
        if isinstance(record, Delivery):
            self.state.index(record)


def utf8(text: str, limit: int = 2000) -> str:
    """Text that can be written anywhere: no NUL, no lone surrogate, not endless (what servers say lands here)."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:limit]
