"""``Mailbox`` over POP3: known by UIDL, stored first, deleted (if at all) only then.

A server forgets deletions when the session breaks before QUIT (RFC 1939 section 6): such a mail comes again, and the ledger knows
it. There is one folder and nothing is announced. A mail of which only the header came, or nothing, has a key of its own: it is
never deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import poplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from ticketmail.domain.errors import MailboxError, MailboxRefused, MailboxUnreachable, SettingsError
from ticketmail.domain.ports.receiving import Inbox, Letter, Mailbox, MailboxCapabilities, MailboxOptions

TIMEOUT_S: Final = 60.0
#: poplib takes 2,048 bytes a line; mail in the wild has longer ones.
LINE_BYTES: Final = 1 << 20
#: What else than a mail a server may say at once.
TALK_BYTES: Final = 16 << 20
#: A mail that cannot be fetched so often is told as one without content, and blocks the others no longer.
MOST_TRIES: Final = 3
#: What ends the key of a mail that did not come whole.
_HEADER, _NOTHING = ";header", ";nothing"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS: Final = {"pop3": 110, "pop3s": 995}


class _LongLines:
    """poplib's reader with limits of ours: longer lines, and an end to an answer's."""

    file: Any
    most = TALK_BYTES  #: bytes of one answer
    _taken = 0

    def _putcmd(self, line: str) -> None:
        self._taken = 0
        super()._putcmd(line)  # type: ignore[misc]

    def _getline(self) -> tuple[bytes, int]:
        line: bytes = self.file.readline(LINE_BYTES + 1)
        self._taken += len(line)
        if self._taken > self.most:
            raise poplib.error_proto(f"an answer of more than {self.most} bytes")
        if len(line) > LINE_BYTES or not line:
            raise poplib.error_proto("line too long" if line else "-ERR EOF")
        return line.rstrip(b"\r\n"), len(line)


class _Pop3(_LongLines, poplib.POP3):
    pass


class _Pop3Tls(_LongLines, poplib.POP3_SSL):
    pass


class Pop3Mailbox:
    """See the module."""

    def __init__(self, url: str, options: MailboxOptions) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        self._tls = parts.scheme == "pop3s"
        self._user = unquote(parts.username or "") or options.user
        self._password = unquote(parts.password or "") or options.password
        self._options = options
        # UIDLs are one server's own, and may be small numbers: a mailbox that moves to another server begins anew.
        self._digest = hashlib.sha256(f"{self._user}@{self._host}".lower().encode()).hexdigest()[:8]
        self._deletes = options.options.get("delete", "") in ("true", "yes", "1") and not options.read_only
        self._client: poplib.POP3 | None = None
        self._tries: dict[str, int] = {}

    @property
    def capabilities(self) -> MailboxCapabilities:
        return MailboxCapabilities(watches=False, keeps=not self._deletes)

    def poll(self, inbox: Inbox) -> int:
        """A session shows what was there when it began: each poll is one."""
        with self._session() as client:
            came = 0
            there = self._there(client)
            stored = inbox.has([one for key in there.values() for one in (key, key + _NOTHING)])
            for number, key in there.items():
                if not {key, key + _NOTHING} & stored:
                    letter = self._fetched(client, number, key)
                    inbox.store([letter])
                    stored |= {letter.source}
                    came += 1
                if self._deletes and key in stored and not key.endswith(_HEADER):
                    client.dele(number)
            return came

    def wait(self, timeout_s: float) -> bool:
        return False

    def census(self) -> Iterator[str]:
        with self._session() as client:
            yield from self._there(client).values()

    def abort(self) -> None:
        client = self._client
        if client is not None:
            with contextlib.suppress(Exception):
                client.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()

    @contextmanager
    def _session(self) -> Iterator[poplib.POP3]:
        """Logged in; QUIT at its end, which makes deletions so. After an error nothing is deleted."""
        try:
            with _translated(f"{self._host}:{self._port} cannot be read"):
                client = self._client = self._connect()
                yield client
                client.quit()
        finally:
            self.close()

    def _connect(self) -> poplib.POP3:
        context = ssl.create_default_context(cafile=self._options.ca_file or None)
        if self._tls:
            client: _Pop3 | _Pop3Tls = _Pop3Tls(self._host, self._port, timeout=TIMEOUT_S, context=context)
        else:
            client = _Pop3(self._host, self._port, timeout=TIMEOUT_S)
        self._client = client
        client.most = self._options.max_size_bytes + TALK_BYTES
        if not self._tls:
            self._secure(client, context)
        try:
            client.user(self._user)
            client.pass_(self._password)
        except poplib.error_proto:
            # The server's words are left out: some repeat what was sent.
            raise MailboxRefused(
                f"{self._host} does not let {self._user} in.", remedy="Check user and password; some want an app password."
            ) from None
        return client

    def _secure(self, client: poplib.POP3, context: ssl.SSLContext) -> None:
        if "STLS" in client.capa():
            client.stls(context)
        elif not (self._host in _LOOPBACK or self._options.allow_plaintext):
            raise MailboxRefused(
                f"{self._host} offers no TLS, and the password would be readable on its way.",
                remedy="Use pop3s://, or set allow_plaintext where the network is yours.",
            )

    def _there(self, client: poplib.POP3) -> dict[int, str]:
        """Number in this session -> source key."""
        try:
            uids, sizes = _numbered(client.uidl()[1]), _numbered(client.list()[1])
        except poplib.error_proto as error:
            raise MailboxRefused(f"{self._host} has no UIDL, without which mails cannot be told apart.") from error
        most = self._options.max_size_bytes
        return {number: self._key(uid) + (_HEADER if int(sizes.get(number, 0)) > most else "") for number, uid in uids.items()}

    def _fetched(self, client: poplib.POP3, number: int, key: str) -> Letter:
        try:
            return self._letter(client, number, key)
        except (poplib.error_proto, OSError) as error:
            self._tries[key] = self._tries.get(key, 0) + 1
            if self._tries[key] < MOST_TRIES:
                raise
            return Letter(key + _NOTHING, trouble=f"The server does not give it: {error}"[:300])

    def _letter(self, client: poplib.POP3, number: int, key: str) -> Letter:
        if key.endswith(_HEADER):
            answer: Any = client.list(number)  # one line where one was asked for; its type says else
            note = f"X-Ticketmail-Too-Large: {int(answer.split()[2])} bytes, still in the mailbox".encode()
            return Letter(key, b"\r\n".join([note, *client.top(number, 0)[1], b""]))
        return Letter(key, b"\r\n".join([*client.retr(number)[1], b""]))

    def _key(self, uid: str) -> str:
        """The source key of a mail."""
        return f"uidl;{self._digest};{uid}"[:240]


def _numbered(lines: list[bytes]) -> dict[int, str]:
    """The lines of UIDL and LIST."""
    words = (line.decode("ascii", "replace").split(maxsplit=1) for line in lines)
    return {int(number): value.strip() for number, value in words}


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """The one table of what poplib and the network raise."""
    try:
        yield
    except MailboxError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise MailboxRefused(f"{what}: its certificate is not trusted.", remedy="Set ca_file, or mend the server.") from error
    except poplib.error_proto as error:
        raise MailboxError(f"{what}: {str(error)[:200]}.", remedy="It is tried again by itself.") from error
    except (ConnectionError, TimeoutError, EOFError, socket.gaierror, ssl.SSLError) as error:
        raise MailboxUnreachable(f"{what}: {error}.", remedy="It is tried again by itself.") from error


def create(url: str, options: MailboxOptions) -> Mailbox:
    """A mailbox at ``pop3s://user:password@host`` (TLS) or ``pop3://...`` (STLS). ``options.delete = "true"`` deletes there what
    is safe here. Opens nothing. Raises SettingsError."""
    parts = urlsplit(url)
    if not parts.hostname or parts.path not in ("", "/"):
        raise SettingsError("This is no POP3 URL.", name="mailboxes", remedy="Write pop3s://user:password@host.")
    if options.token is not None:
        raise SettingsError("POP3 with OAuth2 is not spoken here.", name="mailboxes", remedy="Use IMAP.")
    if options.folders != ("INBOX",) or options.processed:
        raise SettingsError("POP3 has no folders.", name="mailboxes", remedy="Use IMAP, or leave folders and processed out.")
    return Pop3Mailbox(url, options)
