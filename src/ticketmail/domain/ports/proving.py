"""Proving a mailbox before trusting it: what a server says of itself and allows, without sending. An ability that a gateway may
have beside ``Gateway``; ask by ``isinstance(gateway, Provable)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ticketmail.domain.outbound.outcome import Refused


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the server showed, after it was verified. ``names`` it is valid for; ``until_us`` its end, UTC microseconds."""

    version: str  #: of TLS: ``TLSv1.3``
    names: tuple[str, ...]
    issuer: str
    until_us: int | None


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a session was opened to. ``extensions`` are those of the last EHLO, upper case; no ``certificate``: no TLS."""

    server: str  #: for people: ``smtp://mail.example.com:587``, no login
    banner: str
    certificate: Certificate | None
    login: str  #: the user that is logged in, '' if nobody
    extensions: tuple[str, ...]
    size_limit_bytes: int | None


class ProofSession(Protocol):
    """One open session. Used by one task."""

    @property
    def greeting(self) -> Greeting: ...

    async def envelope(self, return_path: str, recipient: str = "") -> Refused | None:
        """Say an envelope and take it back: nothing is sent. None: accepted. Raises OSError if the session ends."""
        ...

    def close(self) -> None:
        """Say goodbye. Idempotent."""
        ...


@runtime_checkable
class Provable(Protocol):
    """A gateway whose server can be asked."""

    async def prove(self) -> ProofSession:
        """A session of its own, beside those that send. Raises OSError whose ``failure`` is the fact (Refused, NotReached)."""
        ...
