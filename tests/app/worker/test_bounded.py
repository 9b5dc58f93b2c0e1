"""Memory is bounded by what is in flight, not by what waits (invariant 10)."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

from ticketmail import Message, Submission, TicketMail
from ticketmail.app.worker import Worker
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.outcome import Outcome, Taken
from ticketmail.domain.ports.sending import GatewayCapabilities, OnBody, Outgoing

_SENT = 60
_CONNECTIONS = 5


class Counting:
    """Takes mails until there were enough, and looks at each how many the worker has claimed."""

    capabilities = GatewayCapabilities()

    def __init__(self, mail: TicketMail) -> None:
        self._mail = mail
        self.taken = 0
        self.most_claimed = 0
        self.enough = asyncio.Event()

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> list[Outcome]:
        await on_body(range(len(mail.recipients)))
        counts = await asyncio.to_thread(lambda: self._mail.reading.overview().counts)
        claimed = counts.get(DeliveryState.CLAIMED, 0) + counts.get(DeliveryState.SENDING, 0)
        self.most_claimed = max(self.most_claimed, claimed)
        self.taken += 1
        if self.taken >= _SENT:
            self.enough.set()
        return [Taken() for _ in mail.recipients]

    async def check(self) -> str:
        return ""

    async def aclose(self) -> None: ...


def window(path: Path, waiting: int) -> tuple[int, int]:
    """A worker sends some of ``waiting`` mails: how many it had claimed at most, and the most memory it took (bytes)."""
    accounts = {"one": {"url": "null://", "connections": _CONNECTIONS}}
    with TicketMail(settings={"spool": f"sqlite:///{path}", "accounts": accounts}) as mail:
        letter = Message(sender="help@example.com", to="ann@example.net", subject="-", text="x" * 1000)
        for _ in range(waiting // 2000):
            mail.submit_many([Submission(message=letter) for _ in range(2000)])
        return asyncio.run(_watched(mail))


async def _watched(mail: TicketMail) -> tuple[int, int]:
    gateway = Counting(mail)
    worker = Worker(mail, gateways={"one": gateway})
    tracemalloc.start()
    try:
        running = asyncio.ensure_future(worker.run())
        await asyncio.wait_for(gateway.enough.wait(), 60)
        worker.drain()
        await running
        return gateway.most_claimed, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_backlog_ten_times_as_long_takes_no_more_memory(tmp_path: Path) -> None:
    window(tmp_path / "first.db", 2000)  # what is loaded once is not counted
    few_claimed, few_bytes = window(tmp_path / "few.db", 2000)
    many_claimed, many_bytes = window(tmp_path / "many.db", 20_000)

    assert max(few_claimed, many_claimed) <= 4 * _CONNECTIONS  # twice as many under way, and as many waiting for their turn
    # A batch of housekeeping may fall within one and not the other; the bodies alone of 18,000 more mails would be 18 MB.
    assert many_bytes < few_bytes + 5_000_000
