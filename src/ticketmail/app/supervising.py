"""Several worker processes: children that are replaced when they die, and asked to stop when we are."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from ticketmail.app.facade import TicketMail
from ticketmail.app.notify import Notifier
from ticketmail.domain.errors import SettingsError

#: How often children are looked at, and how long an ended one's place stays empty (seconds).
LOOK_S = 0.2
RESTART_S = 1.0
#: The service manager listens to this process alone; a child that spoke to it would be taken for a stranger.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

_log = logging.getLogger("ticketmail.worker")


def supervise(mail: TicketMail, processes: int) -> int:
    """Run ``processes`` workers until SIGTERM or SIGINT; each goes to the children. Returns the worst exit code.

    Raises SettingsError on a spool that has one writer (SQLite).
    """
    if not mail.spool.capabilities.many_processes:
        raise SettingsError(
            "this spool has one writer; more processes would only wait for one another.",
            name="worker --processes",
            remedy="Use 1, or a PostgreSQL spool.",
        )
    mail.close()
    return _Family(sys.argv[1:], processes, Notifier()).run()


class _Family:
    """Signals are only noted where they arrive and passed on by the loop, so that none falls between two starts."""

    def __init__(self, argv: Sequence[str], processes: int, notifier: Notifier) -> None:
        self._argv, self._processes, self._notifier = argv, processes, notifier
        self._children: list[subprocess.Popen[bytes]] = []
        self._asked: list[int] = []
        self._told = 0
        self._alive_s = 0.0

    def run(self) -> int:
        """Until asked to stop, and all have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda given, _: self._asked.append(given))
        try:
            self._children = [self._start(place) for place in range(self._processes)]
            self._notifier.ready(f"{self._processes} worker processes")
            while self._goes_on():
                self._say_alive()
                time.sleep(LOOK_S)
        finally:
            for child in self._children:
                child.terminate()  # nothing, where it has ended
        return max(self._code(child) for child in self._children)

    def _say_alive(self) -> None:
        every_s, now_s = self._notifier.watchdog_s, time.monotonic()
        if every_s is not None and now_s - self._alive_s >= every_s:
            self._notifier.alive()
            self._alive_s = now_s

    def _goes_on(self) -> bool:
        ended = [place for place, child in enumerate(self._children) if child.poll() is not None]
        if not self._asked:
            self._replace(ended)
        while self._told < len(self._asked):
            self._notifier.stopping()
            for child in self._children:
                child.send_signal(self._asked[self._told])
            self._told += 1
        return not self._asked or len(ended) < self._processes

    def _replace(self, places: Sequence[int]) -> None:
        for place in places:
            child = self._children[place]
            _log.error("worker process %s ended with %s; starting another", child.pid, child.returncode)
        if places:
            time.sleep(RESTART_S)
        for place in places:
            if self._asked:
                return
            try:
                self._children[place] = self._start(place)
            except OSError as error:  # no memory, no process to spare: the next look tries again
                _log.error("no worker process could be started: %s", error)

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        """Of several ``--processes`` the last one counts. A group of its own: Ctrl-C reaches a child through us alone, once."""
        argv = [sys.executable, "-m", "ticketmail", *self._argv, "--processes", "1", "--place", str(place)]
        return subprocess.Popen(argv, process_group=0, env=_environ(os.environ))  # noqa: S603

    def _code(self, child: subprocess.Popen[bytes]) -> int:
        """As a shell says it. Ended by the very signal that we passed on, before it could listen to it: well."""
        code = child.returncode or 0
        if code >= 0:
            return code
        return 0 if -code in self._asked else 128 - code


def _environ(given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name not in _OURS}
