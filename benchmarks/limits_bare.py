"""What three connections bear: bare clients, each with one mail after another, against the kit's server.

    python benchmarks/limits_bare.py [--rates 30 200] [--seconds 10]

The most that anybody could use of the scenario *3 connections*, on this machine: ``smtplib``, no limits to learn, and nothing to
remember; then with one durable commit (SQLite, on the disk of temporary files) before each body, without which a mail that is cut
off is lost or sent twice.
"""

from __future__ import annotations

import argparse
import smtplib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from ticketmail.testing.smtpd import server_process
from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.process import arguments

_CONNECTIONS = 3
_MAIL = "From: desk@example.com\r\nTo: c0@example.net\r\nSubject: Note\r\n\r\nOn its way.\r\n"


def main() -> None:
    """A line for each rate that the connections would bear if answers took no time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", nargs="*", type=float, default=[30, 200], help="mails per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for rate in options.rates:
        for kind, durable in (("nothing remembered", False), ("one commit before each body", True)):
            per_s = _taken(_CONNECTIONS / rate, options.seconds, durable=durable) / options.seconds
            print(f"3 connections {rate:g}/s, {kind}: {per_s:.1f} a second, {per_s / rate:.1%}", flush=True)


def _taken(dot_delay_s: float, seconds: float, *, durable: bool) -> int:
    server = server_process(*arguments(ServerLimits(connections=_CONNECTIONS)), f"--dot-delay={dot_delay_s}")
    with tempfile.TemporaryDirectory() as directory, server as port, ThreadPoolExecutor(_CONNECTIONS) as pool:
        client = partial(_client, port, time.monotonic() + seconds, Path(directory, "notes.db") if durable else None)
        return sum(pool.map(client, range(_CONNECTIONS)))


def _client(port: int, until_s: float, notes: Path | None, number: int) -> int:
    taken = 0
    with ExitStack() as stack:
        connection = stack.enter_context(smtplib.SMTP("127.0.0.1", port))
        note = _noter(stack, notes) if notes else None
        connection.ehlo_or_helo_if_needed()
        while time.monotonic() < until_s:
            connection.mail("desk@example.com")
            connection.rcpt("c0@example.net")
            if note:
                note(f"{number}.{taken}")
            connection.data(_MAIL)
            taken += 1
    return taken


def _noter(stack: ExitStack, notes: Path) -> Callable[[str], object]:
    """Makes a note durable before it returns."""
    database = stack.enter_context(closing(sqlite3.connect(notes, isolation_level=None, timeout=60)))
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS note (mail TEXT)")
    return lambda mail: database.execute("INSERT INTO note VALUES (?)", (mail,))


if __name__ == "__main__":
    main()
