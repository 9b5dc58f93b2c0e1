"""``ticketmail demo``: 500 mails through a limited local server, the worker killed once, nothing lost; beside it bare smtplib."""

from __future__ import annotations

import contextlib
import json
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from queue import Empty, SimpleQueue

from ticketmail.app.cli.output import Output, Table
from ticketmail.app.facade import TicketMail
from ticketmail.domain.message import Message
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import DeliveryView, Overview
from ticketmail.domain.scope import Scope
from ticketmail.domain.submission import Submission

RATE, CONNECTIONS = 30, 3
LANES = {"reply": 100, "notice": 150, "bulk": 250}
KILL_AT = 120  #: mails at the server when the worker is killed
PATIENCE_S = 55.0
_ENDED = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEAD, DeliveryState.EXPIRED)


@dataclass
class _Server:
    """The kit's SMTP server as a process of its own: 30 mails a second, 3 connections, 450 and 421 to the rest."""

    journal: Path
    process: subprocess.Popen[str]
    port: int
    last_words: str = ""

    def taken(self) -> list[str]:
        """Message-IDs in the order in which they were taken."""
        if not self.journal.exists():
            return []
        return [json.loads(line)["message_id"] for line in self.journal.read_text().splitlines() if line.endswith("}")]

    @property
    def refused(self) -> int:
        """Refusals, known once it has stopped."""
        return int(self.last_words.split("refused ")[1].split(",")[0]) if "refused " in self.last_words else 0


@dataclass
class _Bare:
    """The same mails by smtplib: what was not taken at once is gone."""

    taken: int = 0
    lost: Counter[str] = field(default_factory=Counter)


def run_demo(out: Output) -> int:
    """Returns 0 if nothing was lost, 1 otherwise. Needs no root, no server, no network. Takes about half a minute."""
    with tempfile.TemporaryDirectory(prefix="ticketmail-demo-") as folder:
        return _Demo(out, Path(folder)).run()


