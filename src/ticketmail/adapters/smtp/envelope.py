"""What will be said for one mail: MAIL and RCPT lines, and what is refused before anything is said. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ticketmail.adapters.mime.addresses import ascii_route
from ticketmail.adapters.smtp.session import Offers
from ticketmail.domain.outbound.outcome import Phase, Refused, Reply
from ticketmail.domain.ports.sending import Outgoing

#: Nothing of this ever gets into a command line (CVE-2026-style parameter smuggling: CR, LF, NUL, brackets, bare blanks).
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f<>]")

#: RFC 6531 section 3.5, enhanced code of RFC 5336 section 4.
_NO_UTF8 = Reply(550, "address needs SMTPUTF8, which the server does not offer (found before sending)", "5.6.7")


@dataclass(frozen=True, slots=True)
class Plan:
    """``mail`` and ``recipients`` are command lines without CRLF; ``refused`` maps the indices that need not be asked for."""

    mail: bytes
    recipients: tuple[tuple[int, bytes], ...]
    body: bytes = field(repr=False)
    refused: dict[int, Refused] = field(default_factory=dict)


def plan(mail: Outgoing, offers: Offers, *, dsn: bool) -> Plan:
    """Fit a mail to what the server offered. Refusals on our side look like the server's would, and say that they are ours."""
    body = canonical(mail.mime)
    refusal = _of_all(mail, offers, len(body))
    lines: list[tuple[int, bytes]] = []
    refused: dict[int, Refused] = {}
    needs_utf8 = not ascii_route(mail.return_path).isascii() or not _header_of(body).isascii()
    for index, recipient in enumerate(mail.recipients):
        address = ascii_route(recipient)
        own = refusal or _of_one(recipient, address, offers)
        if own is not None:
            refused[index] = own
            continue
        needs_utf8 = needs_utf8 or not address.isascii()
        lines.append((index, _rcpt_line(address, dsn=dsn and offers.dsn)))
    line = _mail_line(mail, offers, body, utf8=needs_utf8 and offers.smtputf8, dsn=dsn and offers.dsn)
    return Plan(mail=line, recipients=tuple(lines), body=body, refused=refused)


def canonical(mime: bytes) -> bytes:
    """CRLF line ends only, the last one included: a bare LF or CR before a dot would smuggle a second mail (CVE-2023-51764)."""
    if not mime.count(b"\r\n") == mime.count(b"\n") == mime.count(b"\r"):
        mime = re.sub(rb"\r\n|\r|\n", b"\r\n", mime)
    return mime if mime.endswith(b"\r\n") else mime + b"\r\n"


def _of_all(mail: Outgoing, offers: Offers, size: int) -> Refused | None:
    if offers.size_limit_bytes and size > offers.size_limit_bytes:
        text = f"{size} bytes, the server takes at most {offers.size_limit_bytes} (SIZE; found before sending)"
        return Refused(Reply(552, text, "5.3.4"), Phase.MAIL)
    if _malformed(mail.return_path):
        return Refused(Reply(553, "return path cannot be written in SMTP (found before sending)", "5.1.7"), Phase.MAIL)
    if not ascii_route(mail.return_path).isascii() and not offers.smtputf8:
        return Refused(_NO_UTF8, Phase.MAIL)
    return None


def _of_one(recipient: str, address: str, offers: Offers) -> Refused | None:
    if not recipient or _malformed(recipient) or _malformed(address):
        return Refused(Reply(553, "address cannot be written in SMTP (found before sending)", "5.1.3"), Phase.RCPT)
    if not address.isascii() and not offers.smtputf8:
        return Refused(_NO_UTF8, Phase.RCPT)
    return None


def _malformed(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    quoted = local.startswith('"') and local.endswith('"') and len(local) > 1
    blanks = " " in domain or (" " in local and not quoted)
    return blanks or bool(_FORBIDDEN.search(address)) or bool(address and (not local or not domain)) or _surrogates(address)


def _surrogates(address: str) -> bool:
    return not address.isascii() and any("\ud800" <= char <= "\udfff" for char in address)


def _header_of(body: bytes) -> bytes:
    end = body.find(b"\r\n\r\n")
    return body[: end if end >= 0 else len(body)]


def _mail_line(mail: Outgoing, offers: Offers, body: bytes, *, utf8: bool, dsn: bool) -> bytes:
    path = "" if _malformed(mail.return_path) else ascii_route(mail.return_path)
    line = f"MAIL FROM:<{path}>"
    if offers.size_limit_bytes or "SIZE" in offers.names:
        line += f" SIZE={len(body)}"
    # A raw mail with 8 bits to a server without 8BITMIME goes out as it is: it must not be re-serialised, and servers that
    # pass 8 bits unasked are the rule.
    if offers.eight_bit and (utf8 or not body.isascii()):
        line += " BODY=8BITMIME"
    if utf8:
        line += " SMTPUTF8"
    if dsn:
        line += f" RET=HDRS ENVID={mail.submission_id.hex}"
    return line.encode()


def _rcpt_line(address: str, *, dsn: bool) -> bytes:
    return f"RCPT TO:<{address}>{' NOTIFY=FAILURE,DELAY' if dsn else ''}".encode()
