"""Reading mail from strangers: any bytes become a :class:`ParsedMail`, within bounds."""

from __future__ import annotations

from ticketmail.adapters.mime.reading.parser import body_alone, parse

__all__ = ["body_alone", "parse"]
