"""Several worker processes: children that are restarted when they die, and asked to stop when we are."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time

from ticketmail.app.facade import TicketMail
from ticketmail.domain.errors import SettingsError

_log = logging.getLogger("ticketmail.worker")


def supervise(mail: TicketMail, processes: int) -> int:
    """Run ``processes`` workers until SIGTERM or SIGINT; both go to the children. Returns the worst exit code.

    Raises SettingsError on a spool that has one writer (SQLite).
    """
    if not mail.spool.capabilities.many_processes:
        raise SettingsError(
            "this spool has one writer; more processes would only wait for one another.",
            name="worker --processes",
            remedy="Use 1, or a PostgreSQL or MariaDB spool.",
        )
    mail.close()
    argv = _without_processes([sys.executable, "-m", "ticketmail", *sys.argv[1:]])
    children = [subprocess.Popen(argv) for _ in range(processes)]  # noqa: S603
    stopping = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopping
        stopping = True
        for child in children:
            child.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while any(child.poll() is None for child in children) or not stopping:
        time.sleep(0.2)
        if stopping:
            continue
        for place, child in enumerate(children):
            if child.poll() is not None:
                _log.error("worker process %s ended with %s; starting another", child.pid, child.returncode)
                time.sleep(1.0)
                children[place] = subprocess.Popen(argv)  # noqa: S603
    return max(child.returncode or 0 for child in children)


def _without_processes(argv: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for one in argv:
        if skip or one.startswith("--processes="):
            skip = False
        elif one == "--processes":
            skip = True
        else:
            kept.append(one)
    return kept
