"""The local SMTP server as a process of its own, seen from the one that starts it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from ticketmail.testing.smtpd.limits import ServerLimits


@contextlib.contextmanager
def server_process(*arguments: str) -> Iterator[int]:
    """``python -m ticketmail.testing.smtpd`` with these arguments; its port. Ended on exit. Blocks until it listens."""
    command = [sys.executable, "-m", "ticketmail.testing.smtpd", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first.startswith("listening on"):
                raise RuntimeError(f"the server did not start: {first.strip() or 'see its error output'}")
            yield int(first.rpartition(":")[2])
        finally:
            process.terminate()
            process.wait()  # before its output is closed: it has a last word


def arguments(limits: ServerLimits) -> list[str]:
    """The command line that makes a process with these limits."""
    pairs: list[tuple[str, object]] = [
        ("rate", limits.rate),
        ("window", limits.window_s),
        ("burst", limits.burst),
        ("kind", limits.kind),
        ("limit-at", limits.at),
        ("reply", limits.reply),
        ("excess", limits.excess),
        ("daily", limits.daily),
        ("day", limits.day_s),
        ("daily-reply", limits.daily_reply),
        ("connections", limits.connections),
        ("connections-at", limits.connections_at),
        ("connections-reply", limits.connections_reply),
        ("messages-per-connection", limits.mails_per_connection),
        *(("change", f"{at_s}:{factor}") for at_s, factor in limits.changes),
        ("neighbour", limits.neighbour),
        ("neighbour-cycle", limits.neighbour_cycle_s),
    ]
    words = [f"--{name}={value}" for name, value in pairs if value is not None]
    return words + ["--shut"] * limits.shut + ["--per-login"] * limits.per_login
