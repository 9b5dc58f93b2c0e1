"""Telling the host: at least once, with retries and dead events, whatever the handler raises."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from ticketmail.app.usecases.tell import MAX_TRIES, RETRY_AFTER_S, Tell
from ticketmail.domain.errors import SpoolBusy
from ticketmail.domain.events import MailSent
from ticketmail.domain.ports.telling import DeadEvent, OutboxItem


def event(number: int) -> MailSent:
    return MailSent(event_id=uuid4(), at_us=number, submission_id=UUID(int=number), recipient="ann@example.net")


class ListOutbox:
    """An outbox over a list. ``sick`` makes that many takes fail first. ``stop`` is set when it has run dry."""

    def __init__(self, items: Sequence[OutboxItem], *, stop: threading.Event | asyncio.Event, sick: int = 0) -> None:
        self.waiting = list(items)
        self.handled: list[UUID] = []
        self.failures: list[tuple[str, float | None]] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self._stop = stop
        self._sick = sick

    def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
        if self._sick:
            self._sick -= 1
            raise SpoolBusy("Another writer holds it.")
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    def done(self, items: Sequence[OutboxItem]) -> None:
        self.handled += [item.event.event_id for item in items]

    def failed(self, item: OutboxItem, error: str, retry_after_s: float | None) -> None:
        self.failures.append((error, retry_after_s))

    def first_time(self, event_id: UUID, *, connection: object) -> bool:
        return True

    def wait(self, timeout_s: float) -> bool:
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._stop.set)
        else:
            self._stop.set()
        return False

    def dead(self, limit: int) -> Sequence[DeadEvent]:
        return []

    def replay(self, event_ids: Sequence[UUID] | None) -> int:
        return 0


def items(count: int, *, attempts: int = 0) -> list[OutboxItem]:
    return [OutboxItem(event(number), attempts, 1) for number in range(count)]


def test_each_event_is_handled_in_order_and_marked_done() -> None:
    stop, seen = threading.Event(), []
    outbox = ListOutbox(given := items(200), stop=stop)

    Tell(outbox).listen(lambda one: seen.append(one.event_id), stop=stop)

    assert seen == outbox.handled == [item.event.event_id for item in given]


def test_a_sync_handler_runs_in_the_listening_thread_without_a_running_loop() -> None:
    """Django's ORM refuses to work where a loop runs, and its connections belong to a thread."""
    stop, seen = threading.Event(), []

    def handler(one: object) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(threading.current_thread())

    Tell(ListOutbox(items(1), stop=stop)).listen(handler, stop=stop)

    assert seen == [threading.current_thread()]


def test_an_async_handler_is_awaited_by_the_sync_listener() -> None:
    stop, seen = threading.Event(), []

    async def handler(one: MailSent) -> None:
        await asyncio.sleep(0)
        seen.append(one.event_id)

    outbox = ListOutbox(items(3), stop=stop)
    Tell(outbox).listen(handler, stop=stop)

    assert seen == outbox.handled


@pytest.mark.parametrize(
    ("attempts", "after_s"), [*enumerate(RETRY_AFTER_S), (10, 3600.0), (MAX_TRIES - 2, 3600.0), (MAX_TRIES - 1, None)]
)
def test_a_failed_event_comes_back_by_the_schedule_and_is_dead_after_twenty_tries(attempts: int, after_s: float | None) -> None:
    stop = threading.Event()
    outbox = ListOutbox(items(1, attempts=attempts), stop=stop)

    def handler(one: object) -> None:
        raise ValueError("ticket 4711 is locked")

    Tell(outbox).listen(handler, stop=stop)

    assert (outbox.failures, outbox.handled) == ([("ValueError: ticket 4711 is locked", after_s)], [])


def test_a_handler_that_raises_stops_neither_the_listener_nor_other_events() -> None:
    stop, seen = threading.Event(), []

    def handler(one: MailSent) -> None:
        seen.append(one.at_us)
        if one.at_us == 1:
            raise RuntimeError("no")

    outbox = ListOutbox(items(4), stop=stop)
    Tell(outbox).listen(handler, stop=stop)

    assert (seen, len(outbox.handled), len(outbox.failures)) == ([0, 1, 2, 3], 3, 1)


def test_what_was_handled_before_an_interrupt_is_marked_done() -> None:
    stop = threading.Event()
    outbox = ListOutbox(given := items(1) + items(2), stop=stop)

    def handler(one: MailSent) -> None:
        if one.event_id == given[2].event.event_id:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Tell(outbox).listen(handler, stop=stop)

    assert outbox.handled == [item.event.event_id for item in given[:2]]


def test_a_stopped_listener_first_tells_what_it_has_taken() -> None:
    stop, sizes = threading.Event(), []

    class Sizes(ListOutbox):
        def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
            sizes.append(limit)
            return super().take(limit, lease_s)

    def handler(one: MailSent) -> None:
        if one.at_us == 3:  # the first of a batch of four
            stop.set()

    outbox = Sizes(items(20), stop=stop)
    Tell(outbox).listen(handler, stop=stop)

    assert sizes == [1, 2, 4]
    assert len(outbox.handled) == 7


def test_a_sick_spool_pauses_the_listener_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class NoWait(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return False

    pauses: list[float | None] = []
    stop = NoWait()
    outbox = ListOutbox(items(1), stop=stop, sick=7)

    with caplog.at_level(logging.INFO, "ticketmail.tell"):
        Tell(outbox).listen(lambda one: None, stop=stop)

    assert (pauses, len(outbox.handled)) == ([1, 2, 4, 8, 16, 30, 30], 1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_the_async_listener_takes_sync_and_async_handlers(kind: str) -> None:
    stop, seen = asyncio.Event(), []

    async def on_loop(one: MailSent) -> None:
        seen.append(threading.current_thread() is threading.main_thread())

    def in_thread(one: MailSent) -> None:
        seen.append(threading.current_thread() is not threading.main_thread())

    outbox = ListOutbox(items(3), stop=stop)
    outbox.loop = asyncio.get_running_loop()
    await Tell(outbox).alisten(on_loop if kind == "async" else in_thread, stop=stop)

    assert (seen, len(outbox.handled)) == ([True] * 3, 3)


async def test_a_cancelled_async_listener_marks_done_what_was_handled() -> None:
    stop, begun = asyncio.Event(), asyncio.Event()
    outbox = ListOutbox(given := items(3), stop=stop)

    async def handler(one: MailSent) -> None:
        if one.event_id == given[2].event.event_id:
            begun.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(Tell(outbox).alisten(handler, stop=stop))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert outbox.handled == [item.event.event_id for item in given[:2]]


def test_a_slow_handler_is_given_fewer_events_at_once() -> None:
    """Events that lie under a lease longer than it lasts would be told twice."""
    now, sizes, stop = [0.0], [], threading.Event()

    class Sizes(ListOutbox):
        def take(self, limit: int, lease_s: float) -> Sequence[OutboxItem]:
            sizes.append(limit)
            return super().take(limit, lease_s)

    def handler(one: MailSent) -> None:
        now[0] += 4.0

    Tell(Sizes(items(20), stop=stop), monotonic_s=lambda: now[0]).listen(handler, stop=stop)

    assert max(sizes) <= 4


def test_events_due_now_are_told_once_on_request() -> None:
    outbox = ListOutbox(items(3), stop=threading.Event())

    assert Tell(outbox).tell_due(lambda one: None) == 3
