"""The commands of ``scripts/services``."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from local_services import SERVICES
from local_services.installing import can_install, install
from local_services.service import SPAWNED, CannotStart, Service, birth_of, end
from local_services.state import State, directory_for, locked


def main(argv: Sequence[str], usage: str) -> int:
    """Run one command; its exit code."""
    command, *names = argv or ["help"]
    if command == "run":
        return _run(names[1:] if names[:1] == ["--"] else names)
    unknown = [name for name in names if name not in SERVICES]
    if unknown or command not in _COMMANDS:
        print(usage.strip(), file=sys.stderr)
        print(f"\nServices: {', '.join(SERVICES)}", file=sys.stderr)
        return 0 if command in ("help", "-h", "--help") else 2
    _COMMANDS[command](names or list(SERVICES))
    return 0


def _start(names: Sequence[str]) -> list[str]:
    """Start what does not run; the names of what was started now."""
    wanted = _with_needs(names)
    with locked() as state:
        waiting = [SERVICES[name] for name in SERVICES if name in wanted and not state.runs(name)]
        _install_missing(waiting)
        return [service.name for service in waiting if _start_one(service, state)]


def _with_needs(names: Sequence[str]) -> set[str]:
    return {*names, *(need for name in names for need in SERVICES[name].needs)}


def _install_missing(services: Sequence[Service]) -> None:
    packages = sorted({package for service in services if service.missing() for package in service.packages})
    if packages and can_install():
        _say(f"installing {', '.join(packages)}")
        install(packages)


def _start_one(service: Service, state: State) -> bool:
    state.end(service.name)  # what is left of a run that was cut off
    missing = service.missing()
    if missing:
        remedy = "" if missing.startswith("root") else f" Debian, as root: apt-get install {' '.join(service.packages)}"
        _say(f"{service.name}: not here, its tests will skip. Missing: {missing}.{remedy}")
        return False
    directory = directory_for(service.name)
    SPAWNED.clear()
    try:
        state.keep(service.name, service.start(directory, state.variables()), directory)
    except CannotStart as error:
        for pid in SPAWNED:
            end(pid, birth_of(pid), signal.SIGTERM)
        _say(f"{service.name}: did not start, its tests will skip. {error} (see {directory})")
        return False
    _say(f"{service.name}: started")
    return True


def _stop(names: Sequence[str]) -> None:
    with locked() as state:
        for name in reversed(list(SERVICES)):
            if name in names and state.end(name):
                _say(f"{name}: stopped")


def _status(names: Sequence[str]) -> None:
    with locked() as state:
        for name in names:
            print(f"{name}: {'runs' if state.runs(name) else 'does not run'}")


def _env(_: Sequence[str]) -> None:
    with locked() as state:
        for name, value in state.variables().items():
            print(f"export {name}={shlex.quote(value)}")


def _run(command: Sequence[str]) -> int:
    mine = _start(list(SERVICES))
    try:
        with locked() as state:
            environment = {**os.environ, **state.variables()}
        return _ended(subprocess.Popen(command, env=environment))
    finally:
        _stop(mine)


def _ended(child: subprocess.Popen[bytes]) -> int:
    """Its exit code. Who asks this process to end, asks the child, and the services stop when that has ended; a terminal asks
    both."""
    signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = child.wait()
    return 128 - code if code < 0 else code


def _say(text: str) -> None:
    print(f"services: {text}", file=sys.stderr, flush=True)


_COMMANDS = {"start": _start, "stop": _stop, "status": _status, "env": _env}
