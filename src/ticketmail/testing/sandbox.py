"""A whole ticketmail in memory, for a host's own tests::

with ticketmail.testing.memory() as tm:
    desk.answer(ticket, mail=tm.mail)
    tm.run_until_idle()
    assert [view.recipient for view in tm.sent] == ["ann@example.net"]
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ticketmail.app.facade import TicketMail
from ticketmail.app.worker import Worker
from ticketmail.domain.events import MailEvent
from ticketmail.domain.outbound.delivery import FINAL, DeliveryState
from ticketmail.domain.ports.reading import DeliveryView
from ticketmail.domain.scope import Scope

__all__ = ["Sandbox", "memory"]

_MOST = 10_000


class Sandbox:
    """``mail`` is what the host embeds. Nobody outside is mailed: the account's gateway is ``null://``."""

    def __init__(self, mail: TicketMail) -> None:
        self.mail = mail

    @property
    def deliveries(self) -> Sequence[DeliveryView]:
        """All deliveries, in order of acceptance."""
        return list(reversed(self.mail.reading.find(Scope.parse("all"), limit=_MOST)))

    @property
    def sent(self) -> Sequence[DeliveryView]:
        """Those that the gateway has taken."""
        return [view for view in self.deliveries if view.state is DeliveryState.SENT]

    @property
    def events(self) -> Sequence[MailEvent]:
        """Events that the host has not been told yet; asking for them takes them."""
        items = self.mail.spool.outbox.take(_MOST, 60)
        self.mail.spool.outbox.done(items)
        return [item.event for item in items]

    def run_until_idle(self, seconds: float = 10.0) -> None:
        """Run a worker until nothing is due any more. Raises TimeoutError after ``seconds``."""
        asyncio.run(self._run(seconds))

    async def _run(self, seconds: float) -> None:
        worker = Worker(self.mail)
        running = asyncio.ensure_future(worker.run())
        try:
            async with asyncio.timeout(seconds):
                while self._busy() and not running.done():  # noqa: ASYNC110 - the spool rings for workers, not for us
                    await asyncio.sleep(0.005)
        finally:
            worker.drain()
            await running

    def _busy(self) -> bool:
        now_us = self.mail.reading.now_us()
        open_ones = [view for view in self.deliveries if view.state not in FINAL]
        return any(view.due_us is None or view.due_us <= now_us for view in open_ones if view.state is not DeliveryState.UNKNOWN)


@contextmanager
def memory(**settings: Any) -> Iterator[Sandbox]:
    """A sandbox with an empty spool of its own. ``settings`` are TicketMail's, over these."""
    given = {"spool": f"memory://{uuid.uuid4().hex}", "accounts": {"sandbox": {"url": "null://"}}, **settings}
    with TicketMail(settings={}, **given) as mail:
        yield Sandbox(mail)
