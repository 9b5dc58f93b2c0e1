"""The scenarios in virtual time: whole workers and a model of the server in one process; the same in each run."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

from limits_judging import FED_EVERY_S, feed, judged
from limits_scenarios import Result, Scenario, Span

from ticketmail import TicketMail
from ticketmail.app.worker import Worker
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.sandbox import VirtualModule
from ticketmail.testing.smtpd.model import ModelServer
from ticketmail.testing.virtual_time import run_virtual

_DRAINED_WITHIN_S = 1800.0
_AHEAD_S = 3 * FED_EVERY_S  # here nobody is ever late


def run(scenario: Scenario, workers: int, span: Span, *, seed: int = 0, told: Sequence[str] = ()) -> Result:
    """One run, in as much real time as its mails need. ``told``: limits in the workers' settings, to compare with."""
    began_s = time.monotonic()
    clock = FakeClock()
    accounts = {f"desk{number}": {"url": "null://", "limits": list(told)} for number in range(scenario.accounts)}
    virtual = VirtualModule(clock, random.Random(seed))
    spool = f"memory://{time.monotonic_ns()}"
    with TicketMail(
        settings={}, overrides=[virtual], spool=spool, accounts=accounts, routes={"*": [list(accounts)]}, site="bench"
    ) as mail:
        result = run_virtual(_Run(mail, clock, scenario.timed(span), workers, span).all(), clock=clock)
    result.real_s = time.monotonic() - began_s
    return result


class _Run:
    def __init__(self, mail: TicketMail, clock: FakeClock, scenario: Scenario, workers: int, span: Span) -> None:
        self._mail, self._clock, self._scenario, self._span = mail, clock, scenario, span
        self._server = ModelServer(scenario.limits, lambda: clock.now_us() / 1e6, dot_delay_s=scenario.dot_delay_s)
        self._workers = [self._worker() for _ in range(workers)]
        self._handed = 0

    def _worker(self) -> Worker:
        per_login = self._scenario.limits.per_login
        names = self._mail.settings.accounts
        gateways = {name: self._server.gateway(name if per_login else "") for name in names}
        return Worker(self._mail, gateways=gateways, poll_s=self._scenario.poll_s)

    async def all(self) -> Result:
        self._feed()
        running = [asyncio.ensure_future(worker.run()) for worker in self._workers]
        end_s = self._clock.monotonic_s() + self._span.to_s + FED_EVERY_S
        while self._clock.monotonic_s() < end_s:
            await asyncio.sleep(FED_EVERY_S)
            self._feed()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED_WITHIN_S):
                while len(self._server.taken) < self._handed:
                    await asyncio.sleep(1.0)
        for worker in self._workers:
            worker.drain()
        await asyncio.gather(*running)
        return self._result()

    def _feed(self) -> None:
        self._handed = feed(self._mail, self._scenario, self._handed, len(self._server.taken), ahead_s=_AHEAD_S)

    def _result(self) -> Result:
        meters = list(self._server.meters.values())
        for meter in meters:
            meter.advance()
        tallies = [meter.tally for meter in meters]
        workers = len(self._workers)
        return judged(self._scenario, workers, self._span, mail=self._mail, tallies=tallies, taken=self._server.taken)
