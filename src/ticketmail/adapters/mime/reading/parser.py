"""Any bytes become a :class:`ParsedMail`: in full, degraded where limits cut, or with its header alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from ticketmail.adapters.mime.reading.charsets import codec_of
from ticketmail.adapters.mime.reading.fields import decode_fields, unfolded
from ticketmail.adapters.mime.reading.moments import parse_date, parse_id, parse_ids
from ticketmail.adapters.mime.reading.parties import parse_parties
from ticketmail.adapters.mime.reading.placing import Placed
from ticketmail.adapters.mime.reading.structure import Budget, Entity, read_entity
from ticketmail.domain.inbound.limits import DEFAULT_LIMITS, ReadingLimits
from ticketmail.domain.inbound.mail import Defect, HeaderField, ParsedMail, Part, Party, Tier

#: Something is missing from what was read. Other defects were mended.
CUT: Final = frozenset(
    {
        "header-too-long",
        "field-too-long",
        "too-many-fields",
        "too-many-parts",
        "too-deep",
        "too-much-content",
        "text-too-long",
        "too-many-attachments",
    }
)
_SAMPLE: Final = 64
_OLD: Final = 4  #: so many bare CR for each LF are line ends


def parse(raw: bytes, limits: ReadingLimits = DEFAULT_LIMITS) -> ParsedMail:
    """Read a mail. Never raises for any bytes; the same bytes and limits give the same mail. Pure, thread-safe, linear."""
    budget = Budget(limits, limits.parts, limits.decoded_bytes, limits.attachments)
    if len(raw) > limits.raw_bytes:
        end = min(len(raw), limits.header_bytes)
        return _minimal(raw, end, budget, Defect("too-large", f"{len(raw)} bytes, at most {limits.raw_bytes} are read"))
    if raw.count(b"\r") > _OLD * raw.count(b"\n"):  # line ends of a long-gone system, and perhaps a few lines of another
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if raw[: raw.find(b"\n") + 1].endswith(b"\r\r\n"):  # written as text twice: all would be a header of one line
        raw = raw.replace(b"\r\r\n", b"\r\n")
    try:
        return _Reading(budget).read(raw, 0, len(raw), 0)
    except Exception as error:  # a fault of ours: the mail still becomes one that people can see
        return _minimal(raw, len(raw), budget, Defect("not-read", type(error).__name__))


def body_alone(raw: bytes, *, html: bool, limits: ReadingLimits = DEFAULT_LIMITS) -> ParsedMail:
    """A mail of nothing but a body: a text or an HTML file that somebody wants to see read. Never raises."""
    kind = "text/html" if html else "text/plain"
    return parse(f"Content-Type: {kind}\nContent-Transfer-Encoding: 8bit\n\n".encode("ascii") + raw, limits)


class _Reading:
    """Reads a mail and the mails within it on one budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def read(self, raw: bytes, start: int, end: int, nesting: int) -> ParsedMail:
        """The mail that stands between ``start`` and ``end``."""
        outer = self._budget.defects
        self._budget.defects = []
        entity = read_entity(raw, start, end, self._budget)
        placed = Placed(self._budget, self._read_nested, nesting)
        placed.place(entity)
        placed.settle()
        defects, self._budget.defects = self._budget.defects, outer
        return replace(
            _headed(entity, self._budget.limits),
            text=_joined(placed.texts),
            html=_joined(placed.htmls),
            text_parts=tuple(placed.texts),
            html_parts=tuple(placed.htmls),
            attachments=tuple(placed.files),
            reports=tuple(placed.reports),
            defects=tuple(defects),
            tier=Tier.DEGRADED if any(one.code in CUT for one in defects) else Tier.FULL,
            size_bytes=end - start,
        )

    def _read_nested(self, raw: bytes, start: int, end: int, nesting: int) -> ParsedMail | None:
        if nesting > self._budget.limits.nested_mails:
            self._budget.tell("mail-not-opened", f"more than {self._budget.limits.nested_mails} mails within one another")
            return None
        return self.read(raw, start, end, nesting)


def _minimal(raw: bytes, end: int, budget: Budget, defect: Defect) -> ParsedMail:
    """The header alone, and of that what can be read."""
    budget.parts = 0
    try:
        mail = _headed(read_entity(raw, 0, end, budget), budget.limits)
    except Exception:
        mail = ParsedMail()
    return replace(mail, tier=Tier.MINIMAL, size_bytes=len(raw), defects=(defect,))


def _headed(entity: Entity, limits: ReadingLimits) -> ParsedMail:
    """What the header says."""
    block, hint = entity.block, _hint(entity)
    headers = decode_fields(block, hint)
    first: dict[str, HeaderField] = {}
    for one in headers:
        first.setdefault(one.key, one)

    def value(name: str) -> str:
        return first[name].value if name in first else ""

    def parties(name: str) -> tuple[Party, ...]:
        found = (
            one
            for field in headers
            if field.key == name
            for one in parse_parties(unfolded(field.raw, hint), limit=limits.addresses)
        )
        return tuple(islice(found, limits.addresses))

    references = parse_ids(value("references"))
    return ParsedMail(
        headers=headers,
        senders=_addressed(parties("from")),
        to=parties("to"),
        cc=parties("cc"),
        bcc=parties("bcc"),
        reply_to=parties("reply-to"),
        subject=value("subject"),
        date=parse_date(value("date")),
        message_id=parse_id(value("message-id")),
        in_reply_to=parse_ids(value("in-reply-to"))[: limits.references],
        references=_bounded(references, limits.references),
        content_type=entity.content_type,
    )


def _addressed(senders: tuple[Party, ...]) -> tuple[Party, ...]:
    """Those with an address, if any has one."""
    return tuple(one for one in senders if "@" in one.address) or senders


def _bounded(ids: tuple[str, ...], limit: int) -> tuple[str, ...]:
    """The first, which began the conversation, and the newest."""
    return ids if len(ids) <= limit else (ids[0], *ids[1 - limit :])


def _hint(entity: Entity) -> str:
    """The charset that the mail says its text is in: what is undeclared in the header is likely in the same."""
    waiting = [entity]
    for _ in range(_SAMPLE):
        if not waiting:
            break
        one = waiting.pop(0)
        charset = one.content_type.parameters.get("charset", "")
        if codec_of(charset) not in ("", "ascii", "utf-8"):
            return charset
        waiting += one.children
    return ""


def _joined(parts: Iterable[Part]) -> str | None:
    texts = [part.text for part in parts if part.text is not None]
    return "\n".join(texts) if texts else None
