"""What a person typed and we cannot do."""

from __future__ import annotations

from typing import ClassVar

from ticketmail.domain.errors import TicketmailError


class UsageError(TicketmailError, ValueError):
    """Wrong usage of the command line. One line, with what to write instead."""

    code: ClassVar[str] = "usage"
