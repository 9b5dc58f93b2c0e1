"""Opening a session: TCP, greeting, EHLO, TLS, login. The only module that knows aiosmtplib's client.

What it relies on is asserted by tests/adapters/smtp/test_session_contract.py: ``SMTP(sock=…)``, ``connect``, ``ehlo``,
``starttls``, ``auth_*``, and the public attributes ``transport``, ``esmtp_extensions``, ``server_auth_methods``. After the login
the transport is taken from it (``asyncio.Transport.set_protocol``); its private parts are not touched.

Its own time-outs are switched off (``timeout=None``), ours are ``asyncio.timeout``: its are ``asyncio.wait_for``, which on Python
3.11 loses a cancellation that comes together with the answer (bpo-42130), and the send would go on.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import aiosmtplib

from ticketmail.adapters.smtp.errors import SessionFailed, translate
from ticketmail.adapters.smtp.target import Target
from ticketmail.adapters.smtp.wire import Wire
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused, Reply

TokenSource = Callable[[bool], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server offered in its last EHLO."""

    pipelining: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size_limit_bytes: int = 0  #: 0: none given
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class Session:
    """An open session. ``dirty``: a transaction did not end cleanly, RSET is due. Times are the event loop's, seconds."""

    wire: Wire
    offers: Offers
    tls: bool
    opened_s: float
    used_s: float
    mails: int = 0
    dirty: bool = False
    banner: str = ""  #: the greeting's text


