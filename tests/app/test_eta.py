"""The receipt's ETA comes from a look that was taken before; a hand-over never waits for one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ticketmail import Message, TicketMail
from ticketmail.app.usecases import eta
from ticketmail.app.usecases.eta import FIRST_S, FRESH_S, KEPT_FOR_S, OLD_S, Foresight
from ticketmail.app.usecases.report import Facts
from ticketmail.domain.errors import SpoolUnreachable
from ticketmail.domain.ports.delivering import WorkerInfo
from ticketmail.domain.ports.reading import Overview

NOTE = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def now_us(self) -> int:
        return int(self.s * 1e6)

    def monotonic_s(self) -> float:
        return self.s


class Slow:
    """A spool whose look takes as long as a test likes."""

    def __init__(self, clock: Clock, takes_s: float = 0.0) -> None:
        self.looks, self._clock, self._takes_s = 0, clock, takes_s
        self.go_on = threading.Event()
        self.go_on.set()

    def overview(self) -> Overview:
        self.looks += 1
        self.go_on.wait(10)
        self._clock.s += self._takes_s
        raise SpoolUnreachable("gone")


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[TicketMail]:
    accounts = {"support": {"url": "null://", "limits": ["10/min"]}}
    with TicketMail(settings={}, spool=f"sqlite:///{tmp_path}/spool.db", accounts=accounts) as made:
        asyncio.run(_register(made))
        yield made


async def _register(mail: TicketMail) -> None:
    side = mail.spool.worker_side()
    await side.workers.register(WorkerInfo("h", 1, "1", mail.settings.site))


def test_a_process_that_has_not_looked_says_so(mail: TicketMail) -> None:
    receipt = mail.submit(NOTE)
    assert receipt.eta_us is None
    assert "`ticketmail eta ID`" in receipt.eta_unknown


def test_after_a_look_each_mail_waits_its_turn_at_the_accounts_pace(mail: TicketMail) -> None:
    foresight = mail.injector.get(Foresight)
    foresight.look()
    now_us = mail.reading.now_us()
    etas = [mail.submit(NOTE).eta_us for _ in range(5)]
    waits_s = [(eta - now_us) / 1e6 for eta in etas if eta is not None]
    assert waits_s == sorted(waits_s)
    assert len(waits_s) == 5
    assert 24 < waits_s[4] < 25  # a burst of one, then one each 6.1 s


def test_without_a_worker_the_receipt_says_why_none(tmp_path: Path) -> None:
    with TicketMail(settings={}, spool=f"sqlite:///{tmp_path}/spool.db", accounts={"support": "null://"}) as mail:
        mail.submit(NOTE)
        mail.injector.get(Foresight).look()
        receipt = mail.submit(NOTE)
    assert receipt.eta_us is None
    assert "no worker is alive" in receipt.eta_unknown


def test_a_repeated_key_tells_no_new_eta(mail: TicketMail) -> None:
    mail.injector.get(Foresight).look()
    first, again = mail.submit(NOTE, key="k"), mail.submit(NOTE, key="k")
    assert (first.new, again.new) == (True, False)
    assert again.eta_us is None


def test_looks_begin_a_second_after_the_start_and_are_seconds_apart() -> None:
    clock = Clock()
    spool = Slow(clock)
    foresight = Foresight(spool, Facts, clock)  # type: ignore[arg-type]
    for s, looks in ((FIRST_S / 2, 0), (FIRST_S, 1), (FRESH_S / 2, 1), (FRESH_S, 2)):
        clock.s += s
        foresight.of([])
        _settle(foresight)
        assert spool.looks == looks
    foresight.close()


def test_a_look_that_takes_long_is_taken_seldom() -> None:
    clock = Clock()
    spool = Slow(clock, takes_s=2.0)
    foresight = Foresight(spool, Facts, clock)  # type: ignore[arg-type]
    foresight.look()
    clock.s += 99.0
    foresight.of([])
    assert spool.looks == 1
    clock.s += 2.0
    foresight.of([])
    _settle(foresight)
    assert spool.looks == 2
    foresight.close()


def test_a_hand_over_does_not_wait_for_a_look_and_close_does() -> None:
    clock = Clock()
    spool = Slow(clock)
    spool.go_on.clear()
    foresight = Foresight(spool, Facts, clock)  # type: ignore[arg-type]
    clock.s += FIRST_S
    began_s = time.monotonic()
    assert foresight.of([]) is None
    assert time.monotonic() - began_s < 1.0
    threading.Timer(0.05, spool.go_on.set).start()
    foresight.close()
    assert not [one for one in threading.enumerate() if one.name == "ticketmail-eta"]


def test_an_old_look_says_nothing_any_more(mail: TicketMail) -> None:
    clock = Clock()
    foresight = Foresight(mail.reading, Facts, clock)
    foresight.look()
    clock.s += OLD_S + 1
    foresight.close()
    assert foresight.of([]) is None


def test_a_host_that_hands_over_now_and_then_has_a_fresh_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eta, "KEPT_S", 0.001)
    monkeypatch.setattr(eta, "FRESH_S", 0.0)
    clock = Clock()
    spool = Slow(clock, takes_s=0.0)
    foresight = Foresight(spool, Facts, clock)  # type: ignore[arg-type]
    clock.s += FIRST_S
    foresight.of([])
    clock.s += OLD_S
    _until(lambda: spool.looks >= 3)
    clock.s += KEPT_FOR_S
    assert foresight._thread is not None
    foresight._thread.join(10)
    assert not foresight._thread.is_alive(), "nothing was handed over for an hour"


def _settle(foresight: Foresight) -> None:
    _until(lambda: foresight._thread is None or foresight.resting)


def _until(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end_s
        time.sleep(0.001)
