"""One connection of the local SMTP server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from ticketmail.testing.smtpd.features import Features
from ticketmail.testing.smtpd.limits import ServerLimits
from ticketmail.testing.smtpd.login import Login
from ticketmail.testing.smtpd.script import Action, Fault, Moment, Point

_PATH = re.compile(r"(?:from|to):\s*<([^<>]*)>(?:\s+(.*))?$", re.IGNORECASE)
_MAX_LINE = 4096
_READ = 256 * 1024


class Host(Protocol):
    """What a session asks of the server that it belongs to, and tells it."""

    features: Features
    limits: ServerLimits
    latency_s: float
    banner: str
    logins: list[str]
    mails_begun: int

    def scripted(self, moment: Moment) -> Action | None:
        """The script's word."""
        ...

    def limited(self, session: SmtpSession, point: Point) -> str | float | None:
        """The limits' word: a refusal, or seconds to wait."""
        ...

    def note_command(self, line: bytes) -> None:
        """A line was heard."""
        ...

    def note_refusal(self, moment: Moment, reply: str, login: str = "") -> None:
        """``reply`` was said."""
        ...

    def take(self, session: SmtpSession, data: bytes) -> str:
        """Keep a mail; the id for its 250."""
        ...


class _Gone(Exception):
    """The connection has ended, by either side."""


