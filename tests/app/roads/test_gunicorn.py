"""A host under a real gunicorn: forked when warm, threads in each worker, one of them killed; nothing lost or mixed up."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adapters.kombu.servers import url_of
from app.roads.taking import orders
from chaos.harness import Child, free_port, until
from ticketmail import TicketMail
from ticketmail.app.usecases.compile import submission_id
from ticketmail.app.wiring.brokering import broker_of

pytest.importorskip("gunicorn", reason="gunicorn is not installed")
SERVERS = {"rabbitmq": "TICKETMAIL_TEST_RABBITMQ", "redis": "TICKETMAIL_TEST_REDIS"}
BEFORE, AFTER = [f"before.{n}" for n in range(60)], [f"after.{n}" for n in range(60)]


@pytest.fixture(params=sorted(SERVERS))
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"broker": {"url": url_of(SERVERS[request.param]), "prefix": f"t{uuid.uuid4().hex[:12]}"}}


@pytest.fixture
def desk(settings: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """Its address; three workers of four threads each."""
    address = f"127.0.0.1:{free_port()}"
    options = ["--preload", "--workers=3", "--threads=4", "--worker-class=gthread", "--graceful-timeout=5", f"--bind={address}"]
    command = [sys.executable, "-m", "gunicorn", "app.roads.desk:app", *options]
    env = {"DESK": json.dumps(settings), "PYTHONPATH": str(Path(__file__).parents[2])}
    child = Child("gunicorn", command, tmp_path / "gunicorn.log", env)
    child.start()
    try:
        until(lambda: "Booting worker" in child.said() or not child.runs, 30, "gunicorn is up")
        assert child.runs, child.said()
        yield f"http://{address}"
    finally:
        child.stop()


def handed_over(desk: str, keys: list[str]) -> dict[str, tuple[int, str]]:
    """Process and id by key, twelve at once."""

    def one(key: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"{desk}/{key}", timeout=30) as answer:
            pid, ident = answer.read().decode().split()
        return int(pid), ident

    with ThreadPoolExecutor(12) as threads:
        return dict(zip(keys, threads.map(one, keys), strict=True))


def test_forked_workers_with_threads_hand_over_each_mail_once(settings: dict[str, Any], desk: str) -> None:
    first = handed_over(desk, BEFORE)
    pids = {pid for pid, _ in first.values()}
    os.kill(min(pids), signal.SIGKILL)
    until(lambda: not Path(f"/proc/{min(pids)}").exists(), 30, "the killed worker is gone")
    answers = first | handed_over(desk, AFTER)

    broker = broker_of(TicketMail(settings=settings).settings)
    found = Counter(order.submission.key for order in orders(broker, len(answers) + 1))
    broker.close()

    assert len(pids) > 1
    assert found == Counter(["warm", *BEFORE, *AFTER])
    assert {key: ident for key, (_, ident) in answers.items()} == {key: str(submission_id("", key)) for key in answers}
