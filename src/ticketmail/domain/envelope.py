"""Envelope: who a mail goes to and who bounces return to (RFC 5321). Bcc lives only here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ticketmail.domain.address import Address


class Envelope(BaseModel):
    """``return_path`` None means the null sender ``<>``; ``recipients`` are in the order of the deliveries."""

    model_config = ConfigDict(frozen=True)

    return_path: Address | None
    recipients: tuple[Address, ...]
