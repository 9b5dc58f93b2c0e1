"""The tree of a mail's parts (RFC 2046), found by places in the bytes: nothing is copied, everything is counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ticketmail.adapters.mime.reading.fields import Block, read_block, unfolded
from ticketmail.adapters.mime.reading.parameters import is_type, parse_parameterised
from ticketmail.domain.inbound.limits import ReadingLimits
from ticketmail.domain.inbound.mail import ContentType, Defect

_GUESSED: Final = re.compile(rb"(?:^|[\r\n])--([^\r\n]{1,200}?)[ \t]*\r?\n(?=[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-)")
_GUESSED_WITHIN: Final = 262_144
_ENCODING: Final = re.compile(r"[a-z0-9-]+")
_OCTETS: Final = "application/octet-stream"
#: Others are files. ``reaction``: RFC 9078 section 2.
_DISPOSITIONS: Final = ("", "inline", "attachment", "reaction")


@dataclass(slots=True)
class Entity:
    """A part, or the mail itself: its header block, its type, and where its body stands in ``raw``."""

    path: str
    raw: bytes
    block: Block
    content_type: ContentType
    disposition: str
    disposition_parameters: dict[str, str]
    start: int
    end: int
    children: list[Entity] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """Its bytes, still transfer-encoded."""
        return self.raw[self.start : self.end]

    @property
    def encoding(self) -> str:
        """Content-Transfer-Encoding, lower-cased."""
        match = _ENCODING.search(self.block.raw("content-transfer-encoding").decode("latin-1").lower())
        return match[0] if match else ""


@dataclass(slots=True)
class Budget:
    """What is left to be spent on one mail, mails within it included; and what was found broken."""

    limits: ReadingLimits
    parts: int
    decoded_bytes: int
    attachments: int
    defects: list[Defect] = field(default_factory=list)

    def tell(self, code: str, evidence: str = "", path: str = "") -> None:
        """Note a defect; a thousand of them are enough."""
        if len(self.defects) < 1_000:
            self.defects.append(Defect(code, evidence, path))


def read_entity(raw: bytes, start: int, end: int, budget: Budget, *, path: str = "", default: str = "text/plain") -> Entity:
    """The part whose header begins at ``start``, with all parts within it. ``default`` is its type if it states none."""
    entity = _single(raw, start, end, budget, path, default)
    if entity.content_type.main == "multipart":
        _divide(entity, budget, depth=path.count(".") + 1)
    return entity


def _single(raw: bytes, start: int, end: int, budget: Budget, path: str, default: str) -> Entity:
    block = read_block(raw, start, end, budget.limits)
    for one in block.defects:
        budget.tell(one.code, one.evidence, path)
    content_type = _content_type(block, default, budget, path)
    disposition, parameters = parse_parameterised(unfolded(block.raw("content-disposition")))
    shown = disposition if disposition in _DISPOSITIONS else "attachment"  # RFC 2183 section 2.8
    return Entity(path, raw, block, content_type, shown, parameters, block.body, end)


def _content_type(block: Block, default: str, budget: Budget, path: str) -> ContentType:
    text = unfolded(block.raw("content-type"))
    if not text:
        return ContentType(default)
    value, parameters = parse_parameterised(text)
    value = "".join(value.split("(")[0].split())
    if value.startswith("multipart") and not is_type(value):
        value = "multipart/mixed"  # RFC 2046 section 5.1.7
    if is_type(value):
        return ContentType(value, parameters)
    budget.tell("bad-content-type", ascii(text[:80]), path)
    if value.startswith("text"):
        return ContentType("text/html" if "html" in value else "text/plain", parameters)
    named = "name" in parameters or block.raw("content-disposition").strip().lower().startswith(b"attachment")
    return ContentType(_OCTETS if named else default, parameters)  # RFC 2045 section 5.2


def _divide(entity: Entity, budget: Budget, depth: int) -> None:
    if depth > budget.limits.depth:
        budget.tell("too-deep", f"more than {budget.limits.depth} multiparts within one another", entity.path)
        entity.content_type = ContentType(_OCTETS)
        return
    boundary = _boundary(entity, budget)
    if boundary is None:
        entity.content_type = ContentType(_unparted(entity))
        return
    default = "message/rfc822" if entity.content_type.value == "multipart/digest" else "text/plain"
    for number, (start, end) in enumerate(_spans(entity, boundary, budget), start=1):
        if budget.parts <= 0:
            budget.tell("too-many-parts", f"more than {budget.limits.parts}", entity.path)
            break
        budget.parts -= 1
        path = f"{entity.path}.{number}" if entity.path else str(number)
        child = _single(entity.raw, start, end, budget, path, default)
        entity.children.append(child)
        if child.content_type.main == "multipart":
            _divide(child, budget, depth + 1)
    if not entity.children:
        entity.content_type = ContentType(_unparted(entity))
        if any(_delimiters(entity.raw, entity.start, entity.end, b"--" + boundary)):
            entity.start = entity.end  # it ends where it begins


def _boundary(entity: Entity, budget: Budget) -> bytes | None:
    """The boundary, as declared or as it stands in the body; None if nothing is divided there."""
    declared = entity.content_type.parameters.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")
    if declared and entity.raw.find(b"--" + declared, entity.start, entity.end) >= 0:
        return declared
    match = _GUESSED.search(entity.raw, max(entity.start - 1, 0), min(entity.end, entity.start + _GUESSED_WITHIN))
    budget.tell("no-boundary" if match is None else "boundary-guessed", ascii(declared[:80]), entity.path)
    return match[1] if match else None


def _unparted(entity: Entity) -> str:
    head = entity.raw[entity.start : min(entity.end, entity.start + 1000)].lstrip().lower()
    return "text/html" if head.startswith((b"<html", b"<!doctype html", b"<body")) else "text/plain"


def _spans(entity: Entity, boundary: bytes, budget: Budget) -> Iterator[tuple[int, int]]:
    """Begin and end of each part. What stands before the first and behind the last delimiter is not for people."""
    begin: int | None = None
    for place, behind, last in _delimiters(entity.raw, entity.start, entity.end, b"--" + boundary):
        if begin is not None:
            yield begin, max(begin, _before_break(entity.raw, place, begin))
        if last:
            return
        begin = behind
    budget.tell("not-closed", ascii(boundary[:80]), entity.path)
    if begin is not None:
        yield begin, entity.end


def _delimiters(raw: bytes, start: int, end: int, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Place, the place behind its line, and whether it is the last, of each delimiter line (RFC 2046 section 5.1.1)."""
    place = start if raw.startswith(mark, start, end) else _next(raw, mark, start, end)
    while place >= 0:
        behind = place + len(mark)
        last = raw.startswith(b"--", behind, end)
        rest = raw[behind : behind + 1]
        if last or rest in (b"", b" ", b"\t", b"\r", b"\n"):
            newline = raw.find(b"\n", behind, end)
            behind = end if newline < 0 else newline + 1
            yield place, behind, last
        place = _next(raw, mark, behind - 1, end)


def _next(raw: bytes, mark: bytes, start: int, end: int) -> int:
    """Where the mark stands next at the beginning of a line, -1 if nowhere."""
    place = raw.find(b"\n" + mark, max(start, 0), end)
    return place + 1 if place >= 0 else -1


def _before_break(raw: bytes, place: int, begin: int) -> int:
    """The line break in front of a delimiter belongs to it."""
    if place > begin and raw[place - 1] == 0x0A:
        place -= 1
    if place > begin and raw[place - 1] == 0x0D:
        place -= 1
    return place
