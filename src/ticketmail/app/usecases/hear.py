"""The host's end of the road: events from the broker into its handler, at least once.

An event is acknowledged when the handler has returned. When it has raised, the host's word on it travels back to the mail service
before the event is acknowledged here: there it waits, is told again later, and is a dead event after many tries. So a host
without a spool needs no place for dead letters of its own.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final

from ticketmail.app.usecases.tell import Caller, acall
from ticketmail.domain.errors import BrokerError, InvalidJob
from ticketmail.domain.event_job import Answer, Unreadable, answer_parcel, event_from, unreadable_parcel
from ticketmail.domain.events import MailEvent
from ticketmail.domain.job import Parcel, decode, encode
from ticketmail.domain.ports.queueing import EVENTS, SUBMIT, Broker, Job, Received, Receiver
from ticketmail.domain.ports.telling import TicketHandler

#: Few, so that several listeners share what comes.
PREFETCH: Final = 64
#: What was told is acknowledged together, at the latest after this: so much comes again when a listener is killed.
ACK_S: Final = 0.25
WAIT_S: Final = 0.5
_PAUSE_S: Final = (1.0, 30.0)
_ERROR_CHARS: Final = 500

_log = logging.getLogger("ticketmail.tell")
_Tell = Callable[[MailEvent], Awaitable[None]]


class Hear:
    """Any number of listeners share the events of one ``broker``. ``secrets``: with any, only events signed with one of them
    are taken, and words that go back are signed with the first."""

    def __init__(self, broker: Broker, *, secrets: Sequence[bytes], now_us: Callable[[], int]) -> None:
        self._broker = broker
        self._secrets = secrets
        self._now_us = now_us

    def listen(self, handler: TicketHandler, *, stop: threading.Event) -> None:
        """Tell events until ``stop`` is set; what was received by then and not told goes back to the broker.

        Sync handlers run in this thread, which has no running loop; the broker is listened to in another one.
        """
        handed: queue.Queue[_Handed] = queue.Queue()
        ending = threading.Event()
        ear = _Ear(lambda: self._hear(_through(handed), lambda: stop.is_set() or ending.is_set()))
        ear.start()
        try:
            with Caller(handler) as call:
                while ear.is_alive() and not stop.is_set():
                    _tell_next(handed, call)
        finally:
            ending.set()
            while ear.is_alive():
                _give_up(handed)
                ear.join(0.05)
        if ear.error is not None:
            raise ear.error

    async def alisten(self, handler: TicketHandler, *, stop: asyncio.Event) -> None:
        """The same for a running loop: async handlers are awaited here, sync ones run in threads."""
        await self._hear(lambda event: acall(handler, event), stop.is_set)

    async def _hear(self, tell: _Tell, stopped: Callable[[], bool]) -> None:
        trouble = _Trouble()
        try:
            while not stopped():
                try:
                    await self._tap(tell, stopped, trouble)
                except BrokerError as error:
                    await asyncio.sleep(trouble.began(error))
        finally:
            await asyncio.to_thread(self._broker.close)

    async def _tap(self, tell: _Tell, stopped: Callable[[], bool], trouble: _Trouble) -> None:
        async with self._broker.receive(EVENTS, prefetch=PREFETCH) as receiver:
            while not stopped():
                received = await receiver.batch(PREFETCH, WAIT_S)
                trouble.over()
                await self._round(receiver, received, tell, stopped)

    async def _round(self, receiver: Receiver, received: Sequence[Received], tell: _Tell, stopped: Callable[[], bool]) -> None:
        told, loop = list[Received](), asyncio.get_running_loop()
        since_s = loop.time()
        for at, one in enumerate(received):
            if stopped() or not await self._told(one.job, tell, stopped):
                await receiver.give_back(received[at:])
                break
            told.append(one)
            if loop.time() - since_s > ACK_S:
                await receiver.ack(told)
                told, since_s = [], loop.time()
        if told:
            await receiver.ack(told)

    async def _told(self, job: Job, tell: _Tell, stopped: Callable[[], bool]) -> bool:
        """Tell it; the host's word on it goes back before it is acknowledged. False: it was not told, or nobody heard so."""
        try:
            word = await self._word_on(job, tell)
        except _Stopped:
            return False
        trouble = _Trouble()
        while word is not None and not stopped():
            try:
                await asyncio.to_thread(self._broker.publish, SUBMIT, [self._job(word)])
                word = None
            except BrokerError as error:
                await asyncio.sleep(trouble.began(error))
        return word is None

    async def _word_on(self, job: Job, tell: _Tell) -> Parcel | None:
        """Tell it; what is to be said of it to the mail service: None if the handler took it."""
        try:
            event, fence = event_from(decode(job.body, secrets=self._secrets))
        except InvalidJob as error:
            _log.error("an event cannot be read, the mail service parks it: %s", error)
            return unreadable_parcel(Unreadable(job.body, str(error)), self._now_us())
        try:
            await tell(event)
        except _Stopped:
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:_ERROR_CHARS]
            _log.warning("the handler failed for event %s (%s), it is told again later: %s", event.event_id, event.kind, text)
            return answer_parcel(Answer(event.event_id, fence, text), self._now_us())
        return None

    def _job(self, parcel: Parcel) -> Job:
        return Job(parcel.job_id.hex, encode(parcel, secret=self._secrets[0] if self._secrets else None))


class _Stopped(Exception):
    """The listener ended before it told the event."""


class _Handed:
    """An event on its way to the thread that called ``listen``. Made on the ear's loop."""

    def __init__(self, event: MailEvent) -> None:
        self.event = event
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()

    def end(self, error: BaseException | None) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class _Ear(threading.Thread):
    """Listens to the broker on a loop of its own. ``error`` is what ended it."""

    def __init__(self, hear: Callable[[], Coroutine[None, None, None]]) -> None:
        super().__init__(name="ticketmail-events", daemon=True)
        self._hear = hear
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._hear())
        except Exception as error:
            self.error = error


def _through(handed: queue.Queue[_Handed]) -> _Tell:
    """Tells by handing over to another thread, and waiting for its word."""

    async def tell(event: MailEvent) -> None:
        one = _Handed(event)
        handed.put(one)
        await one.done

    return tell


def _tell_next(handed: queue.Queue[_Handed], call: Callable[[MailEvent], None]) -> None:
    try:
        one = handed.get(timeout=WAIT_S)
    except queue.Empty:
        return
    try:
        call(one.event)
    except Exception as error:
        one.end(error)
    except BaseException:  # a KeyboardInterrupt: nobody knows how far the handler came
        one.end(_Stopped())
        raise
    else:
        one.end(None)


def _give_up(handed: queue.Queue[_Handed]) -> None:
    while not handed.empty():
        handed.get().end(_Stopped())


class _Trouble:
    """Says once that the broker is away, and once that it is back. The wait doubles to half a minute."""

    def __init__(self) -> None:
        self._wait_s = 0.0

    def began(self, error: BrokerError) -> float:
        if not self._wait_s:
            _log.warning("the broker cannot be used: %s", error)
        self._wait_s = min(max(self._wait_s * 2, _PAUSE_S[0]), _PAUSE_S[1])
        return self._wait_s

    def over(self) -> None:
        if self._wait_s:
            _log.info("the broker is back")
        self._wait_s = 0.0
