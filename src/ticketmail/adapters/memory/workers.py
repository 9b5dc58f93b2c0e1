"""Worker rows, their beats, and what becomes of a dead worker's leases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

from ticketmail.adapters.memory.ends import facts, free_next
from ticketmail.adapters.memory.state import Delivery, Worker
from ticketmail.adapters.memory.store import Access, turn
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.events import MailDeadLettered
from ticketmail.domain.ids import uuid7
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.delivering import Beat, Reaped, Registration, WorkerInfo

_S = DeliveryState
#: So many leases lost with nothing else in flight make a mail poison.
POISON = 3
SILENT_S = 30.0


def is_alive(tx: Tx, worker_id: UUID) -> bool:
    """The worker's row is open. (Whether it still beats is for :func:`is_silent`.)"""
    worker = tx.state.workers.get(worker_id)
    return worker is not None and not worker.is_over


def is_silent(tx: Tx, worker: Worker) -> bool:
    """Its last beat is too old, by the monotonic clock: a jump of the wall's kills nobody."""
    return tx.now_s - worker.beat_s > SILENT_S


class MemoryWorkers:
    """``Workers`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def register(self, info: WorkerInfo) -> Registration:
        await turn()
        with self._access.tx() as tx:
            # Not at random: a run can be repeated to the letter. Unique within the spool is enough.
            worker_id = uuid7(tx.now_us, tx.state.next_seq().to_bytes(10, "big"))
            row = Worker(worker_id, info.host, info.pid, info.version, info.site, tx.now_us, tx.now_us, tx.now_s)
            tx.put(tx.state.workers, worker_id, row)
            _note(tx, worker_id, "started", f"Worker {info.host}/{info.pid} started, version {info.version}.")
            return Registration(worker_id, tx.now_us)

    async def beat(self, worker_id: UUID, stats: Mapping[str, object]) -> Beat:
        await turn()
        text = json.dumps(dict(stats), default=str)
        with self._access.tx() as tx:
            alive = is_alive(tx, worker_id)
            if alive:
                tx.change(tx.state.workers[worker_id], beat_us=tx.now_us, beat_s=tx.now_s, stats=text)
            return Beat(tx.now_us, alive)

    async def retire(self, worker_id: UUID) -> None:
        await turn()
        with self._access.tx() as tx:
            if is_alive(tx, worker_id):
                tx.change(tx.state.workers[worker_id], retired_us=tx.now_us)
                take_back(tx, worker_id, lost=False)
                _note(tx, worker_id, "retired", "The worker ended in good order.")

    async def reap(self) -> list[Reaped]:
        await turn()
        with self._access.tx() as tx:
            silent = [w for w in tx.state.workers.values() if not w.is_over and is_silent(tx, w)]
            return [_bury(tx, worker) for worker in silent]


def _bury(tx: Tx, worker: Worker) -> Reaped:
    tx.change(worker, dead_us=tx.now_us)
    reaped = take_back(tx, worker.id, lost=True)
    left = f"{reaped.requeued} queued again, {reaped.unknown} unknown, {reaped.dead} dead"
    _note(tx, worker.id, "dead", f"The worker gave no sign of life; {left}.")
    return reaped


def take_back(tx: Tx, worker_id: UUID, *, lost: bool) -> Reaped:
    """End all leases of a worker. ``lost``: it died, and its mails are one loss nearer to poison."""
    leased = [d for state in (_S.CLAIMED, _S.SENDING) for d in tx.state.by_state[state].values() if d.worker_id == worker_id]
    leased.sort(key=lambda d: d.key)
    alone = lost and len({d.submission.id for d in leased}) == 1
    states = [_take_one(tx, delivery, worker_id, lost=lost, alone=alone) for delivery in leased]
    free_next(tx, (d for d in leased if d.state is not _S.QUEUED))
    tx.rings = tx.rings or _S.QUEUED in states
    return Reaped(worker_id, states.count(_S.QUEUED), states.count(_S.UNKNOWN), states.count(_S.DEAD))


_LOST = "The worker that had it died; it may have been sent."
_LEFT = "The worker that was sending it ended; it may have been sent."
_POISON = "Three workers died with nothing else in flight than this mail."


def _take_one(tx: Tx, delivery: Delivery, worker_id: UUID, *, lost: bool, alone: bool) -> DeliveryState:
    was = delivery.state
    state = _next_state(delivery, lost=lost, alone=alone)
    cause = {_S.DEAD: "poison", _S.UNKNOWN: "lease-lost"}.get(state, "")
    reason = _reason(was, state, lost=lost)
    tx.change(
        delivery,
        state=state,
        due_us=None if state is _S.DEAD else tx.now_us,
        lost=delivery.lost + lost,
        lost_alone=delivery.lost_alone + alone,
        unknowns=delivery.unknowns + (state is _S.UNKNOWN),
        checks=0,
        cause=cause,
        reason=reason,
        ended_us=tx.now_us if state is _S.DEAD else None,
        worker_id=None,
    )
    if was is _S.SENDING:
        _close_attempt(tx, delivery)
    if lost or was is _S.SENDING:
        kind = "dead" if state is _S.DEAD else "lease-lost" if lost else "unknown"
        more = {"account": delivery.account, "worker_id": worker_id, "cause": cause or "lease-lost", "reason": reason}
        tx.note_on(delivery, kind, state=state.value, **more)
    if state is _S.DEAD:
        tx.tell([MailDeadLettered(**facts(delivery, "dead", tx.now_us, _POISON), cause="poison")])
    return state


def _next_state(delivery: Delivery, *, lost: bool, alone: bool) -> DeliveryState:
    if lost and delivery.lost_alone + alone >= POISON:
        return _S.DEAD
    return _S.UNKNOWN if delivery.state is _S.SENDING else _S.QUEUED


def _reason(was: DeliveryState, state: DeliveryState, *, lost: bool) -> str:
    if state is _S.DEAD:
        return _POISON
    if was is _S.CLAIMED:
        return "The worker that had it died before it began." if lost else ""
    return _LOST if lost else _LEFT


def _close_attempt(tx: Tx, delivery: Delivery) -> None:
    for seq in tx.state.history_of.get(delivery.submission.id, ()):
        row = tx.state.history[seq]
        if row.kind == "attempt" and (row.number, row.fence, row.ended_us) == (delivery.number, delivery.fence, None):
            tx.amend(seq, state=delivery.state.value, outcome="unclear", reason=_LOST, ended_us=tx.now_us)


def _note(tx: Tx, worker_id: UUID, state: str, reason: str) -> None:
    tx.note("worker", scope=f"worker:{worker_id}", state=state, worker_id=worker_id, reason=reason, actor="worker")
