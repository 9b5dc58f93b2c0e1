"""``Reading``: questions, each answered under the lock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from ticketmail.adapters.memory.book import documents
from ticketmail.adapters.memory.selecting import select
from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.store import Access
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.adapters.memory.workers import is_silent
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import CauseGroup, DeliveryView, HistoryRow, LaneLoad, Overview, Pause, WorkerView
from ticketmail.domain.scope import Scope

SCHEMA_VERSION = 1
_Order = tuple[int, int, int]


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
            found = select(tx.state, scope, states)
            if since_us is not None:
                found = [delivery for delivery in found if delivery.accepted_us >= since_us]
            if after is not None:
                last = tx.state.deliveries.get(after)
                found = [] if last is None else [d for d in found if _newest_first(d) > _newest_first(last)]
            return [_view(delivery) for delivery in sorted(found, key=_newest_first)[:limit]]

    def history(self, submission_id: UUID, number: int | None = None) -> Sequence[HistoryRow]:
        with self._access.tx() as tx:
            rows = [tx.state.history[seq] for seq in tx.state.history_of.get(submission_id, ())]
        return [row for row in rows if number is None or row.number == number]

    def log(self, *, since_us: int, limit: int = 1000, decisions_only: bool = True) -> Sequence[HistoryRow]:
        with self._access.tx() as tx:
            rows = [row for row in tx.state.history.values() if row.at_us >= since_us]
        if decisions_only:
            rows = [row for row in rows if row.scope or row.actor]
        return sorted(rows, key=lambda row: row.at_us)[:limit]

    def body(self, submission_id: UUID) -> bytes | None:
        with self._access.tx() as tx:
            mail = tx.state.submissions.get(submission_id)
            return None if mail is None else mail.body

    def workers(self) -> Sequence[WorkerView]:
        with self._access.tx() as tx:
            return [
                WorkerView(
                    *(w.id, w.host, w.pid, w.version, w.started_us, w.beat_us),
                    alive=not w.is_over and not is_silent(tx, w),
                    retired_us=w.retired_us,
                    stats=json.loads(w.stats),
                )
                for w in sorted(tx.state.workers.values(), key=lambda w: (w.started_us, w.id))
            ]

    def pauses(self) -> Sequence[Pause]:
        with self._access.tx() as tx:
            active = [p for p in tx.state.pauses.values() if p.until_us is None or p.until_us > tx.now_us]
        return sorted(active, key=lambda pause: (pause.since_us, str(pause.scope)))

    def documents(self, kind: str) -> Mapping[str, bytes]:
        with self._access.tx() as tx:
            return documents(tx, kind)

    def dead_causes(self) -> Sequence[CauseGroup]:
        by_cause: dict[str, list[Delivery]] = {}
        with self._access.tx() as tx:
            for delivery in tx.state.by_state[DeliveryState.DEAD].values():
                if delivery.dismissed_us is None:
                    by_cause.setdefault(delivery.cause, []).append(delivery)
            groups = [_group(cause, letters) for cause, letters in by_cause.items()]
        return sorted(groups, key=lambda group: (-group.count, group.cause))

    def suppressions(self, address: str | None = None) -> Sequence[Suppression]:
        with self._access.tx() as tx:
            found = [s for s in tx.state.suppressions.values() if address is None or s.address == address]
        return sorted(found, key=lambda suppression: (suppression.address, suppression.tenant))


def _newest_first(delivery: Delivery) -> _Order:
    return (-delivery.accepted_us, -delivery.submission.id.int, delivery.number)


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


def _group(cause: str, letters: Sequence[Delivery]) -> CauseGroup:
    times = [delivery.ended_us or 0 for delivery in letters]
    newest = max(letters, key=lambda delivery: delivery.ended_us or 0)
    return CauseGroup(cause, len(letters), min(times), max(times), newest.reply or newest.reason, newest.account)


def _overview(tx: Tx) -> Overview:
    state = tx.state
    sent = [d.ended_us for d in state.by_state[DeliveryState.SENT].values() if d.ended_us is not None]
    events = Counter(event.state for event in state.events.values())
    return Overview(
        now_us=tx.now_us,
        site=state.site,
        counts={one: len(found) for one, found in state.by_state.items() if found},
        lanes=[_load(tx, route, lane) for route, lane in state.queued_pairs()],
        last_sent_us=max(sent, default=None),
        events_waiting=events["waiting"],
        events_dead=events["dead"],
        oldest_event_us=min((e.created_us for e in state.events.values() if e.state == "waiting"), default=None),
        schema_version=SCHEMA_VERSION,
        free_bytes=None,
        size_bytes=None,
    )


def _load(tx: Tx, route: str, lane: str) -> LaneLoad:
    times = [due_us for due_us, _, _ in tx.state.queue(route, lane)]
    due = sum(due_us <= tx.now_us for due_us in times)
    return LaneLoad(lane, route, len(times), due, times[0] if due else None)
