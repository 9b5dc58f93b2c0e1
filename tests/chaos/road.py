"""A site on both sides of a broker: hosts, workers that take in, and a broker that can be hit; all of them real processes."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chaos.harness import HERE, Child, until
from chaos.road_host import flight_of
from ticketmail import DeliveryState, MailEvent, Scope, TicketMail
from ticketmail.testing.link import Link

_SCRIPTS = HERE.parents[1] / "scripts"
if str(_SCRIPTS) not in sys.path:
    sys.path.insert(0, str(_SCRIPTS))

from local_services import rabbitmq as _rabbitmq  # noqa: E402
from local_services import redis as _redis  # noqa: E402
from local_services.service import wait_for_port  # noqa: E402

ALL = Scope.parse("all")
_MANY = 1_000_000
_AIM_S = 60.0


class Target(Protocol):
    """A broker that can be hit. ``hit`` returns when it is there again."""

    url: str

    def hit(self) -> None: ...
    def close(self) -> None: ...


class CutTarget:
    """A server that others use too: all connections to it are cut."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        login, _, place = rest.rpartition("@")
        server, _, path = place.partition("/")
        host, _, port = server.partition(":")
        self.link = Link(host, int(port))
        self.url = f"{scheme}://{login}@127.0.0.1:{self.link.port}/{path}"

    def hit(self) -> None:
        self.link.cut()
        time.sleep(0.2)
        self.link.heal()

    def close(self) -> None:
        self.link.close()


class KilledTarget:
    """A server of our own: killed and started again on its port, with its files."""

    def __init__(self, kind: str, directory: Path) -> None:
        directory.mkdir()
        self._kind, self._directory = kind, directory
        service = {"rabbitmq": _rabbitmq, "redis": _redis}[kind].SERVICE
        started = service.start(directory, {})
        self._pids: dict[int, int] = dict(started.pids)
        self.url = started.variables[f"TICKETMAIL_TEST_{kind.upper()}"]
        self._port = int(self.url.rpartition("@")[2].partition(":")[2].partition("/")[0])

    def hit(self) -> None:
        self._end(signal.SIGKILL)
        if self._kind == "redis":
            self._pids = {_redis.launch(self._directory): signal.SIGTERM}
        else:
            ports = (int(one) for one in (self._directory / "port").read_text().split())
            self._pids = _rabbitmq.launch(self._directory, _rabbitmq._environment(self._directory, *ports))
        wait_for_port(self._port, self._kind, 60.0)

    def close(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        """The whole session: RabbitMQ's own process is a child of the one that was started."""
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)
        for pid in self._pids:
            os.waitpid(pid, 0)
        until(lambda: not _listens(self._port), 30, f"{self._kind} is gone")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


SETTINGS = """
site = "chaos"
{spool}
[broker]
url = "{broker}"
prefix = "chaos{mark}"
secret = "{secret}"
lease = "6s"
{times}

[accounts.sink]
url = "null://"

[unknown]
evidence_after = "1s"

[worker]
beat = "1s"
"""


@dataclass
class RoadSite:
    """Use as a context manager: all processes end with it. ``outbox_url``: of its hosts; ``times``: of the broker."""

    directory: Path
    spool_url: str
    target: Target
    workers_count: int
    outbox_url: str = ""
    times: str = 'connect_timeout = "3s"\nconfirm_timeout = "10s"'
    children: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        values = {"broker": self.target.url, "mark": secrets.token_hex(3), "secret": secrets.token_hex(16), "times": self.times}
        self.settings = self._written("service.toml", spool=f'spool = "{self.spool_url}"', **values)
        outbox = f'outbox = "{self.outbox_url}"' if self.outbox_url else ""
        self.host_settings = self._written("host.toml", spool=outbox, **values)
        command = [sys.executable, "-m", "ticketmail", "--settings", str(self.settings), "worker"]
        self.workers = [self._child(f"worker{number}", command) for number in range(self.workers_count)]
        self.hosts: list[Child] = []

    def host(self, name: str, count: int, pace_s: float) -> Child:
        """A host process; see ``road_host.py``."""
        self.open_valve(_MANY)
        words = [str(self.host_settings), name, str(count), str(self.record_of(name)), str(pace_s), str(self._valve)]
        child = self._child(name, [sys.executable, str(HERE / "road_host.py"), *words])
        self.hosts.append(child)
        return child

    def record_of(self, name: str) -> Path:
        """What a host knows to be confirmed."""
        return self.directory / f"confirmed-{name}.jsonl"

    @property
    def _valve(self) -> Path:
        return self.directory / "valve"

    def open_valve(self, mails: int) -> None:
        """How many mails each host may have handed over by now."""
        fresh = self._valve.with_suffix(".new")
        fresh.write_text(str(mails))
        fresh.replace(self._valve)

    def publishing(self) -> list[Child]:
        """Hosts with a call on its way."""
        return [host for host in self.hosts if host.runs and self.was_publishing(host)]

    def was_publishing(self, host: Child) -> bool:
        """By its own word; true of a dead one if it died in a call."""
        flight = flight_of(self.record_of(host.name))
        return flight.exists() and flight.read_text() == "1"

    def _written(self, name: str, **values: str) -> Path:
        path = self.directory / name
        path.write_text(SETTINGS.format(**values))
        return path

    def _child(self, name: str, command: list[str]) -> Child:
        env = {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))}
        child = Child(name, command, self.directory / f"{name}.log", env)
        self.children.append(child)
        return child

    def __enter__(self) -> RoadSite:
        with self.mail() as mail:
            mail.administering.upgrade()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            if child.runs:
                child.kill()

    def mail(self) -> TicketMail:
        """The service's facade, of this process's own."""
        return TicketMail(settings=self.settings)

    def counts(self) -> Mapping[DeliveryState, int]:
        """Deliveries by state."""
        with closing(self.mail()) as mail:
            return dict(mail.reading.overview().counts)

    def stored(self) -> int:
        """How many deliveries the spool has."""
        return sum(self.counts().values())

    def all_sent(self, count: int) -> bool:
        """Nothing will move any more."""
        return self.counts() == {DeliveryState.SENT: count}

    def told(self, count: int, seconds: float) -> Counter[str]:
        """Keys that the host hears of as sent, as often; listens until it has heard of ``count``."""
        heard: Counter[str] = Counter()
        stop = threading.Event()

        def handler(event: MailEvent) -> None:
            if event.kind == "sent":
                heard[str(event.key)] += 1
            if len(heard) >= count:
                stop.set()

        timer = threading.Timer(seconds, stop.set)
        timer.start()
        with TicketMail(settings=self.host_settings) as host:
            host.listen(handler, stop=stop)
        timer.cancel()
        return heard


