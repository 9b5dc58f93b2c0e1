"""Gateways: what takes a message for the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from ticketmail.domain.message import Message
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.outcome import Outcome


@dataclass(frozen=True, slots=True)
class GatewayCapabilities:
    """What a gateway can do. Data: the contract suite skips by it, the docs matrix is made from it."""

    raw: bool = True  #: takes rendered bytes; else ``parts``
    parts: bool = False  #: takes the structured message
    per_recipient: bool = True  #: an outcome of its own for each recipient
    idempotency_key: bool = False  #: sending the same key twice makes one mail
    keeps_message_id: bool = True  #: does not replace our Message-ID
    keeps_return_path: bool = True  #: bounces return to ours, not to the provider
    max_size_bytes: int | None = None  #: known beforehand; None: unknown
    max_recipients: int | None = None  #: per transaction; None: unknown
    http: bool = False  #: ``Reply.code`` is an HTTP status, to be classified as one
    network: bool = True  #: False: nobody outside is mailed (null, file)
    tells_allowance: bool = False  #: its provider can be asked what it still takes: it is a ``TellsAllowance``
    keeps_connections: bool = False  #: connections stay open between mails, and the server counts them: ``KeepsConnections``


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a gateway is given.

    ``return_path`` is an addr-spec or '' (null sender). ``recipients`` are addr-specs. ``mime`` is the rendered mail, CRLF line
    ends, never with Bcc; ``message`` the structured one, None if the host gave ready MIME. ``key`` is the idempotency key:
    the same for each retry. ``deadline_us``: UTC microseconds after which nobody wants it.
    """

    submission_id: UUID
    message_id: str
    return_path: str
    recipients: tuple[str, ...]
    mime: bytes = field(repr=False)
    message: Message | None = field(default=None, repr=False)
    key: str = ""
    deadline_us: int = 0
    lane: str = ""
    ticket: str | None = None


#: Awaited before the first body byte leaves, with the indices of the recipients that were accepted. Raises to stop the body.
OnBody = Callable[[Sequence[int]], Awaitable[None]]


class Gateway(Protocol):
    """Sends one mail at a time per call; many calls may run at once (one connection each)."""

    @property
    def capabilities(self) -> GatewayCapabilities: ...

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        """Send, and report one outcome per recipient, in order. Facts only; the domain classifies.

        ``on_body(accepted)`` is awaited after the recipients were accepted and before the first body byte leaves (it may run
        while the gateway waits for the 354). If it raises, no body byte is sent, the connection is closed, and the exception
        goes through. Never raises for what a server says or a network does. Cancelled before ``on_body``: nothing was sent;
        cancelled after: the mail may have been taken (the caller reports ``Unclear``), and the connection is closed.
        """
        ...

    async def check(self) -> str:
        """Connect, greet, log in, say NOOP. Returns a sentence on what was found. Raises OSError or TicketmailError kin with
        the server's words if that fails."""
        ...

    async def aclose(self) -> None:
        """Close idle connections. Idempotent."""
        ...


class TellsAllowance(Gateway, Protocol):
    """A gateway that ``tells_allowance``: its provider can be asked what it still takes (SES: GetSendQuota)."""

    async def allowance(self) -> Allowance | None:
        """Ask. None: the provider does not say now. Sends nothing. Raises OSError or TicketmailError kin if that fails."""
        ...


class KeepsConnections(Gateway, Protocol):
    """A gateway that ``keeps_connections``. Idle ones count at the server, too: those that others are to have must be closed."""

    def keep(self, most: int) -> int:
        """Have at most ``most`` connections from now on: close idle ones above that now, the youngest first, and busy ones when
        their mail is done. Returns how many are open, busy ones included. Never blocks."""
        ...


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Settings that a gateway gets beside its URL. Durations in seconds. ``token`` gives an OAuth2 access token when asked
    (``force``: the last one was refused). ``extra`` holds settings that only this adapter knows."""

    account: str = ""
    connections: int = 5
    messages_per_connection: int = 100
    seconds_per_connection: float = 300.0
    idle_s: float = 30.0
    auth: str = "password"  #: or ``oauth2``, ``none``
    token: Callable[[bool], Awaitable[str]] | None = None
    allow_plaintext: bool = False
    ca_file: str = ""
    helo: str = ""
    timeouts_s: tuple[tuple[str, float], ...] = ()  #: phase -> seconds, over RFC 5321 section 4.5.3.2
    dsn: bool = False
    pipelining: bool = True
    extra: tuple[tuple[str, str], ...] = ()


#: An entry point of ``ticketmail.gateways``: ``create(url, options)``. The URL may hold a password; adapters never show it.
GatewayFactory = Callable[[str, GatewayOptions], Gateway]
