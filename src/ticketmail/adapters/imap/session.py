"""One IMAP connection: opened, secured, logged in. Nothing is sent unprotected beyond loopback unless settings say so."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, LoginError

from ticketmail.adapters.imap.errors import translated
from ticketmail.domain.errors import MailboxRefused, SettingsError
from ticketmail.domain.ports.receiving import MailboxOptions

CONNECT_S = 30.0
READ_S = 60.0
#: What else than a mail a server may say at once (bytes).
TALK_BYTES = 1 << 20
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"imap": 143, "imaps": 993}


@dataclass(frozen=True)
class Target:
    """Where to, and as whom."""

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)

    @property
    def digest(self) -> str:
        """Tells this mailbox's UIDs from those of another server or user. A short hash: it stands in each mail's source key."""
        return hashlib.sha256(f"{self.user}@{self.host}".lower().encode()).hexdigest()[:8]

    @property
    def is_loopback(self) -> bool:
        """Nobody else hears what is said."""
        return self.host in _LOOPBACK


def target_of(url: str, options: MailboxOptions) -> Target:
    """Read the URL. Raises SettingsError; never repeats the URL, which may hold a password."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if not parts.hostname or port == -1 or parts.path not in ("", "/"):
        raise SettingsError(
            "This is no IMAP URL.", name="mailboxes", remedy="Write imaps://user:password@host; folders are a setting."
        )
    return Target(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "imaps",
        user=unquote(parts.username or "") or options.user,
        password=unquote(parts.password or "") or options.password,
    )


def connect(target: Target, options: MailboxOptions) -> IMAPClient:
    """A connection that is logged in. Raises MailboxError kin."""
    context = ssl.create_default_context(cafile=options.ca_file or None)
    with translated(f"{target.host}:{target.port} cannot be reached"):
        timeout = SocketTimeout(connect=CONNECT_S, read=READ_S)
        client = IMAPClient(target.host, target.port, ssl=target.tls, ssl_context=context, timeout=timeout)
    try:
        client.normalise_times = False
        _bound(client, options.max_size_bytes + TALK_BYTES)
        if not target.tls:
            _secure(client, target, options, context)
        _log_in(client, target, options)
    except BaseException:
        release(client)
        raise
    return client


def cut(client: IMAPClient) -> None:
    """End the connection without a word, from any thread; a call that waits on it raises. Never raises."""
    with contextlib.suppress(Exception):
        client.socket().shutdown(socket.SHUT_RDWR)


def release(client: IMAPClient) -> None:
    """Close what a connection holds. Never raises."""
    with contextlib.suppress(Exception):
        client.shutdown()


def _bound(client: IMAPClient, most: int) -> None:
    """imaplib reads as many bytes as a server announces (CVE-2026-42245 and its kin); its lines are bounded."""
    connection = client._imap
    read = connection.read

    def bounded(size: int) -> bytes:
        if size > most:
            raise IMAPClientAbortError(f"it announces {size} bytes at once, and at most {most} are taken")
        taken: bytes = read(size)
        return taken

    connection.read = bounded


def _secure(client: IMAPClient, target: Target, options: MailboxOptions, context: ssl.SSLContext) -> None:
    with translated(f"{target.host} did not begin TLS"):
        if client.has_capability("STARTTLS"):
            client.starttls(context)
            return
    if not (target.is_loopback or options.allow_plaintext):
        raise MailboxRefused(
            f"{target.host} offers no TLS, and the password would be readable on its way.",
            remedy="Use imaps://, or set allow_plaintext where the network is yours.",
        )


def _log_in(client: IMAPClient, target: Target, options: MailboxOptions) -> None:
    with translated(f"{target.host} does not let {target.user} in"):
        if options.token is None:
            client.login(target.user, target.password)
            return
        try:
            client.oauth2_login(target.user, options.token(False))
        except LoginError:  # the token may have been withdrawn: once more with a new one
            client.oauth2_login(target.user, options.token(True))
