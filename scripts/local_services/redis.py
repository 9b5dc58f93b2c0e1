"""A disposable Redis that keeps what it confirms: append-only file, each write synced, nothing evicted."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

from local_services.service import Service, Started, find, free_port, spawn, wait_for_port, which


def _missing() -> str:
    return find("redis-server")


def _start(directory: Path, _: Mapping[str, str]) -> Started:
    port, password = free_port(), secrets.token_urlsafe(18)
    (directory / "data").mkdir()
    settings = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": directory / "data",
        "requirepass": password,
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": '""',
        "daemonize": "no",
    }
    file = directory / "redis.conf"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    pid = launch(directory)
    wait_for_port(port, "Redis")
    variables = {
        "TICKETMAIL_TEST_REDIS": f"redis://:{password}@127.0.0.1:{port}/0",
        "TICKETMAIL_TEST_REDIS_DIRECTORY": str(directory),
    }
    return Started({pid: signal.SIGTERM}, variables)


def launch(directory: Path) -> int:
    """Start the server of ``directory``; its process id."""
    return spawn([which("redis-server"), str(directory / "redis.conf")], directory / "log")


SERVICE = Service("redis", ("redis-server",), _missing, _start)