class SmtpSession:
    """Commands in order, one at a time. Answers to commands that came together leave together."""

    def __init__(self, server: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.number = number
        self.login = ""
        self.tls = server.features.implicit_tls is not None
        self.mail_from = ""
        self.parameters = ""
        self.recipients: list[str] = []
        self.recipient_parameters: list[str] = []
        self._in_mail = False
        self._mails = 0
        self._mail_number = 0
        self._server = server
        self._reader = reader
        self._writer = writer
        self._in = bytearray()
        self._out = bytearray()
        self._verbs: dict[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }

    async def run(self) -> None:
        try:
            await self._welcome()
            while True:
                line = await self._line()
                self._server.note_command(line)
                verb, _, rest = line.decode("utf-8", "surrogateescape").partition(" ")
                handler = self._verbs.get(verb.upper())
                if handler is None:
                    self._say("500 5.5.2 Command not recognized")
                else:
                    await handler(rest)
        except _Gone:
            self.abort()

    def abort(self) -> None:
        self._writer.transport.abort()

    # Bytes

    async def _more(self) -> None:
        await self._flush()
        data = await self._reader.read(_READ)
        if not data:
            raise _Gone
        self._in += data

    async def _line(self) -> bytes:
        while (end := self._in.find(b"\r\n")) < 0:
            if len(self._in) > _MAX_LINE:
                self._say("500 5.5.2 Line too long")
                await self._close()
            await self._more()
        line = bytes(self._in[:end])
        del self._in[: end + 2]
        return line

    def _say(self, reply: str) -> None:
        self._out += reply.encode("utf-8", "surrogateescape") + b"\r\n"

    async def _flush(self) -> None:
        if not self._out:
            return
        if self._server.latency_s:
            await asyncio.sleep(self._server.latency_s)
        self._writer.write(bytes(self._out))
        self._out.clear()
        await self._writer.drain()

    async def _close(self) -> None:
        await self._flush()
        self._writer.close()
        await self._writer.wait_closed()
        raise _Gone

    # Script

    async def _stopped(self, point: Point, recipient: str = "") -> bool:
        """True if script or limit answered in our place."""
        moment = Moment(point, self.number, self._mail_number, self.mail_from, recipient)
        action = self._server.scripted(moment)
        if isinstance(action, float):
            await self._pass(action)
        if action is None or isinstance(action, float):
            action = self._server.limited(self, point)
        if isinstance(action, float):
            await self._pass(action)
        if action is None or isinstance(action, float):
            return False
        if isinstance(action, Fault):
            await self._fail(action)
        assert isinstance(action, str)
        self._say(action)
        if action[:1] in "45":
            self._server.note_refusal(moment, action, self.login)
        if action.startswith("421"):
            await self._close()
        return True

    async def _pass(self, seconds: float) -> None:
        await self._flush()
        await asyncio.sleep(seconds)

    async def _fail(self, fault: Fault) -> None:
        await self._flush()
        if fault is Fault.HANG:
            while await self._reader.read(_READ):
                pass
        raise _Gone

    # Commands

    async def _welcome(self) -> None:
        if await self._stopped("connect"):
            await self._close()
        self._say(f"220 {self._server.banner}")

    async def _ehlo(self, _: str) -> None:
        if await self._stopped("ehlo"):
            return
        self._reset()
        features = self._server.features
        lines = ["ticketmail.testing"]
        lines += ["PIPELINING"] if features.pipelining else []
        lines += [f"SIZE {features.size_limit_bytes}"] if features.size_limit_bytes is not None else []
        lines += ["8BITMIME"] if features.eight_bit else []
        lines += ["SMTPUTF8"] if features.smtputf8 else []
        lines += ["DSN"] if features.dsn else []
        lines += ["ENHANCEDSTATUSCODES"] if features.enhanced_codes else []
        lines += ["STARTTLS"] if features.starttls is not None and not self.tls else []
        if self._wants_login and (self.tls or not features.tls_before_auth):
            lines.append("AUTH " + " ".join(features.auth_methods))
        for line in lines[:-1]:
            self._say(f"250-{line}")
        self._say(f"250 {lines[-1]}")

    async def _helo(self, _: str) -> None:
        if not await self._stopped("ehlo"):
            self._reset()
            self._say("250 ticketmail.testing")

    async def _starttls(self, _: str) -> None:
        if await self._stopped("starttls"):
            return
        context = self._server.features.starttls
        if context is None or self.tls:
            self._say("502 5.5.1 STARTTLS not offered")
            return
        self._in.clear()  # nothing said before the handshake counts after it (CVE-2011-0411)
        self._say("220 2.0.0 Ready to start TLS")
        await self._flush()
        await self._writer.start_tls(context)
        self.tls = True
        self._reset()

    async def _mail(self, rest: str) -> None:
        limits = self._server.limits
        self._server.mails_begun += 1
        self._mail_number = self._server.mails_begun
        match = _PATH.match(rest)
        if self._in_mail:
            self._say("503 5.5.1 Nested MAIL command")
        elif match is None or not rest.upper().startswith("FROM:"):
            self._say("501 5.5.4 Syntax: MAIL FROM:<address>")
        elif self._wants_login and not self.login:
            self._say("530 5.7.0 Authentication required")
        elif limits.mails_per_connection is not None and self._mails >= limits.mails_per_connection:
            self._server.note_refusal(Moment("mail", self.number, self._mail_number), limits.mails_reply, self.login)
            self._say(limits.mails_reply)
            await self._close()
        else:
            await self._begin(match[1], match[2] or "")

    async def _begin(self, sender: str, parameters: str) -> None:
        self.mail_from = sender
        if await self._stopped("mail"):
            return
        limit = self._server.features.size_limit_bytes
        declared = re.search(r"\bSIZE=(\d+)", parameters, re.IGNORECASE)
        if limit and declared and int(declared[1]) > limit:
            self._say("552 5.3.4 Message size exceeds fixed limit")
            return
        if not sender.isascii() and "SMTPUTF8" not in parameters.upper():
            self._say("553 5.6.7 Address needs SMTPUTF8")
            return
        self._in_mail = True
        self.parameters = parameters
        self._say("250 2.1.0 Ok")

    async def _rcpt(self, rest: str) -> None:
        match = _PATH.match(rest)
        if not self._in_mail:
            self._say("503 5.5.1 Need MAIL command")
        elif match is None or not match[1] or not rest.upper().startswith("TO:"):
            self._say("501 5.5.4 Syntax: RCPT TO:<address>")
        elif not match[1].isascii() and "SMTPUTF8" not in self.parameters.upper():
            self._say("553 5.6.7 Address needs SMTPUTF8")
        elif not await self._stopped("rcpt", match[1]):
            self.recipients.append(match[1])
            self.recipient_parameters.append(match[2] or "")
            self._say("250 2.1.5 Ok")

    async def _data(self, _: str) -> None:
        if not self._in_mail:
            self._say("503 5.5.1 Need RCPT command")
            return
        if not self.recipients:
            self._say("554 5.5.1 No valid recipients")
            return
        if await self._stopped("data"):
            return
        self._say("354 End data with <CR><LF>.<CR><LF>")
        data = await self._body()
        limit = self._server.features.size_limit_bytes
        if limit and len(data) > limit:
            self._say("552 5.3.4 Message size exceeds fixed limit")
        elif not await self._stopped("dot"):
            self._mails += 1
            number = self._server.take(self, data)
            if not await self._stopped("taken"):
                self._say(f"250 2.0.0 Ok: queued as {number}")
        self._reset()

    async def _body(self) -> bytes:
        """The mail up to the final dot, dots unstuffed."""
        while not self._in:
            await self._more()
        if await self._stopped("body"):
            await self._close()
        self._in[:0] = b"\r\n"  # so that a dot on the first line is found like any other
        seen = 0
        while (end := self._in.find(b"\r\n.\r\n", seen)) < 0:
            seen = max(0, len(self._in) - 4)
            await self._more()
        data = bytes(self._in[2 : end + 2])
        del self._in[: end + 5]
        data = data[1:] if data.startswith(b"..") else data
        return data.replace(b"\r\n..", b"\r\n.") if b"\r\n.." in data else data

    async def _rset(self, _: str) -> None:
        if not await self._stopped("rset"):
            self._reset()
            self._say("250 2.0.0 Ok")

    async def _noop(self, _: str) -> None:
        if not await self._stopped("noop"):
            self._say("250 2.0.0 Ok")

    async def _quit(self, _: str) -> None:
        if not await self._stopped("quit"):
            self._say("221 2.0.0 Bye")
        await self._close()

    def _reset(self) -> None:
        self._in_mail = False
        self.mail_from = self.parameters = ""
        self.recipients.clear()
        self.recipient_parameters.clear()

    # Login

    @property
    def _wants_login(self) -> bool:
        return bool(self._server.features.users or self._server.features.tokens)

    async def _auth(self, rest: str) -> None:
        features = self._server.features
        method, _, initial = rest.partition(" ")
        if await self._stopped("auth"):
            return
        if method.upper() not in features.auth_methods or not self._wants_login:
            self._say("504 5.5.4 Unrecognized authentication type")
        elif features.tls_before_auth and not self.tls:
            self._say("538 5.7.11 Encryption required for requested authentication mechanism")
        else:
            user = await Login(features, self._ask, self.number).user(method.upper(), initial)
            self.login = user
            self._server.logins.append(user)
            self._say("235 2.7.0 Authentication successful" if user else "535 5.7.8 Authentication credentials invalid")

    async def _ask(self, challenge: str) -> str:
        self._say(f"334 {challenge}")
        return (await self._line()).decode("ascii", "replace")
