"""The road between host and mail service: jobs go out confirmed, come in in batches, and are acknowledged once they are safe.

A broker is only a road: due times, limits and retries live in the spool. It may repeat and reorder jobs without harm; what it
confirmed it must keep until it is acknowledged, or its capabilities say ``at_least_once=False``.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from ticketmail.domain.errors import SettingsError

#: Queues, without their prefix. Jobs to the mail service, in the order of their making.
SUBMIT: Final = "submit"
#: Mail events to the host.
EVENTS: Final = "events"
#: The service's word that jobs are in its spool, for hosts whose outbox waits for it.
SPOOLED: Final = "spooled"


@dataclass(frozen=True, slots=True)
class Job:
    """An item on a broker. ``job_id`` is the same when the same thing is published again (at most 64 characters of ASCII).
    ``body`` is opaque to the broker; what travels in it is :mod:`ticketmail.domain.job`."""

    job_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BrokerCapabilities:
    """What a broker can do. The contract suite skips by it, the docs matrix is made from it."""

    at_least_once: bool  #: what was confirmed is delivered until it is acknowledged, whatever is killed
    survives_restart: bool  #: of the broker itself
    max_job_bytes: int | None  #: the largest body; None: no limit that we know
    redelivers_at_once: bool  #: what a dead consumer held comes back at once; else after its lease
    bounded: bool  #: a full queue refuses (``BrokerFull``)
    between_processes: bool = True
    note: str = ""  #: one sentence for the page on choosing a road


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Settings of a broker. Durations in seconds.

    ``prefix`` begins every name on the broker. A publish that is not confirmed within ``confirm_timeout_s`` raises.
    ``lease_s``: where consumers hold jobs under a lease of time, after how long others get them. ``max_length``: jobs in a
    queue above which it refuses, where the broker can (None: its own limit). ``extra`` is for this adapter alone.
    """

    prefix: str = "ticketmail"
    connect_timeout_s: float = 5.0
    confirm_timeout_s: float = 10.0
    lease_s: float = 60.0
    max_length: int | None = None
    allow_lossy: bool = False
    extra: tuple[tuple[str, str], ...] = ()

    def extra_of(self, *known: str) -> dict[str, str]:
        """``extra`` of an adapter that knows these names and no others. Raises SettingsError, with the nearest."""
        for name, _ in self.extra:
            if name not in known:
                near = difflib.get_close_matches(name.lower(), known, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known) or 'none, with this broker'}."
                raise SettingsError("This broker has no such option.", name=f"broker.options.{name}", remedy=remedy)
        return dict(self.extra)


@dataclass(frozen=True, slots=True)
class Received:
    """A job under this receiver's lease. ``token`` belongs to the adapter. ``redelivered``: it may have been seen before."""

    job: Job
    token: object = field(repr=False)
    redelivered: bool = False


class Receiver(Protocol):
    """One consumer. Used from one event loop. What is neither acknowledged nor given back when it ends is delivered again."""

    async def batch(self, limit: int, wait_s: float) -> Sequence[Received]:
        """Up to ``limit`` jobs, as soon as there are any; () after ``wait_s`` seconds.

        Never holds more than the ``prefetch`` it was opened with. Reconnects by itself; jobs held from before come again.
        Raises BrokerError kin if the broker cannot be used now; the next call tries again.
        """
        ...

    async def ack(self, received: Sequence[Received]) -> None:
        """They are safe elsewhere: the broker forgets them. An acknowledgement that a cut connection swallowed is no error:
        the job comes again. Raises BrokerError kin."""
        ...

    async def give_back(self, received: Sequence[Received]) -> None:
        """Not now: others may have them at once. Raises BrokerError kin."""
        ...


class Broker(Protocol):
    """Carries jobs. ``create(url, BrokerOptions) -> Broker``. Nothing is opened before it is used.

    ``publish``, ``depth`` and ``ensure`` are synchronous, thread-safe, and safe after a fork (connections are kept by process
    and thread).
    """

    @property
    def capabilities(self) -> BrokerCapabilities: ...

    def publish(self, queue: str, jobs: Sequence[Job]) -> None:
        """Return when the broker has confirmed all ``jobs``.

        Raises:
            JobTooLarge: one is larger than ``max_job_bytes``; nothing was published.
            BrokerUnreachable, BrokerBlocked, BrokerFull, BrokerRefused: not confirmed, though some may be stored where
                ``in_doubt`` says so: publish the same jobs again, or keep them. Within ``connect_timeout_s +
                confirm_timeout_s``.
        """
        ...

    def receive(self, queue: str, *, prefetch: int) -> AbstractAsyncContextManager[Receiver]:
        """Open a consumer that holds at most ``prefetch`` jobs."""
        ...

    def depth(self, queue: str) -> int | None:
        """Jobs that wait (without those under a consumer's lease, where that is known); None if it cannot be told."""
        ...

    def ensure(self, queues: Sequence[str]) -> Sequence[str]:
        """Make what is missing, and say what there is: a sentence for each thing. Idempotent. Raises BrokerError kin."""
        ...

    def close(self) -> None:
        """Release connections of this process. Idempotent; the next use opens again."""
        ...
