"""Mail events over a broker: confirmed before they are noted as told, at least once, what the host would not take comes again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.intake.kit import AT_US, SECRET, Service, order
from ticketmail.adapters.memory.broker import create
from ticketmail.app.usecases.hear import Hear
from ticketmail.app.usecases.publish import Mailbag, Publish
from ticketmail.app.usecases.tell import MAX_TRIES
from ticketmail.domain.errors import BrokerUnreachable
from ticketmail.domain.event_job import (
    Answer,
    Unreadable,
    answer_from,
    answer_parcel,
    event_from,
    event_parcel,
    unreadable_parcel,
)
from ticketmail.domain.events import MailEvent, MailFailed, MailSent
from ticketmail.domain.job import decode, encode, spooled_from
from ticketmail.domain.ports.queueing import EVENTS, SPOOLED, SUBMIT, Broker, BrokerOptions, Job
from ticketmail.domain.scope import Scope
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.sandbox import InlineThreads, memory

EVENT = MailSent(event_id=UUID(int=1), at_us=AT_US, submission_id=UUID(int=2), recipient="ann@example.net", ticket="7")


@pytest.fixture
def broker() -> Broker:
    return create(f"memory://{uuid4().hex}", BrokerOptions())


def publisher(service: Service, broker: Broker, secret: bytes | None = None) -> Publish:
    clock = FakeClock()
    bag = Mailbag(broker, secret=secret, now_us=lambda: AT_US)
    return Publish(service.spool.outbox, bag, threads=InlineThreads(), sleeper=clock, jitter=lambda: 0.5)


def cancelled(service: Service, count: int = 1) -> None:
    """So many events."""
    service.take(*(order(f"u{number}@example.net") for number in range(count)))
    service.spool.operating.cancel(Scope.parse("all"), actor="ann", reason="")


async def heard(hear: Hear, handler: Callable[[MailEvent], Any], enough: Callable[[], bool]) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(hear.alisten(handler, stop=stop))
    async with asyncio.timeout(5):
        while not enough():
            await asyncio.sleep(0.005)
    stop.set()
    await task


async def drained(broker: Broker, queue: str) -> list[Job]:
    """All jobs of a queue, taken for good."""
    async with broker.receive(queue, prefetch=1000) as receiver:
        received = await receiver.batch(1000, 0.01)
        await receiver.ack(received)
    return [one.job for one in received]


# --- what travels -----------------------------------------------------------------------------------------------------------


def test_an_event_travels_whole() -> None:
    failed = MailFailed(**EVENT.model_dump(exclude={"kind", "remote_id"}), cause="no-such-mailbox", reply="550 5.1.1")
    for event in (EVENT, failed):
        parcel = decode(encode(event_parcel(event, 3), secret=SECRET), secrets=[SECRET])
        assert event_from(parcel) == (event, 3)
        assert parcel.job_id == event.event_id


def test_a_word_on_an_event_travels_whole() -> None:
    answer, unreadable = Answer(UUID(int=1), 3, "KeyError: 'ü'"), Unreadable(b"\x00\xff", "not JSON")
    assert answer_from(decode(encode(answer_parcel(answer, 1)))) == answer
    assert answer_from(decode(encode(unreadable_parcel(unreadable, 1)))) == unreadable
    assert answer_parcel(answer, 1).job_id == answer_parcel(answer, 2).job_id


# --- out of the spool -------------------------------------------------------------------------------------------------------


async def test_an_event_is_noted_as_told_when_the_broker_has_confirmed_it(service: Service, broker: Broker) -> None:
    cancelled(service, 3)
    assert publisher(service, broker).tell_due() == 3
    assert service.spool.reading.overview().events_waiting == 0
    assert len(await drained(broker, EVENTS)) == 3


def test_an_event_that_the_broker_did_not_confirm_is_told_after_its_lease(service: Service, broker: Broker) -> None:
    cancelled(service)
    publish = publisher(service, broker)
    broker.publish = _refuses  # type: ignore[method-assign]
    with pytest.raises(BrokerUnreachable):
        publish.tell_due()
    assert service.spool.reading.overview().events_waiting == 1
    assert publish.tell_due() == 0  # under its lease


async def test_a_broker_that_is_away_is_said_once(service: Service, broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    cancelled(service)
    publish, tries = publisher(service, broker), 0

    def fail() -> int:
        nonlocal tries
        tries += 1
        if tries > 4:
            publish.stop()
            return 0
        raise BrokerUnreachable("nobody there")

    publish.tell_due = fail  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        await publish.run()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert publish.trouble == ""


async def test_the_services_word_names_the_jobs(broker: Broker) -> None:
    bag = Mailbag(broker, secret=SECRET, now_us=lambda: AT_US)
    bag.tell_safe([])
    bag.tell_safe([UUID(int=1), UUID(int=2)])
    (job,) = await drained(broker, SPOOLED)
    assert spooled_from(decode(job.body, secrets=[SECRET])) == [UUID(int=1), UUID(int=2)]


# --- into the host's handler ------------------------------------------------------------------------------------------------


async def test_the_host_hears_events(service: Service, broker: Broker) -> None:
    cancelled(service, 5)
    publisher(service, broker, SECRET).tell_due()
    seen: list[MailEvent] = []
    await heard(Hear(broker, secrets=[SECRET], now_us=lambda: AT_US), seen.append, lambda: len(seen) == 5)
    assert {event.recipient for event in seen} == {f"u{number}@example.net" for number in range(5)}
    assert await drained(broker, EVENTS) == []


async def test_a_handler_that_raises_gets_the_event_again_and_at_last_it_is_dead(broker: Broker) -> None:
    clock = FakeClock()
    with memory(clock=clock) as sandbox:
        await _to_death(Service(sandbox.mail), broker, clock)


async def _to_death(service: Service, broker: Broker, clock: FakeClock) -> None:
    cancelled(service)
    publish, hear = publisher(service, broker), Hear(broker, secrets=[], now_us=lambda: AT_US)
    seen: list[UUID] = []

    def handler(event: MailEvent) -> None:
        seen.append(event.event_id)
        raise KeyError("no such ticket")

    for tries in range(1, MAX_TRIES + 1):
        assert publish.tell_due() == 1
        await heard(hear, handler, lambda: broker.depth(SUBMIT) == 1)
        service.take(*await drained(broker, SUBMIT))
        assert len(seen) == tries
        clock.advance(4000)
    assert len(set(seen)) == 1
    (dead,) = service.spool.outbox.dead(5)
    assert (dead.attempts, dead.error) == (MAX_TRIES, "KeyError: 'no such ticket'")
    assert service.spool.outbox.replay(None) == 1
    assert publish.tell_due() == 1


async def test_what_the_host_cannot_read_is_parked_at_the_service(service: Service, broker: Broker) -> None:
    broker.publish(EVENTS, [Job("x", b"garbage")])
    await heard(Hear(broker, secrets=[], now_us=lambda: AT_US), _refuse, lambda: broker.depth(SUBMIT) == 1)
    service.take(*await drained(broker, SUBMIT))
    assert [parked.body for parked in service.parked] == [b"garbage"]


async def test_an_event_is_not_lost_while_the_hosts_word_finds_no_way(broker: Broker) -> None:
    """The handler failed, and the broker takes no word on it: the event stays unacknowledged."""
    broker.publish(EVENTS, [Job(EVENT.event_id.hex, encode(event_parcel(EVENT, 1)))])
    tries = 0

    def publish(queue: str, jobs: object) -> None:
        nonlocal tries
        tries += 1
        raise BrokerUnreachable("no confirm")

    broker.publish = publish  # type: ignore[method-assign]
    await heard(Hear(broker, secrets=[], now_us=lambda: AT_US), _refuse, lambda: tries > 0)
    assert broker.depth(EVENTS) == 1


def test_a_sync_handler_runs_in_the_thread_that_listens_without_a_loop(service: Service, broker: Broker) -> None:
    cancelled(service, 3)
    publisher(service, broker).tell_due()
    stop, where = threading.Event(), list[tuple[threading.Thread, bool]]()

    def handler(event: MailEvent) -> None:
        where.append((threading.current_thread(), _has_loop()))
        if len(where) == 3:
            stop.set()

    Hear(broker, secrets=[], now_us=lambda: AT_US).listen(handler, stop=stop)
    assert where == [(threading.current_thread(), False)] * 3


def test_an_async_handler_may_be_listened_to_without_a_loop(service: Service, broker: Broker) -> None:
    cancelled(service)
    publisher(service, broker).tell_due()
    stop, seen = threading.Event(), list[MailEvent]()

    async def handler(event: MailEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event)
        stop.set()

    Hear(broker, secrets=[], now_us=lambda: AT_US).listen(handler, stop=stop)
    assert len(seen) == 1


def test_an_interrupt_leaves_the_event_with_the_broker(service: Service, broker: Broker) -> None:
    cancelled(service)
    publisher(service, broker).tell_due()

    def handler(event: MailEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Hear(broker, secrets=[], now_us=lambda: AT_US).listen(handler, stop=threading.Event())
    assert (broker.depth(EVENTS), broker.depth(SUBMIT)) == (1, 0)


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse(event: MailEvent) -> None:
    raise ValueError("no")


def _refuses(queue: str, jobs: object) -> None:
    raise BrokerUnreachable("no confirm")
