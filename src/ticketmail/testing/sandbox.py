"""A whole ticketmail in memory, in time of its own, for a host's own tests::

with ticketmail.testing.memory() as tm:
    desk.answer(ticket, mail=tm.mail)
    tm.run_until_idle()
    assert [view.recipient for view in tm.sent] == ["ann@example.net"]
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from injector import Module, provider, singleton

from ticketmail.app.facade import TicketMail
from ticketmail.app.settings import Settings
from ticketmail.app.usecases.watch import Watch
from ticketmail.app.wiring.sending import account_url
from ticketmail.app.wiring.timing import SystemClock, Timing
from ticketmail.app.worker import Worker
from ticketmail.domain.events import MailEvent
from ticketmail.domain.outbound.delivery import FINAL, DeliveryState
from ticketmail.domain.outbound.outcome import Outcome, Phase
from ticketmail.domain.ports.reading import DeliveryView, Reading
from ticketmail.domain.ports.receiving import Reader
from ticketmail.testing.books import audit, deliveries
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.process import Process, tell_processes_apart
from ticketmail.testing.reading import InlineReader
from ticketmail.testing.virtual_time import run_virtual
from ticketmail.testing.world import Act, Arrived, BodyBegins, Script, World, outcome_of

__all__ = ["Kill", "Sandbox", "memory"]

T = TypeVar("T")
_MOST = 10_000
#: Virtual seconds between two looks of a worker that nothing wakes. Each costs real time.
POLL_S = 1.0
#: The longest leap of :meth:`Sandbox.run_for`: a mail that waits for another of its ticket says no time of its own (seconds).
_LEAP_S = 600.0
#: Steps of a worker that starts and sends, measured: to begin with, and for each mail. A kill falls within.
_STEPS_TO_BEGIN, _STEPS_PER_MAIL = 30, 9


class InlineThreads:
    """``Threads`` without threads: a run is the same each time."""

    async def run(self, call: Callable[[], T]) -> T:
        """As the port says."""
        return call()

    async def apart(self, call: Callable[[], T]) -> T:
        """As the port says."""
        return call()


class VirtualModule(Module):
    """Binds the engine, and the spool, to ``clock``; chance comes from ``dice``."""

    def __init__(self, clock: FakeClock, dice: random.Random) -> None:
        self._timing = Timing(clock=clock, threads=InlineThreads(), chance=dice.random, random_bytes=dice.randbytes)

    @singleton
    @provider
    def timing(self) -> Timing:
        return self._timing

    @singleton
    @provider
    def reader(self) -> Reader:
        return InlineReader()

    @singleton
    @provider
    def watch(self, settings: Settings, reading: Reading) -> Watch:
        # By the real clock, which hardly moves in a test: nobody needs to hear that mail has waited for virtual days.
        return Watch(reading, tell=lambda alert: None, clock=SystemClock(), site=settings.site)


@dataclass(frozen=True)
class Kill:
    """Where a worker died. The same ``seed``, or ``step``, kills it there again, if all before it was the same."""

    seed: int
    step: int
    where: str  #: ``app/usecases/deliver.py:240 in _record``
    in_flight: tuple[str, ...]  #: recipients of mails that it had claimed or was sending

    def __str__(self) -> str:
        return f"killed at step {self.step} (seed {self.seed}), {self.where}, with {len(self.in_flight)} in flight"


@dataclass
class _Planned:
    act: Act
    to: str | None
    times: int


class Sandbox:
    """``mail`` is what the host embeds. Nobody outside is mailed: whatever the accounts' URLs say, mail stays here.

    Time passes when ``clock`` is told to (``clock.advance(3600)``), or as far as a worker needs it within
    :meth:`run_until_idle`: hours take milliseconds.
    """

    def __init__(
        self, mail: TicketMail, clock: FakeClock, *, script: Script | None = None, body_begins: BodyBegins | None = None
    ) -> None:
        self.mail = mail
        self.clock = clock
        self._planned: list[_Planned] = []
        self.world = World(clock.now_us, script or self._act, body_begins)
        self._refused = {name: _refused_by_url(mail.settings, name) for name in mail.settings.accounts}

    @property
    def deliveries(self) -> Sequence[DeliveryView]:
        """All deliveries, in order of acceptance."""
        return deliveries(self.mail.reading)

    @property
    def sent(self) -> Sequence[DeliveryView]:
        """Those that the gateway has taken."""
        return [view for view in self.deliveries if view.state is DeliveryState.SENT]

    @property
    def arrived(self) -> Sequence[Arrived]:
        """What the recipients have, with the mail's bytes (``mime``): copies show here."""
        return tuple(self.world.arrived)

    @property
    def events(self) -> Sequence[MailEvent]:
        """Events that the host has not been told yet; asking for them takes them."""
        items = self.mail.spool.outbox.take(_MOST, 60)
        self.mail.spool.outbox.done(items)
        return [item.event for item in items]

    def fail_next(
        self,
        answer: str | Outcome = "451 4.3.0 Try again later",
        *,
        to: str | None = None,
        times: int = 1,
        phase: str = "rcpt",
        arrives: bool = False,
    ) -> None:
        """The next ``times`` tries (``to`` that recipient) get ``answer``: a server's line, refused in ``phase`` (``rcpt``,
        ``dot``, ...), or an outcome such as ``Unclear("cut")``. ``arrives``: the mail is there all the same.

        Raises ValueError for a line that refuses nothing.
        """
        outcome = outcome_of(answer, Phase(phase)) if isinstance(answer, str) else answer
        self._planned.append(_Planned(Act(outcome, arrives=arrives), to.lower() if to else None, times))

    def run_until_idle(self, seconds: float = 3600.0) -> None:
        """Run a worker until nothing is due any more. What is due later waits for ``clock.advance``.

        Raises TimeoutError if mail is still due after ``seconds`` of virtual time: something holds it, which it names.
        """
        run_virtual(self._run(seconds), clock=self.clock)

    def run_for(self, seconds: float) -> None:
        """So much virtual time passes with workers at hand: retries, looks for evidence and deadlines fall due in their order.

        Raises TimeoutError as :meth:`run_until_idle` does.
        """
        end_us = self.clock.now_us() + int(seconds * 1_000_000)
        self.run_until_idle()
        while (now_us := self.clock.now_us()) < end_us:
            later = [view.due_us for view in self.deliveries if view.state not in FINAL and view.due_us is not None]
            leap_us = max(min([*later, end_us]) - now_us, 1000)
            self.clock.advance(min(leap_us / 1_000_000, _LEAP_S))
            self.run_until_idle()

    def kill_anywhere(self, seed: int | None = None, *, step: int | None = None) -> Kill:
        """Run a worker and kill it, as SIGKILL would, between two of its steps: a random one, which is told, or ``step``.

        A worker that is idle before dies then. Another one (:meth:`run_until_idle`) takes over when the lease is out.
        """
        chosen = random.SystemRandom().randrange(2**32) if seed is None else seed
        waiting = sum(view.state not in FINAL for view in self.deliveries)
        last = _STEPS_TO_BEGIN + _STEPS_PER_MAIL * waiting
        kill_at = step or random.Random(chosen).randint(1, last)  # noqa: S311 - reproducible is what it must be
        process = run_virtual(self._run_to_death(kill_at), clock=self.clock)
        flying = (DeliveryState.CLAIMED, DeliveryState.SENDING)
        in_flight = tuple(view.recipient for view in self.deliveries if view.state in flying)
        return Kill(chosen, process.steps, process.where, in_flight)

    def check_books(self) -> None:
        """Nothing is lost, nothing is a lie, and each copy beyond the first has a history row that owns up to it.

        Raises AssertionError with what is wrong.
        """
        problems = audit(self.mail.reading, self.arrived)
        if problems:
            raise AssertionError("The books do not balance:\n" + "\n".join(problems))

    def worker(self) -> Worker:
        """A worker on this spool, not started."""
        gateways = {name: self.world.gateway(name) for name in self.mail.settings.accounts}
        return Worker(self.mail, gateways=gateways, poll_s=POLL_S)

    async def _run(self, seconds: float) -> None:
        worker = self.worker()
        running = asyncio.ensure_future(worker.run())
        try:
            async with asyncio.timeout(seconds):
                while self._due() and not running.done():  # noqa: ASYNC110 - the spool rings for workers, not for us
                    await asyncio.sleep(0.25)
        except TimeoutError:
            held = ", ".join(f"{view.recipient} ({view.state})" for view in self._due()[:5])
            raise TimeoutError(f"Still due after {seconds:g} s: {held}. tm.mail.why(...) says what holds it.") from None
        finally:
            worker.drain()
            await running

    async def _run_to_death(self, kill_at: int) -> Process:
        tell_processes_apart()
        process = Process("worker", kill_at=kill_at)
        process.start(self.worker().run())
        while not process.killed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await process.killed.wait()
            if not self._due():
                process.kill("idle")
        return process

    def _due(self) -> list[DeliveryView]:
        """What a worker has to do now. What waits behind another of its ticket is freed by that one."""
        now_us = self.mail.reading.now_us()
        open_ones = [view for view in self.deliveries if view.state not in FINAL and view.behind is None]
        human = DeliveryState.UNKNOWN
        return [view for view in open_ones if (view.state is not human if view.due_us is None else view.due_us <= now_us)]

    def _act(self, account: str, recipient: str) -> Act | None:
        for planned in self._planned:
            if planned.times > 0 and planned.to in (None, recipient.lower()):
                planned.times -= 1
                return planned.act
        if any(part in recipient.lower() for part in self._refused[account]):
            return Act(outcome_of("550 5.1.1 refused by null://"))
        return None


