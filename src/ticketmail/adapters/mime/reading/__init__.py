"""Reading mail from strangers: any bytes become a :class:`ParsedMail`, within bounds."""

from __future__ import annotations

from ticketmail.domain.inbound.limits import DEFAULT_LIMITS, ReadingLimits
from ticketmail.domain.inbound.mail import Defect, ParsedMail, Tier

__all__ = ["parse"]


def parse(raw: bytes, limits: ReadingLimits = DEFAULT_LIMITS) -> ParsedMail:
    """Read a mail. Never raises for any bytes; the same bytes give the same mail. Pure, thread-safe."""
    return ParsedMail(tier=Tier.MINIMAL, size_bytes=len(raw), defects=(Defect("not-read"),))
