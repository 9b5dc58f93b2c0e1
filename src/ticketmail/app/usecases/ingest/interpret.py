"""One mail interpreted: what its bytes say, which ticket it belongs to, what it says of our own mails. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ticketmail.app.usecases.ingest.feedback import Subject, about, report_of
from ticketmail.app.usecases.ingest.threading import Threading
from ticketmail.domain.errors import MissingExtra
from ticketmail.domain.inbound.acknowledging import Pace, acknowledge, is_racing
from ticketmail.domain.inbound.authentication import HEADER, Authenticated, authenticated, spoke_of_signatures, vouched
from ticketmail.domain.inbound.conversation import Writer
from ticketmail.domain.inbound.lookalikes import looks_alike
from ticketmail.domain.inbound.mail import ParsedMail, Tier
from ticketmail.domain.inbound.participants import author_key, bare_key
from ticketmail.domain.inbound.partner import number_ref, numbers_of
from ticketmail.domain.inbound.policy import MailboxRules
from ticketmail.domain.inbound.reading import Reading
from ticketmail.domain.inbound.subjects import is_forward
from ticketmail.domain.ports.receiving import InboundState, InboundView, Ledger, Reader, SignatureCheck
from ticketmail.domain.received import Acknowledge, Signature, Thread
from ticketmail.domain.ticket import X_HEADER, find, find_tag

#: Sources put it above the header of a mail whose body they left where it is.
TOO_LARGE = "X-Ticketmail-Too-Large"


@dataclass(frozen=True, slots=True)
class Interpreted:
    """All that is known of one mail, before it is settled."""

    view: InboundView
    reading: Reading
    category: str
    author: str
    proof: Authenticated
    thread: Thread
    participants: frozenset[str]
    acknowledge: Acknowledge
    risks: tuple[str, ...]
    subjects: tuple[Subject, ...]
    own: tuple[str, ...]
    marks: tuple[bytes, ...] = ()

    def leans_on(self, others: Iterable[Interpreted]) -> bool:
        """Whether one of ``others``, once it is settled, may change what is to be said of this one: it answers it, or has its
        author, ticket, or another system's number."""
        return any(self._leans_on(other) for other in others)

    def _leans_on(self, other: Interpreted) -> bool:
        answered = {*self.reading.mail.in_reply_to, *self.reading.mail.references}
        return (
            other.reading.mail.message_id in answered
            or (bool(self.author) and self.author == other.author)
            or (self.thread.ticket is not None and self.thread.ticket == other.thread.ticket)
            or not set(self.marks).isdisjoint(other.marks)
        )


