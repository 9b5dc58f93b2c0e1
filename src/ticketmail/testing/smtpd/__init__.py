"""A local SMTP server for tests and the demo: it can limit, delay, refuse and cut by script, and keeps what it took.

In a test::

    async with SmtpServer() as server:
        server.refuse("rcpt", "550 5.1.1 No such user", recipient="gone@example.net")
        server.cut("taken", nth=3)
        ...                                # smtp://127.0.0.1:{server.port}
        assert [mail.message_id for mail in server.taken] == [...]

From sync code ``with SmtpServer().in_thread() as server:``. As a process of its own
(``with server_process("--rate", "30") as port:``)::

    python -m ticketmail.testing.smtpd --port 2525 --rate 30 --connections 3 --journal taken.jsonl --stats stats.json

It speaks strict SMTP: lines and the final dot by CRLF only. Not for the open network: it has no time-outs of its own.
"""

from __future__ import annotations

from ticketmail.testing.smtpd.features import Features
from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.process import server_process
from ticketmail.testing.smtpd.script import Action, Fault, Moment
from ticketmail.testing.smtpd.server import Refusal, SmtpServer, TakenMail

__all__ = [
    "Action",
    "Fault",
    "Features",
    "Moment",
    "Refusal",
    "ServerLimits",
    "SmtpServer",
    "TakenMail",
    "server_process",
]
