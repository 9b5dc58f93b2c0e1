"""From a consumer's blocking thread to asyncio and back: jobs come over in batches, settlements go back through a deque.

Only the thread touches the connection. After each reconnection a new epoch begins: settlements of an older one are dropped, for
their jobs come again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ticketmail.adapters.kombu.parts import Source
from ticketmail.domain.errors import BrokerError, BrokerUnreachable
from ticketmail.domain.ports.queueing import Received

_log = logging.getLogger("ticketmail.broker")
_POLL_S = 1.0
_BACKOFF_S = (0.1, 0.3, 1.0, 3.0, 10.0)
_JOIN_S = 10.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A job's token with the epoch of its connection."""

    epoch: int
    token: object


@dataclass(frozen=True, slots=True)
class _Settlement:
    kind: Literal["ack", "give_back"]
    held: tuple[_Held, ...]
    done: asyncio.Future[None]


class Bridge:
    """A ``Receiver`` over a ``Source`` that lives in a thread. Start and stop it on the loop that uses it."""

    def __init__(self, name: str, open_source: Callable[[], Source], prefetch: int) -> None:
        self._open = open_source
        self._prefetch = prefetch
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Received] = deque()
        self._filled = asyncio.Event()
        self._trouble: BrokerError | None = None
        self._settlements: deque[_Settlement] = deque()
        self._stopping = threading.Event()
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._epoch = 0
        self._holding = 0
        self._worked = False  #: this connection has been asked once, and answered
        self._thread = threading.Thread(target=self._run, name=f"ticketmail-{name}", daemon=True)
        self._thread.start()

    # --- on the loop --------------------------------------------------------------------------------------------------------

    async def batch(self, limit: int, wait_s: float) -> Sequence[Received]:
        """See ``Receiver.batch``."""
        if not self._inbox:
            self._filled.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._filled.wait()
            except TimeoutError:
                pass
        if not self._inbox and self._trouble is not None:
            raise self._trouble
        return [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]

    async def ack(self, received: Sequence[Received]) -> None:
        """See ``Receiver.ack``."""
        await self._settle("ack", received)

    async def give_back(self, received: Sequence[Received]) -> None:
        """See ``Receiver.give_back``."""
        await self._settle("give_back", received)

    async def stop(self) -> None:
        """Settle what was asked for, give the rest back, end the thread."""
        self._stopping.set()
        self._ring()
        await asyncio.to_thread(self._thread.join, _JOIN_S)
        if self._thread.is_alive():
            _log.warning("%s does not end; its jobs come back when the process does", self._thread.name)
            return
        os.close(self._wake_r)
        os.close(self._wake_w)

    async def _settle(self, kind: Literal["ack", "give_back"], received: Sequence[Received]) -> None:
        held = tuple(one.token for one in received if isinstance(one.token, _Held))
        if not held or self._stopping.is_set():
            return
        settlement = _Settlement(kind, held, self._loop.create_future())
        self._settlements.append(settlement)
        self._ring()
        await settlement.done

    def _ring(self) -> None:
        try:
            os.write(self._wake_w, b"!")
        except BlockingIOError:
            pass  # it is awake anyway

    def _take_over(self, received: Sequence[Received]) -> None:
        self._trouble = None
        self._inbox.extend(received)
        self._filled.set()

    def _fail(self, error: BrokerError) -> None:
        """The connection is gone: what is in the inbox comes again, so it must not be handled under a dead lease."""
        self._trouble = error
        self._inbox.clear()
        self._filled.set()

    # --- in the thread ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._consume()
            except BrokerError as error:
                trouble = error
            except Exception as error:  # a fault of ours or of a library must not end the consumer
                _log.exception("consumer %s failed", self._thread.name)
                trouble = BrokerUnreachable(f"The consumer failed: {type(error).__name__}.")
            else:
                break
            failures = 1 if self._worked else failures + 1
            self._pause(trouble, failures)
        self._drop_settlements()

    def _pause(self, trouble: BrokerError, failures: int) -> None:
        if failures == 1:
            _log.warning("broker: %s", trouble)
        self._to_loop(self._fail, trouble)
        self._drop_settlements()
        wait_s = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]
        self._stopping.wait(wait_s * random.uniform(0.7, 1.3))  # noqa: S311 - so that consumers do not all come at once

    def _consume(self) -> None:
        """One connection's life."""
        self._epoch += 1
        self._holding, self._worked = 0, False
        source = self._open()
        try:
            while not self._stopping.is_set():
                self._settle_pending(source)
                received = source.poll(self._prefetch - self._holding, _POLL_S, self._wake_r)
                self._swallow_rings()
                self._worked = True
                if received:
                    self._holding += len(received)
                    self._to_loop(self._take_over, [_marked(one, self._epoch) for one in received])
                elif self._trouble is not None:
                    self._to_loop(self._take_over, [])
            self._settle_pending(source)
        finally:
            source.close()

    def _settle_pending(self, source: Source) -> None:
        while self._settlements:
            one = self._settlements[0]
            tokens = [held.token for held in one.held if held.epoch == self._epoch]
            if tokens:
                (source.ack if one.kind == "ack" else source.give_back)(tokens)
            self._settlements.popleft()
            self._holding -= len(tokens)
            self._to_loop(_resolve, one.done)

    def _drop_settlements(self) -> None:
        """The connection is gone, and with it what they would settle: the jobs come again, and meet what is stored."""
        while self._settlements:
            self._to_loop(_resolve, self._settlements.popleft().done)

    def _swallow_rings(self) -> None:
        try:
            while os.read(self._wake_r, 4096):
                pass
        except BlockingIOError:
            pass

    def _to_loop(self, call: Callable[..., None], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)


def _marked(received: Received, epoch: int) -> Received:
    return Received(received.job, _Held(epoch, received.token), received.redelivered)


def _resolve(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
