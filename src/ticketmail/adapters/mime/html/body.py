"""The body of a mail, taken apart: HTML first, for it has structure; plain text where there is no HTML."""

from __future__ import annotations

from collections.abc import Collection

from ticketmail.adapters.mime.html.reading import HtmlReading, read
from ticketmail.domain.inbound.content import MailBody, bodies_differ
from ticketmail.domain.inbound.lines import Folded, Kind
from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.quoting import fold, fold_text
from ticketmail.domain.inbound.subjects import is_forward


def body_of(mail: ParsedMail) -> MailBody:
    """The body of a mail that was read. Never raises for what the mail says; takes time in proportion to its size."""
    forwarded = is_forward(mail.subject)
    if mail.html is None or not mail.html.strip():
        return body_of_text(mail.text or "", forwarded=forwarded)
    cids = {part.content_id for part in mail.attachments if part.content_id and part.content_type.main == "image"}
    return body_of_html(mail.html, text=mail.text, cids=cids, forwarded=forwarded)


def body_of_text(text: str, *, forwarded: bool = False) -> MailBody:
    """The body of a plain text. ``forwarded``: the subject says that the mail was passed on."""
    folded = fold_text(text, forwarded=forwarded)
    return MailBody(folded.top, folded.segments, folded.note, "text" if text.strip() else "none")


def body_of_html(html: str, *, text: str | None = None, cids: Collection[str] = (), forwarded: bool = False) -> MailBody:
    """The body of HTML; ``text`` is the plain body beside it, ``cids`` the Content-IDs of images in the same mail.

    Where the HTML has no words (a picture only), the plain body is read instead.
    """
    reading = read(html, cids)
    folded = fold(reading.lines, forwarded=forwarded)
    source = "html"
    if folded.note == "empty" and text and text.strip():
        folded, source = fold_text(text, forwarded=forwarded), "text"
    flags = tuple(_flags(reading, folded, text if source == "html" else None))
    safe = (reading.safe, reading.links, reading.blocked, reading.images)
    return MailBody(folded.top, folded.segments, folded.note, source, *safe, flags)


def _flags(reading: HtmlReading, folded: Folded, text: str | None) -> list[str]:
    """What is odd about the HTML."""
    flags = []
    if any(one.kind is Kind.HIDDEN for one in folded.segments):
        flags.append("hidden-text")
    if text is not None and bodies_differ(text, "\n".join(one.text for one in folded.segments)):
        flags.append("bodies-differ")
    if any(link.is_deceptive for link in reading.links):
        flags.append("deceptive-link")
    if any(one.what.startswith("remote") for one in reading.blocked):
        flags.append("remote-content")
    return flags + ["html-cut"] * bool(reading.cut)
