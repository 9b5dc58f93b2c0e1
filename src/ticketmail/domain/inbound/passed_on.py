"""Whose words a mail brings when its sender only passed them on: forwards, and lists that put their own address into From. Pure.

This never says who wrote: the author of a mail is its From, and a stranger can write any header into a body. It says on whose
behalf, for people and for a host that trusts its own colleagues' forwards (inbound rules 58 and 59; FreeScout #2733).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.inbound.attribution import MAX_LINES, judge
from ticketmail.domain.inbound.lines import Kind, Segment
from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.separators import Role, field_of, quoted_fields
from ticketmail.domain.inbound.subjects import is_forward

_ADDRESS: Final = re.compile(r"[^\s<>\[\](),;:\"@]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_QUOTED: Final = re.compile(r"\"([^\"]{1,120})\"")
_MAILTO: Final = re.compile(r"mailto:", re.IGNORECASE)
#: *Ann Example via Support*: Mailman, Google Groups, Sympa and Discourse write so, in their languages.
_VIA: Final = re.compile(
    r"^(?P<name>.{1,120}?)['\"]?\s+(?:via|über|par l'intermédiaire de|a través de|przez|через)\s+\S", re.IGNORECASE
)
_LIST_HEADERS: Final = ("List-Id", "List-Post", "List-Unsubscribe", "Mailing-List")
#: Headers in which lists keep the From that they replaced, best first.
_ORIGINAL: Final = ("X-Original-From", "X-Original-Sender", "X-Mailman-Original-From")


@dataclass(frozen=True, slots=True)
class OriginalSender:
    """``address`` as it stands there, ``rule`` where: ``forward``, ``attached``, ``list-header``, ``list-reply-to``."""

    address: str
    name: str = ""
    subject: str = ""
    rule: str = ""


def original_sender(mail: ParsedMail, segments: Sequence[Segment]) -> OriginalSender | None:
    """On whose behalf a mail was sent on, if it says so. ``segments`` are those of its body."""
    return _by_list(mail) or _by_forward(segments) or _by_attachment(mail)


def _by_list(mail: ParsedMail) -> OriginalSender | None:
    """Only with proof of a list, and only if From is rewritten: its name says *via*, or a header keeps the original."""
    if not any(mail.has(name) for name in _LIST_HEADERS):
        return None
    sender = mail.sender
    via = _VIA.match(sender.name.strip("'\" ")) if sender is not None else None
    for header in _ORIGINAL:
        match = _ADDRESS.search(mail.value(header)[:1_000])
        if match is not None and (sender is None or match[0].lower() != sender.key):
            return OriginalSender(match[0], via["name"].strip("'\" ") if via else "", rule="list-header")
    if via is not None and len(mail.reply_to) == 1 and sender is not None and mail.reply_to[0].key != sender.key:
        return OriginalSender(mail.reply_to[0].address, via["name"].strip("'\" "), rule="list-reply-to")
    return None


def _by_forward(segments: Sequence[Segment]) -> OriginalSender | None:
    """The sender field of the header above a mail that was passed on."""
    for segment in segments:
        if segment.kind is not Kind.FORWARDED:
            continue
        texts = [line.lstrip("> ") for line in segment.text.split("\n", 60)[:60]]
        for at, text in enumerate(texts):
            if field_of(text) is not None:
                return _of_fields(quoted_fields(texts, at))
        return next(filter(None, map(_of_line, texts[:MAX_LINES])), None)
    return None


def _of_line(text: str) -> OriginalSender | None:
    """``02.03.2026, 10:04, "Ann" <ann@example.net>:``, which is all that Yandex writes above what it passes on."""
    match = _ADDRESS.search(text[:500])
    if match is None or not judge(text[:500], quoted_next=True):
        return None
    name = _QUOTED.search(text[: match.start()])
    return OriginalSender(match[0], name[1] if name else "", rule="forward")


def _by_attachment(mail: ParsedMail) -> OriginalSender | None:
    """The sender of the one mail that is attached, where the subject says that it was passed on."""
    attached = [part.mail for part in mail.attachments if part.mail is not None] if is_forward(mail.subject) else []
    sender = attached[0].sender if len(attached) == 1 else None
    if sender is None or _ADDRESS.fullmatch(sender.address) is None:
        return None
    return OriginalSender(sender.address, sender.name, attached[0].subject[:500], "attached")


def _of_fields(fields: Sequence[tuple[Role, str]]) -> OriginalSender | None:
    said = {role: value for role, value in reversed(fields)}
    sender = _MAILTO.sub("", said.get(Role.SENDER, ""))[:500]
    match = _ADDRESS.search(sender)
    if match is None:
        return None
    name = sender[: match.start()].strip(" \t\"'<[(*")
    return OriginalSender(match[0], name, said.get(Role.SUBJECT, "")[:500], "forward")
