"""What each technology brings to the road: a sender for one thread, and a source for one consumer's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Received


class Sender(Protocol):
    """Publishes on one connection, used by one thread at a time. Raises BrokerError kin; then it is thrown away, but after
    BrokerFull, which is raised when every job that was sent has its answer."""

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """Return when all are confirmed; ``deadline_s`` is a time of the monotonic clock."""
        ...

    def close(self) -> None:
        """Never raises."""
        ...


class Source(Protocol):
    """One consumer on one connection, used by its thread alone. Raises BrokerError kin; then it is closed and made anew."""

    def poll(self, room: int, wait_s: float, wake_fd: int) -> Sequence[Received]:
        """Up to ``room`` jobs (0: only look after the connection). Returns early if ``wake_fd`` becomes readable, where the
        technology can; else ``wait_s`` is kept short."""
        ...

    def ack(self, tokens: Sequence[object]) -> None:
        """Forget these jobs."""
        ...

    def give_back(self, tokens: Sequence[object]) -> None:
        """Others may have them."""
        ...

    def close(self) -> None:
        """What is held goes back. Never raises."""
        ...


class Technology(Protocol):
    """How one kind of broker is used. Names of queues come with their prefix. Raises BrokerError kin."""

    @property
    def capabilities(self) -> BrokerCapabilities: ...

    def open_sender(self) -> Sender:
        """A connection for publishing; checks what makes the broker safe."""
        ...

    def open_source(self, queue: str, prefetch: int) -> Source:
        """A consumer."""
        ...

    def depth(self, queue: str) -> int | None:
        """See ``Broker.depth``."""
        ...

    def ensure(self, queue: str) -> Sequence[str]:
        """See ``Broker.ensure``."""
        ...


def ca_file_of(options: BrokerOptions) -> str | None:
    """The one option of technologies that only add a CA to those of the system. Raises SettingsError."""
    path = options.extra_of("ca_file").get("ca_file")
    if path is not None and not Path(path).is_file():
        raise SettingsError(f"There is no file {path} here.", name="broker.options.ca_file", remedy="Name a PEM file.")
    return path


def batches(jobs: Sequence[Job], most: int, most_bytes: int, cost: Callable[[Job], int]) -> Iterator[Sequence[Job]]:
    """``jobs`` in order: in each batch at most ``most`` of them, and ``most_bytes`` by ``cost``, but at least one."""
    batch: list[Job] = []
    size = 0
    for job in jobs:
        more = cost(job)
        if batch and (len(batch) == most or size + more > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(job)
        size += more
    if batch:
        yield batch