class Interpret:
    """``rules`` by mailbox; ``keys()`` gives the token keys; ``check`` checks signatures, for mailboxes that want it.
    Synchronous; thread-safe where its parts are."""

    def __init__(
        self,
        *,
        reader: Reader,
        ledger: Ledger,
        threading: Threading,
        keys: Callable[[], Sequence[bytes]],
        rules: Mapping[str, MailboxRules],
        check: SignatureCheck | None = None,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._threading = threading
        self._keys = keys
        self._rules = rules
        self._check = check

    def prepare(self) -> None:
        """Do now what the first mail would wait for: the reader's process starts."""
        self._reader.read(b"")

    def equipped(self) -> None:
        """Raises MissingExtra if signatures are to be checked and nothing is there to do it."""
        if self._check is not None and any(one.check_signatures for one in self._rules.values()):
            self._check(b"", b"")

    def one(self, view: InboundView, content: bytes) -> Interpreted:
        """Read and judge ``content``. Raises SpoolError kin, nothing for what a mail is."""
        return self.judge(view, self.read(view, content))

    def read(self, view: InboundView, content: bytes) -> Reading:
        """What the bytes say."""
        reading = self._reader.read(content)
        if not content and view.error:  # the source could not give it
            return replace(reading, error=view.error)
        return replace(reading, signatures=self._signatures(view, content, reading.mail))

    def _signatures(self, view: InboundView, content: bytes, mail: ParsedMail) -> tuple[Signature, ...]:
        """As they were when the mail came, for keys are withdrawn after a while; else checked, if the mailbox wants it and no
        trusted server has. Without the extra (a mailbox that a host brought while we run) they are not, and no mail waits."""
        if view.signatures or view.state is not InboundState.STORED:
            return tuple(Signature.model_validate(one) for one in json.loads(view.signatures or "[]"))
        rules, senders = self._rules_of(view), list(mail.fields("from"))
        said = authenticated(mail.values(HEADER), rules.servers, "")
        if self._check is None or not rules.check_signatures or len(senders) != 1 or spoke_of_signatures(said):
            return ()
        try:
            return self._check(content, senders[0].raw)
        except MissingExtra as error:
            return (Signature(method="dkim", result="temperror", reason=str(error)),)

    def _rules_of(self, view: InboundView) -> MailboxRules:
        return self._rules.get(view.mailbox, MailboxRules())

    def judge(self, view: InboundView, reading: Reading) -> Interpreted:
        """What it means now, by all that is settled. Raises SpoolError kin."""
        mail, rules = reading.mail, self._rules_of(view)
        author = author_key(mail)
        category = "own" if self._is_own(reading) else reading.category
        proof = _proof(reading, rules, author.rpartition("@")[2])
        writer = self._writer(view, reading, category, author, proof, rules)
        thread, participants = self._threading.thread(view, reading, writer, rules.policy)
        pace = self._pace(view, author, mail.subject, thread, rules)
        own = self._own(view, rules)
        answer = acknowledge(
            category=category,
            against=reading.against,
            author=author,
            own=own,
            silent=view.silent,
            pace=pace,
            budget=rules.budget,
            held=thread.handling in ("review", "refuse"),
        )
        return Interpreted(
            view=view,
            reading=reading,
            category=category,
            author=author,
            proof=proof,
            thread=thread,
            participants=participants,
            acknowledge=answer,
            risks=self._risks(reading, writer, proof, thread, pace, rules),
            subjects=about(report_of(reading), thread, self._ledger) if category == reading.category else (),
            own=own,
            marks=self._marks(view, reading, writer),
        )

    def _writer(
        self, view: InboundView, reading: Reading, category: str, author: str, proof: Authenticated, rules: MailboxRules
    ) -> Writer:
        """The author, as threading sees it. Whether it is familiar is asked only where a policy wants to know."""
        return Writer(
            author,
            proven=not proof.failed and proof.covers(author.rpartition("@")[2]),
            category=category,
            forwarded=is_forward(reading.mail.subject),
            forged=proof.failed,
            familiar=rules.policy.unknown == "open" or self._threading.is_familiar(view.tenant, author),
        )

    def _marks(self, view: InboundView, reading: Reading, writer: Writer) -> tuple[bytes, ...]:
        """Numbers of its author's system: they lead to the ticket that the mail is of. Never those of forged mail."""
        if not writer.domain or writer.forged:
            return ()
        own = find_tag(reading.mail.subject, self._keys(), view.tenant)
        return tuple(number_ref(view.tenant, writer.domain, one.text) for one in numbers_of(reading.mail, own))

    def _is_own(self, reading: Reading) -> bool:
        """Our own mail came back to us: the ids that only we make stand where only its sender puts them."""
        ids = f"{reading.mail.message_id or ''} {reading.mail.value(X_HEADER)}"
        return reading.category == "own" or find(ids, self._keys()) is not None

    def _pace(self, view: InboundView, author: str, subject: str, thread: Thread, rules: MailboxRules) -> Pace:
        if not author:
            return Pace()
        span = {"recent_s": rules.budget.recent_s, "day_s": rules.budget.day_s}
        return self._ledger.pace(view.tenant, author, subject, thread.ticket, **span)

    def _own(self, view: InboundView, rules: MailboxRules) -> tuple[str, ...]:
        """Addresses that are ours: of all mailboxes, and those that this mail was sent to by its envelope."""
        every = [address for one in self._rules.values() for address in one.addresses]
        return tuple(dict.fromkeys([*rules.addresses, *every, *(bare_key(one.lower()) for one in view.envelope_to)]))

    def _risks(
        self, reading: Reading, writer: Writer, proof: Authenticated, thread: Thread, pace: Pace, rules: MailboxRules
    ) -> tuple[str, ...]:
        found = {
            "sender-unclear": not writer.key,
            "sender-lookalike": looks_alike(writer.key),
            "sender-forged": proof.failed,
            "sender-unproven": rules.proves and not proof.failed and not writer.proven,
            "stranger-in-ticket": thread.ticket is not None and thread.strength == "strong" and not reading.reported,
            "loop-suspected": is_racing(pace, rules.budget),
            "not-read-in-full": reading.mail.tier != "full",
            "too-large": reading.mail.has(TOO_LARGE) and reading.mail.headers[0].key == TOO_LARGE.lower(),
        }
        return (*(code for code, holds in found.items() if holds), *reading.content.risks)


def _proof(reading: Reading, rules: MailboxRules, domain: str) -> Authenticated:
    """A trusted server saw the mail as it came: where it spoke of signatures, its word counts and no other."""
    said = authenticated(reading.mail.values(HEADER), rules.servers, domain)
    if spoke_of_signatures(said) or not rules.check_signatures:
        return said
    found = vouched(reading.signatures, rules.sealers, domain)
    return Authenticated((*said.domains, *found.domains), (*said.verdicts, *found.verdicts))


def unread(view: InboundView, error: str) -> Interpreted:
    """What is known of a mail that nobody could interpret: that it is there."""
    return Interpreted(
        view=view,
        reading=Reading(ParsedMail(tier=Tier.MINIMAL, size_bytes=view.size_bytes), error=error),
        category="human",
        author="",
        proof=Authenticated(),
        thread=Thread(),
        participants=frozenset(),
        acknowledge=Acknowledge(allowed=False, reason="It could not be read."),
        risks=("sender-unclear", "not-read-in-full"),
        subjects=(),
        own=(),
    )
