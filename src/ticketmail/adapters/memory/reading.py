"""``Reading``: questions. Changes nothing."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from uuid import UUID

from ticketmail.adapters.memory.book import documents
from ticketmail.adapters.memory.selecting import select
from ticketmail.adapters.memory.state import Delivery, Worker
from ticketmail.adapters.memory.store import Access
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.adapters.memory.workers import is_silent
from ticketmail.domain.outbound.delivery import SETTLED, DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import (
    COUNTED_US,
    CauseGroup,
    DeliveryView,
    HistoryRow,
    LaneLoad,
    Overview,
    Pause,
    WorkerView,
)
from ticketmail.domain.scope import Scope

_S = DeliveryState


class MemoryReading:
    """``Reading`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def now_us(self) -> int:
        with self._access.tx() as tx:
            return tx.now_us

    def overview(self) -> Overview:
        with self._access.tx() as tx:
            return _overview(tx)

    def find(
        self,
        scope: Scope,
        *,
        states: Sequence[DeliveryState] = (),
        since_us: int | None = None,
        limit: int = 100,
        after: tuple[UUID, int] | None = None,
    ) -> Sequence[DeliveryView]:
        with self._access.tx() as tx:
            found = [d for d in select(tx.state, scope, states) if since_us is None or d.accepted_us >= since_us]
            # By number upwards within a mail: sorting is stable.
            found.sort(key=lambda d: d.number)
            found.sort(key=lambda d: (d.accepted_us, d.submission.id), reverse=True)
            if after is not None:
                found = _beyond(tx, found, after)
            return [_view(delivery) for delivery in found[: max(0, limit)]]

    def earlier(self, view: DeliveryView, *, limit: int, own: bool = False) -> int:
        due_us = view.due_us or 0
        with self._access.tx() as tx:
            queues = tx.state.queues(view.route, view.lane)
            ahead = bisect_left(queues.get(view.tenant, ()), (due_us, view.submission_id, -1))
            if own:
                return min(limit, ahead)
            until = (max(due_us, tx.now_us) + 1,)
            others = [bisect_left(queue, until) for tenant, queue in queues.items() if tenant != view.tenant]
            return min(limit, ahead + sum(min(count, ahead + 1) for count in others))

    def due_of_tenants(self, route: str) -> Mapping[tuple[str, str], int]:
        with self._access.tx() as tx:
            until = (tx.now_us + 1,)
            lanes = [lane for named, lane in tx.state.queued_pairs() if named == route]
            counts = {
                (lane, tenant): bisect_left(queue, until)
                for lane in lanes
                for tenant, queue in tx.state.queues(route, lane).items()
            }
            return {pair: count for pair, count in counts.items() if count}

    def due_bytes(self, route: str, lane: str, *, limit: int) -> float:
        with self._access.tx() as tx:
            queues = tx.state.queues(route, lane).values()
            due = (place for queue in queues for place in queue[: bisect_left(queue, (tx.now_us + 1,))])
            found = [submission_id for _, submission_id, _ in nsmallest(limit, due)]
            sizes = sum(tx.state.submissions[one].size_bytes for one in set(found))
            return sizes / len(found) if found else 0.0

    def history(self, submission_id: UUID, number: int | None = None) -> Sequence[HistoryRow]:
        with self._access.tx() as tx:
            rows = [tx.state.history[seq] for seq in tx.state.history_of.get(submission_id, ())]
            return [row for row in rows if number is None or row.number == number]

    def log(self, *, since_us: int, limit: int = 1000, decisions_only: bool = True) -> Sequence[HistoryRow]:
        with self._access.tx() as tx:
            rows = [row for row in tx.state.history.values() if row.at_us >= since_us]
        chosen = [row for row in rows if not decisions_only or row.scope or row.actor]
        return sorted(chosen, key=lambda row: row.at_us)[-limit:] if limit > 0 else []

    def body(self, submission_id: UUID) -> bytes | None:
        with self._access.tx() as tx:
            mail = tx.state.submissions.get(submission_id)
            return None if mail is None else mail.body

    def workers(self) -> Sequence[WorkerView]:
        with self._access.tx() as tx:
            rows = sorted(tx.state.workers.values(), key=lambda w: (w.started_us, w.id))
            return [_worker(tx, worker) for worker in rows]

    def pauses(self) -> Sequence[Pause]:
        with self._access.tx() as tx:
            running = [p for p in tx.state.pauses.values() if p.until_us is None or p.until_us > tx.now_us]
        return sorted(running, key=lambda pause: (pause.since_us, str(pause.scope)))

    def documents(self, kind: str) -> Mapping[str, bytes]:
        with self._access.tx() as tx:
            return documents(tx, kind)

    def dead_causes(self) -> Sequence[CauseGroup]:
        with self._access.tx() as tx:
            unread = [d for d in tx.state.by_state[_S.DEAD].values() if d.dismissed_us is None]
            causes = sorted({d.cause for d in unread})
            groups = [_group(cause, [d for d in unread if d.cause == cause]) for cause in causes]
        return sorted(groups, key=lambda group: -group.count)

    def suppressions(self, address: str | None = None) -> Sequence[Suppression]:
        with self._access.tx() as tx:
            found = [s for s in tx.state.suppressions.values() if address is None or s.address == address]
        return sorted(found, key=lambda s: (s.address, s.tenant))


def _beyond(tx: Tx, newest_first: Sequence[Delivery], after: tuple[UUID, int]) -> list[Delivery]:
    """What comes behind ``after``, which need not be in the list itself (its state may have changed since)."""
    last = tx.state.deliveries.get(after)
    if last is None:
        return []
    place = (last.accepted_us, last.submission.id)
    return [
        d
        for d in newest_first
        if (d.accepted_us, d.submission.id) < place or ((d.accepted_us, d.submission.id) == place and d.number > last.number)
    ]


def _view(d: Delivery) -> DeliveryView:
    mail = d.submission
    return DeliveryView(
        submission_id=mail.id,
        number=d.number,
        recipient=d.recipient,
        state=d.state,
        lane=d.lane,
        route=d.route,
        sender=mail.sender,
        tenant=mail.tenant,
        ticket=mail.ticket,
        key=mail.key,
        message_id=mail.message_id,
        accepted_us=d.accepted_us,
        due_us=d.due_us,
        deadline_us=d.deadline_us,
        ended_us=d.ended_us,
        attempts=d.attempts,
        unknowns=d.unknowns,
        fence=d.fence,
        cause=d.cause,
        reason=d.reason,
        reply=d.reply,
        account=d.account,
        remote_id=d.remote_id,
        worker_id=d.worker_id,
        behind=d.behind,
        size_bytes=mail.size_bytes,
        dismissed=d.dismissed_us is not None,
    )


def _worker(tx: Tx, w: Worker) -> WorkerView:
    alive = not w.is_over and not is_silent(tx, w)
    return WorkerView(w.id, w.host, w.pid, w.version, w.started_us, w.beat_us, alive, w.retired_us, json.loads(w.stats))


def _group(cause: str, dead: Sequence[Delivery]) -> CauseGroup:
    times = [d.ended_us or 0 for d in dead]
    newest = max(dead, key=lambda d: d.ended_us or 0)
    return CauseGroup(cause, len(dead), min(times), max(times), newest.reply or newest.reason, newest.account)


def _overview(tx: Tx) -> Overview:
    state = tx.state
    events = Counter(event.state for event in state.events.values())
    return Overview(
        now_us=tx.now_us,
        site=state.site,
        counts={one: count for one in state.by_state if (count := _count(tx, one))},
        lanes=_lanes(tx),
        last_sent_us=max((d.ended_us or 0 for d in state.by_state[_S.SENT].values()), default=None),
        events_waiting=events["waiting"],
        events_dead=events["dead"],
        oldest_event_us=min((e.created_us for e in state.events.values() if e.state == "waiting"), default=None),
        schema_version=1,
        free_bytes=None,
        size_bytes=sum(len(mail.body or b"") for mail in state.submissions.values())
        + sum(len(blob.content) for blob in state.blobs.values()),
        jobs_parked=sum(one.ended_us is None for one in state.parked.values()),
    )


def _count(tx: Tx, state: DeliveryState) -> int:
    found = tx.state.by_state[state]
    if state not in SETTLED:
        return len(found)
    return sum((one.ended_us or 0) > tx.now_us - COUNTED_US for one in found.values())


def _lanes(tx: Tx) -> list[LaneLoad]:
    loads = []
    for route, lane in tx.state.queued_pairs():
        queued = [due_us for queue in tx.state.queues(route, lane).values() for due_us, _, _ in queue]
        due = [due_us for due_us in queued if due_us <= tx.now_us]
        loads.append(LaneLoad(lane, route, len(queued), len(due), min(due, default=None)))
    return loads
