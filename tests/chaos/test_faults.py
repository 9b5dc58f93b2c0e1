"""Servers that die, disks that fill, workers that freeze: the mail waits, and nothing is sent twice without a word."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chaos.conftest import ON_MARIADB, SERVERS
from chaos.faults import DatabaseServer, MariadbServer, PostgresqlServer, fill, small_disk
from chaos.harness import InFlight, Site, until
from chaos.verdict import judge
from ticketmail import DeliveryState, SpoolFull

pytestmark = pytest.mark.chaos

_SERVERS = {PostgresqlServer: [pytest.mark.postgresql], MariadbServer: ON_MARIADB}
FULL = os.environ.get("TICKETMAIL_TEST_CHAOS") == "full"
needs_minutes = pytest.mark.skipif(not FULL, reason="takes over a minute: `make chaos` runs it")


@pytest.fixture(params=[pytest.param(server, marks=mark) for server, mark in _SERVERS.items()])
def database(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    server: DatabaseServer = request.param()
    yield server
    server.remove()


def _all_sent(site: Site, in_flight: set[InFlight], names: list[str], seconds: float = 150.0) -> int:
    """Heal, judge, and look for leaks; the copies beyond the first."""
    site.heal(seconds)
    verdict = judge(site, in_flight, names)
    assert site.workers[0].stop() == 0
    assert verdict.problems() == []
    assert set(verdict.states) <= {"sent", "unknown"}
    assert site.leaks() == []
    return verdict.copies


@pytest.mark.timeout(240)
def test_a_mail_server_killed_with_bodies_in_flight_loses_nothing(spool_url: str, tmp_path: Path) -> None:
    """Copies: no more than connections that were cut after their body began."""
    with Site(tmp_path / "site", spool_url) as site:
        site.hand_over(120)
        worker = site.workers[0]
        worker.start()
        until(lambda: site.live.taken > 20 and site.live.bodies > 0, 30, "mail is going out")
        worker.send(signal.SIGSTOP)
        in_flight = site.sending()
        site.sink.kill()
        worker.send(signal.SIGCONT)
        time.sleep(1.0)  # the server is away for a while: connections are refused
        assert worker.runs
        copies = _all_sent(site, in_flight, ["direct"])
        assert copies <= site.connections


@pytest.mark.timeout(120)
def test_sigterm_lets_what_is_in_flight_end_and_nothing_is_unknown(spool_url: str, tmp_path: Path) -> None:
    with Site(tmp_path / "site", spool_url, dot_delay_s=1.5) as site:
        site.hand_over(12)
        worker = site.workers[0]
        worker.start()
        until(lambda: site.live.bodies == site.connections, 30, "all connections carry a body")
        taken = site.live.taken
        assert worker.stop(30) == 0
        counts = site.counts()
        assert counts.get(DeliveryState.SENT, 0) >= taken + site.connections
        assert [counts.get(state, 0) for state in (DeliveryState.CLAIMED, DeliveryState.SENDING, DeliveryState.UNKNOWN)] == [
            0,
            0,
            0,
        ]
        assert _all_sent(site, set(), ["direct"]) == 0


@pytest.mark.timeout(120)
def test_a_second_sigterm_ends_at_once_and_says_unknown(spool_url: str, tmp_path: Path) -> None:
    with Site(tmp_path / "site", spool_url, dot_delay_s=60.0) as site:
        site.hand_over(12)
        worker = site.workers[0]
        worker.start()
        until(lambda: site.live.bodies == site.connections, 30, "all connections carry a body")
        worker.send(signal.SIGTERM)
        until(lambda: site.counts().get(DeliveryState.CLAIMED, 0) == 0, 10, "what was only claimed has been given back")
        assert worker.stop(15) == 0
        assert site.counts() == {DeliveryState.QUEUED: 12 - site.connections, DeliveryState.UNKNOWN: site.connections}


@pytest.mark.timeout(180)
def test_a_frozen_worker_on_sqlite_keeps_its_mails_and_goes_on(tmp_path: Path) -> None:
    """Its file lock says that it lives: nobody takes its leases, so there are no copies."""
    with Site(tmp_path / "site", f"sqlite:///{tmp_path}/spool.db", workers_count=1) as site:
        site.hand_over(60)
        worker = site.workers[0]
        worker.start()
        until(lambda: site.live.bodies > 0, 30, "a body is in flight")
        worker.send(signal.SIGSTOP)
        time.sleep(3.0)
        worker.send(signal.SIGCONT)
        assert _all_sent(site, set(), ["direct"]) == 0


@needs_minutes
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", SERVERS)
def test_a_frozen_worker_whose_leases_were_taken_changes_nothing_when_it_wakes(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Its outcomes come too late: they are evidence. It registers anew and goes on."""
    with Site(tmp_path / "site", request.getfixturevalue(f"{kind}_url"), workers_count=2) as site:
        site.hand_over(1200)
        zombie, other = site.workers
        zombie.start()
        until(lambda: site.live.taken > 10 and site.live.bodies > 0, 30, "mail is going out")
        zombie.send(signal.SIGSTOP)
        in_flight = site.sending()
        other.start()
        until(lambda: not in_flight & site.sending(), 90, "the frozen worker's leases have been taken")
        zombie.send(signal.SIGCONT)
        _all_sent(site, in_flight, ["direct"])
        assert zombie.code == 0
        assert other.stop() == 0


