"""A site in real time: the kit's server as a process with limits, a spool on disk, and worker processes that are told nothing."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from chaos.harness import Child, free_port, until
from ticketmail import TicketMail
from ticketmail.testing.smtpd import server_process
from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.process import arguments

__all__ = ["Site", "free_port", "until", "worker_of", "write_settings"]

SERVER = "TICKETMAIL_TEST_POSTGRESQL"
_ACCOUNT = """
[accounts.{name}]
url = "smtp://{login}127.0.0.1:{port}"
allow_plaintext = true
"""


class Site:
    """Use as a context manager. One worker works on SQLite unless told, several on PostgreSQL: ``eval "$(scripts/services env)"``
    says where.

    Raises RuntimeError if there is none.
    """

    def __init__(
        self, limits: ServerLimits, *, workers: int = 1, accounts: int = 1, dot_delay_s: float = 0.0, postgresql: bool = False
    ) -> None:
        self._limits, self._workers, self._dot_delay_s = limits, workers, dot_delay_s
        self._postgresql = postgresql or workers > 1
        self._names = [f"desk{number}" for number in range(accounts)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            self._open(directory)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.worker.runs:
            self.worker.stop()
        self._stack.close()

    def told(self) -> dict[str, Any]:
        """The server's statistics."""
        return dict(json.loads(self._stats.read_text())) if self._stats.exists() else {"taken": 0, "logins": {}}

    def taken(self) -> int:
        """Mails that the server took."""
        return int(self.told()["taken"])

    def journal(self) -> list[dict[str, Any]]:
        """What it took, in order."""
        return [json.loads(line) for line in self._journal.read_text().splitlines()] if self._journal.exists() else []

    def _open(self, directory: Path) -> None:
        self._stats, self._journal = directory / "stats.json", directory / "taken.jsonl"
        spool = self._stack.enter_context(_spool(directory, postgresql=self._postgresql))
        files = [f"--journal={self._journal}", f"--stats={self._stats}", f"--dot-delay={self._dot_delay_s}"]
        users = [f"--user={name}:secret" for name in self._names if self._limits.per_login]
        port = self._stack.enter_context(server_process(*arguments(self._limits), *users, *files))
        logins = [f"{name}:secret@" if self._limits.per_login else "" for name in self._names]
        settings = write_settings(directory, spool, port, dict(zip(self._names, logins, strict=True)))
        self.mail = self._stack.enter_context(TicketMail(settings=settings))
        self.mail.administering.upgrade()
        self.worker = worker_of(settings, directory / "worker.log", self._workers)


def write_settings(directory: Path, spool: str, port: int, logins: Mapping[str, str] | None = None) -> Path:
    """A file of settings that says nothing about limits. ``logins`` by account: what stands before the host in its URL."""
    accounts = [_ACCOUNT.format(name=name, login=login, port=port) for name, login in (logins or {"desk0": ""}).items()]
    path = directory / "ticketmail.toml"
    equals = ", ".join(f'"{name}"' for name in logins or {"desk0": ""})
    routes = f'[routes]\n"*" = [[{equals}]]\n'
    path.write_text(f'site = "bench"\nspool = "{spool}"\n{routes}' + "".join(accounts))
    return path


def worker_of(settings: Path, log: Path, workers: int = 1) -> Child:
    """The worker's process, or that which looks after several. To be started."""
    processes = ["--processes", str(workers)] if workers > 1 else []
    return Child("worker", [sys.executable, "-m", "ticketmail", "--settings", str(settings), "worker", *processes], log)


@contextmanager
def _spool(directory: Path, *, postgresql: bool) -> Iterator[str]:
    if not postgresql:
        yield f"sqlite:///{directory}/spool.db"
        return
    server = os.environ.get(SERVER)
    if not server:
        raise RuntimeError(f"there is no PostgreSQL: scripts/services start postgresql, or set {SERVER}")
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
