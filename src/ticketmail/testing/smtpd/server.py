"""The local SMTP server: its counters, faults and life."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ticketmail.testing.smtpd.features import Features
from ticketmail.testing.smtpd.limits import RateMeter, ServerLimits
from ticketmail.testing.smtpd.script import Action, Fault, Moment, Point, Rule, Script
from ticketmail.testing.smtpd.session import SmtpSession

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r\n[ \t]+)?([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TakenMail:
    """A mail the server took responsibility for. ``data`` without dot-stuffing. ``at_s``: Unix time.

    ``parameters`` are those of MAIL, ``recipient_parameters`` those of each RCPT.
    """

    number: int
    mail_from: str
    recipients: tuple[str, ...]
    data: bytes = field(repr=False)
    at_s: float
    message_id: str
    connection: int
    login: str
    tls: bool
    parameters: str = ""
    recipient_parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 4yz or 5yz that the server said by script or limit. ``at_s``: Unix time."""

    moment: Moment
    reply: str
    at_s: float


class SmtpServer:
    """The server. Its lists and counters may be read from any thread; change rules at any time.

    ``port`` 0 picks a free one, readable after the start. ``latency_s``: waited before each answer. ``journal``: each mail taken
    is appended as a JSON line *before* its 250 is written. ``keep`` False: only counters and journal, no mails in memory.
    ``now_s`` is the clock of the limits (the steady one; for windows on a grid the wall's). ``banner`` is the text after 220.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        features: Features | None = None,
        limits: ServerLimits | None = None,
        latency_s: float = 0.0,
        journal: Path | str | None = None,
        keep: bool = True,
        now_s: Callable[[], float] | None = None,
        banner: str = "ticketmail.testing ESMTP",
    ) -> None:
        self.host = host
        self.port = port
        self.features = features or Features()
        self.limits = limits or ServerLimits()
        self.latency_s = latency_s
        self.banner = banner
        self.taken: list[TakenMail] = []
        self.refused: list[Refusal] = []
        self.taken_count = 0
        self.refused_count = 0
        self.connections_count = 0  #: ever
        self.connections_open = 0
        self.connections_peak = 0
        self.logins: list[str] = []
        self.commands: list[bytes] = []  #: every command line heard, with ``keep``
        self.mails_begun = 0  #: MAIL commands
        self.meters: dict[str, RateMeter] = {}  #: by login; under ``""`` where limits are the server's
        self._now_s = now_s or (time.time if self.limits.kind == "grid" else time.monotonic)
        self._script = Script()
        self._keep = keep
        self._journal_path = journal
        self._journal_fd: int | None = None
        self._server: asyncio.Server | None = None
        self._sessions: dict[asyncio.Task[None], SmtpSession] = {}

    # Faults

    def refuse(
        self, point: Point, reply: str, *, recipient: str | None = None, nth: int | None = None, times: int | None = None
    ) -> None:
        """Say ``reply`` at ``point``, for a recipient, for the nth mail, ``times`` often (None: always)."""
        self._script.rules.append(Rule(point, reply, recipient, nth, times))

    def cut(self, point: Point, *, recipient: str | None = None, nth: int | None = None, times: int | None = None) -> None:
        """Close the connection at ``point``: ``dot`` is before, ``taken`` after the mail was taken, both without an answer."""
        self._script.rules.append(Rule(point, Fault.CUT, recipient, nth, times))

    def hang(self, point: Point, *, recipient: str | None = None, nth: int | None = None, times: int | None = None) -> None:
        """Never answer at ``point``."""
        self._script.rules.append(Rule(point, Fault.HANG, recipient, nth, times))

    def delay(self, point: Point, seconds: float, *, nth: int | None = None, times: int | None = None) -> None:
        """Wait ``seconds`` at ``point``, then go on."""
        self._script.rules.append(Rule(point, float(seconds), None, nth, times))

    def decide(self, decide: Callable[[Moment], Action | None] | None) -> None:
        """Ask ``decide`` at every moment at which no rule applies. None goes on as usual."""
        self._script.decide = decide

    def heal(self) -> None:
        """Forget all faults."""
        self._script.rules.clear()
        self._script.decide = None

    # Limits

    def meter(self, login: str = "") -> RateMeter:
        """What counts for that login."""
        key = login if self.limits.per_login else ""
        if key not in self.meters:
            self.meters[key] = RateMeter(self.limits, self._now_s)
        return self.meters[key]

    def change_limits(self, factor: float) -> None:
        """From now on rate and day are ``factor`` of what they were at first, for all logins that are known."""
        for meter in self.meters.values():
            meter.change(factor)

    def _place(self, session: SmtpSession) -> int:
        """How many connections of the same login are older."""
        login = session.login if self.limits.per_login else None
        return sum(one.number < session.number and login in (None, one.login) for one in self._sessions.values())

    def drop_connections(self) -> None:
        """Cut every open connection now, as a restart would."""
        for session in list(self._sessions.values()):
            session.abort()

    # Life

    async def start(self) -> None:
        """Listen. ``port`` tells where."""
        if self._journal_path is not None:
            self._journal_fd = os.open(self._journal_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        context = self.features.implicit_tls
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=context, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut what is open. Idempotent; ``start`` listens on the same port again."""
        if self._server is not None:
            self._server.close()
        self.drop_connections()
        tasks = list(self._sessions)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None
        if self._journal_fd is not None:
            os.close(self._journal_fd)
            self._journal_fd = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Run on an event loop in a thread of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="smtpd", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    # What sessions call

    def scripted(self, moment: Moment) -> Action | None:
        """The script's word."""
        return self._script.action(moment)

    def limited(self, session: SmtpSession, point: Point) -> str | float | None:
        """The limits' word: a refusal, or seconds to wait."""
        limits = self.limits
        if point == limits.connections_at and limits.connections is not None and self._place(session) >= limits.connections:
            return limits.connections_reply
        return self.meter(session.login).verdict(point)

    def note_refusal(self, moment: Moment, reply: str, login: str = "") -> None:
        self.refused_count += 1
        self.meter(login).count("refused")
        if self._keep:
            self.refused.append(Refusal(moment, reply, time.time()))

    def note_command(self, line: bytes) -> None:
        if self._keep:
            self.commands.append(line)

    def take(self, session: SmtpSession, data: bytes) -> str:
        """Keep a mail; the id for its 250."""
        self.taken_count += 1
        self.meter(session.login).count("taken")
        header = data[: data.find(b"\r\n\r\n") + 2]
        found = _MESSAGE_ID.search(header)
        mail = TakenMail(
            number=self.taken_count,
            mail_from=session.mail_from,
            recipients=tuple(session.recipients),
            data=data,
            at_s=time.time(),
            message_id=found[1].strip().decode("utf-8", "replace") if found else "",
            connection=session.number,
            login=session.login,
            tls=session.tls,
            parameters=session.parameters,
            recipient_parameters=tuple(session.recipient_parameters),
        )
        if self._keep:
            self.taken.append(mail)
        if self._journal_fd is not None:
            os.write(self._journal_fd, _journal_line(mail))
        return f"{mail.number:08X}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_count += 1
        self.connections_open += 1
        self.connections_peak = max(self.connections_peak, self.connections_open)
        task = asyncio.current_task()
        assert task is not None
        session = SmtpSession(self, reader, writer, self.connections_count)
        self._sessions[task] = session
        try:
            await session.run()
        except (OSError, asyncio.CancelledError):
            session.abort()  # a client that went away, or stop(): nothing to tell
        finally:
            self.connections_open -= 1
            del self._sessions[task]


def _journal_line(mail: TakenMail) -> bytes:
    entry = {
        "number": mail.number,
        "at_s": mail.at_s,
        "message_id": mail.message_id,
        "mail_from": mail.mail_from,
        "recipients": mail.recipients,
        "size_bytes": len(mail.data),
        "connection": mail.connection,
    }
    return json.dumps(entry).encode() + b"\n"
