"""The invariants of a whole run, judged by what the spool says and what arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import combinations
from uuid import UUID

from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.lanes import SHIPPED
from ticketmail.domain.ports.reading import DeliveryView, HistoryRow, Reading
from ticketmail.testing.books import audit, deliveries
from ticketmail.testing.world import World

_S = DeliveryState
#: Causes that mean: wait. None may end a mail or count as an attempt (invariant 5).
WAITS = frozenset({"throttled-rate", "throttled-connections", "quota", "limit-rate", "limit-quota", "gateway-unreachable"})


def broken_invariants(reading: Reading, world: World, accepted: Sequence[UUID], *, gone: Collection[str]) -> list[str]:
    """What does not hold, as sentences. ``gone``: recipients that the other side refuses for good."""
    views = deliveries(reading)
    found = audit(reading, world.arrived, accepted)
    for view in views:
        copies = sum(one.submission_id == view.submission_id and one.recipient == view.recipient for one in world.arrived)
        found += _judge_one(view, reading.history(view.submission_id, view.number), copies)
    found += _out_of_order(views, world.tried)
    strays = {one.address for one in reading.suppressions()} - set(gone)
    return found + [f"{address} is suppressed, which only a recipient's fault may do." for address in sorted(strays)]


def _judge_one(view: DeliveryView, rows: Sequence[HistoryRow], copies: int) -> list[str]:
    name = f"{view.key} to {view.recipient}"
    kinds = [row.kind for row in rows]
    attempts = [row for row in rows if row.kind == "attempt"]
    fences = [row.fence for row in attempts]
    spent = sum(row.cause not in WAITS and row.cause != "not-started" for row in attempts)
    facts = {
        f"{name} is {view.state} though everything is well: {kinds}": view.state in (_S.CLAIMED, _S.SENDING),
        f"{name} was begun twice under one fence: {fences}": len(set(fences)) != len(fences),
        f"{name} arrived {copies} times in {len(attempts)} attempts": copies > len(attempts),
        f"{name} spent {view.attempts} attempts, but only {spent} rows may count: {kinds}": view.attempts > spent,
        f"{name} ended as {view.state} because it had to wait ({view.cause})": view.state in (_S.DEAD, _S.FAILED)
        and view.cause in WAITS,
    }
    return [text for text, wrong in facts.items() if wrong]


def _out_of_order(views: Sequence[DeliveryView], tried: Sequence[tuple[UUID, str]]) -> list[str]:
    """First attempts within a ticket and recipient, as the other side saw them (invariant 8). Keys are in order of submission."""
    first = {one: place for place, one in reversed(list(enumerate(tried)))}
    in_ticket: dict[tuple[str, str], list[tuple[DeliveryView, int]]] = defaultdict(list)
    for view in sorted(views, key=lambda view: view.key or ""):
        if view.ticket and (view.submission_id, view.recipient) in first:
            in_ticket[view.ticket, view.recipient].append((view, first[view.submission_id, view.recipient]))
    weights = SHIPPED.weights()
    return [
        f"Ticket {ticket}, {recipient}: {later.key} ({later.lane}) began before {sooner.key} ({sooner.lane})."
        for (ticket, recipient), order in in_ticket.items()
        for (sooner, at), (later, then) in combinations(order, 2)
        if then < at and weights[sooner.lane] >= weights[later.lane]
    ]
