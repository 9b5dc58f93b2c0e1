"""``ticketmail worker --processes 2``: both send, a killed one is replaced, all drain, each answers for itself."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from chaos.harness import Child, InFlight, Site, until
from chaos.verdict import judge
from ticketmail import DeliveryState

pytestmark = [pytest.mark.chaos, pytest.mark.postgresql, pytest.mark.timeout(240)]

S = DeliveryState


def alive(site: Site) -> set[int]:
    """Process ids of the workers that beat."""
    with closing(site.mail()) as mail:
        return {one.pid for one in mail.reading.workers() if one.alive and one.retired_us is None}


def page(site: Site, place: int, path: str) -> tuple[int, str]:
    """What the process at ``place`` answers; 0 if nobody listens."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{site.http + place}{path}", trust_env=False, timeout=5)
    except httpx.TransportError:
        return 0, ""
    return answer.status_code, answer.text


def sent(site: Site, place: int) -> float:
    """How many mails that process sent, by its own metrics."""
    return sum(
        float(value) for value in re.findall(r"^ticketmail_sent_total\{.*\} (\S+)$", page(site, place, "/metrics")[1], re.M)
    )


def all_answer(site: Site) -> bool:
    return all(page(site, place, path)[0] == 200 for place in (0, 1) for path in ("/healthz", "/readyz", "/metrics"))


def test_two_processes_send_are_replaced_and_drain(postgresql_url: str, tmp_path: Path) -> None:
    manager = Manager(tmp_path / "notify")
    environ = manager.environ
    site = Site(tmp_path / "site", postgresql_url, connections=2, dot_delay_s=0.05, workers_count=0, worker_env=environ)
    with site, manager:
        worker = site.worker("worker0", "--processes", "2")
        site.workers.append(worker)
        site.hand_over(150, "first")
        worker.start()
        until(lambda: len(alive(site)) == 2 and all_answer(site), 30, f"two workers answer; {worker.said()}")
        until(lambda: min(sent(site, 0), sent(site, 1)) > 0, 30, "both have sent")
        in_flight = _kill_one(site)
        until(lambda: len(alive(site)) == 2 and all_answer(site), 30, f"a killed one is replaced; {worker.said()}")
        site.hand_over(100, "second")
        until(lambda: min(sent(site, 0), sent(site, 1)) > 0, 30, "the new one sends, too")
        _drains(site, worker)
        told = manager.heard
        assert (told.count("READY=1"), told.count("STOPPING=1")) == (1, 1)  # from the one that systemd watches, not from each
        assert told.count("WATCHDOG=1") > 5
        worker.start()
        site.heal(60)
        verdict = judge(site, in_flight, ["first", "second"])
        assert verdict.problems() == []
        assert verdict.accepted == 250
        assert worker.stop() == 0
        assert site.leaks() == []


class Manager:
    """A service manager's socket, and what it hears. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000"}
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._listener = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        while said := self._socket.recv(4096):
            self.heard += said.decode().splitlines()

    def __enter__(self) -> Manager:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.environ["NOTIFY_SOCKET"])
        self._listener.join()
        self._socket.close()


def _kill_one(site: Site) -> set[InFlight]:
    """SIGKILL, while something is in flight. What that was."""
    victim = min(alive(site))
    os.kill(victim, signal.SIGSTOP)
    in_flight = site.sending()
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in alive(site), 30, "the dead one is known to be dead")
    return in_flight


def _drains(site: Site, worker: Child) -> None:
    """SIGTERM in the middle: all that was begun ends, and nothing stays claimed."""
    before, unknown = alive(site), site.counts().get(S.UNKNOWN, 0)
    assert worker.stop(45) == 0, worker.said()
    counts = site.counts()
    assert (counts.get(S.SENDING, 0), counts.get(S.CLAIMED, 0)) == (0, 0)
    assert counts.get(S.UNKNOWN, 0) <= unknown
    assert alive(site) == set()
    assert [pid for pid in before if Path(f"/proc/{pid}").exists()] == []
