"""A broker in this process's memory: for tests, demos, and a host that runs its worker in the same process.

``memory://name`` is the same one for all of this process. A child after a fork has none of it, and is refused.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from ticketmail.adapters.memory.names import name_of
from ticketmail.domain.errors import BrokerFull, BrokerRefused
from ticketmail.domain.ports.queueing import Broker, BrokerCapabilities, BrokerOptions, Job, Received, Receiver

CAPABILITIES: Final = BrokerCapabilities(
    at_least_once=True,
    survives_restart=False,
    max_job_bytes=None,
    redelivers_at_once=True,
    bounded=True,
    between_processes=False,
    note="Lives and dies with its process: for tests, and for host and worker in one process.",
)


@dataclass(eq=False)
class _Queue:
    """What waits, and the receivers to wake."""

    waiting: deque[Received] = field(default_factory=deque)
    receivers: list[_MemoryReceiver] = field(default_factory=list)


class _Hall:
    """All queues of one name. ``lock`` guards them."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.queues: dict[str, _Queue] = {}

    def check(self) -> None:
        if self.pid != os.getpid():
            raise BrokerRefused(
                "This broker lives in the memory of another process.", remedy="Make it after the fork, or take a real broker."
            )

    def queue(self, name: str) -> _Queue:
        return self.queues.setdefault(name, _Queue())


class MemoryBroker:
    """``Broker`` in memory. Thread-safe."""

    capabilities = CAPABILITIES

    def __init__(self, hall: _Hall, options: BrokerOptions) -> None:
        self._hall = hall
        self._options = options

    def publish(self, queue: str, jobs: Sequence[Job]) -> None:
        """See ``Broker.publish``. All or none."""
        self._hall.check()
        with self._hall.lock:
            found = self._hall.queue(self._name(queue))
            most = self._options.max_length
            if most is not None and len(found.waiting) + len(jobs) > most:
                raise BrokerFull(f"The queue {self._name(queue)!r} holds {most} jobs and refuses more.")
            found.waiting.extend(Received(job, None) for job in jobs)
            _wake(found)

    @asynccontextmanager
    async def receive(self, queue: str, *, prefetch: int) -> AsyncIterator[Receiver]:
        """See ``Broker.receive``."""
        self._hall.check()
        with self._hall.lock:
            found = self._hall.queue(self._name(queue))
            receiver = _MemoryReceiver(self._hall, found, prefetch)
            found.receivers.append(receiver)
        try:
            yield receiver
        finally:
            receiver.end()

    def depth(self, queue: str) -> int | None:
        """See ``Broker.depth``."""
        self._hall.check()
        with self._hall.lock:
            return len(self._hall.queue(self._name(queue)).waiting)

    def ensure(self, queues: Sequence[str]) -> Sequence[str]:
        """See ``Broker.ensure``. Queues in memory make themselves."""
        return [f"{self._name(queue)}: {self.depth(queue)} waiting" for queue in queues]

    def close(self) -> None:
        """Nothing is held open."""

    def _name(self, queue: str) -> str:
        return f"{self._options.prefix}.{queue}"


class _MemoryReceiver:
    """One consumer, on one loop."""

    def __init__(self, hall: _Hall, queue: _Queue, prefetch: int) -> None:
        self._hall = hall
        self._queue = queue
        self._prefetch = prefetch
        self._held: dict[object, Received] = {}
        self._filled = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def batch(self, limit: int, wait_s: float) -> Sequence[Received]:
        """See ``Receiver.batch``."""
        found = self._take(limit)
        if not found and wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):
                    await self._filled.wait()
            except TimeoutError:
                pass
            found = self._take(limit)
        return found

    async def ack(self, received: Sequence[Received]) -> None:
        """See ``Receiver.ack``."""
        with self._hall.lock:
            for one in received:
                self._held.pop(one.token, None)
            _wake(self._queue)

    async def give_back(self, received: Sequence[Received]) -> None:
        """See ``Receiver.give_back``."""
        with self._hall.lock:
            self._return([one.token for one in received])

    def wake(self) -> None:
        """From any thread: look again."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)

    def end(self) -> None:
        """What is held goes back."""
        with self._hall.lock:
            self._queue.receivers.remove(self)
            self._return(list(self._held))

    def _take(self, limit: int) -> list[Received]:
        self._filled.clear()
        with self._hall.lock:
            waiting = self._queue.waiting
            count = min(limit, self._prefetch - len(self._held), len(waiting))
            found = [Received(one.job, object(), one.redelivered) for one in (waiting.popleft() for _ in range(count))]
            self._held.update({one.token: one for one in found})
        return found

    def _return(self, tokens: Sequence[object]) -> None:
        back = [self._held.pop(token) for token in tokens if token in self._held]
        self._queue.waiting.extendleft(Received(one.job, None, redelivered=True) for one in reversed(back))
        _wake(self._queue)


def _wake(queue: _Queue) -> None:
    for receiver in queue.receivers:
        receiver.wake()


_named: dict[str, _Hall] = {}
_naming = threading.Lock()


def create(url: str, options: BrokerOptions) -> Broker:
    """A broker in memory. ``memory://name`` is the same one for all of this process, ``memory://`` too, under the empty name.

    Raises SettingsError: the name has other characters than letters, digits, dot, dash and underscore; an unknown option.
    """
    options.extra_of()
    name = name_of(url, what="a broker", setting="broker.url")
    with _naming:
        return MemoryBroker(_named.setdefault(name, _Hall()), options)
