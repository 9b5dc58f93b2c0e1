"""When two mails are the same one: its Message-ID and what it says, without what servers add on the way. Pure.

The Message-ID alone is not enough: whoever sends first under somebody's id would keep their mail out (reliability rules, T27).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from uuid import UUID, uuid5

from ticketmail.domain.inbound.mail import ParsedMail

#: What an author's program writes; all else may be added or changed by servers (RFC 5321 section 4.4, RFC 5322 section 3.6.6).
_OWN_FIELDS: Final = ("from", "to", "cc", "date", "subject", "message-id", "in-reply-to", "references")
_BLANKS: Final = re.compile(rb"\s+")
_END: Final = re.compile(rb"\r?\n\r?\n")
#: The risk of a mail that came under another one's Message-ID with other content.
REUSED: Final = "message-id-reused"
_EVENTS: Final = UUID("0b0c6c1e-2f0c-5a39-8f4b-1f1f7a8f2f55")  #: names of events live below this one


def content_key(mail: ParsedMail, raw: bytes) -> str:
    """A hash of what the author's program wrote: own header fields and the body, with any line ends. Hexadecimal."""
    digest = hashlib.sha256()
    said = [(name, field.raw) for name in _OWN_FIELDS for field in mail.fields(name)]
    for name, value in said:
        digest.update(name.encode() + b":" + _BLANKS.sub(b" ", value).strip() + b"\n")
    end = _END.search(raw) if said else None  # without a header of its own a mail is all of its bytes
    body = raw[end.end() :] if end is not None else raw
    digest.update(body.replace(b"\r\n", b"\n").rstrip())
    return digest.hexdigest()


def event_id(tenant: str, mailbox: str, message_id: str, content: str) -> UUID:
    """The id of a mail's event: the same whoever reads it, however often it came into this mailbox."""
    return uuid5(_EVENTS, f"{tenant}\0{mailbox}\0{message_id}\0{content}")


def revised(earlier: UUID, fence: int) -> UUID:
    """The id of the event that replaces ``earlier``, when a mail is read once more."""
    return uuid5(earlier, f"revised:{fence}")
