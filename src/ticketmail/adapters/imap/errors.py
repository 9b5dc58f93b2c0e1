"""What IMAPClient, imaplib and the network raise, as MailboxError kin: one table."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imapclient import exceptions

from ticketmail.domain.errors import MailboxError, MailboxRefused, MailboxUnreachable

_LOGIN = "Check user and password (or token); some providers want an app password, or IMAP switched on."
_AGAIN = "It is tried again by itself."
_NO_HOST = "Check the host's name; it is tried again by itself."
_NOBODY = "Check the port, and whether a server listens there; it is tried again by itself."
_NO_TLS = "Where this port begins without TLS, write imap:// (STARTTLS); it is tried again by itself."
_BUSY = "Other programs may use up the mailbox's connections; it is tried again by itself."
_NOT_THEIRS = "The login is good and opens no mailbox: check `user`, its permission on the mailbox, and the token's scope."
_CERTIFICATE = "The server's certificate is not trusted: set ca_file, or mend the server."

#: What servers say decides before the class does. A login that is turned away for now is none that is refused: RFC 5530; Gmail
#: (15 connections, support.google.com/mail/answer/97150); Dovecot. Exchange Online takes a token and then denies the mailbox.
SAYINGS: tuple[tuple[re.Pattern[str], type[MailboxError], str], ...] = (
    (re.compile(r"authenticated but not connected", re.I), MailboxRefused, _NOT_THEIRS),
    (re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT)\]|too many simultaneous connections", re.I), MailboxUnreachable, _BUSY),
)

#: The first class that fits decides. What is not listed is a fault of ours.
TABLE: tuple[tuple[type[Exception], type[MailboxError], str], ...] = (
    (exceptions.LoginError, MailboxRefused, _LOGIN),
    (ssl.SSLCertVerificationError, MailboxRefused, _CERTIFICATE),
    (exceptions.IMAPClientAbortError, MailboxUnreachable, _AGAIN),
    (exceptions.IMAPClientReadOnlyError, MailboxRefused, "The folder is read-only for this login."),
    (exceptions.CapabilityError, MailboxRefused, "The server cannot do this."),
    (exceptions.IMAPClientError, MailboxError, _AGAIN),
    (socket.gaierror, MailboxUnreachable, _NO_HOST),
    (ConnectionRefusedError, MailboxUnreachable, _NOBODY),
    (ssl.SSLError, MailboxUnreachable, _NO_TLS),
    (OSError, MailboxUnreachable, _AGAIN),
    (EOFError, MailboxUnreachable, _AGAIN),
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what the block raises as MailboxError kin. ``what`` says what was being done."""
    try:
        yield
    except MailboxError:
        raise
    except Exception as error:
        for pattern, ours, remedy in SAYINGS if isinstance(error, exceptions.IMAPClientError) else ():
            if pattern.search(str(error)):
                raise ours(f"{what}: {said(error)}.", remedy=remedy) from error
        for kind, ours, remedy in TABLE:
            if isinstance(error, kind):
                raise ours(f"{what}: {said(error)}.", remedy=remedy) from error
        raise


def said(error: Exception) -> str:
    """What a server or the network said, without a full stop."""
    text = " ".join(str(error).split())[:300]
    if text.startswith("b'"):  # imaplib's errors hold bytes
        text = text[2:].removesuffix("'")
    return text.rstrip(".") or type(error).__name__
