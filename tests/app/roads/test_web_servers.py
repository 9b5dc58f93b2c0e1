"""Hosts under a real gunicorn (forked when warm, threads in each worker) and a real uvicorn (processes with an event loop each),
one worker of them killed: nothing lost or mixed up."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.kombu.servers import url_of
from app.roads.taking import orders
from chaos.harness import Child, free_port, until
from ticketmail import TicketMail
from ticketmail.app.usecases.compile import submission_id
from ticketmail.app.wiring.brokering import broker_of

SERVERS = {"rabbitmq": "TICKETMAIL_TEST_RABBITMQ", "redis": "TICKETMAIL_TEST_REDIS"}
WORKERS = 3


@dataclass(frozen=True)
class Web:
    """A web server: what follows ``python -m``, before the port; its word for a worker that is up; the mails of its app."""

    command: tuple[str, ...]
    up: str
    at_import: tuple[str, ...] = ()
    each: tuple[str, ...] = ("",)


GUNICORN = ("gunicorn", "app.roads.desk:app", "--preload", f"--workers={WORKERS}", "--threads=4", "--worker-class=gthread")
UVICORN = ("uvicorn", "app.roads.async_desk:app", f"--workers={WORKERS}")
WEBS = {
    "gunicorn": Web((*GUNICORN, "--graceful-timeout=5", "--bind=127.0.0.1:{port}"), "Booting worker", at_import=("warm",)),
    "uvicorn": Web(
        # It kills a worker that is silent for 5 s, which on a busy machine is no fault.
        (*UVICORN, "--timeout-worker-healthcheck=300", "--lifespan=off", "--host=127.0.0.1", "--port={port}"),
        "Started server process",
        each=("", ".too"),
    ),
}


@pytest.fixture(params=sorted(SERVERS))
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"broker": {"url": url_of(SERVERS[request.param]), "prefix": f"t{uuid.uuid4().hex[:12]}"}}


@pytest.fixture(params=sorted(WEBS))
def web(request: pytest.FixtureRequest) -> Web:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return WEBS[request.param]


@pytest.fixture
def desk(web: Web, settings: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """Its address, when all its workers are up."""
    port = free_port()
    command = [sys.executable, "-m", *(word.format(port=port) for word in web.command)]
    env = {"DESK": json.dumps(settings), "PYTHONPATH": str(Path(__file__).parents[2])}
    child = Child(web.command[0], command, tmp_path / "web.log", env)
    child.start()
    try:
        until(lambda: child.said().count(web.up) == WORKERS or not child.runs, 120, f"{child.name}'s workers are up")
        assert child.runs, child.said()
        yield f"http://127.0.0.1:{port}"
    finally:
        child.stop()
        print(child.said())  # pytest shows it where the test failed


def handed_over(desk: str, keys: list[str]) -> dict[str, tuple[int, str]]:
    """Process and id by key, twelve at once."""

    def one(key: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"{desk}/{key}", timeout=90) as answer:
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


@pytest.mark.timeout(400)  # servers that start where everything else does, too
def test_workers_of_a_web_server_hand_over_each_mail_once(web: Web, settings: dict[str, Any], desk: str) -> None:
    first = handed_over_by_several(desk)
    killed = min(pid for pid, _ in first.values())
    os.kill(killed, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{killed}").exists(), 90, "the killed worker is gone")
    answers = first | handed_over(desk, [f"after.{n}" for n in range(60)])

    broker = broker_of(TicketMail(settings=settings).settings)
    keys = [*web.at_import, *(f"{key}{more}" for key in answers for more in web.each)]
    found = Counter(order.submission.key for order in orders(broker, len(keys)))
    broker.close()

    assert found == Counter(keys)
    assert {key: ident for key, (_, ident) in answers.items()} == {key: str(submission_id("", key)) for key in answers}
