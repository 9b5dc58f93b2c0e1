"""The scenarios in virtual time: whole workers and a model of the server in one process; the same in each run."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

from limits_scenarios import Result, Scenario, Span, found, merged

from ticketmail import Message, Receipt, Submission, TicketMail
from ticketmail.app.worker import Worker
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.testing.books import deliveries
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.sandbox import VirtualModule
from ticketmail.testing.smtpd_model import ModelServer
from ticketmail.testing.virtual_time import run_virtual

_FED_EVERY_S = 5.0
_AHEAD_S = 30.0
_DRAINED_WITHIN_S = 1800.0


def run(scenario: Scenario, workers: int, span: Span, *, seed: int = 0) -> Result:
    """One run, in as much real time as its mails need."""
    began_s = time.monotonic()
    clock = FakeClock()
    accounts = {f"desk{number}": {"url": "null://"} for number in range(scenario.accounts)}
    timing = VirtualModule(clock, random.Random(seed))
    with TicketMail(
        settings={}, overrides=[timing], spool=f"memory://{time.monotonic_ns()}", accounts=accounts, alerts={}, site="bench"
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
        return Worker(self._mail, gateways={name: self._server.gateway(name if per_login else "") for name in names})

    async def all(self) -> Result:
        self._feed()
        running = [asyncio.ensure_future(worker.run()) for worker in self._workers]
        end_s = self._clock.monotonic_s() + self._span.to_s + 5
        while self._clock.monotonic_s() < end_s:
            await asyncio.sleep(_FED_EVERY_S)
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
        """So much ahead that it never runs dry."""
        ahead = max(20, int(self._scenario.pace * _AHEAD_S * 2))
        count = ahead - (self._handed - len(self._server.taken))
        mails = [_mail(number) for number in range(self._handed, self._handed + count)]
        receipts = self._mail.submit_many(mails)
        assert all(isinstance(one, Receipt) for one in receipts)
        self._handed += len(receipts)

    def _result(self) -> Result:
        scenario, span, views = self._scenario, self._span, deliveries(self._mail.reading)
        for meter in self._server.meters.values():
            meter.advance()
        tally = merged([meter.tally for meter in self._server.meters.values()])
        if scenario.allowed_per_s:
            tally.allowed_per_s = scenario.allowed_per_s
        sent = [view for view in views if view.state is DeliveryState.SENT]
        dead = sum(view.state in (DeliveryState.DEAD, DeliveryState.FAILED, DeliveryState.EXPIRED) for view in views)
        return Result(
            scenario=scenario.name,
            workers=len(self._workers),
            handed_over=self._handed,
            sent=len(sent),
            dead=dead,
            wasted=sum(view.attempts for view in views) - len(sent),
            copies=self._server.taken.total() - len(self._server.taken),
            usage=tally.usage(span.from_s, span.to_s),
            halved_found_s=found(tally, span.halved_s, span.doubled_s) if scenario.changes else None,
            doubled_found_s=found(tally, span.doubled_s, span.to_s) if scenario.changes else None,
            changes=scenario.changes,
            rates=[tally.seconds["taken"][second] for second in range(int(span.to_s))],
        )


def _mail(number: int) -> Submission:
    message = Message(sender="desk@example.com", to=f"c{number}@example.net", subject=f"Note {number}", text="On its way.")
    return Submission(message=message, ticket=f"t{number}", lane="notice")