class _Demo:
    """One run in one folder."""

    def __init__(self, out: Output, folder: Path) -> None:
        self._out = out
        self._folder = folder
        self._killed_with = 0

    def run(self) -> int:
        with _server(self._folder / "smtplib.jsonl") as bare_server, _server(self._folder / "ticketmail.jsonl") as server:
            self._out.line(f"A local mail server takes {RATE} mails a second on {CONNECTIONS} connections and refuses the rest.")
            bare = _Bare()
            beside = threading.Thread(target=_by_smtplib, args=(bare_server.port, bare))
            beside.start()
            with TicketMail(settings=_settings(self._folder, server.port)) as mail:
                hand_over_s = self._hand_over(mail)
                started_s = time.monotonic()
                self._send(mail, server)
                took_s = time.monotonic() - started_s
                beside.join()
                _stop(server)
                return self._tell(mail, server, bare, hand_over_s, took_s)

    def _hand_over(self, mail: TicketMail) -> list[float]:
        """Each mail in a call of its own, as tickets come; the seconds that each took."""
        mail.prepare()
        seconds = []
        for submission in _submissions():
            before_s = time.perf_counter()
            mail.submit(submission)
            seconds.append(time.perf_counter() - before_s)
        self._out.line(f"{len(seconds)} ticket mails of {len(LANES)} lanes handed over in {sum(seconds):.2f} s. A worker starts.")
        return seconds

    def _send(self, mail: TicketMail, server: _Server) -> None:
        """Until every mail has ended, or patience has; the worker is killed once on the way."""
        worker, killed = self._worker(), False
        deadline_s, shown_s = time.monotonic() + PATIENCE_S, 0.0
        try:
            while time.monotonic() < deadline_s:
                overview = mail.reading.overview()
                if time.monotonic() - shown_s > 1.5:
                    shown_s = time.monotonic()
                    self._progress(overview)
                if sum(overview.counts.get(state, 0) for state in _ENDED) >= sum(LANES.values()):
                    return
                if not killed and overview.counts.get(DeliveryState.SENDING, 0) and len(server.taken()) >= KILL_AT:
                    killed = True
                    worker = self._kill(mail, worker)
                time.sleep(0.05)
        finally:
            worker.terminate()
            worker.wait(timeout=15)

    def _kill(self, mail: TicketMail, worker: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        worker.kill()
        worker.wait()
        self._killed_with = mail.reading.overview().counts.get(DeliveryState.SENDING, 0)
        self._out.line(
            f"kill -9: the worker is gone, {self._killed_with} mails were on their way. Another one starts.", "bold red"
        )
        return self._worker()

    def _worker(self) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "ticketmail", "--settings", str(self._folder / "ticketmail.toml"), "worker"]
        with (self._folder / "worker.log").open("ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log)  # noqa: S603 - our own module

    def _progress(self, overview: Overview) -> None:
        sent, total = overview.counts.get(DeliveryState.SENT, 0), sum(LANES.values())
        waiting = {lane: sum(one.queued for one in overview.lanes if one.lane == lane) for lane in LANES}
        filled = 30 * sent // total
        lanes = ", ".join(f"{lane} {count}" for lane, count in waiting.items())
        self._out.line(f"  [{'#' * filled}{'.' * (30 - filled)}] {sent:3}/{total} sent; waiting: {lanes}")

    def _tell(self, mail: TicketMail, server: _Server, bare: _Bare, hand_over_s: Sequence[float], took_s: float) -> int:
        views = list(mail.reading.find(Scope.parse("all"), limit=10 * len(hand_over_s)))
        at_server = Counter(server.taken())
        copies = sum(count - 1 for count in at_server.values())
        # A dead letter waits for a human: it is listed, not lost. Whatever else has ended must be at the server.
        ended = [view for view in views if view.state in _ENDED and view.state is not DeliveryState.DEAD]
        lost = [view for view in ended if view.message_id not in at_server]
        missing = len(hand_over_s) - len(views) + len(lost)
        sent = sum(view.state is DeliveryState.SENT for view in views)
        self._out.line("")
        self._out.line(
            f"{len(views)} mails handed over in {sum(hand_over_s):.2f} s, sent in {took_s:.0f} s through {RATE} a second: "
            f"worker killed once with {self._killed_with} on their way, {server.refused} refused and sent again later, "
            f"{missing} lost, {copies} arrived twice.",
            "bold green" if not missing else "bold red",
        )
        self._out.table(_figures(views, hand_over_s))
        gone = sum(bare.lost.values())
        words = "; ".join(f"{count} x {text}" for text, count in bare.lost.most_common(3))
        self._out.line(
            f"The same {sum(LANES.values())} mails by bare smtplib: {bare.taken} taken, {gone} refused and gone ({words})."
        )
        self._why(mail, views)
        return 0 if not missing and sent == len(hand_over_s) else 1

    def _why(self, mail: TicketMail, views: Sequence[DeliveryView]) -> None:
        slowest = max(views, key=lambda view: (view.ended_us or 0) - view.accepted_us)
        self._out.line("")
        self._out.line(f"ticketmail why {slowest.submission_id}  (the slowest)", "bold")
        for answer in mail.why(slowest.submission_id):
            for sentence in answer.sentences:
                self._out.line(f"  {sentence.text}")


def _figures(views: Sequence[DeliveryView], hand_over_s: Sequence[float]) -> Table:
    rows: list[Sequence[object]] = []
    for lane in LANES:
        mine = [view for view in views if view.lane == lane]
        waits = sorted(
            (view.ended_us - view.accepted_us) / 1e6 for view in mine if view.state is DeliveryState.SENT and view.ended_us
        )
        again = sum(view.fence > 1 for view in mine)
        rows.append((lane, len(mine), len(waits), again, f"{_rank(waits, 0.5):.1f} s", f"{_rank(waits, 0.99):.1f} s"))
    ordered = sorted(hand_over_s)
    rows.append(
        ("hand-over", len(ordered), "", "", f"{_rank(ordered, 0.5) * 1e3:.1f} ms", f"{_rank(ordered, 0.99) * 1e3:.1f} ms")
    )
    return Table(["lane", "mails", "sent", "claimed again", "p50", "p99"], rows, right=(1, 2, 3, 4, 5))


def _rank(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def _settings(folder: Path, port: int) -> Path:
    """What a host would write, but for evidence: the default waits 15 minutes for proof, a demo cannot."""
    path = folder / "ticketmail.toml"
    path.write_text(
        f'site = "demo"\nspool = "sqlite:///{folder}/spool.db"\n'
        f'[accounts.support]\nurl = "smtp://127.0.0.1:{port}"\nlimits = ["{RATE}/s"]\nconnections = {CONNECTIONS}\n'
        '[unknown]\nevidence_after = ["1s"]\n'
    )
    return path


def _submissions() -> list[Submission]:
    """500 mails as a morning brings them: bulk first, so that replies have something to overtake."""
    made = []
    for lane in reversed(LANES):
        for number in range(LANES[lane]):
            message = Message(
                sender="Help <help@example.com>",
                to=f"customer{number}@example.net",
                subject=f"[{lane}] Your ticket {number}",
                text="Good morning,\n\nwe have looked at your ticket.\n\nYour support\n",
            )
            made.append(Submission(message=message, ticket=f"{lane}-{number}", lane=lane, key=f"{lane}-{number}"))
    return made


@contextlib.contextmanager
def _server(journal: Path) -> Iterator[_Server]:
    argv = [sys.executable, "-m", "ticketmail.testing.smtpd", "--rate", str(RATE), "--connections", str(CONNECTIONS)]
    argv += ["--dot-delay", "0.05"]  # as if it were not next door: so that the kill finds mails on their way
    process = subprocess.Popen([*argv, "--journal", str(journal)], stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        first = process.stdout.readline() if process.stdout else ""
        yield _Server(journal, process, int(first.rpartition(":")[2]))
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def _stop(server: _Server) -> None:
    server.process.terminate()
    server.last_words = server.process.communicate()[0]


def _by_smtplib(port: int, bare: _Bare) -> None:
    """Six threads, a connection per mail, no second try: what many a ticketing system does."""
    todo: SimpleQueue[Submission] = SimpleQueue()
    for submission in _submissions():
        todo.put(submission)

    def work() -> None:
        with contextlib.suppress(Empty):
            while True:
                _one_by_smtplib(port, todo.get_nowait().message, bare)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _one_by_smtplib(port: int, message: Message, bare: _Bare) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = str(message.sender), str(message.to[0]), message.subject
    mail.set_content(message.text or "")
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            client.send_message(mail)
        bare.taken += 1
    except (smtplib.SMTPException, OSError) as error:
        bare.lost[_said(error)] += 1


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {text}"[:60]
    return type(error).__name__
