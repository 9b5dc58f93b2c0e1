"""Reading mail from strangers: any bytes become a :class:`ParsedMail`, within bounds."""

from __future__ import annotations

from ticketmail.adapters.mime.reading.parser import parse

__all__ = ["parse"]
