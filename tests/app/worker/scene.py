"""What tests of workers share: one that runs, how to wait for it, and who is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from ticketmail import Message, Scope, TicketMail
from ticketmail.app.worker import Worker
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.reading import DeliveryView

ALL = Scope.parse("all")


class Told:
    """A way to administrators that remembers."""

    via_accounts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def send(self, alert: Alert) -> None:
        self.alerts.append(alert)


def letter(to: str | tuple[str, ...] = "ann@example.net", **names: object) -> Message:
    return Message(**{"sender": "help@example.com", "to": to, "subject": "Your printer", "text": "On its way.", **names})


@contextlib.asynccontextmanager
async def working(mail: TicketMail, **more: Any) -> AsyncIterator[Worker]:
    worker = Worker(mail, **more)
    task = asyncio.ensure_future(worker.run())
    try:
        yield worker
    finally:
        worker.drain()
        await asyncio.wait_for(task, 20)


async def until(fact: Callable[[], bool], seconds: float = 15) -> None:
    for _ in range(int(seconds / 0.02)):
        if await asyncio.to_thread(fact):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true in time")


def views(mail: TicketMail) -> list[DeliveryView]:
    return sorted(mail.reading.find(ALL, limit=1000), key=lambda view: (view.accepted_us, view.number))


def all_in(mail: TicketMail, state: DeliveryState) -> Callable[[], bool]:
    return lambda: {view.state for view in views(mail)} == {state}
