"""What a mailbox does with its mail: settings as the pipeline sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ticketmail.domain.inbound.acknowledging import Budget
from ticketmail.domain.received import Strength

Joining = Literal["join", "link"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a mailbox does. ``link``: no ticket, but the one found is named as related; ``join``: it is part of it.

    ``least`` is what a clue must be worth. ``strangers``: whoever holds a token but took no part. ``closed``, ``merged``,
    ``forwards``: tickets that are over, that live on in another one, mails that were passed on by somebody who took no part.
    ``topic``: a subject that is new to the ticket, after ``topic_after_s`` seconds of silence. ``same_subject_s``: how long ago
    a mail of the same author with the same subject may be for this one to join it (0: never). ``partners`` are domains whose
    numbers count for whoever is proven to be of them. ``unknown``: mail of authors that never took part in a ticket.
    """

    least: Strength = "weak"
    strangers: Joining = "join"
    closed: Literal["join", "link", "refuse"] = "join"
    merged: Literal["follow", "link"] = "follow"
    forwards: Joining = "link"
    topic: Joining = "join"
    topic_after_s: float = 14 * 86_400.0
    same_subject_s: float = 0.0
    partners: frozenset[str] = frozenset()
    unknown: Literal["open", "review", "refuse"] = "open"


@dataclass(frozen=True, slots=True)
class MailboxRules:
    """``addresses`` are the mailbox's own, as ``Address.key``; ``servers`` the authserv-ids whose Authentication-Results are
    believed; ``policy`` says when a mail joins the ticket that was found. ``check_signatures``: where none of them spoke, the
    mail's own signatures count; ``sealers`` are domains whose ARC seals do."""

    addresses: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    check_signatures: bool = False
    sealers: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    budget: Budget = field(default_factory=Budget)

    @property
    def proves(self) -> bool:
        """Whether a mail's sender can be proven at all."""
        return bool(self.servers) or self.check_signatures
