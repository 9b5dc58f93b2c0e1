"""The scenarios in real time: worker processes, a spool on disk, and the kit's server as a process on loopback."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from limits_judging import FED_EVERY_S, feed, judged
from limits_scenarios import Result, Scenario, Span

from chaos.harness import Child, until
from ticketmail import TicketMail
from ticketmail.testing.smtpd import server_process
from ticketmail.testing.smtpd_process import arguments
from ticketmail.testing.smtpd_tally import Tally

_DRAINED_WITHIN_S = 300.0
SERVER = "TICKETMAIL_TEST_POSTGRESQL"
_SETTINGS = """
site = "bench"
spool = "{spool}"
{accounts}
"""
_ACCOUNT = """
[accounts.{name}]
url = "smtp://{login}127.0.0.1:{port}"
allow_plaintext = true
"""


def run(scenario: Scenario, workers: int, span: Span) -> Result:
    """One run. Several workers need PostgreSQL: ``eval "$(scripts/services env)"`` says where it is.

    Raises RuntimeError if there is none.
    """
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, _spool(Path(directory), workers) as spool:
        result = _Run(Path(directory), spool, scenario.timed(span), workers, span).all()
    result.real_s = time.monotonic() - began_s
    return result


class _Run:
    def __init__(self, directory: Path, spool: str, scenario: Scenario, workers: int, span: Span) -> None:
        self._scenario, self._span, self._workers = scenario, span, workers
        self._settings, self._spool = directory / "ticketmail.toml", spool
        self._journal, self._stats = directory / "taken.jsonl", directory / "stats.json"
        self._log = directory / "worker.log"
        self._handed = 0

    def all(self) -> Result:
        files = [f"--journal={self._journal}", f"--stats={self._stats}", f"--dot-delay={self._scenario.dot_delay_s}"]
        with server_process(*arguments(self._scenario.limits), *self._users(), *files) as port:
            self._write_settings(port)
            with TicketMail(settings=self._settings) as mail:
                mail.administering.upgrade()
                self._feed(mail)
                self._work(mail)
                tallies = [Tally.from_json(one) for one in self._told()["logins"].values()]
                return judged(self._scenario, self._workers, self._span, mail=mail, tallies=tallies, taken=self._copies())

    def _work(self, mail: TicketMail) -> None:
        processes = ["--processes", str(self._workers)] if self._workers > 1 else []
        command = [sys.executable, "-m", "ticketmail", "--settings", str(self._settings), "worker", *processes]
        worker = Child("worker", command, self._log)
        worker.start()
        try:
            until(lambda: self._taken() > 0, 60, f"the first mail is taken: {worker.said()}")
            end_s = time.monotonic() + self._span.to_s + FED_EVERY_S
            while time.monotonic() < end_s:
                time.sleep(FED_EVERY_S)
                self._feed(mail)
            until(lambda: self._taken() >= self._handed, _DRAINED_WITHIN_S, "all mail has been taken", every_s=0.5)
        except AssertionError as late:
            print(f"{self._scenario.name}: {late}", file=sys.stderr)
        finally:
            worker.stop()

    def _feed(self, mail: TicketMail) -> None:
        self._handed = feed(mail, self._scenario, self._handed, self._taken())

    def _told(self) -> dict[str, Any]:
        return dict(json.loads(self._stats.read_text())) if self._stats.exists() else {"taken": 0, "logins": {}}

    def _taken(self) -> int:
        return int(self._told()["taken"])

    def _copies(self) -> Counter[str]:
        return Counter(json.loads(line)["message_id"] for line in self._journal.read_text().splitlines())

    def _users(self) -> list[str]:
        if not self._scenario.limits.per_login:
            return []
        return [f"--user=desk{number}:secret" for number in range(self._scenario.accounts)]

    def _write_settings(self, port: int) -> None:
        names = [f"desk{number}" for number in range(self._scenario.accounts)]
        login = "{}:secret@" if self._scenario.limits.per_login else ""
        accounts = [_ACCOUNT.format(name=name, login=login.format(name), port=port) for name in names]
        self._settings.write_text(_SETTINGS.format(spool=self._spool, accounts="".join(accounts)))


@contextmanager
def _spool(directory: Path, workers: int) -> Iterator[str]:
    if workers == 1:
        yield f"sqlite:///{directory}/spool.db"
        return
    server = os.environ.get(SERVER)
    if not server:
        raise RuntimeError(f"several workers need PostgreSQL: scripts/services start postgresql, or set {SERVER}")
    import psycopg
    from psycopg import sql

    name = f"limits_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
