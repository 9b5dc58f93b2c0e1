"""A disposable PostgreSQL: durable (fsync on), with a password."""

from __future__ import annotations

import re
import secrets
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_services.service import CannotStart, Service, Started, free_port, is_root, run, wait_for_port

_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
}


def _binaries() -> Path | None:
    """The newest version's; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _version(path: Path) -> int:
    number = re.search(r"/(\d+)/bin/", str(path))
    return int(number[1]) if number else 0


def _missing() -> str:
    return "" if _binaries() else "PostgreSQL (initdb, pg_ctl)"


def _start(directory: Path, _: Mapping[str, str]) -> Started:
    binaries = _binaries()
    if binaries is None:
        raise CannotStart(_missing())
    data, password = directory / "data", directory / "password"
    secret = secrets.token_urlsafe(18)
    password.write_text(secret)
    if is_root():  # initdb refuses root
        shutil.chown(directory, "postgres")
        shutil.chown(password, "postgres")
    password.chmod(0o600)
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
    _as_postgres([*initdb, "-A", "scram-sha-256", f"--pwfile={password}"], directory)
    port = free_port()
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = {value}\n" for name, value in {**_SETTINGS, "port": str(port)}.items())
    control(directory, "start")
    wait_for_port(port, "PostgreSQL")
    pid = int((data / "postmaster.pid").read_text().split()[0])
    url = f"postgresql://postgres:{secret}@127.0.0.1:{port}/postgres"
    return Started({pid: signal.SIGINT}, {"TICKETMAIL_TEST_POSTGRESQL": url})  # SIGINT: fast shutdown


def control(directory: Path, *words: str) -> None:
    """``pg_ctl`` for a server that was started in ``directory``: start, stop, restart (``-m immediate``: as in a crash)."""
    binaries = _binaries()
    if binaries is None:
        raise CannotStart(_missing())
    data, log = directory / "data", directory / "log"
    _as_postgres([str(binaries / "pg_ctl"), "-D", str(data), "-l", str(log), "-w", *words], directory)


def _as_postgres(command: Sequence[str], directory: Path) -> None:
    run(command, user="postgres", log=directory / "commands", cwd=directory)


SERVICE = Service("postgresql", ("postgresql",), _missing, _start)
