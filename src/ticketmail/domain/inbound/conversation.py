"""Which ticket a mail belongs to: clues in the mail, what the spool knows of them, and a verdict with its strength. Pure.

Three steps, so that all that decides can be tested without a database: :func:`look` finds clues, the caller looks up
:func:`refs_of` them, :func:`decide` weighs. The order of the rules and what each is worth: docs/reference/inbound.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.inbound.partner import Number, number_ref, numbers_of
from ticketmail.domain.inbound.policy import Policy
from ticketmail.domain.inbound.providers import PUBLIC
from ticketmail.domain.inbound.subjects import bare
from ticketmail.domain.received import Clue, Handling, Strength, Thread
from ticketmail.domain.ticket import Token, TokenKind, find, find_tag, id_ref, recipient_tag

#: Headers in which servers keep the envelope's recipient, the most direct first (inbound rules, section 4.4).
RECIPIENT_HEADERS: Final = (
    *("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "X-Gm-Original-To"),
    *("X-Forwarded-To", "Resent-To", "To", "Cc"),
)
#: Categories that are about a mail of ours rather than part of a conversation.
REPORTS: Final = frozenset({"bounce", "delay", "delivered", "complaint", "receipt"})
HUMAN: Final = frozenset({"human", "calendar"})
_MOST_IDS: Final = 32
_MOST_VALUES: Final = 10
_ORDER: Final[dict[Strength, int]] = {"none": 0, "weak": 1, "medium": 2, "strong": 3, "proven": 4}


@dataclass(frozen=True, slots=True)
class Found:
    """A token of ours, and where it stood."""

    rule: str
    token: Token
    where: str


@dataclass(frozen=True, slots=True)
class Traces:
    """What a mail holds that may lead to a ticket. ``ids`` are what it answers, the newest first, without our own. ``numbers``
    are those of other systems, ``subject`` is what it is about, without prefixes."""

    tokens: tuple[Found, ...] = ()
    ids: tuple[str, ...] = ()
    tag: str | None = None
    numbers: tuple[Number, ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ref leads. ``submission_id`` None: a ticket's root, or a mail that came in."""

    tenant: str
    ticket: str | None
    submission_id: UUID | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A mail of before, ``age_s`` seconds old. ``ours``: we sent it. ``subject`` is as it stood there, '' if nobody knows it."""

    ticket: str | None
    subject: str = ""
    age_s: float = 0.0
    category: str = "human"
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a ticket: ``participants`` by address key, ``earlier`` are mails of it, newest first, where the policy
    asks; the rest is the host's word, if it gives one."""

    participants: frozenset[str] = frozenset()
    merged_into: str | None = None
    closed: bool = False
    exists: bool = True
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the spool knows of the traces: refs with where they lead, and the tickets that these name. ``earlier`` are mails of
    the author to this mailbox, newest first, within the policy's window."""

    places: Mapping[bytes, Place] = field(default_factory=dict)
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote, as far as threading cares. ``key`` is '' where From is no single address; ``proven``: by its domain's DMARC;
    ``forged``: DMARC says that somebody else wrote, so the address is worth nothing. ``familiar``: it took part in some ticket.
    """

    key: str = ""
    proven: bool = False
    category: str = "human"
    forwarded: bool = False
    forged: bool = False
    familiar: bool = True

    @property
    def domain(self) -> str:
        """Of its address."""
        return self.key.rpartition("@")[2]

    def is_in(self, participants: frozenset[str]) -> bool:
        """Whether it takes part, and is who it says."""
        return not self.forged and self.key in participants


def look(
    mail: ParsedMail,
    *,
    envelope_to: Sequence[str],
    quoted: str,
    secrets: Sequence[bytes],
    tenant: str,
    returned: Sequence[str] = (),
) -> Traces:
    """Find traces. ``quoted`` is the part of the text that was quoted: a marker counts only there. ``returned`` are texts of the
    mail that a report brings back."""
    places = [*_places(mail, envelope_to), *(("returned-mail", "the mail that came back", one) for one in returned)]
    tokens = tuple(_tokens([*places, ("body-marker", "the quoted text", quoted)], secrets))
    ids = [one for one in _answered(mail) if find(one, secrets) is None]
    tag = find_tag(mail.subject, secrets, tenant)
    return Traces(tokens, tuple(dict.fromkeys(ids))[:_MOST_IDS], tag, numbers_of(mail, tag), bare(mail.subject))


def refs_of(traces: Traces, tenant: str, domain: str = "") -> list[bytes]:
    """What to look up for an author of ``domain``."""
    refs = [found.token.ref for found in traces.tokens]
    refs += [number_ref(tenant, domain, one.text) for one in traces.numbers if domain]
    for one in traces.ids:
        refs += [id_ref(tenant, one), id_ref(tenant, one.rpartition("@")[0] or one)]
    return list(dict.fromkeys(refs))


def decide(traces: Traces, known: Known, writer: Writer, *, tenant: str, secrets: Sequence[bytes], policy: Policy) -> Thread:
    """The verdict: the first rule that holds, in the order of what they are worth, and every rule's evidence."""
    hits = [
        *(_token(found, known, writer, tenant, secrets) for found in traces.tokens),
        *(_id(one, known, writer, tenant) for one in traces.ids),
        *(hit for one in traces.numbers for hit in _by_number(one, known, writer, tenant, policy)),
        *_by_tag(traces.tag, known, writer),
        *_by_subject(traces.subject, known, writer, policy),
    ]
    clues = tuple(hit.clue for hit in hits)
    best = max((hit for hit in hits if hit.clue.held), key=lambda hit: _ORDER[hit.strength], default=None)
    if best is None:
        related = next((hit.ticket for hit in hits if hit.ticket), None)
        return _welcomed(Thread(clues=clues, related=related), writer, policy)
    return _settled(best, traces, known, writer, policy, clues)


