"""Roads through a database of the host's: the outbox always, the bridge only while the broker is away."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Final

from ticketmail.app.usecases.handover import Durable, Road
from ticketmail.domain.errors import BrokerError, SpoolError
from ticketmail.domain.ports.queueing import Job
from ticketmail.domain.ports.relaying import HostOutbox

#: How often a host looks whether its outbox is relayed (seconds).
LOOK_EVERY_S: Final = 60.0

_log = logging.getLogger("ticketmail.relay")


class OutboxRoad:
    """Every job goes into the host's database, in the host's own transaction if it likes; a relay brings it to the broker.

    A relay that does not run cannot say so: once a minute a host that hands over has ``look`` called, in a thread; it must not
    raise.
    """

    def __init__(self, outbox: HostOutbox, *, look: Callable[[], None], monotonic_s: Callable[[], float]) -> None:
        self._outbox = outbox
        self._look = look
        self._monotonic_s = monotonic_s
        self._next_s = monotonic_s() + LOOK_EVERY_S

    def prepare(self) -> None:
        """See ``Road.prepare``. The broker is the relay's: it may be away."""
        self._outbox.prepare()

    def take(self, jobs: Sequence[Job], *, connection: object | None = None) -> Durable:
        """See ``Road.take``."""
        self._outbox.put(jobs, connection=connection)
        self._glance()
        return "outbox" if connection is None else "transaction"

    def close(self) -> None:
        """See ``Road.close``."""

    def _glance(self) -> None:
        now_s = self._monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_EVERY_S
        try:
            threading.Thread(target=self._look, name="ticketmail-watch", daemon=True).start()
        except RuntimeError:  # the interpreter is going down: no new threads
            _log.debug("no look: the interpreter is going down")


class BridgedRoad:
    """Straight to the broker; while that is away, into a database on the host's disk, which is drained in order later.

    While something waits there, what comes next waits behind it. Whichever process of the host sees that something waits keeps a
    thread that drains it; ``drain(stop)`` returns when nothing waits or ``stop`` is set.
    """

    def __init__(self, road: Road, outbox: HostOutbox, drain: Callable[[threading.Event], None]) -> None:
        self._road = road
        self._outbox = outbox
        self._drain = drain
        self._renew()
        _ALL.add(self)

    def _renew(self) -> None:
        """In a child: the parent's thread is not there, and its lock might never open."""
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """See ``Road.prepare``. A broker that is away is no reason not to start; what waited from before is drained."""
        self._outbox.prepare()
        if not self._outbox.is_empty():
            self._start()
        try:
            self._road.prepare()
        except BrokerError as error:
            _log.warning("the broker is away, mail will be kept on this host's disk: %s", error)

    def take(self, jobs: Sequence[Job], *, connection: object | None = None) -> Durable:
        """See ``Road.take``."""
        if connection is not None or self._is_free():
            try:
                return self._road.take(jobs, connection=connection)
            except BrokerError as error:
                _log.warning("the broker did not take it, it is kept on this host's disk: %s", error)
        self._outbox.put(jobs)
        self._start()
        return "outbox"

    def close(self) -> None:
        """See ``Road.close``. What waits stays on the disk, for the next process or `ticketmail relay`."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop.set()
            self._stop = threading.Event()
        if thread is not None:
            thread.join()

    def _is_free(self) -> bool:
        try:
            return self._outbox.is_empty()
        except SpoolError as error:  # a sick disk is no reason not to ask the broker
            _log.error("what is kept on this host's disk cannot be looked at: %s", error)
            return True

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._drain, args=[self._stop], name="ticketmail-bridge", daemon=True)
                self._thread.start()


_ALL: Final = weakref.WeakSet[BridgedRoad]()


def _in_child() -> None:
    """Before a child has a second thread."""
    for one in _ALL:
        one._renew()


os.register_at_fork(after_in_child=_in_child)
