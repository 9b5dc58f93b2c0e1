"""What is foretold holds at a server, in real time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ticketmail import Message, TicketMail
from ticketmail.app.usecases.report import Outlook, Times, surroundings
from ticketmail.app.wiring.facts import facts_of
from ticketmail.app.worker import Worker
from ticketmail.domain.scope import Scope
from ticketmail.testing.smtpd import SmtpServer

MAILS = 18


async def test_the_last_of_18_mails_at_120_a_minute_leaves_within_a_second_of_what_was_foretold(tmp_path: Path) -> None:
    async with SmtpServer() as server:
        accounts = {"support": {"url": f"smtp://127.0.0.1:{server.port}", "limits": ["120/min"]}}
        with TicketMail(settings={}, spool=f"sqlite:///{tmp_path}/spool.db", accounts=accounts) as mail:
            for at in range(MAILS):
                mail.submit(Message(sender="help@example.com", to=f"u{at}@example.net", subject="-", text="-"))
            worker = Worker(mail)
            running = asyncio.ensure_future(worker.run())
            while not mail.reading.workers():
                await asyncio.sleep(0.01)
            foretold_us = _foretold_us(mail)
            while server.taken_count < MAILS:
                await asyncio.sleep(0.02)
            worker.drain()
            await running
            last_us = int(server.taken[-1].at_s * 1e6)

    assert abs(last_us - foretold_us) < 1_000_000


def _foretold_us(mail: TicketMail) -> int:
    around = surroundings(mail.reading, facts_of(mail.settings))
    views = [one for one in mail.reading.find(Scope.parse("all"), limit=MAILS) if one.due_us is not None]
    outlook = Outlook(around, Times(around.now_us))
    etas = [outlook.of(view, mail.reading).eta.at_us for view in views]
    return max(one for one in etas if one is not None)
