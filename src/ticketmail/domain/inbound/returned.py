"""What a report shows of the mail that it is about: enough to find that mail again."""

from __future__ import annotations

import re
from typing import Final

from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.verdict import ReturnedMail

_HEADER_TYPES: Final = ("text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers")
_FIELD: Final = re.compile(r"^[ \t>]{0,8}([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?(.*)$")
_ID: Final = re.compile(r"<([^<>\s]{1,900})>")
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"'@][^\s<>()\[\],;:\"@]{0,199}@[^\s<>()\[\],;:\"'@]{1,255}")
#: Fields that identify a mail; ours begin with x-ticketmail-.
_TELLING: Final = frozenset(
    {"message-id", "from", "to", "cc", "subject", "date", "references", "in-reply-to", "x-message-id", "feedback-id"}
)
_BOUNCED_TO: Final = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
_MAX_LINES: Final = 2_000


def returned_mail(mail: ParsedMail, *, text: str = "", message_id: str = "", envelope_id: str = "") -> ReturnedMail:
    """The returned mail, from its copy, its header, or the ``text`` of the notice that repeats it."""
    headers = _headers(mail, text)
    values: dict[str, str] = {}
    for name, value in headers:
        values.setdefault(name.lower(), value)
    found = _ID.search(message_id) or _ID.search(values.get("message-id", ""))
    named = {one for name in _BOUNCED_TO for value in mail.values(name) for one in _ADDRESS.findall(value)}
    return ReturnedMail(
        message_id=found[1] if found else values.get("message-id", "").strip() or None,
        envelope_id=envelope_id,
        subject=values.get("subject", ""),
        recipients=tuple(dict.fromkeys(_ADDRESS.findall(values.get("to", "") + "," + values.get("cc", "")))),
        headers=headers,
        bounced_to=tuple(sorted(named)),
    )


def _headers(mail: ParsedMail, text: str) -> tuple[tuple[str, str], ...]:
    inner = next(mail.nested(), None)
    if inner is not None:
        return tuple((one.name, one.value) for one in inner.headers if _tells(one.key))
    shown = next((part.text or "" for part in mail.reports if part.content_type.value in _HEADER_TYPES), text)
    found: list[tuple[str, str]] = []
    for line in shown.split("\n")[:_MAX_LINES]:
        match = _FIELD.match(line[:1_000])
        if match and _tells(match[1].lower()):
            found.append((match[1], match[2].strip()))
        elif found and line[:1] in (" ", "\t") and not match:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}"[:2_000])
    return tuple(found)


def _tells(key: str) -> bool:
    return key in _TELLING or key.startswith("x-ticketmail-")
