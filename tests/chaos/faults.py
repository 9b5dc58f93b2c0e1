"""Faults that need more than a signal: a full disk, a database server of the test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest

from chaos.harness import free_port

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from local_services import mariadb as _mariadb  # noqa: E402
from local_services import postgresql as _postgresql  # noqa: E402
from local_services.service import CannotStart, birth_of, end, wait_for_port  # noqa: E402
from local_services.state import directory_for  # noqa: E402


@contextmanager
def small_disk(directory: Path, size_mib: int) -> Iterator[Path]:
    """A tmpfs of that size. Needs root, else the test is skipped."""
    if os.geteuid() != 0:
        pytest.skip("a small tmpfs needs root")
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(directory)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(path: Path) -> None:
    """Take all room there is."""
    with path.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


class PostgresqlServer:
    """A PostgreSQL that the test may restart."""

    def __init__(self) -> None:
        if missing := _postgresql.SERVICE.missing():
            pytest.skip(f"missing: {missing}")
        self._home = directory_for(f"postgresql-{free_port()}")
        started = _postgresql.SERVICE.start(self._home, {})
        self.url = started.variables["TICKETMAIL_TEST_POSTGRESQL"]

    def restart(self, mode: str) -> None:
        """``fast`` cuts connections in good order, ``immediate`` is a crash and a recovery from the log."""
        _postgresql.control(self._home, "-m", mode, "restart")

    def stop(self) -> None:
        """Stop it in good order."""
        _postgresql.control(self._home, "-m", "fast", "stop")

    def start(self) -> None:
        """Start it again, as it was."""
        _postgresql.control(self._home, "start")

    def remove(self) -> None:
        """End it, delete its data."""
        with contextlib.suppress(CannotStart):
            self.stop()
        shutil.rmtree(self._home, ignore_errors=True)


class MariadbServer:
    """A MariaDB that the test may restart."""

    def __init__(self) -> None:
        if missing := _mariadb.SERVICE.missing():
            pytest.skip(f"missing: {missing}")
        self._home = directory_for(f"mariadb-{free_port()}")
        started = _mariadb.SERVICE.start(self._home, {})
        (self._pid,) = started.pids
        self.url = started.variables["TICKETMAIL_TEST_MARIADB"]

    def restart(self, mode: str) -> None:
        """``fast`` cuts connections in good order, ``immediate`` is a crash and a recovery from the log."""
        self._end(signal.SIGKILL if mode == "immediate" else signal.SIGTERM)
        self.start()

    def stop(self) -> None:
        """Stop it in good order."""
        self._end(signal.SIGTERM)

    def start(self) -> None:
        """Start it again, as it was."""
        self._pid = _mariadb.launch(self._home)
        port = urlsplit(self.url).port
        assert port is not None
        wait_for_port(port, "MariaDB")

    def remove(self) -> None:
        """End it, delete its data."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _end(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            end(self._pid, birth_of(self._pid), number)


DatabaseServer: TypeAlias = PostgresqlServer | MariadbServer
