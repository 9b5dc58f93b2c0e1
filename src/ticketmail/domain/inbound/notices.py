"""Failure notices that are not for machines: who failed, and why, out of prose and transcripts.

A notice is read up to where the returned mail begins. An address counts by how it stands there: leading a line of its own (Exim,
Postfix, qmail, sendmail, Exchange), in a protocol transcript, or anywhere in a sentence. The best kind that is there wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from ticketmail.domain.inbound.statuses import reply_class, status_in
from ticketmail.domain.inbound.verdict import FailedRecipient

MAX_TEXT: Final = 65_536
MAX_LINE: Final = 1_000
#: Brackets, colons and stops as East Asian notices write them, without a space beside an address.
_WIDE: Final = "\u2018-\u201f\u3000-\u3003\u3008-\u3011\uff01-\uff0f\uff1a-\uff20\uff5b-\uff65"
#: A domain of ASCII ends where CJK text goes on; another one is of any letters (RFC 6531).
_DOMAIN: Final = r"(?>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9])?(?![A-Za-z0-9\u00a1-\u1fff])|\w(?:[\w.-]{0,250}\w)?)"
_ATOM: Final = rf"[^\s<>()\[\],;:\"'@=|*{_WIDE}]{{1,64}}"
#: Within angle brackets a local part may be all that RFC 5321 section 4.1.2 allows: quoted, or with signs that prose puts around
#: addresses, too.
_ADDR: Final = rf"(?:(?<=<)(?:\"[^\"<>\n]{{1,64}}\"|[^\s<>()\[\],;:\"'@][^\s<>()\[\],;:\"@]{{0,63}})|{_ATOM})@{_DOMAIN}"
_ADDRESS: Final = re.compile(_ADDR)
#: Where the returned mail begins, as the programs announce it.
_RETURNED: Final = re.compile(
    r"^(?:[ \t|>*=_#-]*(?:here is |below is |this is |following is |attached is )?(?:(?:a|the|your) )?(?:"
    r"(?:original|returned|unsent|rejected|undelivered) (?:e-?mail|message|mail)(?: headers?| text)?"
    r"(?: is)?(?: follow(?:s|ing)?| attached| included| below| as follows| headers?:| ?[:-]+)"
    r"|(?:e-?mail )?(?:message|mail) (?:headers?|text|body|contents?) (?:is )?follow(?:s|ing)?"
    r"|copy of (?:the|your) (?:original )?(?:e-?mail|message|mail)|headers? of the original message|original mail as follows"
    r"|(?:your )?message reads|below this line|unsent message|returned mail follows|attachment is a copy)\b.*"
    r"|[ |=*-]{3,}[ ]*(?:original message|forwarded message|unsent message|returned (?:message|mail)|message headers?"
    r"|original mail"
    r"|mensaje original|original headers).{0,40})$",
    re.IGNORECASE | re.MULTILINE,
)
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_HEADER: Final = re.compile(
    r"^(?:Received|Return-Path|Message-ID|DKIM-Signature|X-Google-[\w-]+|MIME-Version):", re.IGNORECASE | re.MULTILINE
)
#: Somebody else than a failed recipient.
_OTHERS: Final = re.compile(
    r"(?:sent by|sender|from|(?<!in )reply(?:[- ]to)?|contact|postmaster|help|support|assistance|questions?|abuse|mail from"
    r"|administrator|message[- ]?id:|mailto:|delivered-to: )(?:(?!\bto\b|recipient|\.\s)[^\n]){0,60}$",
    re.IGNORECASE,
)
#: Whom to ask: such an address is nobody's who failed, wherever else it stands.
_TO_ASK: Final = re.compile(
    r"\b(?:(?:please|to|can|may) (?:\w+ )?contact|for (?:further |more )?(?:help|support|assistance|information)|questions?"
    rf"|連絡|問い?合わせ|联系|聯絡)[^\n@]{{0,30}}?<?({_ADDR})>?",
    re.IGNORECASE,
)
#: A reply of several lines: the address stands behind code and hyphen.
_CONTINUED: Final = re.compile(r"^([ \t]*)[245]\d\d-(?=\S{1,64}@)", re.MULTILINE)
_LEADS: Final = re.compile(
    rf"^[ \t]*(?:[*+-]+[ \t]+|\d+\.[ \t]+|>[ \t]*)?[<\"'\[(]{{0,2}}(?:mailto:|smtp:|rfc822;[ \t]*)?((?:{_ATOM}')?{_ADDR})"
    r"[>\"'\])]{0,2}(?:[ \t]*(?::|\.\.\.|$|[ \t]on \w|[ \t]-|,|\(|[ \t](?:invalid|unknown|is |user|delivery|failed|was"
    r"|\d{3}))|[ \t]*<br)",
    re.IGNORECASE,
)
#: With the name in front: Ann Example <ann@example.net>: user unknown. The name may be an address (Exim, of a malformed one).
_NAMED: Final = re.compile(
    rf"[ \t]*(?:\"[^\"\n]{{1,60}}\"|[\w.,'@-]{{1,60}}(?: [\w.,'-]{{1,30}}){{0,4}})[ \t]*<({_ADDR})>:(?=[ \t]|$)"
)
#: Exchange 5.5: c=US;a= ;p=Example;o=Site;dda:SMTP=ann@example.net; on Thu, ...
_X400: Final = re.compile(rf"[ \t]*c=.{{0,200}}?\bSMTP=({_ADDR});", re.IGNORECASE)
#: AOL lists screen names, which are local parts of its own domain.
_NAMES_FOLLOW: Final = re.compile(r"to the following recipients could not be delivered\b.*:$", re.IGNORECASE)
_KEYED: Final = re.compile(
    rf"(?:^|[\[,;(])[ \t*-]*(?:final[- ]recipient|original[- ]recipient|intended recipient|failed (?:recipients?"
    rf"|address(?:es)?)|recipients?"
    rf"(?: address)?|rcpt|error-for|address|addressee|envelope-to|user|e-?mail address"
    rf"|to)[ \t]*(?:\(s\))?[ \t]*[:=][ \t]*(?:rfc822;[ \t]*)?[<\"'\[]{{0,2}}({_ADDR})",
    re.IGNORECASE,
)
_TRANSCRIPT: Final = re.compile(rf"(?:rcpt to[: ]*|\b[45]\d\d[- ][^\n]{{0,120}}?)<?({_ADDR})>?", re.IGNORECASE)
#: A sentence that says so of an address; a transcript below it may name where that one's mail was sent on to.
_UNDELIVERED: Final = re.compile(
    rf"(?:unable|failed|not able) to deliver (?:your |the |this )?(?:e-?mail|message|mail)? ?to:? <?({_ADDR})", re.IGNORECASE
)
_WRAPPED: Final = re.compile(r"\((?:expanded|ultimately generated|generated) from:?$", re.IGNORECASE)
_EXPANDED: Final = re.compile(rf"\((?:expanded|ultimately generated|generated) from:?[ \t]*<?({_ADDR})>?", re.IGNORECASE)


@dataclass(slots=True)
class _Found:
    """An address at its place, with the lines that speak of it."""

    address: str
    lines: list[str] = field(default_factory=list)
    original: str = ""


def divide(text: str) -> tuple[str, str]:
    """The notice, and the mail that it returns, as far as it stands in the text. Bounded; blank lines are folded."""
    text = "\n".join(line[:MAX_LINE].rstrip() for line in text[:MAX_TEXT].split("\n"))
    text = _BLANK_LINES.sub("\n\n", text)
    ends = [match.start() for match in (_RETURNED.search(text), _first_header(text)) if match]
    end = min(ends, default=len(text))
    return text[:end], text[end:]


def read_notice(text: str, *, never: frozenset[str], domain: str = "") -> list[FailedRecipient]:
    """The failed recipients that a notice (see :func:`divide`) names. ``never`` are addresses that are somebody else's,
    ``domain`` is that of its sender.
    """
    text = _CONTINUED.sub(r"\1", text)
    never |= {one.lower() for one in _TO_ASK.findall(text)}
    for find in (_leading, _keyed, _transcribed, _anywhere):
        found = _merged(one for one in find(text) if one.address.lower() not in never and not _is_daemon(one.address))
        if found:
            return [_recipient(one, text if len(found) == 1 else "\n".join(one.lines)) for one in found]
    # Nobody else stands there: a user of the sender's system, or somebody wrote to himself, or to a postmaster.
    found = _merged(_named_users(text, domain)) or _merged(_leading(text))
    return [_recipient(one, text if len(found) == 1 else "\n".join(one.lines)) for one in found]


def _first_header(text: str) -> re.Match[str] | None:
    """A header of a returned mail that nothing announced."""
    return next((match for match in islice(_HEADER.finditer(text), 50) if _more_headers(text, match.start())), None)


def _more_headers(text: str, at: int) -> bool:
    names = re.findall(r"^([A-Za-z][A-Za-z-]+):", text[at : at + 3000], re.MULTILINE)
    known = {"received", "from", "to", "subject", "date", "message-id", "return-path", "mime-version", "content-type"}
    return len(known & {name.lower() for name in names}) >= 2


def _leading(text: str) -> Iterator[_Found]:
    current: _Found | None = None
    before = ""
    for line in text.split("\n"):
        match = _LEADS.match(line) or _NAMED.match(line) or _X400.match(line)
        expanded = _EXPANDED.search(line)
        alone = match is not None and not line[match.end(1) :].strip(" \t>\"')]")
        if match and current is not None and _WRAPPED.search(current.lines[-1]):  # Postfix folds its lines
            current.original = match[1]
        elif match and not (alone and _OTHERS.search(before)):
            current = _Found(match[1], [line])
            yield current
        elif current is not None:
            current.lines.append(line)
            if expanded:
                current.original = expanded[1]
        before = line if line.strip() else before


def _named_users(text: str, domain: str) -> Iterator[_Found]:
    follows = False
    for line in text.split("\n"):
        if follows and domain and re.fullmatch(r"\w[\w.-]{0,63}", line.strip()):
            yield _Found(f"{line.strip()}@{domain}", [line])
        elif line.strip():
            follows = _NAMES_FOLLOW.search(line) is not None


def _keyed(text: str) -> Iterator[_Found]:
    return (_Found(match[1], [line]) for line in text.split("\n") for match in _KEYED.finditer(line))


def _transcribed(text: str) -> Iterator[_Found]:
    lines = text.split("\n")
    found = [_Found(match[1], [line]) for line in lines for match in _TRANSCRIPT.finditer(line)]
    if found:
        yield from (_Found(match[1], [line]) for line in lines for match in _UNDELIVERED.finditer(line))
    yield from found


def _anywhere(text: str) -> Iterator[_Found]:
    for line in text.split("\n"):
        for match in _ADDRESS.finditer(line):
            if not _OTHERS.search(line[: match.start()]):
                yield _Found(match[0], [line])


def _merged(found: Iterator[_Found]) -> list[_Found]:
    """One for each address, in order."""
    by_address: dict[str, _Found] = {}
    for one in list(found):
        known = by_address.setdefault(one.address.lower(), one)
        if known is not one:
            known.lines += one.lines
            known.original = known.original or one.original
    return list(by_address.values())


def _is_daemon(address: str) -> bool:
    return address.partition("@")[0].lower() in ("mailer-daemon", "postmaster", "mail-daemon", "mdaemon")


def _recipient(one: _Found, text: str) -> FailedRecipient:
    status = status_in(text)
    kind = status[:1] or reply_class(text)
    said = " ".join(" ".join(one.lines).split())[:500]
    return FailedRecipient(
        one.address, original=one.original, status=status, permanent={"5": True, "4": False}.get(kind), diagnostic=said
    )