def _refused_by_url(settings: Settings, name: str) -> Sequence[str]:
    """``null://?refuse=gone``: parts of addresses that are refused."""
    url = urlsplit(account_url(settings, name))
    return [part.lower() for part in parse_qs(url.query).get("refuse", ())] if url.scheme == "null" else ()


@contextmanager
def memory(*, clock: FakeClock | None = None, **settings: Any) -> Iterator[Sandbox]:
    """A sandbox with an empty spool of its own. ``settings`` are TicketMail's, over these. Its clock begins at the real time.

    Raises ValueError for a spool that is not in memory: virtual time would overtake a database, which lives in real time.
    """
    if not str(settings.get("spool", "memory://")).startswith("memory://"):
        raise ValueError("memory() has its spool in memory. To test on a database, run a Worker on a TicketMail of your own.")
    ticking = clock or FakeClock(now_us=time.time_ns() // 1000)
    virtual = VirtualModule(ticking, random.Random(0))  # noqa: S311 - a test that passes should pass again
    given = {"spool": f"memory://{uuid.uuid4().hex}", "accounts": {"sandbox": {"url": "null://"}}, **settings}
    overrides = [virtual, *given.pop("overrides", ())]
    with TicketMail(settings={}, overrides=overrides, **given) as mail:
        yield Sandbox(mail, ticking)
