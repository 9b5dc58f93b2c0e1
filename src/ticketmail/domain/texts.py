"""What may stand in a single line of text, in a header, in an id. All raise InvalidSubmission kin that name the field."""

from __future__ import annotations

import re
from typing import Final

from ticketmail.domain.errors import InvalidHeader, InvalidMessage, InvalidSubmission

#: C0, DEL, C1, line and paragraph separator, lone surrogates. A tab is refused too, but in header values.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_VALUE_CONTROLS: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TEXT_CONTROLS: Final = re.compile("[\x00\ud800-\udfff]")
#: RFC 5322 section 3.6.8: printable ASCII but the colon. Longer names are nobody's.
_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
#: Wider than RFC 5322 section 3.6.4, for ids found in the wild, yet nothing that could leave its header.
_ID: Final = re.compile(r"<?[!-;=?-~]{1,900}>?")
_RESERVED: Final = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "dkim-signature", "received", "return-path", "resent-bcc"}
)
_RESERVED_KINDS: Final = ("mime-", "content-", "x-ticketmail-")
_FIELD_OF: Final = {"reply-to": "reply_to", "in-reply-to": "in_reply_to", "references": "references", "message-id": "message_id"}
_SENT_AS: Final = {"from": "sender", "to": "to", "cc": "cc", "bcc": "bcc", "subject": "subject"}


def check_line(text: str, field: str) -> None:
    """A single line: no line break, NUL or other control character. Raises InvalidMessage."""
    if not (text.isascii() and text.isprintable()) and (found := _CONTROLS.search(text)):
        raise InvalidMessage(f"holds {named(found[0])}.", field=field, remedy="Use one line of text without control characters.")


def check_name(text: str, field: str, *, limit_bytes: int) -> None:
    """A name that is stored and compared by bytes. Raises InvalidSubmission."""
    if found := _CONTROLS.search(text):
        raise InvalidSubmission(f"holds {named(found[0])}.", field=field, remedy="Use one line without control characters.")
    if not text:
        raise InvalidSubmission("is empty.", field=field, remedy="Leave it out, or give it a value.")
    if (size := len(text.encode())) > limit_bytes:
        raise InvalidSubmission(f"has {size} bytes.", field=field, remedy=f"Use at most {limit_bytes} bytes (UTF-8).")


def check_text(text: str, field: str) -> None:
    """A body: any text but NUL and lone surrogates, which no mail can carry. Raises InvalidMessage."""
    if found := _TEXT_CONTROLS.search(text):
        raise InvalidMessage(f"holds {named(found[0])} at character {found.start()}.", field=field, remedy="Remove it.")


def check_header(name: str, value: str, field: str) -> None:
    """An extra header of the host's. Raises InvalidHeader."""
    if not _NAME.fullmatch(name):
        remedy = "Use printable ASCII without blanks and colons (RFC 5322 section 3.6.8), at most 76."
        raise InvalidHeader(f"{name[:80]!a} is not a header name.", field=field, remedy=remedy)
    lower = name.lower()
    if lower in _FIELD_OF or lower in _RESERVED or lower.startswith(_RESERVED_KINDS):
        known = _FIELD_OF.get(lower) or _SENT_AS.get(lower)
        remedy = f"Set the field `{known}` of the message." if known else "Leave it out."
        raise InvalidHeader(f"{name} is written by ticketmail itself.", field=field, remedy=remedy)
    if found := _VALUE_CONTROLS.search(value):
        raise InvalidHeader(f"the value of {name} holds {named(found[0])}.", field=field, remedy="Use one line of text.")


def check_id(text: str, field: str, *, whole: bool = False) -> None:
    """A message id or content id, with or without angle brackets. ``whole``: it must have an ``@``. Raises InvalidHeader."""
    opened, closed = text.startswith("<"), text.endswith(">")
    inner = text.removeprefix("<").removesuffix(">")
    left, at, right = inner.rpartition("@")
    if not _ID.fullmatch(text) or opened != closed or not inner or (whole and not (left and at and right)):
        remedy = "Use printable ASCII without blanks, such as <note-991@desk.example.com>."
        raise InvalidHeader(f"{text[:80]!a} is not an id.", field=field, remedy=remedy)


def named(char: str) -> str:
    """A character that cannot be shown, by name."""
    known = {"\n": "a line break", "\r": "a line break", "\0": "NUL", "\t": "a tab"}
    if "\ud800" <= char <= "\udfff":
        return "half of a character (a lone surrogate)"
    return known.get(char, f"the control character U+{ord(char):04X}")
