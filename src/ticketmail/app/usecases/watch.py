"""The host's own watch: old due mail and no worker alive is said by the process that hands mail over.

A dead mail service cannot report its own death. Hosts live on, and they see the spool.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence

from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.reading import LaneLoad, Reading, WorkerView
from ticketmail.domain.ports.timing import Clock

FINGERPRINT = "no-worker"
#: How often a host process looks (seconds). Its first look is that long after its first submit.
LOOK_EVERY_S = 60.0
#: Mail that is due for longer than this is old (microseconds).
OLD_US = 300 * 1_000_000

_log = logging.getLogger("ticketmail.watch")


class Watch:
    """``after_submit`` costs a comparison; once a minute it looks, in a thread. ``tell`` must not raise."""

    def __init__(self, reading: Reading, *, tell: Callable[[Alert], None], clock: Clock, site: str) -> None:
        self._reading = reading
        self._tell = tell
        self._clock = clock
        self._site = site
        self._next_s = clock.monotonic_s() + LOOK_EVERY_S
        self._looking_pid = 0  # not a lock: one that a thread held at a fork would stay shut in the child

    def after_submit(self) -> None:
        """Look if it is time to. Never blocks, never raises."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + LOOK_EVERY_S
        try:
            threading.Thread(target=self.look, name="ticketmail-watch", daemon=True).start()
        except RuntimeError:  # the interpreter is going down: no new threads
            _log.debug("no look: the interpreter is going down")

    def look(self) -> bool:
        """Look now. True if old due mail and no worker was found, and told. Never raises."""
        if self._looking_pid == os.getpid():
            return False
        self._looking_pid = os.getpid()
        try:
            alert = self._find()
        except TicketmailError as error:
            _log.debug("no look: %s", error)
            return False
        finally:
            self._looking_pid = 0
        if alert is not None:
            self._tell(alert)
        return alert is not None

    def _find(self) -> Alert | None:
        workers = self._reading.workers()
        if any(worker.alive and worker.retired_us is None for worker in workers):
            return None
        overview = self._reading.overview()  # counts all that waits: only where no worker lives
        oldest_us = _oldest(overview.lanes)
        if oldest_us is None or overview.now_us - oldest_us < OLD_US:
            return None
        return self._alert(overview.now_us, oldest_us, sum(lane.due for lane in overview.lanes), workers)

    def _alert(self, now_us: int, oldest_us: int, due: int, workers: Sequence[WorkerView]) -> Alert:
        minutes = (now_us - oldest_us) // 60_000_000
        last = max((worker.beat_us for worker in workers), default=None)
        seen = (
            f"The last one was seen {(now_us - last) // 60_000_000} minutes ago." if last is not None else "None was ever seen."
        )
        return Alert(
            fingerprint=FINGERPRINT,
            level="page",
            title=f"No worker is sending mail: {due} due, the oldest for {minutes} minutes",
            text=f"{seen} Start one with `ticketmail worker`; `ticketmail status` shows what waits. Nothing is lost.",
            site=self._site,
            at_us=now_us,
            since_us=oldest_us,
        )


def _oldest(lanes: Sequence[LaneLoad]) -> int | None:
    return min((lane.oldest_due_us for lane in lanes if lane.oldest_due_us is not None), default=None)
