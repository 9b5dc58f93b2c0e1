"""The receipt's ETA: from a look at the spool that this process took some seconds ago, so that a hand-over stays a millisecond.

A look counts all that waits, which takes longer the more there is: it is taken in a thread, at most every 5 s and at most a
fiftieth of the time. Until there is one, a receipt says that none was taken. For an hour after a hand-over it is kept fresh, or a
host that hands over a mail now and then would never have one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ticketmail.app.usecases.report.etas import Eta
from ticketmail.app.usecases.report.models import Facts
from ticketmail.app.usecases.report.outlook import Outlook
from ticketmail.app.usecases.report.status import surroundings
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.ports.accepting import Entry
from ticketmail.domain.ports.reading import Reading
from ticketmail.domain.ports.timing import Clock

#: The first look is that long after this was made (seconds): what hands one mail over and ends takes none.
FIRST_S: Final = 1.0
FRESH_S: Final = 5.0
#: An older look says nothing any more (seconds).
OLD_S: Final = 60.0
#: After a hand-over there is a look so often, and for so long (seconds).
KEPT_S: Final = 30.0
KEPT_FOR_S: Final = 3600.0
#: Looks take at most this part of the time.
PART: Final = 1 / 50
#: How long ``close`` waits for a look that is under way (seconds).
CLOSE_S: Final = 5.0

_log = logging.getLogger("ticketmail.eta")


@dataclass(slots=True)
class _View:
    """One look, when it was taken, and what was handed over here since, by route and lane, and by tenant, too. ``tenants``:
    what is due of each, where each has limits of its own."""

    outlook: Outlook
    taken_s: float
    tenants: Mapping[str, Mapping[tuple[str, str], int]]
    since: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def of(self, entry: Entry) -> Eta:
        pair = (entry.route, entry.lane)
        place, from_us = self.outlook.due(*pair) + self.since[pair], entry.not_before_us or 0
        if not self.outlook.limits_tenants(entry.route):
            return self.outlook.of_new(*pair, place, from_us=from_us)
        own = self.tenants.get(entry.route, {}).get((entry.lane, entry.tenant), 0) + self.since[*pair, entry.tenant]
        return self.outlook.of_tenants(*pair, place, tenant=entry.tenant, own=own, from_us=from_us)

    def count(self, entry: Entry) -> None:
        for what in ((entry.route, entry.lane), (entry.route, entry.lane, entry.tenant)):
            self.since[what] += len(entry.recipients)


class Foresight:
    """``of`` costs some microseconds, and never blocks or raises. Thread-safe; safe after a fork."""

    def __init__(self, reading: Reading, facts: Callable[[], Facts], clock: Clock) -> None:
        self._reading = reading
        self._facts = facts
        self._clock = clock
        self._view: _View | None = None
        self._next_s = clock.monotonic_s() + FIRST_S
        self._asked_s = 0.0
        self._thread: threading.Thread | None = None
        self._wake, self.resting = threading.Event(), False
        self._pid = os.getpid()
        self._closed = False

    def of(self, entries: Sequence[Entry]) -> Eta | None:
        """When the first of ``entries``, just accepted, leaves. None: no look was taken lately."""
        self._look_if_due()
        view, now_s = self._view, self._clock.monotonic_s()
        if view is None or now_s - view.taken_s > OLD_S:
            return None
        eta = view.of(entries[0])
        for entry in entries:
            view.count(entry)
        now_us = view.outlook.now_us + int((now_s - view.taken_s) * 1e6)
        if eta.at_us is not None and eta.at_us < now_us:
            return Eta(now_us, "", eta.ahead, eta.waits_for, eta.account)
        return eta

    def look(self) -> None:
        """Look now. Never raises for what a spool does."""
        began_s = self._clock.monotonic_s()
        try:
            around = surroundings(self._reading, self._facts())
            outlook = Outlook(around, Times(around.now_us))
            routes = {load.route for load in around.overview.lanes if load.due and outlook.limits_tenants(load.route)}
            tenants = {route: self._reading.due_of_tenants(route) for route in routes}
        except TicketmailError as error:
            _log.debug("no look: %s", error)
        else:
            self._view = _View(outlook, began_s, tenants)
        now_s = self._clock.monotonic_s()
        self._next_s = now_s + max(FRESH_S, (now_s - began_s) / PART)

    def close(self) -> None:
        """Take no more looks, and wait for one that is under way: it uses the spool. Idempotent."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(CLOSE_S)

    def _look_if_due(self) -> None:
        if self._pid != os.getpid():  # a thread of the parent's does not live here
            self._pid, self._thread, self._wake = os.getpid(), None, threading.Event()
        self._asked_s = now_s = self._clock.monotonic_s()
        if self._closed or now_s < self._next_s:
            return
        self._next_s = now_s + FRESH_S
        if self._thread is not None and self._thread.is_alive():
            self.resting = False
            self._wake.set()
            return
        thread = threading.Thread(target=self._keep_looking, name="ticketmail-eta", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is going down: no new threads
            return
        self._thread = thread

    def _keep_looking(self) -> None:
        """Until nothing was handed over for an hour, or ``close``."""
        while not self._closed and self._clock.monotonic_s() - self._asked_s < KEPT_FOR_S:
            self.look()
            self.resting = True
            self._wake.wait(max(KEPT_S, self._next_s - self._clock.monotonic_s()))
            self._wake.clear()
