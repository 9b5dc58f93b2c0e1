"""A leaf of the tree made into a :class:`Part`: transfer encoding undone, text decoded, named, sniffed; sizes bounded."""

from __future__ import annotations

import re
from typing import Final

from ticketmail.adapters.mime.reading.charsets import decode
from ticketmail.adapters.mime.reading.fields import unfolded
from ticketmail.adapters.mime.reading.flowed import unflow
from ticketmail.adapters.mime.reading.moments import parse_id
from ticketmail.adapters.mime.reading.naming import file_name, is_turned
from ticketmail.adapters.mime.reading.sniffing import sniff
from ticketmail.adapters.mime.reading.structure import Budget, Entity
from ticketmail.adapters.mime.reading.transfer import decoded_transfer
from ticketmail.domain.inbound.mail import REPORT_TYPES, ParsedMail, Part

#: Charset within HTML: the HTML standard, section 4.2.5.4.
_META: Final = re.compile(rb"""<meta[^>]{1,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_META_WITHIN: Final = 2048


def make_part(entity: Entity, budget: Budget, *, mail: ParsedMail | None = None) -> Part:
    """The leaf as a part. Beyond the budget its content is left out, and that is told."""
    content = _content(entity, budget)
    kind = entity.content_type
    text, charset = None, ""
    if (kind.main == "text" and entity.disposition != "attachment") or kind.value in REPORT_TYPES:
        text, charset = _text(entity, content, budget)
    name = file_name(entity.disposition_parameters, kind.parameters)
    if is_turned(entity.disposition_parameters, kind.parameters):
        budget.tell("name-turned", name or "", entity.path)
    return Part(
        path=entity.path,
        content_type=kind,
        disposition=entity.disposition,
        filename=name,
        content_id=parse_id(unfolded(entity.block.raw("content-id"))),
        content=content,
        text=text,
        charset=charset,
        sniffed=sniff(content),
        mail=mail,
    )


def _content(entity: Entity, budget: Budget) -> bytes:
    if entity.end - entity.start > 2 * budget.decoded_bytes + 1024:
        content = None
    else:
        content = decoded_transfer(entity.body, entity.encoding)
    if content is None or len(content) > budget.decoded_bytes:
        budget.tell("too-much-content", f"more than {budget.limits.decoded_bytes} decoded bytes", entity.path)
        return b""
    budget.decoded_bytes -= len(content)
    return content


def _text(entity: Entity, content: bytes, budget: Budget) -> tuple[str, str]:
    html = entity.content_type.value == "text/html"
    limit = budget.limits.html_bytes if html else budget.limits.text_bytes
    if len(content) > limit:
        budget.tell("text-too-long", f"{len(content)} bytes, cut at {limit}", entity.path)
        content = content[:limit]
    label = entity.content_type.parameters.get("charset", "")
    meta = _META.search(content, 0, _META_WITHIN) if html else None
    read = decode(content, label, hint=meta[1].decode("ascii", "replace") if meta else "")
    if read.repair:
        budget.tell("charset", read.repair, entity.path)
    text = read.text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in read.text else read.text
    return _unflowed(entity, text), read.charset


def _unflowed(entity: Entity, text: str) -> str:
    parameters = entity.content_type.parameters
    if entity.content_type.value != "text/plain" or parameters.get("format", "").lower() != "flowed":
        return text
    return unflow(text, delete_space=parameters.get("delsp", "").lower() == "yes")
