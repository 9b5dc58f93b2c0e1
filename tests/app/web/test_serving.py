"""What the worker serves: its own readiness, and gauges over the spool."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ticketmail import Message, TicketMail
from ticketmail.app.web import serve_worker, worker_health
from ticketmail.domain.errors import SpoolUnreachable
from ticketmail.domain.ports.delivering import WorkerInfo
from ticketmail.domain.ports.reading import WorkerView

NOW = 1_800_000_000_000_000


class Reading:
    """Answers what readiness asks."""

    def __init__(self, workers: list[WorkerView], *, sick: str = "") -> None:
        self._workers, self._sick = workers, sick

    def now_us(self) -> int:
        if self._sick:
            raise SpoolUnreachable(self._sick)
        return NOW

    def workers(self) -> list[WorkerView]:
        return self._workers


def row(*, pid: int = 7, silent_s: float = 0.0, alive: bool = True, retired: bool = False) -> WorkerView:
    beat_us = NOW - int(silent_s * 1e6)
    return WorkerView(uuid4(), "mailhost", pid, "1", NOW, beat_us, alive, NOW if retired else None, {})


def health(*workers: WorkerView, **more: Any) -> tuple[bool, str]:
    found = worker_health(
        Reading(list(workers), **more), pid=7, host="mailhost", mask=lambda text: text.replace("hunter2", "***")
    )
    return found.ready, found.text


def test_a_worker_that_beats_is_ready() -> None:
    assert health(row()) == (True, "ready")


def test_a_worker_that_has_not_beaten_for_15_s_is_not() -> None:
    assert health(row(silent_s=15)) == (False, "no beat for 15 s")


def test_another_process_does_not_make_this_one_ready() -> None:
    assert health(row(pid=8), row(retired=True)) == (False, "this process has no worker registered")


def test_a_worker_that_was_declared_dead_is_not_ready_until_it_has_a_new_row() -> None:
    assert health(row(alive=False, silent_s=1))[0] is False
    assert health(row(alive=False, silent_s=40), row()) == (True, "ready")


def test_a_sick_spool_is_told_without_its_password() -> None:
    assert health(sick="cannot reach postgresql://desk:hunter2@db") == (
        False,
        "the spool: cannot reach postgresql://desk:***@db",
    )


async def test_the_worker_serves_health_and_the_spools_gauges(tmp_path: Path) -> None:
    settings = {"spool": f"sqlite:///{tmp_path}/s.db", "accounts": {"a": "null://"}, "worker": {"http": "127.0.0.1:0"}}
    with TicketMail(settings=settings) as mail, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        settings["worker"] = {"http": f"127.0.0.1:{port}"}
        mail.submit(Message(sender="help@example.com", to="ann@example.net", subject="Hi", text="x"), lane="notice")
        with TicketMail(settings=settings) as served:
            close = await serve_worker(served)
            side = served.spool.worker_side()
            try:
                async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:
                    assert (await client.get("/readyz")).status_code == 503
                    await side.workers.register(WorkerInfo(socket.gethostname(), os.getpid(), "1", "default"))
                    assert (await client.get("/readyz")).text == "ready\n"
                    metrics = (await client.get("/metrics")).text
            finally:
                await side.aclose()
                await close()
    assert 'ticketmail_queued{lane="notice"} 1.0' in metrics
    assert "ticketmail_spool_up 1.0" in metrics
    assert "ticketmail_workers_alive 1.0" in metrics


async def test_the_second_process_of_a_service_listens_on_the_next_port(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as first:
        first.bind(("127.0.0.1", 0))
        first.listen()
        port = first.getsockname()[1]
        settings = {"spool": f"sqlite:///{tmp_path}/s.db", "worker": {"http": f"127.0.0.1:{port}"}}
        with TicketMail(settings=settings) as mail:
            close = await serve_worker(mail)
            await close()
    assert f"127.0.0.1:{port} is taken; health and metrics of this process are on port" in caplog.text
