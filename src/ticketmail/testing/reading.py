"""Reading mail without a process of its own: for tests, where nobody hostile writes."""

from __future__ import annotations

from injector import Module, provider, singleton

from ticketmail.adapters.mime.understanding import understand
from ticketmail.domain.inbound.reading import Reading
from ticketmail.domain.ports.receiving import Reader


class InlineReader:
    """``Reader`` in this process."""

    def read(self, raw: bytes) -> Reading:
        """As the port says."""
        return understand(raw)

    def close(self) -> None:
        """Nothing is held."""


class InlineReading(Module):
    """An override for ``TicketMail(overrides=...)``."""

    @singleton
    @provider
    def reader(self) -> Reader:
        return InlineReader()
