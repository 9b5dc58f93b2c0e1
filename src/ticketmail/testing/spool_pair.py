"""Two spools on one clock, driven alike: the one under test and the one in memory, whose answers it must give."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.accepting import Accepted, Entry
from ticketmail.domain.ports.delivering import (
    ClaimedMail,
    Completion,
    Fenced,
    LaneEnd,
    Reaped,
    Resolution,
    Unresolved,
    Want,
    WorkerInfo,
    WorkerSide,
)
from ticketmail.domain.ports.reading import DeliveryView, HistoryRow
from ticketmail.domain.ports.spooling import SpoolAdapter
from ticketmail.domain.scope import Scope
from ticketmail.testing.clock import FakeClock

T = TypeVar("T")
Place = tuple[UUID, int]  #: submission, number
_ALL = Scope.parse("all")
_MANY = 10_000
_HOUR_US = 3_600_000_000
#: What two spools may say in their own words, or mint themselves.
_OWN = ("reason", "worker_id")


@dataclass(eq=False, slots=True)
class PairedWorker:
    """A worker that has a row in both spools."""

    sides: tuple[WorkerSide, WorkerSide]
    ids: tuple[UUID, UUID]
    alive: bool = True


@dataclass(eq=False, slots=True)
class Claim:
    """One claimed delivery and whose it is. ``begun``: its body is on its way."""

    worker: PairedWorker
    fenced: Fenced
    begun: bool = False

    @property
    def place(self) -> Place:
        """The delivery."""
        return (self.fenced.submission_id, self.fenced.number)


class Pair:
    """``subject`` and ``model`` on ``clock``. Every method does the same on both and says what both answered."""

    def __init__(self, subject: SpoolAdapter, model: SpoolAdapter, clock: FakeClock) -> None:
        self._spools = (subject, model)
        self._clock = clock
        self._runner = asyncio.Runner()
        self._workers: list[PairedWorker] = []
        self.old_claims: list[Claim] = []

    @property
    def alive(self) -> list[PairedWorker]:
        """Workers that beat."""
        return [worker for worker in self._workers if worker.alive]

    def both(self, call: Callable[[SpoolAdapter], T]) -> T:
        """``call`` on both; AssertionError if they differ."""
        return _same([call(spool) for spool in self._spools])

    def accept(self, entry: Entry) -> bool:
        """Hand one over. True: it was new."""

        def call(spool: SpoolAdapter) -> Accepted:
            (accepted,) = spool.intake.accept([entry])
            assert isinstance(accepted, Accepted)
            return accepted

        return self.both(call).new

    def replay(self, scope: Scope, state: DeliveryState) -> int:
        """At once, for a day more."""

        def call(spool: SpoolAdapter) -> int:
            return spool.operating.replay(
                scope, states=[state], lifetime_us=24 * _HOUR_US, pace_per_s=None, actor="ann", reason="a test"
            )

        return self.both(call)

    def close(self) -> None:
        """Close all, in the order that a process would."""
        for worker in self._workers:
            self._each(worker, lambda side, id_: side.aclose())
        for spool in self._spools:
            spool.close()
        self._runner.close()

    # --- workers -----------------------------------------------------------------------------------------------------------

    def worker(self, pick: int) -> PairedWorker:
        """One of those alive."""
        return self.alive[pick % len(self.alive)]

    def add_worker(self) -> None:
        """Register one."""
        first, second = (spool.worker_side() for spool in self._spools)
        info = WorkerInfo("host", 1, "1.0", "desk")
        ids = [self._run(side.workers.register(info)).worker_id for side in (first, second)]
        self._workers.append(PairedWorker((first, second), (ids[0], ids[1])))

    def beat(self) -> None:
        """All that are alive beat, and are told so."""
        for worker in self.alive:
            assert all(beat.alive for beat in self._each(worker, lambda side, id_: side.workers.beat(id_, {})))

    def kill(self, worker: PairedWorker) -> tuple[int, int, int]:
        """It falls silent; another one reaps it. Says how many were queued again, unknown and dead."""
        worker.alive = False
        self._each(worker, lambda side, id_: side.aclose())
        self._clock.advance(31)
        reaper = self._lend()
        self.beat()
        reaped = self._each(reaper, lambda side, id_: side.workers.reap())
        return _same([_counts(of_one, id_) for of_one, id_ in zip(reaped, worker.ids, strict=True)])

    def retire(self, worker: PairedWorker) -> None:
        """An orderly end."""
        worker.alive = False
        self._each(worker, lambda side, id_: side.workers.retire(id_))
        self._each(worker, lambda side, id_: side.aclose())

    def claim(self, worker: PairedWorker, lane: str) -> list[Claim]:
        """All that is due in a lane: the same mails with the same deliveries."""
        want = Want("main", lane, _MANY)
        found = self._each(worker, lambda side, id_: side.deliveries.claim(id_, [want]))
        mails = _same([sorted(map(_comparable, of_one)) for of_one in found])
        return [Claim(worker, Fenced(id_, one[0], one[2])) for id_, *_, deliveries in mails for one in deliveries]

    def begin(self, claim: Claim) -> bool:
        """The body of one claim is about to leave."""
        begun = self._each(claim.worker, lambda side, id_: side.deliveries.begin(id_, "a", [claim.fenced]))
        return _same([list(of_one) for of_one in begun])[0]

    def record(self, claim: Claim, completion: Completion) -> bool:
        """What became of it; said on a living worker's side, for its own may be closed."""
        recorded = self._each(claim.worker, lambda side, id_: side.deliveries.record(id_, [completion]), lent=True)
        return _same([list(of_one) for of_one in recorded])[0]

    def release(self, claim: Claim, due_us: int | None) -> None:
        """Give one claim back."""
        self._each(claim.worker, lambda side, id_: side.deliveries.release(id_, [claim.fenced], due_us=due_us))

    def unresolved(self) -> list[Fenced]:
        """Unknown ones whose look for evidence is due."""
        found = self._each(self._lend(), lambda side, id_: side.deliveries.unresolved(_MANY))
        rows = _same([sorted(map(_looked_for, of_one)) for of_one in found])
        return [Fenced(id_, number, fence) for id_, number, fence, *_ in rows]

    def resolve(self, resolution: Resolution) -> bool:
        """What a look for evidence led to."""
        resolved = self._each(self._lend(), lambda side, id_: side.deliveries.resolve([resolution]))
        return _same([list(of_one) for of_one in resolved])[0]

    def keep_house(self) -> None:
        """Expire what is late, tell of what is delayed."""
        ends = [LaneEnd("bulk", DeliveryState.EXPIRED)]
        _same(self._each(self._lend(), lambda side, id_: side.upkeep.expire(ends, _MANY)))
        _same(self._each(self._lend(), lambda side, id_: side.upkeep.tell_delayed(_HOUR_US, _MANY)))

    # --- what can be seen --------------------------------------------------------------------------------------------------

    def views(self) -> dict[Place, DeliveryView]:
        """All deliveries, each listed once."""
        subject, model = ([_view(view) for view in spool.reading.find(_ALL, limit=_MANY)] for spool in self._spools)
        assert subject == model
        views = {(view.submission_id, view.number): view for view in self._spools[0].reading.find(_ALL, limit=_MANY)}
        assert len(views) == len(subject), "a delivery is listed twice"
        assert dict(self.both(lambda spool: dict(spool.reading.overview().counts))) == Counter(v.state for v in views.values())
        return views

    def rows(self, place: Place) -> int:
        """How many history rows a delivery has, all claims' attempts and decisions."""
        return len(self.both(lambda spool: [row.kind for row in spool.reading.history(*place)]))

    def compare_history(self) -> None:
        """The same things happened, in the same order for each delivery."""
        for place in self.views():
            self.both(lambda spool, place=place: [_row(row) for row in spool.reading.history(*place)])  # type: ignore[misc]

    def compare_events(self) -> None:
        """The host is told the same."""

        def events(spool: SpoolAdapter) -> list[tuple[str, str]]:
            items = spool.outbox.take(_MANY, 60)
            spool.outbox.done(items)
            return sorted((str(item.event.event_id), item.event.kind) for item in items)

        told = self.both(events)
        assert len({event_id for event_id, _ in told}) == len(told)

    def _each(
        self, worker: PairedWorker, call: Callable[[WorkerSide, UUID], Coroutine[Any, Any, T]], *, lent: bool = False
    ) -> list[T]:
        sides = worker.sides if worker.alive or not lent else self._lend().sides
        return [self._run(call(side, id_)) for side, id_ in zip(sides, worker.ids, strict=True)]

    def _lend(self) -> PairedWorker:
        if not self.alive:
            self.add_worker()
        return self.alive[0]

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)


def _same(answers: Sequence[T]) -> T:
    subject, model = answers
    assert subject == model
    return subject


def _counts(reaped: Sequence[Reaped], worker_id: UUID) -> tuple[int, int, int]:
    assert [one.worker_id for one in reaped] == [worker_id]
    return (reaped[0].requeued, reaped[0].unknown, reaped[0].dead)


def _comparable(mail: ClaimedMail) -> tuple[Any, ...]:
    deliveries = tuple(
        (one.number, one.recipient, one.fence, one.attempts, one.unknowns, one.lost, one.lost_alone, one.due_us, one.delay_told)
        for one in mail.deliveries
    )
    return (mail.submission_id, mail.lane, mail.tenant, mail.ticket or "", mail.accepted_us, mail.deadline_us, deliveries)


def _looked_for(found: Unresolved) -> tuple[Any, ...]:
    (one,) = found.mail.deliveries
    return (found.mail.submission_id, one.number, one.fence, found.account, found.unknown_since_us, found.checks)


def _view(view: DeliveryView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in DeliveryView.__dataclass_fields__ if name not in _OWN}


def _row(row: HistoryRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in HistoryRow.__dataclass_fields__ if name not in _OWN}