@dataclass
class RoadKills:
    """What was hit; ``publishing``: hosts of these that died in a call."""

    workers: int = 0
    hosts: int = 0
    publishing: int = 0
    broker: int = 0

    @property
    def all(self) -> int:
        return self.workers + self.hosts + self.broker


class RoadKiller:
    """Spreads kills evenly over the run: the nth falls when that part of the mails is in the spool.

    Every ``broker_every``-th hits the broker, the second of every three a host. Hosts are held back so that they have something
    to hand over for as long as there are kills.
    """

    def __init__(self, site: RoadSite, *, kills: int, mails: int, broker_every: int, seed: int) -> None:
        self._site, self._count, self._mails, self._broker_every = site, kills, mails, broker_every
        self._lead = mails // len(site.hosts) // 10
        self._dice = random.Random(seed)
        self.kills = RoadKills()

    def run(self, seconds: float) -> RoadKills:
        """Hit and restart, until all kills are done. Raises AssertionError if the run stalls."""
        for number in range(self._count):
            due = int(self._mails * 0.8 * number / self._count)
            until(lambda due=due: self._progress() >= due, seconds, f"{due} of {self._mails} in the spool", every_s=0.1)  # type: ignore[misc]
            time.sleep(self._dice.uniform(0.0, 0.15))
            self._one(number)
        self._site.open_valve(self._mails)
        return self.kills

    def _progress(self, leads: int = 1) -> int:
        for child in self._site.children:
            assert child.code in (None, 0, -signal.SIGKILL), f"{child.name} ended with {child.code}:\n{child.said()}"
        stored = self._site.stored()
        self._site.open_valve(stored // len(self._site.hosts) + leads * self._lead)
        return stored

    def _one(self, number: int) -> None:
        if number % self._broker_every == self._broker_every - 1:
            self._site.target.hit()
            self.kills.broker += 1
        elif number % 3 == 1:
            self._kill_host()
        else:
            self._again(self._dice.choice(self._site.workers))
            self.kills.workers += 1

    def _kill_host(self) -> None:
        """One that publishes: all get more to hand over for that."""
        self._progress(leads=2)
        until(lambda: bool(self._site.publishing()), _AIM_S, "a host publishes", every_s=0.0005)
        host = self._dice.choice(self._site.publishing() or [one for one in self._site.hosts if one.runs])
        time.sleep(self._dice.uniform(0.0, 0.003))
        self._caught_in_a_call(host)
        host.kill()
        self.kills.hosts += 1
        self.kills.publishing += self._site.was_publishing(host)
        host.start()

    def _caught_in_a_call(self, host: Child) -> None:
        """Stands still in one, if it comes to that in time."""
        end_s = time.monotonic() + _AIM_S
        while host.runs and time.monotonic() < end_s:
            host.send(signal.SIGSTOP)
            time.sleep(0.01)  # by then it stands
            if self._site.was_publishing(host):
                return
            host.send(signal.SIGCONT)
            time.sleep(self._dice.uniform(0.0, 0.003))

    def _again(self, child: Child) -> None:
        child.kill()
        child.start()


@dataclass(frozen=True)
class RoadVerdict:
    """Keys that are not in the spool, that are there twice, that were sent more often than owned up to; copies in all."""

    lost: list[str]
    doubled: list[str]
    unowned: list[str]
    copies: int
    parked: int


def judge(site: RoadSite, keys: set[str]) -> RoadVerdict:
    """What became of ``keys``, by the spool's own books."""
    with closing(site.mail()) as mail:
        views = mail.reading.find(ALL, limit=_MANY)
        rows = mail.reading.log(since_us=0, limit=_MANY, decisions_only=False)
        parked = mail.spool.parking.waiting()
    stored = Counter(str(view.key) for view in views)
    taken = Counter(row.submission_id for row in rows if row.kind == "attempt" and row.outcome == "taken")
    owned = Counter(row.submission_id for row in rows if row.kind in ("unknown", "lease-lost"))
    sent = {view.submission_id: view.key for view in views if view.state is DeliveryState.SENT}
    unowned = [str(key) for ident, key in sent.items() if not 1 <= taken[ident] <= 1 + owned[ident]]
    return RoadVerdict(
        lost=sorted(keys - stored.keys()),
        doubled=sorted(key for key, count in stored.items() if count > 1),
        unowned=unowned,
        copies=sum(taken.values()) - len(taken),
        parked=parked,
    )
