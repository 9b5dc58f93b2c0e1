"""A road over a broker: parked jobs, cancellations that came too early, events that came back."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from ticketmail.domain.events import MailRefused
from ticketmail.domain.ports.delivering import Retention
from ticketmail.domain.ports.intaking import ParkedJob, parked_id
from ticketmail.testing.spool_contract.kit import HOUR, SECOND, ContractClock

_DAY = 24 * HOUR


def _job(body: bytes = b'\x00\xffnot JSON "', **changes: Any) -> ParkedJob:
    values: dict[str, Any] = {"queue": "jobs", "job_id": "j1", "cause": "invalid-job", "reason": "The job is not JSON."}
    return ParkedJob(parked_id=parked_id(body), body=body, **{**values, **changes})


def _event() -> MailRefused:
    return MailRefused(event_id=uuid4(), at_us=1, submission_id=uuid4(), recipient="ann@example.net")


class IntakingContract:
    """A road over a broker: parked jobs, cancellations that came too early, events that came back."""

    def test_a_job_is_parked_with_its_bytes(self, spool: Any, clock: ContractClock) -> None:
        spool.parking.park([_job(), _job(b"", kind="submit")])
        found = {one.body: one for one in spool.parking.parked(10)}
        assert found.keys() == {b'\x00\xffnot JSON "', b""}
        one = found[b'\x00\xffnot JSON "']
        assert (one.queue, one.job_id, one.cause, one.kind, one.parked_us, one.times) == (
            *("jobs", "j1", "invalid-job", "", clock.at, 1),
        )
        assert spool.parking.one(one.parked_id) == one
        assert spool.parking.waiting() == 2

    def test_a_job_that_comes_again_is_parked_once(self, spool: Any, clock: ContractClock) -> None:
        spool.parking.park([_job(), _job()])
        clock.go(SECOND)
        spool.parking.park([_job(reason="The job is not signed.")])
        (one,) = spool.parking.parked(10)
        assert (one.times, one.reason, one.parked_us) == (3, "The job is not signed.", clock.at)

    def test_who_was_put_away_is_listed_again_when_it_comes_again(self, spool: Any) -> None:
        job = _job()
        spool.parking.park([job])
        assert spool.parking.end(job.parked_id, "dismissed", actor="ann", reason="a test of ours")
        assert not spool.parking.end(job.parked_id, "dismissed", actor="ann", reason="twice")
        assert (spool.parking.waiting(), list(spool.parking.parked(10))) == (0, [])
        (row,) = [row for row in spool.reading.log(since_us=0) if row.kind == "parked"]
        assert (row.scope, row.actor, row.reason) == (f"parked:{job.parked_id}", "ann", "dismissed: a test of ours")
        spool.parking.park([job])
        assert spool.parking.waiting() == 1

    async def test_only_what_was_put_away_is_purged(self, spool: Any, work: Any, clock: ContractClock) -> None:
        read, unread = _job(b"read"), _job(b"unread")
        spool.parking.park([read, unread])
        spool.parking.end(read.parked_id, "replayed", actor="ann", reason="mended")
        upkeep = (await work()).upkeep
        clock.go(29 * _DAY)
        assert (await upkeep.purge(Retention(), 100))["parked"] == 0
        clock.go(2 * _DAY)
        assert (await upkeep.purge(Retention(), 100))["parked"] == 1
        assert spool.parking.one(read.parked_id) is None
        assert spool.parking.one(unread.parked_id) is not None

    def test_an_erased_persons_job_is_forgotten_with_its_event(self, spool: Any) -> None:
        event = _event()
        spool.outbox.put([event])
        spool.parking.park([_job(b'{"to":"Ann@Example.net"}', job_id=event.submission_id.hex), _job(b"another's")])
        reached = spool.operating.erase("ann@example.net", actor="mia", reason="asked to")
        assert [one.body for one in spool.parking.parked(5)] == [b"another's"]
        assert (reached.bodies, reached.events) == (1, 1)
        assert list(spool.outbox.take(5, 60)) == []

    async def test_tombstones_stand_for_seven_days(self, spool: Any, work: Any, clock: ContractClock) -> None:
        first, second = uuid4(), uuid4()
        spool.tombstones.bury([first])
        clock.go(4 * _DAY)
        spool.tombstones.bury([first, second])
        assert spool.tombstones.buried([first, second, uuid4()]) == {first, second}
        clock.go(4 * _DAY)
        await (await work()).upkeep.purge(Retention(), 100)
        assert spool.tombstones.buried([first, second]) == {second}
        assert spool.tombstones.buried([]) == frozenset()

    def test_an_event_that_is_put_twice_is_told_once(self, spool: Any) -> None:
        event = _event()
        spool.outbox.put([event, event])
        (item,) = spool.outbox.take(5, 60)
        assert item.event == event
        spool.outbox.done([item])
        spool.outbox.put([event])
        assert list(spool.outbox.take(5, 60)) == []

    def test_an_event_that_the_host_returned_is_told_later(self, spool: Any, clock: ContractClock) -> None:
        item = _told(spool, _event())
        assert spool.outbox.returned(item.event.event_id, item.fence, "KeyError: 'x'", lambda tries: 5.0 + tries)
        assert list(spool.outbox.take(5, 60)) == []
        clock.go(5 * SECOND)
        (again,) = spool.outbox.take(5, 60)
        assert (again.event.event_id, again.attempts) == (item.event.event_id, 1)

    def test_a_word_on_an_earlier_telling_changes_nothing(self, spool: Any) -> None:
        item = _told(spool, _event())
        for _ in range(2):
            spool.outbox.returned(item.event.event_id, item.fence, "no", lambda tries: 0.0)
        (again,) = spool.outbox.take(5, 60)
        assert (again.attempts, again.fence) == (1, item.fence + 1)
        spool.outbox.done([again])
        assert not spool.outbox.returned(item.event.event_id, item.fence, "no", lambda tries: 0.0)
        assert not spool.outbox.returned(UUID(int=7), 1, "no", lambda tries: 0.0)

    def test_an_event_that_the_host_returned_too_often_is_dead(self, spool: Any) -> None:
        item = _told(spool, _event())
        assert spool.outbox.returned(item.event.event_id, item.fence, "no", lambda tries: None)
        (dead,) = spool.outbox.dead(5)
        assert (dead.event, dead.error, dead.attempts) == (item.event, "no", 1)
        assert spool.outbox.replay(None) == 1


def _told(spool: Any, event: MailRefused) -> Any:
    """The event, taken and noted as done."""
    spool.outbox.put([event])
    (item,) = spool.outbox.take(5, 60)
    spool.outbox.done([item])
    return item