@dataclass(frozen=True, slots=True)
class _Hit:
    clue: Clue
    strength: Strength = "none"
    ticket: str | None = None
    submission_id: UUID | None = None
    stranger: bool = False


def _settled(hit: _Hit, traces: Traces, known: Known, writer: Writer, policy: Policy, clues: tuple[Clue, ...]) -> Thread:
    """Policies of the mailbox, and the host's word on the ticket. What is about a mail of ours changes no ticket, so it joins."""
    ticket, more = _followed(hit.ticket, known, policy)
    said = {"strength": hit.strength, "rule": hit.clue.rule, "submission_id": str(hit.submission_id or "") or None}
    state = known.tickets.get(ticket or "", Ticket())
    kept_out = ("", "open") if writer.category in REPORTS else _kept_out(hit, traces, state, writer, policy)
    if not state.exists:
        kept_out = (f"The host has no ticket {ticket} any more.", "open")
    why, handling = kept_out
    if ticket is None or not why:
        return Thread(ticket=ticket, handling="join" if ticket else "open", clues=clues + more, **said)
    refusal = Clue(rule="policy", held=True, detail=why)
    apart = Thread(related=ticket, clues=(*clues, *more, refusal), handling=handling, **said)
    return _welcomed(apart, writer, policy)


def _kept_out(hit: _Hit, traces: Traces, state: Ticket, writer: Writer, policy: Policy) -> tuple[str, Handling]:
    """Why it does not join ('' if it does), and what becomes of it then."""
    if _ORDER[hit.strength] < _ORDER[policy.least]:
        return f"A {hit.strength} clue is not enough here.", "open"
    if state.closed and policy.closed != "join":
        return "The ticket is closed.", "refuse" if policy.closed == "refuse" else "open"
    if state.merged_into is not None and policy.merged == "link":
        return f"The ticket was merged into {state.merged_into}.", "open"
    if hit.stranger and writer.forwarded and policy.forwards == "link":
        return "It was passed on by somebody who took no part.", "open"
    if hit.stranger and policy.strangers == "link":
        return "Its author took no part in the ticket.", "open"
    if policy.topic == "link" and (other := _other_topic(traces, state.earlier, policy)):
        return other, "open"
    return "", "open"


