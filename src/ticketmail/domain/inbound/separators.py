"""Lines that part the answer from the mail below it: separators, headers of quoted mails, *reply above this line*."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from ticketmail.domain.inbound.lines import LOOKED_AT
from ticketmail.domain.inbound.quote_words import FORWARDED, HEADINGS, ORIGINAL, REPLY_MARKERS

#: Lines of a quoted header, wrapped ones and blank ones between them included.
MAX_HEADER_LINES: Final = 24
#: Characters of a line that says *reply above this line*.
MAX_MARKER: Final = 160
#: Wrapped lines in a row within one field.
MAX_WRAPPED: Final = 4
#: Characters of a line that only names a field, and lines of a table with such.
MAX_NAME: Final = 24
MAX_TABLE: Final = 10


class Role(StrEnum):
    """What a field of a quoted header names."""

    SENDER = "sender"
    TO = "to"
    SUBJECT = "subject"
    SENT = "sent"
    DATE = "date"
    COPY = "copy"


class Break(NamedTuple):
    """Another mail begins; ``forwarded`` if it was passed on rather than answered."""

    rule: str
    forwarded: bool = False


def _roles() -> dict[str, Role]:
    """Name of a field, lower-cased -> role. Where languages differ, the earlier role of this order is taken."""
    roles: dict[str, Role] = {}
    for role, column in (
        (Role.SENDER, "sender"),
        (Role.SUBJECT, "subject"),
        (Role.SENT, "sent"),
        (Role.TO, "to"),
        (Role.DATE, "date"),
    ):
        for row in HEADINGS:
            for name in getattr(row, column).split("|"):
                roles.setdefault(name.casefold(), role)
    for row in HEADINGS:
        for name in row.copy.split("|"):
            roles.setdefault(name.casefold(), Role.COPY)
    roles.pop("", None)
    return roles


def _phrases(words: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(one.casefold()) for one in sorted(words, key=len, reverse=True)))


_ROLES: Final = _roles()
_ORIGINAL: Final = _phrases(ORIGINAL)
_FORWARDED: Final = _phrases(FORWARDED)
#: The same in few words: at the start of a line only, for prose speaks of replies above something too.
_REPLY_ABOVE: Final = re.compile(
    r"[\s>*#=_-]{0,40}(?:please )?(?:reply|respond|answer|write|type)(?: your (?:reply|answer))? above\b(?! all\b)"
)
_MARKERS: Final = tuple(one.casefold() for one in REPLY_MARKERS)
#: A field with a name that no table has: its value is none of the one above.
_OTHER_FIELD: Final = re.compile(r"[\s>*_|]{0,12}[^\W\d][\w .'’/-]{0,22}[\s*_]{0,4}[:：](?:\s|\*|$)")
_FIELD: Final = re.compile(r"[\s>*_|]{0,12}([^:：*\n]{1,24}?)[\s*_]{0,4}[:：][\s*_]{0,6}(.*)")
#: Dashes around words, or a colon behind them.
_RULED: Final = re.compile(
    r"[\s>*#]{0,8}[-‐-―─━_=~*]{2,60}\s{0,4}([^-‐-―─━_=~*]{3,60}|[^_=~]{3,60}?)\s{0,4}[-‐-―─━_=~*]{2,60}[\s*]{0,4}$"
)
_BARE: Final = re.compile(r"[\s>*]{0,8}([^:：<>@]{6,60}?)[\s*]{0,3}[:：]?[\s*]{0,3}$")
_LINE: Final = re.compile(r"[\s>*]{0,8}[-_=~─—*]{5,}[\s*]{0,8}$")
_ADDRESS: Final = re.compile(r"[^\s<>@]{1,80}@[\w-]{1,63}\.?[\w.-]{0,120}")
_ARROWS: Final = re.compile(
    r"\s{0,3}>>>\s[^>].{0,160}\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.{0,20}\d{1,2}[:.]\d{2}.{0,80}(?:>>>|[:：])\s*$"
)
_DATED: Final = re.compile(r"[\s*]{0,8}\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.{0,12}\d{1,2}[:.]\d{2}.{0,8}$")
#: Our own marker in the text (ARCHITECTURE 6, token contract): stands only in what we wrote.
_REFERENCE: Final = re.compile(r"[\s>]{0,12}\[ref [a-z2-7]{16,64}\]\s{0,4}$")


def field_of(text: str) -> tuple[Role, str] | None:
    """Role and value, if a line is a field of a quoted header in any language."""
    if len(text) > 4 * LOOKED_AT or not (":" in text or "：" in text):
        return None
    match = _FIELD.match(text)
    role = _ROLES.get(match[1].strip().casefold()) if match else None
    return (role, match[2].strip(" *")) if match and role else None


def worded_break(text: str) -> Break | None:
    """The break that a line makes by its words: a separator, or *reply above this line*."""
    if len(text) > LOOKED_AT:
        return None
    folded = text.casefold()
    short = len(text) <= MAX_MARKER
    if _REFERENCE.match(folded) or (short and (_REPLY_ABOVE.match(folded) or any(marker in folded for marker in _MARKERS))):
        return Break("reply-above")
    ruled = _RULED.match(folded)
    if ruled is not None:
        return _said(ruled[1].strip(" .:*"))
    bare = _BARE.match(folded) if folded.rstrip(" *").endswith((":", "：")) else None
    return _said(bare[1].strip()) if bare else None


def _said(words: str) -> Break | None:
    if _FORWARDED.match(words):
        return Break("forwarded-message", forwarded=True)
    return Break("original-message") if _ORIGINAL.fullmatch(words) else None


def header_at(texts: Sequence[str], at: int) -> Break | None:
    """A quoted header that begins here: a sender, and enough else that people do not write by hand.

    Enough is: three fields, or two with an address; and a subject, a sent-date or an address among them. A plan of travel
    (*From: Rome, To: Paris, Date: 3 May*) is none.
    """
    fields = quoted_fields(texts, at)
    if len(fields) == 1:
        fields += _run_on(fields[0][1])
    roles = {role for role, _ in fields}
    addressed = any(_ADDRESS.search(value) for _, value in fields)
    enough = len(roles) >= 3 or (len(roles) == 2 and addressed)
    telling = addressed or bool(roles & {Role.SUBJECT, Role.SENT})
    named = any(role is Role.SENDER and any(map(str.isalpha, value)) for role, value in fields)
    return Break("quoted-header") if named and enough and telling else None


def _run_on(value: str) -> list[tuple[Role, str]]:
    """The fields that follow on the same line: programs that make text of HTML may lose its breaks."""
    words = value[:LOOKED_AT].split()
    found = []
    for at, word in enumerate(words):
        role = _ROLES.get(word[:-1].casefold()) if word.endswith((":", "：")) else None
        if role is not None:
            found.append((role, " ".join(words[at + 1 : at + 4])))
    return found


def quoted_fields(texts: Sequence[str], at: int) -> list[tuple[Role, str]]:
    """The fields of a quoted header from line ``at`` on: wrapped values joined, single blank lines between fields skipped."""
    fields: list[tuple[Role, str]] = []
    wrapped = blank = 0
    for text in texts[at : at + MAX_HEADER_LINES]:
        found = field_of(text)
        if found is not None:
            fields.append(found)
            wrapped = blank = 0
        elif not text.strip(" \t>*"):
            blank += 1
        elif blank or not fields or wrapped >= MAX_WRAPPED or len(text) > LOOKED_AT:
            break
        elif _OTHER_FIELD.match(text):
            wrapped += 1
        else:
            wrapped += 1
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {text.strip(' >*')}".strip())
        if blank > 1:
            break
    return fields


def bare_header(texts: Sequence[str]) -> int | None:
    """The first line of a header whose names stand alone on their lines, as Lotus Notes sets it in a table: who, when, *To*,
    whom, *Subject*, what. None if there is none."""
    for at, text in enumerate(texts):
        if len(text) <= MAX_NAME and _role_alone(text) is Role.TO:
            below = {_role_alone(one) for one in texts[at + 1 : at + MAX_TABLE]}
            above = [one for one in range(max(at - MAX_TABLE, 0), at) if texts[one].strip()][-2:]
            if Role.SUBJECT in below and len(above) == 2 and _DATED.match(texts[above[1]][:LOOKED_AT]):
                return above[0]
    return None


def _role_alone(text: str) -> Role | None:
    return _ROLES.get(text.strip(" *").casefold()) if len(text) <= MAX_NAME else None


def is_rule(text: str) -> bool:
    """A line of dashes or underscores, as programs draw above a quoted header, with words in it that no table has, or none."""
    return len(text) <= LOOKED_AT and (_LINE.match(text) or _RULED.match(text.casefold())) is not None


def is_between_arrows(text: str) -> bool:
    """``>>> Ann <ann@example.net> 3/9/2026 2:05 PM >>>``: what GroupWise writes above the mail that is answered."""
    return len(text) <= LOOKED_AT and _ARROWS.match(text) is not None
