"""What runs, kept in a file: only that is ever stopped."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_services.service import Started, birth_of, end, is_root

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".services"


class State:
    """The record of running servers. Use it under :func:`locked`."""

    def __init__(self) -> None:
        self._path = HOME / "state.json"
        self._known: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}

    def runs(self, name: str) -> bool:
        """All processes of the server are there."""
        processes = self._known.get(name, {}).get("processes", [])
        return bool(processes) and all(birth_of(pid) == birth for pid, birth, _ in processes)

    def variables(self) -> dict[str, str]:
        """What tests are told of what runs."""
        return {key: value for name in self._known if self.runs(name) for key, value in self._known[name]["variables"].items()}

    def keep(self, name: str, started: Started, directory: Path) -> None:
        """Remember a server."""
        processes = [(pid, birth_of(pid), number) for pid, number in started.pids.items()]
        self._known[name] = {"processes": processes, "variables": dict(started.variables), "directory": str(directory)}
        self._write()

    def end(self, name: str) -> bool:
        """Stop a server and delete its data. False: nothing of it was there."""
        known = self._known.pop(name, None)
        if known is None:
            return False
        for pid, birth, number in known["processes"]:
            end(pid, birth, number)
        shutil.rmtree(known["directory"], ignore_errors=True)
        self._write()
        return True

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps(self._known, indent=1))
        new.replace(self._path)


@contextmanager
def locked() -> Iterator[State]:
    """The state, for one process at a time."""
    HOME.mkdir(mode=0o755, exist_ok=True)
    # The descriptor is closed in children (PEP 446), so a server left behind does not hold the lock.
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield State()


def directory_for(name: str) -> Path:
    """An empty directory that a server's own user can reach: below .services, or below /var/tmp in a private checkout."""
    base = HOME
    if is_root() and not _open_to_all(HOME):
        base = Path("/var/tmp") / f"ticketmail-services-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
        base.mkdir(mode=0o711, exist_ok=True)
        if base.stat().st_uid != os.geteuid():
            raise PermissionError(f"{base} belongs to somebody else")
    directory = base / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o755)
    return directory


def _open_to_all(path: Path) -> bool:
    return all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents))
