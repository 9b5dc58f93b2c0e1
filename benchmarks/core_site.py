"""What the core's benchmark stands on: the mails, the sink, processes with the CPU they took, percentiles."""

from __future__ import annotations

import os
import random
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path

from ticketmail import Message, Submission

HERE = Path(__file__).parent
_WORDS = ("ticket", "update", "agent", "please", "reply", "above", "line", "printer", "network", "account", "invoice", "delivery")
_DICE = random.Random(42)
_TEXT = "\n".join(" ".join(_DICE.choices(_WORDS, k=10)) for _ in range(16))
_HTML = "".join(f"<p>{' '.join(_DICE.choices(_WORDS, k=12))}</p>\n" for _ in range(24))


def letter(number: int) -> Message:
    """A ticket's notification of about 4 KB on the wire, text and HTML."""
    return Message(
        sender="support@example.com",
        to=f"customer{number}@example.net",
        subject=f"[Ticket #{100000 + number}] Printer does not print",
        text=_TEXT,
        html=_HTML,
    )


def submission(number: int) -> Submission:
    """The same, of a ticket of its own."""
    return Submission(message=letter(number), ticket=str(100000 + number), lane="reply")


def as_mime(number: int) -> bytes:
    """The same as bytes, for peers and bare clients, which are given ready mail."""
    return _template().replace(b"ZZTOZZ", b"customer%d" % number).replace(b"ZZNUMZZ", b"%d" % (100000 + number))


@cache
def _template() -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = "support@example.com", "ZZTOZZ@example.net"
    mail["Subject"], mail["Message-ID"] = "[Ticket #ZZNUMZZ] Printer does not print", "<ZZNUMZZ@example.com>"
    mail.set_content(_TEXT)
    mail.add_alternative(_HTML, subtype="html")
    return mail.as_bytes()


@dataclass(frozen=True, slots=True)
class Latency:
    """Of calls: how many, and two percentiles in milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float


def timed(call: Callable[[int], object], numbers: Sequence[int]) -> Latency:
    """``call`` for each number; the first ten pay for opening and are left out."""
    spent: list[float] = []
    for number in numbers:
        began = time.perf_counter()
        call(number)
        spent.append((time.perf_counter() - began) * 1000)
    spent = sorted(spent[10:])
    return Latency(len(spent), spent[len(spent) // 2], spent[int(len(spent) * 0.99)])


@dataclass(frozen=True, slots=True)
class Drain:
    """Mails a second from the first to the last that arrived, and milliseconds of CPU a mail (start included)."""

    count: int
    per_s: float
    cpu_ms: float


class Sink:
    """The sink, as a process."""

    def __init__(self, port: int) -> None:
        self.port = port

    def tally(self) -> tuple[int, float, float]:
        """Mails taken, and the monotonic seconds of the first and the last."""
        with smtplib.SMTP("127.0.0.1", self.port) as asking:
            _, text = asking.docmd("STAT")
        count, first_s, last_s = text.split()
        return int(count), float(first_s), float(last_s)

    def wait(self, count: int, most_s: float) -> None:
        """Until ``count`` mails are in. Raises TimeoutError."""
        end_s = time.monotonic() + most_s
        while (found := self.tally()[0]) < count:
            if time.monotonic() > end_s:
                raise TimeoutError(f"{found} of {count} mails arrived within {most_s:.0f} s")
            time.sleep(0.05)


@contextmanager
def sink() -> Iterator[Sink]:
    """A fresh sink; its figures begin at none."""
    with subprocess.Popen([sys.executable, str(HERE / "core_sink.py")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Sink(int(process.stdout.readline()))
        finally:
            process.kill()


def drained(command: Sequence[str], into: Sink, count: int, *, most_s: float = 300.0, **env: str) -> Drain:
    """Run ``command`` (a process group of its own) until ``count`` mails have arrived, then stop it."""
    before = _children_s()
    process = subprocess.Popen(
        command,
        env={**os.environ, **env},
        cwd=HERE,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        into.wait(count, most_s)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    found, first_s, last_s = into.tally()
    return Drain(found, (found - 1) / max(last_s - first_s, 1e-6), (_children_s() - before) * 1000 / found)


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
