"""Retention: what is deleted when. Never an unread dead letter, never what still waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from ticketmail.adapters.memory.state import Delivery, Submission
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.delivering import Retention
from ticketmail.domain.ports.receiving import InboundState

_DAY_US = 86_400_000_000
_WORKER_DAYS = 30.0


def purge(tx: Tx, retention: Retention, limit: int) -> Mapping[str, int]:
    """See ``Upkeep.purge``."""
    rules = _Rules(tx, retention, max(0, limit))
    purged = {
        "bodies": rules.bodies(),
        "submissions": rules.submissions(),
        "inbound": rules.inbound(),
        "blobs": rules.blobs(),
        "events": rules.events(),
        "history": rules.history(),
        "parked": rules.parked(),
        "workers": rules.workers(),
    }
    rules.tombstones()
    if any(purged.values()):
        counts = ", ".join(f"{count} {name}" for name, count in purged.items() if count)
        tx.note("purge", scope="all", reason=f"Retention deleted {counts}.", actor="worker")
    return purged


class _Rules:
    """One purge; each method deletes at most ``limit`` rows of its kind, the oldest first, and says how many."""

    def __init__(self, tx: Tx, retention: Retention, limit: int) -> None:
        self._tx = tx
        self._keep = retention
        self._limit = limit

    def bodies(self) -> int:
        before_us = self._before(self._keep.sent_body_days)
        mails = (m for m in self._over() if m.body_purged_us is None and m.accepted_us < before_us)
        found = list(islice(mails, self._limit))
        for mail in found:
            self._tx.use_blobs(mail, ())
            self._tx.change(mail, body=None, body_purged_us=self._tx.now_us)
        return len(found)

    def submissions(self) -> int:
        """Keys may be used again, and what is older than history is forgotten."""
        key_before_us, old_before_us = self._before(self._keep.key_days), self._before(self._keep.history_days)
        empty = (mail for mail in self._over() if mail.body_purged_us is not None)
        old = (m for m in empty if m.accepted_us < (old_before_us if m.key is None else max(key_before_us, old_before_us)))
        found = list(islice(old, self._limit))
        for mail in found:
            for delivery in self._tx.state.of(mail):
                self._tx.leave(delivery)
            for place in [place for place in self._tx.state.feedback if place[0] == mail.id]:
                self._tx.drop(self._tx.state.feedback, place)  # a key may be used again: its mail bounces anew
            self._tx.drop(self._tx.state.submissions, mail.id)
        return len(found)

    def inbound(self) -> int:
        """The bytes first; the rows, which know copies, live as long as history."""
        raw_before_us = {category: self._before(days) for category, days in self._keep.raw_days().items()}
        old_before_us = self._before(self._keep.history_days)
        mails = sorted(self._tx.state.inbound.values(), key=lambda mail: mail.stored_us)
        settled = (mail for mail in mails if mail.digest and mail.state in (InboundState.DONE, InboundState.DUPLICATE))
        found = list(islice((mail for mail in settled if mail.stored_us < raw_before_us.get(mail.category, 0)), self._limit))
        for mail in found:
            self._tx.use_blobs(mail, ())
            self._tx.change(mail, digest="")
        for mail in list(islice((m for m in mails if not m.digest and m.stored_us < old_before_us), self._limit)):
            self._tx.drop(self._tx.state.inbound, mail.id)
        return len(found)

    def blobs(self) -> int:
        before_us = self._before(self._keep.blob_days)
        state = self._tx.state
        orphans = (p for p, blob in state.blobs.items() if blob.touched_us < before_us and not state.blob_uses.get(p))
        found = list(islice(orphans, self._limit))
        for place in found:
            self._tx.drop(state.blobs, place)
            self._tx.drop(state.blob_uses, place)
        return len(found)

    def events(self) -> int:
        before_us = self._before(self._keep.event_days)
        done = (e.event_id for e in self._tx.state.events.values() if e.state == "done" and e.created_us < before_us)
        found = list(islice(done, self._limit))
        return sum(self._tx.drop(self._tx.state.events, event_id) for event_id in found)

    def history(self) -> int:
        before_us = self._before(self._keep.history_days)
        old = (seq for seq, row in self._tx.state.history.items() if row.at_us < before_us)
        found = list(islice(old, self._limit))
        for seq in found:
            self._tx.forget(seq)
        return len(found)

    def parked(self) -> int:
        before_us = self._before(self._keep.dead_body_days)
        ended = (one.id for one in self._tx.state.parked.values() if one.ended_us is not None and one.ended_us < before_us)
        found = list(islice(ended, self._limit))
        return sum(self._tx.drop(self._tx.state.parked, ident) for ident in found)

    def tombstones(self) -> None:
        before_us = self._before(self._keep.tombstone_days)
        for id_ in [id_ for id_, at_us in self._tx.state.tombstones.items() if at_us < before_us]:
            self._tx.drop(self._tx.state.tombstones, id_)

    def workers(self) -> int:
        before_us = self._before(_WORKER_DAYS)
        ended = ((w.id, w.retired_us or w.dead_us) for w in self._tx.state.workers.values())
        found = [worker_id for worker_id, at_us in ended if at_us is not None and at_us < before_us]
        return sum(self._tx.drop(self._tx.state.workers, worker_id) for worker_id in found)

    def _before(self, days: float) -> int:
        return self._tx.now_us - int(days * _DAY_US)

    def _over(self) -> Iterator[Submission]:
        """Mails of which no delivery is wanted any more."""
        mails = self._tx.state.submissions.values()
        return (mail for mail in mails if all(self._is_over(delivery) for delivery in self._tx.state.of(mail)))

    def _is_over(self, delivery: Delivery) -> bool:
        """It ended long enough ago; a dead letter only if it was read long enough ago."""
        if delivery.state is DeliveryState.DEAD:
            return delivery.dismissed_us is not None and delivery.dismissed_us < self._before(self._keep.dead_body_days)
        return delivery.ended_us is not None and delivery.ended_us < self._before(self._keep.sent_body_days)
