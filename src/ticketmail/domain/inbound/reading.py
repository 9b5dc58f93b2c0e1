"""Reading: all that the bytes of one mail say by themselves. What the spool knows of it comes later."""

from __future__ import annotations

from dataclasses import dataclass, field

from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.received import CalendarNote, Reaction, Signature

#: The version of the rules by which a mail becomes an event. ``inbound reparse`` shows what other rules would change.
RULES = "1"


@dataclass(frozen=True, slots=True)
class Content:
    """The body by parts. ``text`` is what the author wrote now; ``html`` is safe to show, '' if there is none."""

    text: str = field(default="", repr=False)
    quoted: str = field(default="", repr=False)
    signature: str = field(default="", repr=False)
    hidden: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    risks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report says about one recipient. ``permanent`` None: it does not say. ``status`` is of RFC 3463."""

    address: str
    original: str = ""
    action: str = ""
    status: str = ""
    permanent: bool | None = None
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class FileNote:
    """What the policy of attachments says of one, in the order of ``ParsedMail.attachments``."""

    name: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """``category`` says what kind of mail it is, ``evidence`` why. ``against`` are reasons not to answer it by itself.

    ``returned`` are texts that may identify the mail that a report is about, and ``reported`` its recipients; ``feedback_type``
    is that of RFC 5965, '' where it is none. ``back_us``: when an absent author says to be back (UTC microseconds).
    ``signatures``: where they are checked, which takes DNS, too. ``error``: what kept the reader from reading more; '' if
    nothing did.
    """

    mail: ParsedMail
    content: Content = field(default_factory=Content)
    category: str = "human"
    evidence: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    reported: tuple[Reported, ...] = ()
    returned: tuple[str, ...] = ()
    feedback_type: str = ""
    files: tuple[FileNote, ...] = ()
    on_behalf_of: str = ""
    back_us: int | None = None
    calendar: CalendarNote | None = None
    reaction: Reaction | None = None
    signatures: tuple[Signature, ...] = ()
    error: str = ""