def _welcomed(thread: Thread, writer: Writer, policy: Policy) -> Thread:
    """A mail that joins no ticket, by somebody who never took part in one. Reports are about mails of ours."""
    if writer.familiar or policy.unknown == "open" or thread.handling == "refuse" or writer.category in REPORTS:
        return thread
    clue = Clue(rule="unknown-sender", held=True, detail="Its author never took part in a ticket.")
    return thread.model_copy(update={"handling": policy.unknown, "clues": (*thread.clues, clue)})


def _other_topic(traces: Traces, earlier: tuple[Earlier, ...], policy: Policy) -> str:
    """That it begins something new: a subject that no mail of the ticket had, after a silence. '' if not, or nobody knows."""
    subjects = {bare(one.subject) for one in earlier if one.subject}
    if not subjects or not traces.subject or traces.subject in subjects or traces.tag is not None:
        return ""
    silence_s = min(one.age_s for one in earlier)
    if silence_s < policy.topic_after_s:
        return ""
    return f"It is about something else, after {silence_s / 86_400:.0f} days of silence."


def _followed(ticket: str | None, known: Known, policy: Policy) -> tuple[str | None, tuple[Clue, ...]]:
    """Through merges, as far as the caller looked them up."""
    if policy.merged == "link":
        return ticket, ()
    clues: list[Clue] = []
    seen = {ticket}
    while ticket is not None and (into := known.tickets.get(ticket, Ticket()).merged_into) is not None and into not in seen:
        clues.append(Clue(rule="merged", held=True, detail=f"Ticket {ticket} was merged into {into}."))
        ticket = into
        seen.add(into)
    return ticket, tuple(clues)


def _token(found: Found, known: Known, writer: Writer, tenant: str, secrets: Sequence[bytes]) -> _Hit:
    """A token of ours. It is proven when its author is who it was sent to."""
    place = known.places.get(found.token.ref)
    if place is None or place.tenant != tenant:
        return _Hit(Clue(rule=found.rule, held=False, detail=f"A token in {found.where} that leads nowhere here."))
    bound = not writer.forged and _is_bound(found.token, writer.key, tenant, secrets)
    took_part = bound or writer.is_in(known.tickets.get(place.ticket or "", Ticket()).participants)
    strength: Strength = "medium" if found.rule == "body-marker" else "proven" if took_part else "strong"
    who = "its author is who it was sent to" if bound else "its author takes part" if took_part else "its author is new"
    clue = Clue(rule=found.rule, held=True, detail=f"A token of ours in {found.where}; {who}.")
    return _Hit(clue, strength, place.ticket, place.submission_id, stranger=not took_part)


def _id(one: str, known: Known, writer: Writer, tenant: str) -> _Hit:
    """An id that we did not make: a provider's for a mail of ours, the host's own, or that of a mail that came in."""
    place = known.places.get(id_ref(tenant, one)) or known.places.get(id_ref(tenant, one.rpartition("@")[0] or one))
    if place is None or place.tenant != tenant:
        return _Hit(Clue(rule="known-id", held=False, detail=f"<{one[:100]}> is not known."))
    participants = known.tickets.get(place.ticket or "", Ticket()).participants
    took_part = writer.is_in(participants)
    if place.submission_id is not None:
        clue = Clue(rule="sent-id", held=True, detail=f"<{one[:100]}> is the id of a mail that we sent.")
        return _Hit(clue, "strong", place.ticket, place.submission_id, stranger=not took_part)
    shared = writer.domain in PUBLIC
    colleague = writer.proven and not shared and any(key.rpartition("@")[2] == writer.domain for key in participants)
    if not (took_part or colleague):
        detail = f"<{one[:100]}> is of ticket {place.ticket}, but its author took no part there."
        return _Hit(Clue(rule="received-id", held=False, detail=detail), ticket=place.ticket)
    who = "takes part" if took_part else "is of a participant's domain, which is proven"
    clue = Clue(rule="received-id", held=True, detail=f"<{one[:100]}> came in before; its author {who}.")
    return _Hit(clue, "medium", place.ticket, None, stranger=not took_part)


