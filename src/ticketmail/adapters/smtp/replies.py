"""Reading what SMTP servers say: reply lines to :class:`Reply`, and the id in a final 250."""

from __future__ import annotations

import re

from ticketmail.domain.outbound.outcome import Reply

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MAX_TEXT = 2000  #: characters of a reply that are kept

#: Common forms of "taken as X", most specific first. Real lines are in tests/adapters/smtp/test_replies.py.
_REMOTE_IDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"queued as:? *<?([\w.:/+=@-]+)",  # Postfix, SendGrid, Amavis
        r"\bid=<?([\w.@-]+)",  # Exim
        r"InternalId=(\d+)",  # Exchange
        r"^ok:? +([0-9a-f]{16}-[0-9a-f-]{36}-\d{6})",  # SES
        r"^ok +\d{9,10} +([\w.-]+) - gsmtp",  # Gmail
        r"^([\w.-]+) message accepted for delivery",  # sendmail
        r"^ok \d{9,10} qp (\d+)",  # qmail
        r"^(?:ok:?|queued\.?|accepted:?) +<?([\w.@+=/-]*\d[\w.@+=/-]*)>?$",  # anything short with a digit in it
    )
)


def reply_of(lines: list[str]) -> Reply:
    """A reply from its lines (``250-…``, ``250 …``, line ends removed). The caller has checked the three digits.

    The enhanced code (RFC 2034: repeated on each line) is taken from the first line that has one. Control characters become
    blanks, so that a server cannot forge log lines.
    """
    enhanced = ""
    texts = []
    for line in lines:
        text = line[4:].strip()
        match = _ENHANCED.match(text)
        if match is not None:
            enhanced = enhanced or match[1]
            text = text[match.end() :]
        texts.append(text)
    return Reply(int(lines[0][:3]), _CONTROLS.sub(" ", " ".join(filter(None, texts)))[:_MAX_TEXT], enhanced)


def remote_id_of(reply: Reply) -> str:
    """The server's id for a mail that it has taken, '' if its reply holds none that we know."""
    for pattern in _REMOTE_IDS:
        match = pattern.search(reply.text)
        if match is not None:
            return match[1].rstrip(".")
    return ""