@dataclass(slots=True)
class Handshake:
    """One attempt to open a session. ``phase`` says how far it came."""

    target: Target
    context: ssl.SSLContext | None
    token: TokenSource | None = None
    force_token: bool = False
    phase: Phase = Phase.CONNECT
    _secrets: list[str] = field(default_factory=list, repr=False)
    _banner: str = ""

    async def run(self) -> Session:
        """Raises SessionFailed, whose facts never hold a password or token, not even where the server repeats them."""
        client: aiosmtplib.SMTP | None = None
        try:
            client = await self._connect()
            self.phase = Phase.EHLO
            await self._greet(client)
            await self._encrypt(client)
            await self._login(client)
            return self._take_over(client)
        except BaseException as error:
            if client is not None:
                _drop(client)
            if isinstance(error, SessionFailed):
                raise
            if isinstance(error, Exception):
                raise SessionFailed(self._scrubbed(translate(error, self.phase))) from None
            raise

    async def _connect(self) -> aiosmtplib.SMTP:
        target = self.target
        sock = await dial(target.host, target.port, target.timeouts_s[Phase.CONNECT])
        client = self._client(sock)
        self.phase = Phase.BANNER
        try:
            async with self._in_time():
                self._banner = (await client.connect()).message
        except BaseException:
            _end(sock)
            raise
        return client

    def _client(self, sock: socket.socket) -> aiosmtplib.SMTP:
        target = self.target
        try:
            return aiosmtplib.SMTP(
                hostname=target.host,
                sock=sock,
                local_hostname=target.helo or _own_name(sock),
                use_tls=target.tls == "implicit",
                start_tls=False,
                tls_context=self.context,
                timeout=None,
            )
        except BaseException:
            sock.close()
            raise

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout(self.target.timeouts_s[self.phase])

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        try:
            async with self._in_time():
                await client.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code not in (500, 501, 502, 504, 550):  # RFC 5321 section 3.2: fall back for servers that do not know EHLO
                raise
            async with self._in_time():
                await client.helo()

    async def _encrypt(self, client: aiosmtplib.SMTP) -> None:
        """STARTTLS where it is offered. Once TLS was tried there is no way back to plain text."""
        target = self.target
        if target.tls in ("implicit", "none"):  # target_of() has refused a `none` that is not allowed
            return
        self.phase = Phase.TLS
        if client.supports_extension("starttls"):
            async with self._in_time():
                await client.starttls(tls_context=self.context)
            self.phase = Phase.EHLO
            await self._greet(client)
        elif target.tls == "required" or not target.plaintext:
            remedy = "Use smtps://, or set allow_plaintext if the network is yours."
            raise SessionFailed(NotReached(f"{target} offers no STARTTLS. {remedy}", Phase.TLS, tls=True))

    async def _login(self, client: aiosmtplib.SMTP) -> None:
        if not self.target.logs_in:
            return
        self.phase = Phase.AUTH
        if self.target.auth == "oauth2":
            token = await self._access_token()
            async with self._in_time():
                await client.auth_xoauth2(self.target.username, token)
            return
        secret = self.target.password.get_secret_value()
        self._hide(secret)
        await self._password_login(client, secret)

    async def _password_login(self, client: aiosmtplib.SMTP, secret: str) -> None:
        """One mechanism; the next only if the server says that it does not do this one, so that a wrong password counts once."""
        methods = self._mechanisms(client)
        for number, (_, method) in enumerate(methods):
            try:
                async with self._in_time():
                    await method(self.target.username, secret)
                return
            except aiosmtplib.SMTPAuthenticationError as error:
                if error.code not in (500, 501, 502, 503, 504, 534) or number == len(methods) - 1 or not client.is_connected:
                    raise

    def _mechanisms(self, client: aiosmtplib.SMTP) -> list[tuple[str, Callable[..., Awaitable[object]]]]:
        known: dict[str, Callable[..., Awaitable[object]]] = {
            "plain": client.auth_plain,
            "login": client.auth_login,
            "cram-md5": client.auth_crammd5,
        }
        encrypted = client.get_transport_info("sslcontext") is not None
        order = ("plain", "login", "cram-md5") if encrypted else ("cram-md5", "plain", "login")
        offered = [(name, known[name]) for name in order if name in client.server_auth_methods]
        if not offered:
            said = ", ".join(client.server_auth_methods) or "no login at all"
            oauth = "xoauth2" in client.server_auth_methods
            remedy = "Set auth to oauth2." if oauth else "Check host and port (587 and 465 take logins)."
            text = f"{self.target} offers {said}, none of PLAIN, LOGIN, CRAM-MD5. {remedy}"
            raise SessionFailed(NotReached(text, Phase.AUTH))
        return offered

    async def _access_token(self) -> str:
        if self.token is None:
            raise SessionFailed(NotReached("auth is oauth2, and there is no token source. Give the account a token.", Phase.AUTH))
        try:
            token = await self.token(self.force_token)
        except Exception as error:
            # The text of a foreign error may hold what it was given: only its kind is told.
            raise SessionFailed(NotReached(f"no access token: {type(error).__name__} in the token source", Phase.AUTH)) from None
        self._hide(token)
        return token

    def _hide(self, secret: str) -> None:
        login = self.target.username
        forms = (secret, f"\0{login}\0{secret}", f"user={login}\x01auth=Bearer {secret}\x01\x01")
        self._secrets += [secret, *(base64.b64encode(form.encode()).decode() for form in forms)] if secret else []

    def _scrubbed(self, failure: Refused | NotReached) -> Refused | NotReached:
        if isinstance(failure, NotReached):
            return NotReached(self._scrub(failure.error), failure.phase, failure.tls)
        reply = failure.reply
        return Refused(Reply(reply.code, self._scrub(reply.text), reply.enhanced), failure.phase, failure.retry_after_s)

    def _scrub(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _take_over(self, client: aiosmtplib.SMTP) -> Session:
        transport = client.transport
        if transport is None or not client.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        encrypted = transport.get_extra_info("sslcontext") is not None
        offers = offers_of(client.esmtp_extensions)
        now = asyncio.get_running_loop().time()
        wire = Wire(cast(asyncio.Transport, transport))
        return Session(wire, offers, encrypted, opened_s=now, used_s=now, banner=self._banner)


def offers_of(extensions: dict[str, str]) -> Offers:
    """The extensions of an EHLO reply (names lower-case -> parameters)."""
    size = extensions.get("size", "").strip()
    return Offers(
        pipelining="pipelining" in extensions,
        eight_bit="8bitmime" in extensions,
        smtputf8="smtputf8" in extensions,
        dsn="dsn" in extensions,
        size_limit_bytes=int(size) if size.isascii() and size.isdigit() else 0,
        names=tuple(sorted(name.upper() for name in extensions)),
    )


async def dial(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected TCP socket, the host's addresses tried in turn, each with its share of the time. Raises OSError kin."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for place, info in enumerate(infos, start=1):
            # The last one has what is left of the time, and says why it fails.
            found = await _tried(info, timeout_s / len(infos) if place < len(infos) else None)
            if found is not None:
                return found
    raise OSError(f"{host} has no address")


async def _tried(info: tuple[Any, ...], share_s: float | None) -> socket.socket | None:
    """A connection, or None if it failed and ``share_s`` says that there are others. Raises OSError kin for the last."""
    family, kind, proto, _, address = info
    try:
        async with asyncio.timeout(share_s):
            return await _dial_one(family, kind, proto, address)
    except OSError:
        if share_s is None:
            raise
    return None


async def _dial_one(family: int, kind: int, proto: int, address: object) -> socket.socket:
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, cast(tuple[str, int], address))
    except BaseException:
        sock.close()
        raise
    return sock


def _own_name(sock: socket.socket) -> str:
    """The name for EHLO. Without a proper one an address literal (RFC 5321 section 4.1.4); never a look-up: it may take long."""
    name = socket.gethostname()
    if "." in name.strip(".") and name.isascii() and not any(char.isspace() for char in name):
        return name
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _end(sock: socket.socket) -> None:
    """End a connection whose socket asyncio's transport has: that reads the end, and closes it. A close here would leave the loop
    with a number that the next connection is given, too."""
    with contextlib.suppress(OSError):  # the server has gone, or the transport has closed it
        sock.shutdown(socket.SHUT_RDWR)


def _drop(client: aiosmtplib.SMTP) -> None:
    transport = client.transport
    client.close()
    if transport is not None:
        cast(asyncio.Transport, transport).abort()
