"""A simulation: several workers, a spool and two mail servers in virtual time, with everything that can go wrong, from one seed.

The same seed makes the same run, to the letter: print it, and a failure can be looked at again and again::

    course = simulate(4711)
    assert not course.problems, course
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from ticketmail.app.facade import TicketMail
from ticketmail.app.worker import Worker
from ticketmail.domain.errors import SpoolError
from ticketmail.domain.message import Message
from ticketmail.domain.outbound.outcome import NotReached, Phase, Unclear
from ticketmail.domain.ports.sending import Outgoing
from ticketmail.testing.books import deliveries
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.flaky import FlakyModule, Outage
from ticketmail.testing.invariants import broken_invariants
from ticketmail.testing.process import Process, tell_processes_apart
from ticketmail.testing.sandbox import Sandbox, VirtualModule
from ticketmail.testing.virtual_time import run_virtual
from ticketmail.testing.world import Act, outcome_of

__all__ = ["Course", "simulate"]

#: What servers do to a recipient's mail while they are in that mood.
MOODS: dict[str, Act] = {
    "defers": Act(outcome_of("451 4.3.0 Try again later")),
    "throttles": Act(outcome_of("421 4.7.0 Too many messages, slow down", Phase.MAIL)),
    "down": Act(NotReached("connection refused")),
    "cuts before the dot": Act(NotReached("cut", Phase.BODY), delay_s=0.5),
    "cuts after the dot": Act(Unclear("cut"), delay_s=0.5, arrives=True),
    "hangs": Act(Unclear("no answer to the dot"), delay_s=90.0),
}
GONE = "gone@example.net"
_PEOPLE = ("ann@example.net", "bob@example.net", "cai@example.net", GONE)
_WORKERS, _MAILS, _FAULTY_S, _HEALED_S = 3, 40, 180.0, 7200.0
_SETTINGS = {
    "spool": {"url": "memory://", "order_wait": "6h"},
    "secret": "a secret of at least sixteen bytes",
    "accounts": {"one": {"url": "null://", "limits": ["60/min"]}, "two": {"url": "null://"}},
    "worker": {"drain": "5s"},
}


@dataclass(frozen=True)
class Course:
    """What a run came to. ``trace`` says what happened when (seconds since its begin); ``problems`` must be empty."""

    seed: int
    accepted: int
    arrived: int
    kills: int
    states: dict[str, int]
    trace: tuple[str, ...] = field(repr=False)
    problems: tuple[str, ...] = ()


def simulate(seed: int, *, faults: bool = True) -> Course:
    """Three minutes in which things go wrong (unless ``faults`` is False), then two hours in which all is well. Virtual ones.

    Takes about half a second. Judges invariants 1 to 6, 8 and 9, and that no mail is lost.
    """
    clock = FakeClock()
    dice = random.Random(seed)  # noqa: S311 - reproducible is what it must be
    outage = Outage()
    modules = (VirtualModule(clock, random.Random(seed)), FlakyModule(outage))  # noqa: S311
    with TicketMail(settings=_SETTINGS, overrides=modules) as mail:
        run = _Run(mail, clock, dice, outage)
        run_virtual(run.stormy(faults), clock=clock)
        run.sandbox.run_for(_HEALED_S)
        return run.course(seed)


class _Run:
    def __init__(self, mail: TicketMail, clock: FakeClock, dice: random.Random, outage: Outage) -> None:
        self.sandbox = Sandbox(mail, clock, script=self._act, body_begins=self._body_begins)
        self._mail, self._clock, self._dice, self._outage = mail, clock, dice, outage
        self._moods = dict.fromkeys(mail.settings.accounts, "")
        self._living: dict[int, tuple[Process, Worker]] = {}
        self._accepted: list[UUID] = []
        self._trace: list[str] = []
        self._problems: list[str] = []
        self._kills = 0
        self._over = False

    async def stormy(self, faults: bool) -> None:
        """Workers and a host at work, and faults, until the storm is over and all have stopped."""
        tell_processes_apart()
        keepers = [asyncio.ensure_future(self._keep(slot)) for slot in range(_WORKERS)]
        host = asyncio.ensure_future(self._host())
        end_s = self._clock.monotonic_s() + _FAULTY_S
        while self._clock.monotonic_s() < end_s:
            await asyncio.sleep(self._dice.expovariate(1 / 6))
            if faults:
                self._dice.choice((self._kill, self._freeze, self._jump, self._sicken, self._mood, self._mood))()
        self._heal()
        await host
        self._over = True
        for _, worker in self._living.values():
            worker.drain()
        await asyncio.wait(keepers, timeout=60)
        for process, _ in self._living.values():
            process.kill()
        for error in (keeper.exception() for keeper in keepers if keeper.done() and not keeper.cancelled()):
            if error is not None:
                raise error

    def course(self, seed: int) -> Course:
        """The account of it."""
        views = deliveries(self._mail.reading)
        states = [view.state.value for view in views]
        problems = broken_invariants(self._mail.reading, self.sandbox.world, self._accepted, gone={GONE})
        ends = [f"{view.key} {view.recipient} {view.state} {view.cause} {view.attempts}" for view in views]
        return Course(
            seed=seed,
            accepted=len(self._accepted),
            arrived=len(self.sandbox.arrived),
            kills=self._kills,
            states={state: states.count(state) for state in sorted(set(states))},
            trace=(*self._trace, *ends),
            problems=(*self._problems, *problems),
        )

    # --- who is at work -----------------------------------------------------------------------------------------------------

    async def _keep(self, slot: int) -> None:
        """A service manager: whatever ends is started again."""
        while not self._over:
            process = Process(f"worker {slot}")
            worker = self.sandbox.worker()
            self._living[slot] = process, worker
            running = process.start(worker.run())
            killed = asyncio.ensure_future(process.killed.wait())
            await asyncio.wait({running, killed}, return_when=asyncio.FIRST_COMPLETED)
            killed.cancel()
            if running.done() and (error := running.exception()) is not None and not isinstance(error, SpoolError):
                self._problems.append(f"worker {slot} ended with {error!r}")
            if not self._over:
                await asyncio.sleep(self._dice.uniform(0, 5))

    async def _host(self) -> None:
        """Hands mails over, and again what the spool did not take."""
        for number in range(_MAILS):
            await asyncio.sleep(self._dice.expovariate(_MAILS / _FAULTY_S))
            ticket = self._dice.choice(("1", "2", "3", "4"))
            lane = "code" if number % 10 == 9 else "notice" if number % 4 == 1 else "reply"
            people = self._dice.sample(
                ("ann@example.net", "bob@example.net", "cai@example.net", GONE), self._dice.choice((1, 1, 2))
            )
            message = Message(sender="help@example.com", to=tuple(people), subject=f"Mail {number}", text="On its way.")
            while True:
                with suppress(SpoolError):
                    receipt = self._mail.submit(
                        message, ticket=None if lane == "code" else ticket, lane=lane, key=f"mail-{number:02}"
                    )
                    break
                await asyncio.sleep(1.0)
            self._accepted.append(receipt.submission_id)

    # --- what goes wrong ----------------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        slot = self._dice.choice(sorted(self._living))
        process, _ = self._living[slot]
        # Within the next steps, wherever that is: an idle worker takes few a second, a busy one hundreds.
        process.kill_at = process.steps + self._dice.randint(1, 60)
        self._kills += 1
        self._note(f"kill {process.name} at step {process.kill_at}")

    def _freeze(self) -> None:
        process, _ = self._living[self._dice.choice(sorted(self._living))]
        seconds = self._dice.choice((5.0, 20.0, 45.0))
        process.freeze()
        asyncio.get_running_loop().call_later(seconds, process.thaw)
        self._note(f"freeze {process.name} for {seconds:g} s")

    def _jump(self) -> None:
        seconds = self._dice.choice((-120.0, -40.0, 40.0, 300.0))
        self._clock.jump(seconds)
        self._note(f"the clock jumps by {seconds:g} s")

    def _sicken(self) -> None:
        self._outage.kind = self._dice.choice(("down", "answers lost"))
        seconds = self._dice.choice((0.5, 5.0, 20.0, 40.0))
        asyncio.get_running_loop().call_later(seconds, self._outage.end)
        self._note(f"spool: {self._outage.kind} for {seconds:g} s")

    def _mood(self) -> None:
        account = self._dice.choice(sorted(self._moods))
        self._moods[account] = self._dice.choice(("", *MOODS))
        self._note(f"{account} {self._moods[account] or 'is well'}")

    def _heal(self) -> None:
        self._outage.end()
        self._moods = dict.fromkeys(self._moods, "")
        for process, _ in self._living.values():
            process.thaw()
        self._note("all is well")

    def _note(self, text: str) -> None:
        self._trace.append(f"{self._clock.monotonic_s():.6f} {text}")

    # --- the other side -----------------------------------------------------------------------------------------------------

    def _act(self, account: str, recipient: str) -> Act | None:
        if recipient == GONE:
            return Act(outcome_of("550 5.1.1 No such user"))
        mood = self._moods[account]
        return MOODS[mood] if mood and self._dice.random() < 0.7 else None

    def _body_begins(self, account: str, mail: Outgoing) -> None:
        self._note(f"{account} gets the body of {mail.submission_id}")
        if mail.submission_id not in self._outage.begun:
            self._problems.append(f"A body of {mail.submission_id} left, but the spool had not said that it may begin.")
        self._outage.begun.discard(mail.submission_id)
