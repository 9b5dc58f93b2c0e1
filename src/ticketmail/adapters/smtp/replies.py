"""Reading what SMTP servers say: reply lines to :class:`Reply`, and the id in a final 250."""

from __future__ import annotations

import re

from ticketmail.domain.outbound.outcome import Phase, Refused, Reply

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DAY_S = 86_400.0
_BACK_AT = re.compile(r"\b(?:back|again|retry) in (\d{1,2}):(\d\d):(\d\d)\b", re.IGNORECASE)
_BACK_IN = re.compile(
    r"\b(?:again|retry|back|wait|greylist(?:ed|ing)?|deferred)(?: in| after| for| at least)* (\d{1,6}) ?"
    r"(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)\b",
    re.IGNORECASE,
)
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


def refused(reply: Reply, phase: Phase) -> Refused:
    """A refusal by the server, with its own word on when to come back, if a temporary one has it."""
    return Refused(reply, phase, _retry_after_s(reply.text) if 400 <= reply.code < 500 else None)


def _retry_after_s(text: str) -> float | None:
    """``try again in 5 minutes``, ``Greylisted for 300 seconds``, ``come back in 00:04:59``: seconds, at most a day."""
    clock = _BACK_AT.search(text)
    if clock is not None:
        hours, minutes, seconds = (int(part) for part in clock.groups())
        return min(_DAY_S, hours * 3600.0 + minutes * 60 + seconds)
    span = _BACK_IN.search(text)
    if span is None:
        return None
    return min(_DAY_S, float(span[1]) * {"s": 1, "m": 60, "h": 3600}[span[2][0].lower()])


def remote_id_of(reply: Reply) -> str:
    """The server's id for a mail that it has taken, '' if its reply holds none that we know."""
    for pattern in _REMOTE_IDS:
        match = pattern.search(reply.text)
        if match is not None:
            return match[1].rstrip(".")
    return ""
