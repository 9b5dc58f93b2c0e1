"""The core beside what is physically possible and beside peers, in one run, for absolute figures hold for one machine and hour.

    python benchmarks/core.py [--submits 500] [--mails 3000] [--connections 10] [--rounds 3]

*submit*: one caller hands mails of 4 KB over, each durable when the call returns. The limit: a bare INSERT of the same bytes and
its commit (SQLite: WAL, synchronous=FULL; PostgreSQL where $TICKETMAIL_TEST_POSTGRESQL names one). *drain*: a worker process
sends what waits into a sink that takes everything. The limit: aiosmtplib on the same number of kept connections, nothing stored.
Peers are named in benchmarks/peers.txt; what is not installed is skipped, and said. Rounds are interleaved; medians are shown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from core_peers import FILE, PORT, Peer, peers
from core_site import Drain, Latency, Sink, as_mime, drained, letter, sink, submission, timed

from ticketmail import TicketMail

POSTGRESQL = "TICKETMAIL_TEST_POSTGRESQL"
_LIMIT, _OURS = "limit: ", "ticketmail"


class Run:
    """All measurements, by what was measured and by whom."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self._options, self._directory = options, directory
        self.submits: dict[str, dict[str, list[Latency]]] = defaultdict(lambda: defaultdict(list))
        self.drains: dict[str, list[Drain]] = defaultdict(list)
        self.skipped: dict[str, str] = {}

    def round(self, number: int) -> None:
        """Everything once."""
        here = self._directory / str(number)
        here.mkdir()
        self._submit_sqlite(here)
        self._submit_postgresql()
        self._drain_bare()
        self._drain_ours("SQLite", f"sqlite:///{here}/drain.db")
        if POSTGRESQL in os.environ:
            self._drain_ours("PostgreSQL", os.environ[POSTGRESQL])
        for peer in peers():
            if peer.missing:
                self.skipped[peer.name] = peer.missing
            else:
                self._peer(peer, here)

    def _note(self, where: str, name: str, call: Callable[[int], object]) -> None:
        self.submits[where][name].append(timed(call, range(self._options.submits)))

    def _submit_sqlite(self, here: Path) -> None:
        bare = sqlite3.connect(here / "bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("CREATE TABLE mail (id TEXT PRIMARY KEY, body BLOB)")

        def insert(number: int) -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO mail VALUES (?, ?)", (uuid.uuid4().hex, as_mime(number)))
            bare.execute("COMMIT")

        self._note("SQLite", f"{_LIMIT}bare INSERT and COMMIT", insert)
        bare.close()
        self._submit_ours("SQLite", f"sqlite:///{here}/submit.db")

    def _submit_postgresql(self) -> None:
        if POSTGRESQL not in os.environ:
            self.skipped["PostgreSQL"] = f"{POSTGRESQL} is not set (scripts/services start postgresql)"
            return
        import psycopg

        with psycopg.connect(os.environ[POSTGRESQL], autocommit=True) as bare:
            bare.execute("DROP TABLE IF EXISTS bench_bare")
            bare.execute("CREATE TABLE bench_bare (id TEXT PRIMARY KEY, body BYTEA)")

            def insert(number: int) -> None:
                bare.execute("INSERT INTO bench_bare VALUES (%s, %s)", (uuid.uuid4().hex, as_mime(number)))

            self._note("PostgreSQL", f"{_LIMIT}bare INSERT", insert)
            bare.execute("DROP TABLE bench_bare")
        self._submit_ours("PostgreSQL", os.environ[POSTGRESQL])

    def _submit_ours(self, where: str, url: str) -> None:
        with TicketMail(settings=_settings(url, 0)) as mail:
            self._note(where, f"{_OURS} submit", lambda number: mail.submit(letter(number), ticket=str(number)))
            mail.administering.drop()

    def _drain_bare(self) -> None:
        with sink() as into:
            began = resource.getrusage(resource.RUSAGE_SELF)
            asyncio.run(_bare(into, self._options.mails, self._options.connections))
            ended = resource.getrusage(resource.RUSAGE_SELF)
            cpu_s = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
            count, first_s, last_s = into.tally()
        name = f"{_LIMIT}aiosmtplib, {self._options.connections} connections"
        self.drains[name].append(Drain(count, (count - 1) / (last_s - first_s), cpu_s * 1000 / count))

    def _drain_ours(self, where: str, url: str) -> None:
        with sink() as into:
            file = self._directory / "ticketmail.toml"
            file.write_text(_toml(url, into, self._options.connections))
            with TicketMail(settings=file) as mail:
                _fill(mail, self._options.mails)
                command = (sys.executable, "-m", "ticketmail", "--settings", str(file), "worker")
                self.drains[f"{_OURS} worker, {where}"].append(drained(command, into, self._options.mails))
                mail.administering.drop()

    def _peer(self, peer: Peer, here: Path) -> None:
        os.environ[FILE] = str(here / "huey.db")
        enqueue = peer.enqueue()
        numbers = range(self._options.mails)
        with sink() as into:
            latency = timed(lambda number: enqueue(as_mime(number), f"customer{number}@example.net"), numbers)
            self.submits["peers"][f"{peer.name} enqueue"].append(latency)
            command = (sys.executable, *peer.worker)
            self.drains[f"peer: {peer.name}"].append(drained(command, into, len(numbers), **{PORT: str(into.port)}))


def _settings(url: str, port: int) -> dict[str, object]:
    return {"spool": url, "accounts": {"bench": {"url": f"smtp://127.0.0.1:{port or 25}"}}}


def _toml(url: str, into: Sink, connections: int) -> str:
    account = f'url = "smtp://127.0.0.1:{into.port}"\nconnections = {connections}\nmessages_per_connection = 100000\n'
    return f'site = "default"\nspool = "{url}"\n[accounts.bench]\n{account}'


def _fill(mail: TicketMail, count: int) -> None:
    for at in range(0, count, 500):
        mail.submit_many([submission(number) for number in range(at, min(count, at + 500))])


async def _bare(into: Sink, count: int, connections: int) -> None:
    from aiosmtplib import SMTP

    numbers = iter(range(count))

    async def one() -> None:
        async with SMTP(hostname="127.0.0.1", port=into.port, start_tls=False) as connection:
            for number in numbers:
                await connection.sendmail("support@example.com", [f"customer{number}@example.net"], as_mime(number))

    await asyncio.gather(*(one() for _ in range(connections)))


# --- telling ----------------------------------------------------------------------------------------------------------------


def _tell(run: Run) -> None:
    for where, by_name in run.submits.items():
        _tell_submits(where, by_name)
    print("\ndrain                                          mails/s   of the limit   CPU ms a mail")
    limit = next(statistics.median(one.per_s for one in found) for name, found in run.drains.items() if name.startswith(_LIMIT))
    for name, drains in run.drains.items():
        per_s = statistics.median(one.per_s for one in drains)
        print(f"{name:44}  {per_s:8.0f}   {per_s / limit:12.2f}   {statistics.median(one.cpu_ms for one in drains):13.2f}")
    for name, why in run.skipped.items():
        print(f"skipped: {name}: {why}")


def _tell_submits(where: str, by_name: dict[str, list[Latency]]) -> None:
    print(f"\nsubmit, {where:38}  p50 ms    p99 ms   p50 over the limit's")
    limits = [found for name, found in by_name.items() if name.startswith(_LIMIT)]
    limit = statistics.median(one.p50_ms for one in limits[0]) if limits else None
    for name, found in by_name.items():
        p50, p99 = (statistics.median(getattr(one, field) for one in found) for field in ("p50_ms", "p99_ms"))
        print(f"{name:44}  {p50:8.2f}  {p99:8.2f}   {'' if limit is None else f'{p50 / limit:.1f}'}")


def main() -> int:
    """Measure and tell. There is no aim to miss here: machines differ, ratios tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submits", type=int, default=500)
    parser.add_argument("--mails", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        run = Run(options, Path(directory))
        for number in range(options.rounds):
            run.round(number)
    _tell(run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
