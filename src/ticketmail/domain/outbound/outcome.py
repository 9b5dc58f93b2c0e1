"""Outcome: the facts an adapter reports, one per recipient. The domain classifies them; adapters never do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ticketmail.domain.outbound.allowance import Allowance


class Phase(StrEnum):
    """How far a transaction had come. HTTP gateways use CONNECT, AUTH, MAIL (request sent, no body) and DOT (after the body)."""

    CONNECT = "connect"  #: name resolution, TCP, TLS on connect
    BANNER = "banner"  #: the 220 greeting
    EHLO = "ehlo"
    TLS = "tls"  #: STARTTLS
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  #: the DATA command, before 354
    BODY = "body"  #: the body was on its way, the final dot certainly was not written
    DOT = "dot"  #: the final dot may have been written


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said. ``code`` is the SMTP reply code or HTTP status; ``enhanced`` is RFC 3463 (``5.1.1``) or ''.

    ``text`` is the server's text, lines joined by a blank, without the codes.
    """

    code: int
    text: str = ""
    enhanced: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Taken:
    """The other side has taken responsibility (a final 2yz). ``remote_id`` is its id for the mail, '' if it gave none.

    ``allowance``: what it says it still takes, if it does (``rate_headers.allowance_of``).
    """

    remote_id: str = ""
    reply: Reply | None = None
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side answered no. ``retry_after_s``: its own word on when to come back, in seconds, if it gave one.

    ``allowance``: what it says it still takes, if it does.
    """

    reply: Reply
    phase: Phase
    retry_after_s: float | None = None
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True)
class NotReached:
    """No answer, and the mail was certainly not taken: refused connection, time-out or cut before the final dot.

    ``tls`` is True if what failed is certificate or handshake: a matter of trust, never a reason to send in the clear.
    """

    error: str
    phase: Phase = Phase.CONNECT
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """The body was on its way and no final reply was read: it may have been taken."""

    error: str
    phase: Phase = Phase.DOT


Outcome = Taken | Refused | NotReached | Unclear
