"""The books: what was accepted, held against what arrived. Lost mail, lies and copies that nobody owns up to are found here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import DeliveryView, HistoryRow, Reading
from ticketmail.domain.scope import Scope
from ticketmail.testing.world import Arrived

#: History rows that own up to a second copy (invariant 4).
OWNS_UP = frozenset({"unknown", "lease-lost", "dead"})
_S = DeliveryState
_MOST = 1_000_000


def deliveries(reading: Reading) -> Sequence[DeliveryView]:
    """All of them, in order of acceptance."""
    return list(reversed(reading.find(Scope.parse("all"), limit=_MOST)))


def audit(reading: Reading, arrived: Iterable[Arrived], accepted: Iterable[UUID] = ()) -> list[str]:
    """What is wrong, as sentences; [] if the books balance. ``accepted``: submissions that must be listed."""
    views = deliveries(reading)
    copies = Counter((one.submission_id, one.recipient.lower()) for one in arrived)
    listed = {view.submission_id for view in views}
    found = [f"{id_} was accepted and is not listed." for id_ in accepted if id_ not in listed]
    found += [f"{id_} arrived at {to}, but nobody handed it over." for id_, to in copies if id_ not in listed]
    for view in views:
        rows = reading.history(view.submission_id, view.number)
        found += _audit_one(view, rows, copies[view.submission_id, view.recipient.lower()])
    return found


def _audit_one(view: DeliveryView, rows: Sequence[HistoryRow], copies: int) -> list[str]:
    name = f"{view.key or view.submission_id} to {view.recipient}"
    kinds = [row.kind for row in rows]
    open_ = sum(row.kind == "attempt" and row.ended_us is None for row in rows)
    facts = {
        f"{name} is said to be sent, but never arrived: {kinds}": view.state is _S.SENT and not copies,
        f"{name} has no row of its acceptance: {kinds}": "accepted" not in kinds,
        f"{name} arrived {copies} times, more often than its history owns up to: {kinds}": copies - 1
        > sum(kind in OWNS_UP for kind in kinds),
        f"{name} is {view.state}, but an attempt never ended: {kinds}": bool(open_) and view.state is not _S.SENDING,
    }
    return [text for text, wrong in facts.items() if wrong]
