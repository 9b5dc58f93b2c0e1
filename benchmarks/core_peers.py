"""Peers of the core: a task queue with a mail task, as its own documentation would have it, and connections that are kept.

dramatiq on Redis, and huey on SQLite. Imported by their workers and by whoever enqueues; what is not installed is skipped.
"""

from __future__ import annotations

import importlib.util
import os
import smtplib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PORT, REDIS, FILE = "BENCH_PORT", "TICKETMAIL_TEST_REDIS", "BENCH_HUEY_FILE"
_kept = threading.local()


@dataclass(frozen=True, slots=True)
class Peer:
    """How to enqueue (returns when the queue has it), and the worker's command. ``missing`` says why it cannot run here."""

    name: str
    missing: str
    enqueue: Callable[[], Callable[[bytes, str], object]]
    worker: tuple[str, ...]


def send(mime: bytes, to: str) -> None:
    """Over this thread's own connection, which is kept."""
    connection: smtplib.SMTP | None = getattr(_kept, "smtp", None)
    if connection is None:
        connection = _kept.smtp = smtplib.SMTP("127.0.0.1", int(os.environ[PORT]))
    connection.sendmail("support@example.com", [to], mime)


def _dramatiq() -> Callable[[bytes, str], object]:
    task = _dramatiq_task()
    return lambda mime, to: task.send(mime.decode("latin-1"), to)


def _dramatiq_task() -> Any:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    dramatiq.set_broker(RedisBroker(url=os.environ[REDIS]))
    return dramatiq.actor(lambda mime, to: send(mime.encode("latin-1"), to), actor_name="mail")


def _huey() -> Callable[[bytes, str], object]:
    return _huey_task()[1]  # type: ignore[no-any-return]


def _huey_task() -> Any:
    from huey import SqliteHuey

    queue = SqliteHuey(filename=os.environ[FILE], fsync=True)
    return queue, queue.task(name="mail")(send)


def _without(*modules: str, server: str = "") -> str:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed (pip install -r benchmarks/peers.txt)"
    return f"{server} is not set (scripts/services start redis)" if server and server not in os.environ else ""


def peers() -> tuple[Peer, ...]:
    """All that are known."""
    dramatiq = ("-m", "dramatiq", "core_peers", "--processes", "2", "--threads", "8")
    huey = ("-m", "huey.bin.huey_consumer", "core_peers.huey_queue", "-w", "10", "-k", "thread", "-d", "0.01", "-m", "0.1", "-q")
    return (
        Peer("dramatiq + Redis (2 x 8 threads)", _without("dramatiq", "redis", server=REDIS), _dramatiq, dramatiq),
        Peer("huey + SQLite (10 threads)", _without("huey"), _huey, huey),
    )


def __getattr__(name: str) -> Any:
    if name == "huey_queue":  # what its consumer asks for
        return _huey_task()[0]
    raise AttributeError(name)


if any("dramatiq" in argument for argument in sys.argv[:1]) or "dramatiq" in sys.orig_argv:
    _dramatiq_task()  # dramatiq's worker imports this module and expects its tasks