def _by_number(number: Number, known: Known, writer: Writer, tenant: str, policy: Policy) -> list[_Hit]:
    """Another system's number, remembered for the author's domain. It can be guessed, so the address must count for something."""
    place = known.places.get(number_ref(tenant, writer.domain, number.text)) if writer.domain else None
    if place is None or place.tenant != tenant or place.ticket is None:
        return []
    of = f"{number.text!r} is a number of {writer.domain} for ticket {place.ticket}"
    if writer.category not in HUMAN and not number.in_header:
        return [_Hit(Clue(rule="partner-number", held=False, detail=f"{of}; automatic mail is not joined by its subject."))]
    took_part = writer.is_in(known.tickets.get(place.ticket, Ticket()).participants)
    partner = writer.proven and writer.domain in policy.partners
    if not (took_part or partner):
        clue = Clue(rule="partner-number", held=False, detail=f"{of}, but its author took no part there.")
        return [_Hit(clue, ticket=place.ticket)]
    who = "takes part" if took_part else "is of a partner's domain, which is proven"
    clue = Clue(rule="partner-number", held=True, detail=f"{of}; its author {who}.")
    return [_Hit(clue, "medium", place.ticket, stranger=not took_part)]


def _by_subject(subject: str, known: Known, writer: Writer, policy: Policy) -> list[_Hit]:
    """The newest mail of the same author about the same, where the mailbox wants that."""
    if not policy.same_subject_s or writer.category not in HUMAN or writer.forged or not subject:
        return []
    same = (one for one in known.earlier if one.category in HUMAN and one.ticket and bare(one.subject) == subject)
    newest = min((one for one in same if one.age_s <= policy.same_subject_s), key=lambda one: one.age_s, default=None)
    if newest is None:
        return []
    detail = f"Its author wrote under the same subject {newest.age_s / 3600:.1f} h before, in ticket {newest.ticket}."
    return [_Hit(Clue(rule="same-subject", held=True, detail=detail), "weak", newest.ticket)]


def _by_tag(tag: str | None, known: Known, writer: Writer) -> list[_Hit]:
    if tag is None:
        return []
    ticket = known.tickets.get(tag)
    if writer.category not in HUMAN:
        return [_Hit(Clue(rule="subject-tag", held=False, detail="Automatic mail is not joined by its subject."))]
    if ticket is None or not writer.is_in(ticket.participants):
        detail = f"The subject names ticket {tag}, but its author took no part there."
        return [_Hit(Clue(rule="subject-tag", held=False, detail=detail), ticket=tag if ticket is not None else None)]
    clue = Clue(rule="subject-tag", held=True, detail=f"The subject names ticket {tag}; its author takes part.")
    return [_Hit(clue, "weak", tag)]


def _is_bound(token: Token, key: str, tenant: str, secrets: Sequence[bytes]) -> bool:
    return bool(key) and any(recipient_tag(secret, tenant, [key]) == token.tag for secret in secrets)


def _tokens(places: Sequence[tuple[str, str, str]], secrets: Sequence[bytes]) -> Iterator[Found]:
    """Tokens by rule, each ref and rule once."""
    seen: set[tuple[str, bytes]] = set()
    for rule, where, text in places:
        token = find(text, secrets)
        if token is None or (rule, token.ref) in seen or (rule == "body-marker") != (token.kind is TokenKind.MARKER):
            continue
        seen.add((rule, token.ref))
        yield Found("bounce-address" if token.kind is TokenKind.BOUNCE else rule, token, where)


def _places(mail: ParsedMail, envelope_to: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(rule, where, text) in the order of trust."""
    for one in envelope_to:
        yield "recipient", "the envelope", one
    for name in RECIPIENT_HEADERS:
        for value in mail.values(name)[:_MOST_VALUES]:
            yield "recipient", name, value
    for one in mail.in_reply_to[:_MOST_IDS]:
        yield "in-reply-to", "In-Reply-To", one
    for one in list(reversed(mail.references))[:_MOST_IDS]:
        yield "references", "References", one


def _answered(mail: ParsedMail) -> list[str]:
    return [*mail.in_reply_to, *reversed(mail.references)]
