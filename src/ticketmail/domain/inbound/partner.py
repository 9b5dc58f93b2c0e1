"""Numbers that another ticketing system gives: in the subject, or in header fields of its own. Pure.

They are remembered for the ticket of the mail that they stood in, and for the domain of its author: a later mail from there that
names one belongs to that ticket. A number is nothing that only its owner could know, so who may use it is the caller's to ask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.ticket import id_ref

#: Header fields in which systems name their own ticket: Request Tracker, GitLab, Redmine.
FIELDS: Final = ("RT-Ticket", "X-GitLab-Issue-ID", "X-GitLab-MergeRequest-ID", "X-Redmine-Issue-Id")
_MOST: Final = 5
_LOOKED_AT: Final = 500  #: characters of a subject
_LONGEST: Final = 60  #: characters of a number
_WORDS: Final = (
    r"ticket|case|request|incident|issue|vorgang|anfrage|fall|aktenzeichen|demande|dossier|caso|solicitud|chamado|richiesta|zaak"
    r"|melding|zgłoszenie|sprawa|ärende|sag|sak"
)
#: The ways to write one, the surest first: a word for it and a number (`Ticket#2026010112`, `Case 00123456`); ServiceNow's kinds
#: (docs.servicenow.com, "number maintenance"); a key in brackets (Jira: `[SUP-12]`, `(SUP-12)`); `[#123]`, `[site #123]` (RT,
#: Zendesk, Freshdesk); `##123##` (ManageEngine).
_WAYS: Final = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"\b(?:{_WORDS})[ -]?(?:id|no|nr|number|nummer|key)?\.?\s{{0,3}}[:#№]{{0,2}}\s{{0,3}}"
        r"(?P<n>[a-z]{0,8}-?\d[\d-]{2,20})(?!\w)",
        r"\b(?P<n>(?:inc|ritm|req|chg|prb|sctask|cs|task|case)\d{5,12})\b",
        r"[\[(]\s?(?P<n>[a-z][a-z0-9]{1,9}-\d{1,8})\s?[\])]",
        r"\[[^\][#]{0,40}#\s?(?P<n>[a-z]{0,8}-?\d{2,20})\s?\]",
        r"##(?P<n>\d{2,20})##",
    )
)


@dataclass(frozen=True, slots=True)
class Number:
    """Another system's number. ``in_header``: it stood in a field of that system's own, not in the subject."""

    text: str
    in_header: bool = False


def numbers_of(mail: ParsedMail, own: str | None) -> tuple[Number, ...]:
    """Those of ``mail``, the surest first. ``own`` is the ticket that a tag of ours names: it is no partner's."""
    fields = (value for name in FIELDS for value in mail.values(name)[:_MOST])
    found = [Number(_same(value), in_header=True) for value in fields if any(map(str.isdigit, value))]
    subject = mail.subject[:_LOOKED_AT]
    found += [Number(_same(match["n"])) for way in _WAYS for match in way.finditer(subject)]
    theirs = (one for one in found if own is None or one.text != _same(own))
    return tuple({one.text: one for one in reversed(list(theirs))}.values())[::-1][:_MOST]


def number_ref(tenant: str, domain: str, number: str) -> bytes:
    """Where ``number`` of the systems of ``domain`` leads: a ref like that of an id that came in, and worth no more."""
    return id_ref(tenant, f"number {number} of {domain.lower()}")


def _same(text: str) -> str:
    return " ".join(text[:_LONGEST].split()).lower()
