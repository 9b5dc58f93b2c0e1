"""What a server for the tests is, and what several of them need: ports, users, waiting."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WAIT_S = 30.0


class CannotStart(Exception):
    """Why a server does not run here, as a sentence."""


@dataclass(frozen=True)
class Started:
    """What runs: process ids with the signal that ends them in good order, and what tests are told."""

    pids: Mapping[int, int]
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """A server. ``missing`` says what is not there ('' if all is). ``start`` gets an empty directory of its own, and the
    variables of what runs already. ``packages`` are Debian's."""

    name: str
    packages: tuple[str, ...]
    missing: Callable[[], str]
    start: Callable[[Path, Mapping[str, str]], Started]
    needs: tuple[str, ...] = field(default=())


def is_root() -> bool:
    return os.geteuid() == 0


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, what: str, seconds: float = WAIT_S) -> None:
    """Return when something listens. Raises CannotStart."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotStart(f"{what} does not answer on port {port} after {seconds:.0f} s")


def run(command: Sequence[str], *, user: str = "", log: Path, cwd: Path | None = None) -> None:
    """Run to its end; what it says goes to ``log``. Raises CannotStart with its last lines.

    A file rather than a pipe: the servers that it leaves behind would keep a pipe open.
    """
    as_user = ["runuser", "-u", user, "--"] if user and is_root() else []
    with log.open("ab") as output:
        done = subprocess.run([*as_user, *command], stdout=output, stderr=output, cwd=cwd, timeout=120, check=False)
    if done.returncode:
        last = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
        raise CannotStart(f"`{' '.join(command[:3])} ...` failed ({done.returncode}): {last}")


#: What a start has spawned so far, so that a start that fails leaves nothing behind.
SPAWNED: list[int] = []


def spawn(command: Sequence[str], log: Path) -> int:
    """Start a process that outlives us, where its log is: what it leaves when it dies must not fall into the checkout. Its id."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=log.parent
        )
    process.returncode = 0  # it is not ours to wait for: no warning when we end before it
    SPAWNED.append(process.pid)
    return process.pid


def find(*names: str, also: Sequence[str] = ("/usr/sbin", "/sbin", "/usr/lib/postfix/sbin")) -> str:
    """What of ``names`` is not an executable here, '' if all are."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *also])
    return ", ".join(name for name in names if shutil.which(name, path=path) is None)


def which(name: str, also: Sequence[str] = ("/usr/sbin", "/sbin", "/usr/lib/postfix/sbin")) -> str:
    """The path of an executable. Raises CannotStart."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *also]))
    if found is None:
        raise CannotStart(f"{name} is not installed")
    return found


# --- processes --------------------------------------------------------------------------------------------------------------


def birth_of(pid: int) -> str:
    """When a process began ('' if there is none): with it, a recorded id is never mistaken for a later process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _birth_by_ps(pid)
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def _birth_by_ps(pid: int) -> str:
    if Path("/proc/self/stat").exists() or shutil.which("ps") is None:
        return ""
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def end(pid: int, birth: str, number: int) -> None:
    """End that very process in good order; at once if it does not within 20 s."""
    for wanted, seconds in ((number, 20.0), (signal.SIGKILL, 5.0)):
        until = time.monotonic() + seconds
        if birth_of(pid) != birth:
            return
        os.kill(pid, wanted)
        while birth_of(pid) == birth and time.monotonic() < until:
            time.sleep(0.05)
