"""A site under test: settings, a slow mail server, workers and submitters, all real processes, and a spool to look into."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from chaos.canary import Canary, files_below, rows_of
from chaos.sink import USER, Journal, Live, journal_of, sink_command
from chaos.submitter import run as run_submitter
from ticketmail import DeliveryState, Scope, TicketMail
from ticketmail.domain.ports.reading import DeliveryView

HERE = Path(__file__).parent
ALL = Scope.parse("all")
UNFINISHED = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING)
_MANY = 1_000_000

#: One claim that was sending when something was killed: (submission, number, fence).
InFlight = tuple[UUID, int, int]


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float, what: str, every_s: float = 0.02) -> None:
    """Poll, bounded. Raises AssertionError naming ``what`` did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(every_s)


class Child:
    """A process of ours with a log of its own; always the same command, started as often as need be."""

    def __init__(self, name: str, command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name, self.log = name, log
        self._command = command
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again)."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def send(self, number: int) -> None:
        """A signal, to that very process."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=30)

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM; its exit code. Killed (and AssertionError) if it does not end in time."""
        assert self._process is not None
        self._process.terminate()
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds:.0f} s:\n{self.said()}") from None

    def said(self, lines: int = 25) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def ended(workers: Sequence[Child], mail: TicketMail) -> list[int]:
    """SIGTERM to each when it works, for one that was just started would not hear it yet; their exit codes."""
    pids = {worker.pid for worker in workers}
    until(lambda: pids <= {one.pid for one in mail.reading.workers() if one.alive}, 60, "all workers are at work", every_s=0.25)
    return [worker.stop() for worker in workers]


SETTINGS = """
site = "chaos"
secret = "{secret}"

[spool]
url = "{spool}"
order_wait = "6h"

[accounts.desk]
url = "smtp://{user}:{password}@127.0.0.1:{port}"
allow_plaintext = true
connections = {connections}
{account}

[unknown]
evidence_after = "1s"

[retry]
transient = "1s"
connection = "1s"
greylist = "2s"

[worker]
drain = "30s"
beat = "1s"
http = "127.0.0.1:{http}"
{more}
"""


@dataclass
class Site:
    """Use as a context manager: all processes end with it. ``connections / dot_delay_s`` is the sink's pace."""

    directory: Path
    spool_url: str
    connections: int = 4
    dot_delay_s: float = 0.04
    workers_count: int = 1
    account: str = ""  #: more settings of the account
    more: str = ""
    worker_env: dict[str, str] = field(default_factory=dict)
    password: Canary = field(default_factory=Canary)
    secret: Canary = field(default_factory=Canary)

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.logs = self.directory / "logs"
        self.logs.mkdir(exist_ok=True)
        self.settings = self.directory / "ticketmail.toml"
        self.port, self.http = free_port(), free_port()
        self.children: list[Child] = []
        self.write_settings()
        sink = sink_command(self.directory, port=self.port, password=self.password.secret, dot_delay_s=self.dot_delay_s)
        self.sink = self._child("sink", sink)
        self.workers = [self.worker(f"worker{number}") for number in range(self.workers_count)]
        self.live = Live(self.directory)

    def write_settings(self) -> None:
        """The settings file, from what the fields say now."""
        values = {"secret": self.secret.secret, "spool": self.spool_url, "user": USER, "password": self.password.in_url}
        values |= {
            "port": str(self.port),
            "http": str(self.http),
            "connections": str(self.connections),
            "more": self.more,
            "account": self.account,
        }
        self.settings.write_text(SETTINGS.format(**values))

    def worker(self, name: str) -> Child:
        """A worker process. The first has the health page, for a port is one process's."""
        first = name == "worker0"
        env = self.worker_env if first else {**self.worker_env, "TICKETMAIL_WORKER__HTTP": ""}
        command = [sys.executable, "-m", "ticketmail", "--settings", str(self.settings), "worker"]
        return self._child(name, command, env)

    def submitter(self, mode: str, name: str, count: int, pace_s: float = 0.0) -> Child:
        """A host process; see ``submitter.py``."""
        script = str(HERE / "submitter.py")
        words = [str(self.settings), mode, name, str(count), str(self.record_of(name)), str(pace_s), self.spool_url]
        return self._child(name, [sys.executable, script, *words])

    def record_of(self, name: str) -> Path:
        """What a submitter knows to be accepted."""
        return self.directory / f"accepted-{name}.jsonl"

    @property
    def journal(self) -> Journal:
        """What the mail server took."""
        return journal_of(self.directory)

    def _child(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> Child:
        child = Child(name, command, self.logs / f"{name}.log", env)
        self.children.append(child)
        return child

    def __enter__(self) -> Site:
        with self.mail() as mail:
            mail.administering.upgrade()
        self.start_sink()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            if child.runs:
                child.send(signal.SIGCONT)
                child.kill()

    def start_sink(self) -> None:
        """Start the mail server and wait until it listens."""
        self.sink.start()
        until(self._sink_listens, 15, "the sink listens")

    def _sink_listens(self) -> bool:
        assert self.sink.runs, self.sink.said()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def command(self, *words: str) -> tuple[int, str]:
        """Run ``ticketmail``; its exit code and all it says."""
        command = [sys.executable, "-m", "ticketmail", "--settings", str(self.settings), *words]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    # --- looking in -------------------------------------------------------------------------------------------------------

    def mail(self) -> TicketMail:
        """A facade of this process's own."""
        return TicketMail(settings=self.settings)

    def counts(self) -> dict[DeliveryState, int]:
        """Deliveries by state."""
        with closing(self.mail()) as mail:
            return dict(mail.reading.overview().counts)

    def views(self, *states: DeliveryState) -> list[DeliveryView]:
        """All deliveries, or those in these states."""
        with closing(self.mail()) as mail:
            return list(mail.reading.find(ALL, states=states, limit=_MANY))

    def sending(self) -> set[InFlight]:
        """What is in flight by the spool's word: ask while nobody can change it."""
        return {(view.submission_id, view.number, view.fence) for view in self.views(DeliveryState.SENDING)}

    def hand_over(self, count: int, name: str = "direct") -> None:
        """``count`` mails from this process, recorded as a submitter's are."""
        run_submitter(str(self.settings), "many", name, count, self.record_of(name), 0.0, self.spool_url)

    def leaks(self) -> list[str]:
        """Where a planted secret can be seen: logs, records, the spool's files or rows."""
        texts = files_below(self.directory, but=[self.settings])
        if not self.spool_url.startswith("sqlite"):
            texts |= rows_of(self.spool_url)
        else:
            file = Path(self.spool_url.removeprefix("sqlite:///"))
            texts |= {str(path): path.read_bytes() for path in file.parent.glob(f"{file.name}*")}
        return [*self.password.leaks(texts), *self.secret.leaks(texts)]

    def quiescent(self) -> bool:
        """Nothing will move any more: all ended, or UNKNOWN and waiting for a human. One look: what is UNKNOWN may be sent once
        more, so that between two looks it is gone from the states of both."""
        moves = self.views(*UNFINISHED, DeliveryState.UNKNOWN)
        return all(view.state is DeliveryState.UNKNOWN and view.due_us is None for view in moves)

    def heal(self, seconds: float) -> None:
        """Bring everything up and wait until nothing moves."""
        if not self.sink.runs:
            self.start_sink()
        for worker in self.workers:
            if not worker.runs:
                worker.start()
        until(self.quiescent, seconds, f"all mail has come to an end ({self.counts()}); {self.workers[0].said()}", every_s=0.25)
