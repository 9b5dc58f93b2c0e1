"""What an event says of an incoming mail. Its texts were written by strangers: only ``html`` is fit for a browser as it is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


#: How sure it is that a mail belongs to a ticket. ``proven``: a token that only we can make, from the one it was sent to;
#: ``strong``: a token or an id of ours from somebody else; ``medium``, ``weak``: what a stranger could know.
Strength = Literal["proven", "strong", "medium", "weak", "none"]


class Clue(_Value):
    """A rule of threading, and what it found. ``held`` False: it found nothing, or nothing that counts."""

    rule: str
    held: bool
    detail: str = ""


#: What the mailbox's settings want of the host: the mail joins its ticket; it may open one; a person looks at it first; it is to
#: be refused (the host says so to its author, or to nobody).
Handling = Literal["join", "open", "review", "refuse"]


class Thread(_Value):
    """Which ticket a mail belongs to, and why. ``ticket`` None: none is known; ``related`` is then a ticket that it should be
    linked to (closed, forwarded, another topic, a stranger's hand). ``submission_id``: the mail of ours that it answers."""

    ticket: str | None = None
    related: str | None = None
    handling: Handling = "open"
    strength: Strength = "none"
    rule: str = ""
    submission_id: str | None = None
    clues: tuple[Clue, ...] = ()


class Author(_Value):
    """Who wrote. ``address`` is From as it stands there; ``trusted`` False: it is no address, or there are several.

    ``authenticated`` are domains that the mail was proven for: by a trusted server's word (DMARC, else aligned DKIM or SPF),
    else by signatures that were checked here; () is no proof of forgery. ``reply_to`` is for people to see, never who wrote.
    """

    address: str = ""
    name: str = ""
    trusted: bool = False
    authenticated: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()


class Participant(_Value):
    """Somebody else in the mail. ``known``: they took part in the ticket before."""

    address: str
    name: str = ""
    role: Literal["to", "cc"] = "to"
    known: bool = False


class ReceivedFile(_Value):
    """An attachment. ``key`` fetches its bytes: ``TicketMail.inbound.content(event, key)``. ``content_type`` is what the mail
    says, ``sniffed`` what the bytes say ('' for nothing). ``name`` is for showing, never for a path."""

    key: str
    name: str = ""
    content_type: str = "application/octet-stream"
    sniffed: str = ""
    size_bytes: int = 0
    content_id: str = ""
    inline: bool = False
    flags: tuple[str, ...] = ()


class Reaction(_Value):
    """Somebody answered with one sign (RFC 9078; Gmail's and Outlook's own ways, ``rule`` says which). ``emoji`` '' if it is not
    given. ``to`` is the Message-ID that it is about, '' if unknown."""

    emoji: str
    to: str = ""
    rule: str = ""


class CalendarNote(_Value):
    """A calendar part (RFC 5545, RFC 5546). ``method`` is upper case (``REQUEST``, ``REPLY``, ``CANCEL``; '' if none is said).

    ``start`` and ``end`` are as they stand there: ``20260301T100000Z``, with the zone's name in ``zone`` where one is given.
    ``answers`` are *address: status* of the attendees.
    """

    method: str
    uid: str = ""
    summary: str = ""
    organiser: str = ""
    start: str = ""
    end: str = ""
    zone: str = ""
    place: str = ""
    answers: tuple[str, ...] = ()


class Signature(_Value):
    """A signature, as it was checked when the mail was read: DKIM (RFC 6376), or a seal of an ARC chain that holds (RFC
    8617; the newest first), whose ``said`` is what its ``domain`` found (ARC-Authentication-Results). ``result`` ``pass``
    proves that ``domain`` sent or sealed the mail as it is; every other one proves nothing, forgery neither.
    ``temperror``: DNS did not answer. ``reason`` is for people."""

    method: Literal["dkim", "arc"]
    result: Literal["pass", "fail", "neutral", "temperror", "permerror"]
    domain: str = ""
    selector: str = ""
    reason: str = ""
    said: str = ""


class DeliveryFact(_Value):
    """What a bounce or complaint says about one recipient. ``submission_id`` None: it is about no mail that we sent there."""

    recipient: str
    kind: str
    status: str = ""
    cause: str = ""
    reply: str = ""
    submission_id: str | None = None
    recipient_number: int | None = None


class Acknowledge(_Value):
    """May the host answer this mail by itself? ``reason`` says why (not)."""

    allowed: bool = False
    reason: str = ""
