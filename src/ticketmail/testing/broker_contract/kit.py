"""What the contract uses: the other side, jobs, and patience."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from ticketmail.domain.errors import BrokerUnreachable
from ticketmail.domain.ports.queueing import Broker, BrokerOptions, Job, Received, Receiver
from ticketmail.testing.gateway_contract import CannotPlay

QUEUE = "jobs"
#: Seconds that something which must come may take on a busy machine.
PATIENCE_S = 30.0
LEASE_S = 6.0


class BrokerServer(Protocol):
    """The other side. Methods may raise CannotPlay; the test is skipped with its text."""

    def broker(self, options: BrokerOptions) -> Broker:
        """A new adapter object for it."""
        ...

    def cut(self) -> None:
        """End all connections, refuse new ones."""
        ...

    def heal(self) -> None:
        """Be there again."""
        ...

    def consumer(self, options: BrokerOptions) -> Sequence[str]:
        """A command that takes jobs of QUEUE, prints a line for each, acknowledges none, and never ends by itself."""
        ...


MakeBroker = Callable[..., Broker]


def job(job_id: str = "") -> Job:
    """A job of a kilobyte with an id of its own."""
    return Job(job_id or uuid.uuid4().hex, b'{"text":"' + b"x" * 1000 + b'"}')


@asynccontextmanager
async def consuming(broker: Broker) -> AsyncIterator[Receiver]:
    """A receiver of QUEUE."""
    async with broker.receive(QUEUE, prefetch=200) as receiver:
        yield receiver


async def all_of(receiver: Receiver, count: int, *, ack: bool = False, patient: bool = True) -> list[Received]:
    """``count`` different jobs, waited for with patience: one that comes twice counts once, as its newest."""
    found: dict[str, Received] = {}
    until = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < until:
        try:
            got = await receiver.batch(100, 0.5)
        except BrokerUnreachable:
            if not patient:
                raise
            continue
        if ack:
            await receiver.ack(got)
        found.update({one.job.job_id: one for one in got})
    assert len(found) >= count, f"{len(found)} of {count} jobs came within {PATIENCE_S} s"
    return list(found.values())


def eventually(holds: Callable[[], bool]) -> bool:
    """Within our patience."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def play(part: Callable[[], None]) -> None:
    """Let the server play a part, or skip."""
    try:
        part()
    except CannotPlay as error:
        pytest.skip(f"the server cannot play it: {error}")


class _Running:
    """A process that is gone when the block ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __enter__(self) -> subprocess.Popen[str]:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def running(server: BrokerServer, options: BrokerOptions) -> _Running:
    """A consumer in a process of its own."""
    try:
        command = server.consumer(options)
    except CannotPlay as error:
        pytest.skip(f"the server cannot play it: {error}")
    return _Running(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))  # noqa: S603 - the test's own


def consume_for_ever(broker: Broker) -> None:
    """What ``BrokerServer.consumer`` runs in a process of its own."""

    async def main() -> None:
        async with broker.receive(QUEUE, prefetch=200) as receiver:
            while True:
                for one in await receiver.batch(100, 1.0):
                    sys.stdout.write(f"{one.job.job_id}\n")
                    sys.stdout.flush()

    asyncio.run(main())
