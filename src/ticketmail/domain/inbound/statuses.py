"""Delivery status notifications: the fields of RFC 3464, read tolerantly. Also RFC 6533 (addresses beyond ASCII)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ticketmail.domain.inbound.verdict import FailedRecipient

MAX_TEXT: Final = 131_072
_BLOCK: Final = re.compile(r"\n[ \t]*\n")
_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]*(.*)")
_CODE: Final = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_UNTELLING: Final = re.compile(r"\.\d\.0$|\.4\.7$")  #: undefined details; delivery time expired, which says not why
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_REPLY: Final = re.compile(r"(?<![\d.:/-])([245]\d\d)(?=[\s-](?!\w*\.\w)|[\s-][245]\.\d)")
#: A local part may hold an apostrophe (RFC 5322 section 3.2.3: *pat.o'neil*); one in front of it is a quotation mark.
_SPEC: Final = re.compile(r"(?:[^\s<>()\[\],;:\"@]{1,200}|\"[^\"]{1,64}\")@[^\s<>()\[\],;:\"'@]{1,255}")
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")
_UNICODE: Final = re.compile(r"\\x\{([0-9A-F]{2,6})\}", re.IGNORECASE)


@dataclass(slots=True)
class StatusGroups:
    """The per-message fields, and those of each recipient; names are lower-case."""

    message: dict[str, str] = field(default_factory=dict)
    recipients: list[dict[str, str]] = field(default_factory=list)


def read_groups(text: str) -> StatusGroups:
    """The groups of a ``message/delivery-status``: divided by empty lines, or where a second recipient begins without one."""
    groups = StatusGroups()
    for block in _BLOCK.split(text[:MAX_TEXT]):
        for fields in _divided(_fields(block)):
            last = groups.recipients[-1] if groups.recipients else {}
            if "final-recipient" in fields or "original-recipient" in fields:
                groups.recipients.append(fields)
            elif last and "action" not in last and "action" in fields:
                last.update(fields)
            else:
                groups.message.update({name: value for name, value in fields.items() if name not in groups.message})
    return groups


def _divided(fields: Iterator[tuple[str, str]]) -> Iterator[dict[str, str]]:
    current: dict[str, str] = {}
    for name, value in fields:
        if name in ("final-recipient", "original-recipient") and name in current:
            yield current
            current = {}
        current.setdefault(name, value)
    yield current


def recipients_of(groups: Iterable[StatusGroups]) -> Iterator[FailedRecipient]:
    """One for each group that names somebody."""
    for group in groups:
        for fields in group.recipients:
            one = _recipient(fields)
            if one.address or one.original:
                yield one


def status_in(text: str) -> str:
    """The enhanced code of a failure (RFC 3463) in a text, '' if there is none: of several the first that says something.

    A gateway's own words with a code of the kind "other or undefined" often quote the remote server's, which says more.
    """
    found = _CODE.findall(text)
    return next((code for code in found if not _UNTELLING.search(code)), found[0] if found else "")


def reply_class(text: str) -> str:
    """``4`` or ``5`` of the first SMTP reply code in a text, '' if there is none."""
    match = _REPLY.search(text)
    return match[1][0] if match and match[1][0] != "2" else ""


def _character(point: re.Match[str]) -> str:
    """A lone surrogate or what is beyond all of them is no character: it could not be written down."""
    code = int(point[1], 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def address_in(value: str) -> str:
    """The address of ``rfc822; ann@example.net`` (RFC 3464 section 2.1.2), with or without type, brackets and comments."""
    kind, semicolon, rest = value.partition(";")
    value = rest if semicolon and "@" not in kind else value
    if "@" not in value and "+40" in value:  # xtext, RFC 3461 section 4
        value = _XTEXT.sub(lambda pair: chr(int(pair[1], 16)), value)
    if "\\x{" in value:  # utf-8-addr-unitext, RFC 6533 section 3
        value = _UNICODE.sub(_character, value)
    match = _SPEC.search(value)
    if match is not None:
        return match[0].strip("'.")
    bare = value.strip().strip("<>\"' ")
    return bare if bare and " " not in bare else ""


def _fields(text: str) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in text.split("\n"):
        match = _FIELD.match(line)
        if match:
            if name:
                yield name, value
            name, value = match[1].lower(), match[2].strip()
        elif line[:1] in (" ", "\t") and name:
            value = f"{value} {line.strip()}"[:2000]
    if name:
        yield name, value


def _recipient(fields: dict[str, str]) -> FailedRecipient:
    final, original = address_in(fields.get("final-recipient", "")), address_in(fields.get("original-recipient", ""))
    final = "" if final.startswith("@") else final
    diagnostic = fields.get("diagnostic-code", "")
    stated = _STATUS.match(fields.get("status", ""))
    # What the remote server said is nearer to the fault than what the reporting one made of it.
    status = status_in(diagnostic) or (stated[0] if stated else "")
    action = fields.get("action", "").split(" ")[0].strip(";,.").lower()
    kind = status[:1] or reply_class(diagnostic) or action
    return FailedRecipient(
        address=final if "." in final.rpartition("@")[2] or not original else original,
        original=original if original.lower() != final.lower() and "@" in original else "",
        action=action,
        status=status,
        permanent={"5": True, "4": False, "failed": True, "delayed": False}.get(kind),
        diagnostic=diagnostic.partition(";")[2].strip() if ";" in diagnostic[:20] else diagnostic,
        remote_mta=fields.get("remote-mta", "").partition(";")[2].strip() or fields.get("remote-mta", ""),
    )
