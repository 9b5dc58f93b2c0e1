"""What becomes of a mail by its nature: which class it is of, and everything that speaks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class MailKind(StrEnum):
    """The classes. Bounces and automatic mail never thread by subject or body, and are never answered."""

    HUMAN = "human"  #: somebody wrote it
    AUTO_REPLY = "auto_reply"  #: a machine answered: an acknowledgement, a vacation note that gives no absence
    OUT_OF_OFFICE = "out_of_office"  #: a machine answered that somebody is away
    CHALLENGE = "challenge"  #: a machine wants proof that a human wrote
    NOTICE = "notice"  #: a machine wrote of its own accord: a notification, an alarm
    BULK = "bulk"  #: through a list or to many; a person may have written it
    BOUNCE = "bounce"  #: could not be delivered, and will not be
    DELAY = "delay"  #: could not be delivered yet
    DELIVERED = "delivered"  #: a delivery status of success, or of expansion into a list
    COMPLAINT = "complaint"  #: somebody called a mail of ours spam (RFC 5965)
    RECEIPT = "receipt"  #: a mail was displayed, or deleted unread (RFC 8098)
    REPORT = "report"  #: for administrators: DMARC (RFC 7489), TLS (RFC 8460)
    CALENDAR = "calendar"  #: an answer to an invitation (RFC 5546)
    OWN = "own"  #: our own mail came back


#: A machine made these.
AUTOMATIC = frozenset(MailKind) - {MailKind.HUMAN, MailKind.BULK, MailKind.CALENDAR}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rule that spoke. ``rule`` is its stable name, ``found`` what it saw, ``source`` where the rule comes from."""

    rule: str
    found: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """What a report says of one recipient.

    ``address`` is the one that failed; ``original`` the one that the sender used, where the report knows both ('' if not).
    ``action`` is of RFC 3464 section 2.3.3, '' if not stated. ``status`` is an enhanced code, '' if none is given.
    ``permanent`` is None where nothing says it. ``diagnostic`` is what the remote server said.
    """

    address: str
    original: str = ""
    action: str = ""
    status: str = ""
    permanent: bool | None = None
    diagnostic: str = ""
    remote_mta: str = ""


@dataclass(frozen=True, slots=True)
class ReturnedMail:
    """What identifies the mail that a report is about. Ids have no angle brackets; all of it is a stranger's word until a MAC
    proves it. ``headers`` are those of the returned mail, as far as the report shows them; ``envelope_id`` is ENVID of RFC 3461.
    ``bounced_to`` are the addresses that the report itself was sent to: a VERP return path stands there.
    """

    message_id: str | None = None
    envelope_id: str = ""
    subject: str = ""
    recipients: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    bounced_to: tuple[str, ...] = ()

    def values(self, name: str) -> list[str]:
        """The values of a header of the returned mail, such as ``X-Ticketmail-Id``."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A bounce, delay, delivery or complaint, taken apart. ``feedback_type`` is that of RFC 5965, '' otherwise.

    ``expired``: a bounce because of faults that might have passed, but did not in the time that the server tried.
    """

    kind: MailKind
    recipients: tuple[FailedRecipient, ...] = ()
    returned: ReturnedMail = field(default_factory=ReturnedMail)
    feedback_type: str = ""
    expired: bool = False
    evidence: tuple[Evidence, ...] = ()

    @property
    def permanent(self) -> bool | None:
        """Whether every recipient failed for good (True), only for now (False), or nothing says it, or they differ (None)."""
        found = {one.permanent for one in self.recipients}
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class of a mail. ``automatic``: a machine made it. ``bulk``: it came through a list or to many.

    ``may_answer`` is whether an automatic answer may go out, ``against`` all that forbids it. ``report`` is set for bounces and
    their kin; ``back_on`` is the day on which somebody who is away says to be back.
    """

    kind: MailKind
    automatic: bool = False
    bulk: bool = False
    evidence: tuple[Evidence, ...] = ()
    against: tuple[Evidence, ...] = ()
    report: DeliveryReport | None = None
    back_on: date | None = None

    @property
    def may_answer(self) -> bool:
        """Whether an automatic answer may be sent at all. Budgets come on top of it."""
        return not self.against
