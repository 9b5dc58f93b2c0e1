"""A worker makes events of what comes in, whoever stored it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ticketmail import TicketMail
from ticketmail.app.worker import Worker

MAIL = b"From: ann@example.net\r\nTo: help@example.com\r\nSubject: Printer\r\n\r\nIt burns.\r\n"


async def test_a_worker_makes_events_of_what_comes_in_and_keeps_what_came_before(tmp_path: Path) -> None:
    settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "mailboxes": {"help": {}}}
    mail, elsewhere = TicketMail(settings=settings), TicketMail(settings=settings)
    elsewhere.inbound.receive("help", MAIL)
    told: list[Any] = []
    stop = asyncio.Event()
    worker = Worker(mail)
    running = asyncio.ensure_future(worker.run())
    listening = asyncio.ensure_future(mail.alisten(told.append, stop=stop))
    try:
        async with asyncio.timeout(20):
            while len(told) < 2:
                await asyncio.sleep(0.02)
                if len(told) == 1:
                    elsewhere.inbound.receive("help", MAIL.replace(b"burns", b"smokes"))
    finally:
        worker.drain()
        stop.set()
        await asyncio.gather(running, listening)
        mail.close()
        elsewhere.close()

    assert sorted(event.text.strip() for event in told) == ["It burns.", "It smokes."]