@pytest.mark.timeout(360)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_restart_costs_no_mail_and_makes_no_copy(database: DatabaseServer, mode: str, tmp_path: Path) -> None:
    """Worker and hosts go on by themselves; outcomes wait in memory until they can be written."""
    with Site(tmp_path / "site", database.url) as site:
        modes = ("one", "joined")
        submitters = [site.submitter(kind, f"{kind}{number}", 150, pace_s=0.01) for number, kind in enumerate(modes)]
        for child in [*site.workers, *submitters]:
            child.start()
        until(lambda: site.live.taken > 20 and site.live.bodies > 0, 60, "mail is going out")
        database.restart(mode)
        for child in submitters:
            assert child.wait(200) == 0, child.said()
        assert _all_sent(site, set(), ["one0", "joined1"]) == 0


@pytest.mark.timeout(120)
def test_the_watchdog_is_fed_while_the_database_is_away(database: DatabaseServer, tmp_path: Path) -> None:
    """A worker without its database lives, and holds outcomes in memory: systemd must not kill it for that."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.setblocking(False)
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000"}
    with closing(heard), Site(tmp_path / "site", database.url, worker_env=env) as site:
        site.workers[0].start()
        until(lambda: any("READY=1" in text for text in _datagrams(heard)), 20, "the worker is ready")
        database.stop()
        time.sleep(2.0)
        _datagrams(heard)
        until(lambda: any("WATCHDOG=1" in text for text in _datagrams(heard)), 8, "the watchdog hears of it")
        database.start()
        assert site.workers[0].stop() == 0


def _datagrams(heard: socket.socket) -> list[str]:
    texts = []
    with suppress(BlockingIOError):
        while True:
            texts.append(heard.recv(4096).decode())
    return texts


def _hand_over_until_refused(site: Site, disk: Path) -> list[str]:
    """What is free within the file's own pages is used up first, and what the ballast made free is taken. The names used."""
    names: list[str] = []
    for number in range(400):
        fill(disk / f"somebody else's file {number}")
        names.append(f"refused{number}")
        try:
            site.hand_over(40, names[-1])
        except SpoolFull:
            return names
    pytest.fail("the disk was never full")


@pytest.mark.root
@pytest.mark.timeout(240)
def test_a_full_disk_refuses_new_mail_pauses_sending_and_makes_no_copy(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as disk, Site(tmp_path / "site", f"sqlite:///{disk}/spool.db") as site:
        site.hand_over(150)
        worker = site.workers[0]
        worker.start()
        until(lambda: site.live.taken > 20 and site.live.bodies > 0, 30, "mail is going out")
        names = _hand_over_until_refused(site, disk)
        until(
            lambda: "free" in worker.log.read_text().lower() or "full" in worker.log.read_text().lower(), 30, "the worker says so"
        )
        assert worker.runs
        for file in disk.glob("somebody else's file*"):
            file.unlink()
        assert _all_sent(site, set(), ["direct", *names]) == 0
