"""The road over any technology: senders kept by process and lent to threads, consumers behind a bridge."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from ticketmail.adapters.kombu.bridge import Bridge
from ticketmail.adapters.kombu.parts import Sender, Technology
from ticketmail.domain.errors import BrokerError, BrokerFull, BrokerRefused, BrokerUnreachable, BrokerUnsafe, JobTooLarge
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Receiver


class KombuBroker:
    """``Broker`` over a ``Technology``. Senders are never shared by two threads at once, and never inherited by a fork."""

    def __init__(self, technology: Technology, options: BrokerOptions) -> None:
        self._technology = technology
        self._options = options
        self._renew()
        _ALL.add(self)
        if not technology.capabilities.at_least_once and not options.allow_lossy:
            raise BrokerUnsafe(
                f"This broker may lose jobs that it confirmed. {technology.capabilities.note}".strip(),
                remedy="Take another one, or set allow_lossy = true in [broker] if losing mail is all right.",
            )

    @property
    def capabilities(self) -> BrokerCapabilities:
        """What the technology can do."""
        return self._technology.capabilities

    def publish(self, queue: str, jobs: Sequence[Job]) -> None:
        """See ``Broker.publish``. An idle connection that turns out to be dead is replaced once, and all is published again."""
        if not jobs:
            return None
        self._check_sizes(jobs)
        deadline_s = time.monotonic() + self._options.connect_timeout_s + self._options.confirm_timeout_s
        kept = self._kept()
        if kept is None:
            return self._send(self._technology.open_sender(), queue, jobs, deadline_s)
        try:
            return self._send(kept, queue, jobs, deadline_s)
        except BrokerUnreachable:
            self._forget_idle()
            if time.monotonic() >= deadline_s:
                raise
        try:
            return self._send(self._technology.open_sender(), queue, jobs, deadline_s)
        except BrokerError as error:
            error.in_doubt = True  # the dead connection may have carried it
            raise

    @asynccontextmanager
    async def receive(self, queue: str, *, prefetch: int) -> AsyncIterator[Receiver]:
        """See ``Broker.receive``."""
        name = self._name(queue)
        bridge = Bridge(name, lambda: self._technology.open_source(name, prefetch), prefetch)
        try:
            yield bridge
        finally:
            await bridge.stop()

    def depth(self, queue: str) -> int | None:
        """See ``Broker.depth``."""
        return self._technology.depth(self._name(queue))

    def ensure(self, queues: Sequence[str]) -> Sequence[str]:
        """See ``Broker.ensure``."""
        return [line for queue in queues for line in self._technology.ensure(self._name(queue))]

    def close(self) -> None:
        """See ``Broker.close``."""
        self._forget_idle()

    def _name(self, queue: str) -> str:
        return f"{self._options.prefix}.{queue}"

    def _send(self, sender: Sender, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """Unless the queue is full, a failed connection's state is unknown: a late confirm would be taken for the next one's."""
        try:
            sender.send(self._name(queue), jobs, deadline_s)
        except BaseException as error:
            if isinstance(error, BrokerFull):
                self._keep(sender)
            else:
                sender.close()
            if isinstance(error, BrokerError):
                error.in_doubt = len(jobs) > 1 or not isinstance(error, (BrokerFull, BrokerRefused))
            raise
        self._keep(sender)

    def _keep(self, sender: Sender) -> None:
        with self._lock:
            self._idle.append(sender)

    def _kept(self) -> Sender | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _renew(self) -> None:
        """The parent's sockets are not to be used in a child, nor closed with words; a lock that was held would never open."""
        self._lock = threading.Lock()
        self._idle: list[Sender] = []

    def _forget_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for sender in idle:
            sender.close()

    def _check_sizes(self, jobs: Sequence[Job]) -> None:
        most = self.capabilities.max_job_bytes
        for job in jobs:
            if most is not None and len(job.body) > most:
                raise JobTooLarge(
                    f"{len(job.body)} bytes as a job, more than the {most} that this broker takes.",
                    field="message",
                    remedy="Set [broker] blobs to a store that host and mail service share: large content then goes there.",
                )


_ALL: Final = weakref.WeakSet[KombuBroker]()


def _in_child() -> None:
    """Before a child has a second thread."""
    for one in _ALL:
        one._renew()


os.register_at_fork(after_in_child=_in_child)
