"""Publishing together: whoever comes while a publish is under way waits, and goes with the next one, in one batch of confirms."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ticketmail.domain.errors import BrokerError, TicketmailError
from ticketmail.domain.ports.queueing import Job

#: Jobs and bytes of one batch. A larger call goes as it is.
BATCH: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024


@dataclass(eq=False)
class _Call:
    """One caller's jobs. ``turn`` is set when they are settled, or when it is this caller's turn to lead."""

    jobs: Sequence[Job]
    turn: threading.Event = field(default_factory=threading.Event)
    settled: bool = False
    error: Exception | None = None

    @property
    def size_bytes(self) -> int:
        return sum(len(job.body) for job in self.jobs)


class Together:
    """Thread-safe, and fresh in a child after a fork. One thread at a time leads: it publishes what all have brought so far.

    A batch that the broker answers with a refusal is published again call by call, so that each has its own answer. Where the
    broker did not answer at all every call of the batch gets that error: none waits longer than for two publishes.
    """

    def __init__(self, publish: Callable[[Sequence[Job]], None]) -> None:
        self._publish = publish
        self._renew()
        _ALL.add(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._led = False  #: somebody publishes

    def publish(self, jobs: Sequence[Job]) -> None:
        """Return when ``jobs`` are confirmed. Raises what ``publish`` raises for them."""
        call = _Call(jobs)
        with self._lock:
            leads = not self._led
            self._led = True
            if not leads:
                self._waiting.append(call)
        if not leads:
            call.turn.wait()
        if not call.settled:
            self._lead(call)
        if call.error is not None:
            raise call.error

    def _lead(self, first: _Call) -> None:
        calls = [first, *self._companions(first)]
        try:
            self._publish_for(calls)
        finally:
            self._hand_on()
            for call in calls[1:]:  # not settled if we were interrupted: then each publishes for itself
                call.turn.set()

    def _companions(self, first: _Call) -> list[_Call]:
        """Who goes along. A leader that was woken is not among the waiting any more."""
        found: list[_Call] = []
        count, size = len(first.jobs), first.size_bytes
        with self._lock:
            while self._waiting:
                count, size = count + len(self._waiting[0].jobs), size + self._waiting[0].size_bytes
                if count > BATCH or size > BATCH_BYTES:
                    break
                found.append(self._waiting.popleft())
        return found

    def _publish_for(self, calls: Sequence[_Call]) -> None:
        error = self._attempt([job for call in calls for job in call.jobs])
        for call in calls:
            alone = len(calls) > 1 and error is not None and _was_answered(error)
            call.error = self._attempt(call.jobs) if alone else error
            call.settled = True

    def _attempt(self, jobs: Sequence[Job]) -> Exception | None:
        try:
            self._publish(jobs)
        except Exception as error:  # each caller raises its own
            return error
        return None

    def _hand_on(self) -> None:
        with self._lock:
            heir = self._waiting.popleft() if self._waiting else None
            self._led = heir is not None
        if heir is not None:
            heir.turn.set()


#: Renewed in a child before it has a second thread. At the first call there it would be too late: those come side by side, and
#: one that had begun with what another one throws away would wait for ever.
_ALL: Final = weakref.WeakSet[Together]()


def _in_child() -> None:
    for one in _ALL:
        one._renew()


os.register_at_fork(after_in_child=_in_child)


def _was_answered(error: Exception) -> bool:
    """The broker spoke, and is there: asking again costs little."""
    return isinstance(error, TicketmailError) and not (isinstance(error, BrokerError) and error.code in _SILENT)


_SILENT: Final = frozenset({"broker-unreachable", "broker-blocked"})
