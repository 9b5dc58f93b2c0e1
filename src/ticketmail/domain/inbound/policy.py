"""What a mailbox does with its mail: settings as the pipeline sees them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ticketmail.domain.inbound.acknowledging import Budget
from ticketmail.domain.inbound.conversation import Policy


@dataclass(frozen=True, slots=True)
class MailboxRules:
    """``addresses`` are the mailbox's own, as ``Address.key``; ``servers`` the authserv-ids whose Authentication-Results are
    believed; ``policy`` says when a mail joins the ticket that was found."""

    addresses: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    budget: Budget = field(default_factory=Budget)
