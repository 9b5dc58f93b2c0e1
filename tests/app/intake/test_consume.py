"""The consumer: nothing is acknowledged that is not safe, a sick spool closes the tap, and everything says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.intake.kit import Service, job_of, order
from ticketmail import TicketMail
from ticketmail.adapters.memory.broker import create
from ticketmail.app.observing import NullMeter
from ticketmail.app.usecases.consume import Consume, Means
from ticketmail.app.usecases.intake import Taken
from ticketmail.domain.errors import BrokerUnreachable, SpoolBusy
from ticketmail.domain.ports.queueing import SUBMIT, BrokerOptions, Job
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.sandbox import InlineThreads


class YieldingClock(FakeClock):
    """Time that passes by sleeping lets others of the loop have their turn."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await super().sleep(seconds)
        await asyncio.sleep(0)


class Rig:
    """A consumer over a broker in memory. ``told`` are words that went back, ``paused`` holds it."""

    def __init__(self, taking: Any, **changes: Any) -> None:
        self.broker = create(f"memory://{uuid4().hex}", BrokerOptions())
        self.told: list[UUID] = []
        self.paused = ""
        self.clock = YieldingClock()
        values: dict[str, Any] = {
            "broker": self.broker,
            "taking": taking,
            "tell_safe": self.told.extend,
            "paused": lambda: self.paused,
            "meter": NullMeter(),
            "threads": InlineThreads(),
            "sleeper": self.clock,
            "monotonic_s": self.clock.monotonic_s,
            "now_us": self.clock.now_us,
        }
        self.consume = Consume(Means(**{**values, **changes}))

    @asynccontextmanager
    async def running(self):  # type: ignore[no-untyped-def]
        task = asyncio.ensure_future(self.consume.run())
        try:
            yield self
        finally:
            self.consume.stop()
            await asyncio.wait_for(task, 5)

    @property
    def depth(self) -> int | None:
        return self.broker.depth(SUBMIT)


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not fact():
            await asyncio.sleep(0.001)


class Scripted:
    """Takes batches. While ``sick`` is set it raises that."""

    def __init__(self, sick: Exception | None = None) -> None:
        self.sick = sick
        self.batches: list[list[str]] = []
        self.tries = 0

    def take(self, jobs: Sequence[Job]) -> Taken:
        self.tries += 1
        if self.sick is not None:
            raise self.sick
        self.batches.append([job.job_id for job in jobs])
        return Taken({"accepted": len(jobs)}, oldest_us=0)


def jobs(count: int) -> list[Job]:
    return [Job(f"j{number}", b"{}") for number in range(count)]


async def test_batches_are_taken_in_order_and_forgotten_by_the_broker() -> None:
    taking = Scripted()
    rig = Rig(taking, batch=4, prefetch=8)
    rig.broker.publish(SUBMIT, jobs(10))
    async with rig.running():
        await until(lambda: rig.consume.state.taken == 10)
    assert [len(batch) for batch in taking.batches] == [4, 4, 2]
    assert [one for batch in taking.batches for one in batch] == [f"j{number}" for number in range(10)]
    async with rig.broker.receive(SUBMIT, prefetch=99) as receiver:
        assert list(await receiver.batch(99, 0)) == []


@pytest.mark.parametrize("sick", [SpoolBusy("Another writer holds it."), ValueError("a fault of ours")])
async def test_a_spool_that_takes_nothing_closes_the_tap(sick: Exception, caplog: pytest.LogCaptureFixture) -> None:
    taking = Scripted(sick)
    rig = Rig(taking, batch=2)
    rig.broker.publish(SUBMIT, jobs(5))
    with caplog.at_level(logging.WARNING):
        async with rig.running():
            await until(lambda: taking.tries >= 6)
            assert rig.depth == 5  # others may have them
            assert rig.consume.state.sick
            taking.sick = None
            await until(lambda: rig.depth == 0 and rig.consume.state.taken >= 7)
    assert {one for batch in taking.batches for one in batch} == {f"j{number}" for number in range(5)}
    said = [record.message for record in caplog.records if "intake" in record.message]
    assert [line.partition(",")[0] for line in said] == ["intake pauses", "the spool takes mail again"]
    assert not rig.consume.state.sick


async def test_waits_for_a_sick_spool_grow_to_half_a_minute() -> None:
    taking = Scripted(SpoolBusy("busy"))
    rig = Rig(taking)
    rig.broker.publish(SUBMIT, jobs(1))
    async with rig.running():
        await until(lambda: len(rig.clock.slept) > 7)
    assert rig.clock.slept[:7] == [1, 2, 4, 8, 16, 30, 30]


async def test_a_full_disk_holds_the_intake_before_a_job_is_touched() -> None:
    taking = Scripted()
    rig = Rig(taking)
    rig.paused = "its disk is nearly full"
    rig.broker.publish(SUBMIT, jobs(3))
    async with rig.running():
        await until(lambda: rig.consume.state.sick == "its disk is nearly full")
        assert (taking.tries, rig.depth) == (0, 3)
        rig.paused = ""
        await until(lambda: rig.depth == 0)


async def test_a_broker_that_goes_away_is_said_once_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    taking = Scripted()
    rig = Rig(taking)
    receive, failures = rig.broker.receive, 5

    @asynccontextmanager
    async def receive_later(queue: str, *, prefetch: int):  # type: ignore[no-untyped-def]
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise BrokerUnreachable("nobody there")
        async with receive(queue, prefetch=prefetch) as receiver:
            yield receiver

    rig.broker.receive = receive_later  # type: ignore[method-assign]
    rig.broker.publish(SUBMIT, jobs(1))
    with caplog.at_level(logging.WARNING):
        async with rig.running():
            await until(lambda: rig.consume.state.taken == 1)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


async def test_jobs_stay_unacknowledged_until_their_host_has_our_word(mail: TicketMail) -> None:
    service = Service(mail)
    refusals = 3

    def tell_safe(ids: Sequence[UUID]) -> None:
        nonlocal refusals
        if ids and refusals:
            refusals -= 1
            assert rig.depth == 0
            raise BrokerUnreachable("no confirm")
        rig.told.extend(ids)

    one, other = order(confirm=True), order()
    rig = Rig(service.taking, tell_safe=tell_safe)
    rig.broker.publish(SUBMIT, [job_of(one), job_of(other)])
    async with rig.running():
        await until(lambda: bool(rig.told))
    assert (rig.told, rig.depth, refusals) == ([one.submission_id], 0, 0)


async def test_a_stopped_consumer_has_ended_its_batch_and_gives_the_rest_back() -> None:
    entered, go = asyncio.Event(), asyncio.Event()
    taking = Scripted()

    class SlowThreads:
        async def run(self, call: Callable[[], Any]) -> Any:
            entered.set()
            await go.wait()
            return call()

    rig = Rig(taking, batch=3, threads=SlowThreads())
    rig.broker.publish(SUBMIT, jobs(5))
    async with rig.running():
        await entered.wait()
        rig.consume.stop()
        go.set()
    assert taking.batches == [["j0", "j1", "j2"]]
    assert rig.depth == 2


async def test_poison_is_taken_once_and_never_comes_again(mail: TicketMail) -> None:
    service = Service(mail)
    rig = Rig(service.taking)
    rig.broker.publish(SUBMIT, [Job("p", b"\x00poison"), job_of(order("good@example.net"))])
    async with rig.running():
        await until(lambda: rig.consume.state.taken == 2)
    assert (rig.depth, len(service.parked), rig.consume.state.parked) == (0, 1, 1)
    assert service.parked[0].times == 1
