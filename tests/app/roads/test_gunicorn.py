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
WORKERS = 3


@pytest.fixture(params=sorted(SERVERS))
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"broker": {"url": url_of(SERVERS[request.param]), "prefix": f"t{uuid.uuid4().hex[:12]}"}}


@pytest.fixture
def desk(settings: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """Its address; `WORKERS` workers of four threads each."""
    address = f"127.0.0.1:{free_port()}"
    workers = ["--preload", f"--workers={WORKERS}", "--threads=4", "--worker-class=gthread"]
    options = [*workers, "--graceful-timeout=5", f"--bind={address}"]
    command = [sys.executable, "-m", "gunicorn", "app.roads.desk:app", *options]
    env = {"DESK": json.dumps(settings), "PYTHONPATH": str(Path(__file__).parents[2])}
    child = Child("gunicorn", command, tmp_path / "gunicorn.log", env)
    child.start()
    try:
        until(lambda: child.said().count("Booting worker") == WORKERS or not child.runs, 30, "gunicorn's workers are up")
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


def handed_over_by_several(desk: str) -> dict[str, tuple[int, str]]:
    """In rounds until two workers have answered: the kernel may give one of them a whole round."""
    answers: dict[str, tuple[int, str]] = {}
    for turn in range(50):
        answers |= handed_over(desk, [f"before.{turn}.{n}" for n in range(60)])
        if len({pid for pid, _ in answers.values()}) > 1:
            return answers
    raise AssertionError(f"one of {WORKERS} workers answered all {len(answers)} requests")


def test_forked_workers_with_threads_hand_over_each_mail_once(settings: dict[str, Any], desk: str) -> None:
    first = handed_over_by_several(desk)
    killed = min(pid for pid, _ in first.values())
    os.kill(killed, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{killed}").exists(), 30, "the killed worker is gone")
    answers = first | handed_over(desk, [f"after.{n}" for n in range(60)])

    broker = broker_of(TicketMail(settings=settings).settings)
    found = Counter(order.submission.key for order in orders(broker, len(answers) + 1))
    broker.close()

    assert found == Counter(["warm", *answers])
    assert {key: ident for key, (_, ident) in answers.items()} == {key: str(submission_id("", key)) for key in answers}
