"""Which parts are what people read, which are files, which are for machines (RFC 2046, 2183, 2387, 3462).

A part is read as a body if it is plain text or HTML, is not called an attachment, and bears no file name. Alternatives, related
parts and mixtures are walked in the order of the mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ticketmail.adapters.mime.reading import rtf, tnef, yenc
from ticketmail.adapters.mime.reading.charsets import decode
from ticketmail.adapters.mime.reading.leaves import make_part
from ticketmail.adapters.mime.reading.naming import shown_file_name
from ticketmail.adapters.mime.reading.smime import unwrap_signed
from ticketmail.adapters.mime.reading.sniffing import sniff
from ticketmail.adapters.mime.reading.structure import Budget, Entity
from ticketmail.adapters.mime.reading.uuencoded import take_files as uuencoded_files
from ticketmail.domain.inbound.mail import REPORT_TYPES, ContentType, ParsedMail, Part

_BODIES: Final = ("text/plain", "text/html")
_MAILS: Final = ("message/rfc822", "message/global", "message/news")
_TNEF: Final = ("application/ms-tnef", "application/vnd.ms-tnef")
#: The same mail once more, for one vendor's program: https://amp.dev/documentation/guides-and-tutorials/email/learn/email-spec/amp-email-structure
_UNSEEN: Final = ("text/x-amp-html",)
_SIGNED: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime")


class ReadMail(Protocol):
    """Reads a mail within the mail, None if the limit of nesting is reached."""

    def __call__(self, raw: bytes, start: int, end: int, nesting: int) -> ParsedMail | None: ...


@dataclass(slots=True)
class Placed:
    """The parts of one mail, sorted."""

    budget: Budget
    read_mail: ReadMail
    nesting: int
    texts: list[Part] = field(default_factory=list)
    htmls: list[Part] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)
    reports: list[Part] = field(default_factory=list)

    def place(self, entity: Entity) -> None:
        """Sort the entity, and all within it."""
        kind = entity.content_type.value
        if entity.children:
            self._place_children(entity)
        elif kind in _MAILS:
            self._place_mail(entity)
        elif kind in _SIGNED:
            self._place_signed(entity)
        else:
            self._place_leaf(entity)

    def _place_children(self, entity: Entity) -> None:
        root = _root(entity) if entity.content_type.value == "multipart/related" else None
        for child in entity.children:
            if root is None or child is root or child.children or _stands_alone(child):
                self.place(child)
            else:
                self._add_file(make_part(child, self.budget))

    def _place_mail(self, entity: Entity) -> None:
        """An attached mail. One that is encoded (against RFC 2046 section 5.2.1) is decoded first."""
        raw, start, end = entity.raw, entity.start, entity.end
        if entity.encoding in ("base64", "quoted-printable"):
            raw = make_part(entity, self.budget).content
            start, end = 0, len(raw)
        mail = self.read_mail(raw, start, end, self.nesting + 1)
        self._add_file(make_part(entity, self.budget, mail=mail))

    def _place_signed(self, entity: Entity) -> None:
        """The mail within an opaque signature takes the place of its wrapper; nobody verified it."""
        part = make_part(entity, self.budget)
        inner = unwrap_signed(part.content)
        mail = self.read_mail(inner, 0, len(inner), self.nesting + 1) if inner else None
        if mail is None:
            self._add_file(part)
            return
        self.budget.tell("signature-unverified", "opaque S/MIME was unwrapped", entity.path)
        self.texts += [replace(one, origin="smime") for one in mail.text_parts]
        self.htmls += [replace(one, origin="smime") for one in mail.html_parts]
        for one in mail.attachments:
            self._add_file(replace(one, origin="smime"))

    def _place_leaf(self, entity: Entity) -> None:
        if entity.content_type.value in _UNSEEN:
            return
        part = make_part(entity, self.budget)
        kind = part.content_type.value
        if kind in REPORT_TYPES:
            self.reports.append(part)
        elif self._is_body(part):
            self._add_body(part)
        elif kind in _TNEF or part.sniffed == "application/vnd.ms-tnef":
            self._place_tnef(part)
        else:
            self._add_file(part)

    def settle(self) -> None:
        """Where nothing is there to be read but a text that bears a file's name, that text is what people are shown."""
        if self.texts or self.htmls:
            return
        for at, part in enumerate(self.files):
            if part.content_type.value in _BODIES and part.disposition != "attachment" and part.origin == "mime":
                self._add_body(self.files.pop(at))
                return

    def _is_body(self, part: Part) -> bool:
        kind = part.content_type.value
        if kind not in _BODIES or part.disposition == "attachment":
            return False
        return part.filename is None or not (self.texts or self.htmls or part.path)

    def _add_body(self, part: Part) -> None:
        if part.content_type.value == "text/html":
            self.htmls.append(part)
            return
        text, uuencoded = uuencoded_files(part.text or "", limit=self.budget.attachments)
        text, yencoded = yenc.take_files(text, part.content, limit=self.budget.attachments)
        self.texts.append(replace(part, text=text) if uuencoded or yencoded else part)
        for origin, files in (("uuencode", uuencoded), ("yenc", yencoded)):
            for name, content in files:
                kind = ContentType(sniff(content) or "application/octet-stream")
                self._add_file(Part(part.path, kind, "attachment", shown_file_name(name), content=content, origin=origin))

    def _place_tnef(self, part: Part) -> None:
        found = tnef.unwrap(part.content, limit=self.budget.attachments)
        self._add_file(part)
        if found is None:
            return
        if not found.complete:
            self.budget.tell("tnef-broken", "", part.path)
        if not (self.texts or self.htmls):
            self._add_wrapped_bodies(part, found)
        for one in found.files:
            name, sniffed = shown_file_name(one.name) or None, sniff(one.content)
            kind = ContentType(sniffed or "application/octet-stream")
            self._add_file(
                Part(part.path, kind, "attachment", name, one.content_id or None, one.content, sniffed=sniffed, origin="tnef")
            )

    def _add_wrapped_bodies(self, part: Part, found: tnef.Unwrapped) -> None:
        """The bodies of the wrapper, where the mail has none beside it; Outlook may have left none but RTF."""
        for kind, body in (("text/plain", found.text), ("text/html", found.html)):
            if body.strip():
                read = decode(body[: self.budget.limits.text_bytes])
                self._add_wrapped(part, kind, read.text, read.charset)
        if not (self.texts or self.htmls):
            made = rtf.read(rtf.unpack(found.rtf, limit=self.budget.limits.html_bytes))
            self._add_wrapped(part, "text/plain", made.text)
            self._add_wrapped(part, "text/html", made.html)

    def _add_wrapped(self, part: Part, kind: str, text: str, charset: str = "utf-8") -> None:
        if text.strip():
            bodies = self.htmls if kind == "text/html" else self.texts
            bodies.append(Part(part.path, ContentType(kind), text=text, charset=charset, origin="tnef"))

    def _add_file(self, part: Part) -> None:
        if self.budget.attachments <= 0:
            self.budget.tell("too-many-attachments", part.filename or "", part.path)
            return
        self.budget.attachments -= 1
        self.files.append(part)


def _root(entity: Entity) -> Entity:
    """The part that the others belong to: the one named by ``start``, else the first (RFC 2387 section 3.2)."""
    start = entity.content_type.parameters.get("start", "").strip("<> ")
    for child in entity.children:
        if start and child.block.raw("content-id").decode("latin-1").strip("<> \r\n") == start:
            return child
    readable = (child for child in entity.children if child.children or child.content_type.value in _BODIES)
    return next(readable, entity.children[0])


def _stands_alone(entity: Entity) -> bool:
    """Text among related parts that nothing refers to: it is there to be read."""
    return entity.content_type.value in _BODIES and not entity.block.raw("content-id") and not entity.disposition
