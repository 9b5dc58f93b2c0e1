"""From a submission to entries: checked, addressed, named, routed, its large content set apart. No I/O but token keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from ticketmail.app.usecases.large import Blob, set_apart
from ticketmail.domain.address import Address
from ticketmail.domain.body import encode_body, fingerprint
from ticketmail.domain.checking import check
from ticketmail.domain.envelope import Envelope
from ticketmail.domain.errors import InvalidSubmission, TooLarge
from ticketmail.domain.ids import uuid7
from ticketmail.domain.message import Message
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.outbound.routing import Routes
from ticketmail.domain.ports.accepting import Entry, TokenRef
from ticketmail.domain.ports.reading import Administering
from ticketmail.domain.ports.rendering import Renderer
from ticketmail.domain.ports.timing import Clock
from ticketmail.domain.submission import Receipt, Submission
from ticketmail.domain.texts import check_id
from ticketmail.domain.ticket import id_ref, message_id, ref_for, root_ref

#: UUIDv5 namespace of ids made of (tenant, key). Never changes: it is what makes a key idempotent.
KEY_NAMESPACE: Final = UUID("6f1b5f0e-53a4-5d0e-9f6b-7c2f6a3c1d42")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: W3C Trace Context, section 3.2.
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_HEADER_BYTES: Final = 2048
_ETA = "this process has not looked at limits and queue lately; `ticketmail eta ID` says when"


@dataclass(frozen=True, slots=True)
class SubmitRules:
    """What settings say. ``secrets`` are token keys, newest first; (): the spool's own. ``route_sizes`` holds the most bytes
    that any account of a route takes, where that is known."""

    max_size_bytes: int
    message_id_domain: str = ""
    secrets: tuple[bytes, ...] = ()
    route_sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """What a host over a broker decided when it handed over, at ``at_us`` (UTC microseconds by its clock): the id, and the
    Message-ID where it holds the secret. A deadline is checked as of then: the road may have taken longer."""

    submission_id: UUID
    at_us: int
    message_id: str | None = None
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Compiled:
    """One submission, ready: one entry, or one per recipient."""

    tenant: str
    entries: tuple[Entry, ...]
    blobs: tuple[Blob, ...]
    receipt: Receipt


def submission_id(tenant: str, key: str) -> UUID:
    """The id that a key means, whoever computes it, and whenever."""
    return uuid5(KEY_NAMESPACE, f"{tenant}\0{key}")


def part_id(whole: UUID, recipient: Address) -> UUID:
    """The id of one recipient's own mail of a ``per_recipient`` submission."""
    return uuid5(whole, f"to:{recipient.key}")


def with_header(renderer: Renderer, submission: Submission) -> Submission:
    """Ready MIME says itself who it is from and to; what the host says beside it wins. Raises InvalidMessage."""
    message = submission.message
    if message.raw is None:
        return submission
    found = renderer.check_raw(message.raw)
    header = {name: getattr(found, name) for name in ("sender", "to", "cc", "subject", "message_id", "in_reply_to", "references")}
    said = {name: getattr(message, name) for name in message.model_fields_set}
    return submission.model_copy(update={"message": message.model_copy(update=header | {k: v for k, v in said.items() if v})})


class Compiler:
    """Thread-safe. ``random_bytes(n)`` and ``clock`` are injected: ids of keyless mail are the only chance in here.

    ``traceparent()`` is the W3C Trace Context of the caller's span, '' for none.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        administering: Administering,
        routes: Routes,
        lanes: Lanes,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        rules: SubmitRules,
        traceparent: Callable[[], str] = str,
    ) -> None:
        self._renderer = renderer
        self._administering = administering
        self._routes = routes
        self._lanes = lanes
        self._clock = clock
        self._random_bytes = random_bytes
        self._rules = rules
        self._secrets = rules.secrets
        self._traceparent = traceparent

    def use(self, routes: Routes, route_sizes: Mapping[str, int]) -> None:
        """Other routes from now on: accounts have changed."""
        self._rules = replace(self._rules, route_sizes=route_sizes)
        self._routes = routes

    def compile(self, submission: Submission, *, route: str | None = None, given: Given | None = None) -> Compiled:
        """Check ``submission`` and make it entries. ``route`` overrides the sender's; ``given`` is what was decided before.

        Raises:
            InvalidSubmission kin: names the field.
            SpoolError: the token keys cannot be read (first use only).
        """
        submission = with_header(self._renderer, submission)
        now_us = self._clock.now_us() if given is None else given.at_us
        envelope = check(submission, lanes=self._lanes, max_size_bytes=self._rules.max_size_bytes, now_us=now_us)
        self._check_size(submission.message, route or self._route_of(submission))
        whole = self._ident(submission, given, now_us)
        content = fingerprint(submission)
        parts = [_Part(whole, submission.message, envelope, _superseded(submission))]
        if submission.per_recipient:
            parts = [_part(whole, submission, envelope, recipient) for recipient in envelope.recipients]
        made = [self._entry(submission, part, content, route) for part in parts]
        blobs = {blob.digest: blob for _, apart in made for blob in apart}
        entries = tuple(entry if given is None else _as_given(entry, given, submission) for entry, _ in made)
        return Compiled(submission.tenant, entries, tuple(blobs.values()), _receipt(entries, submission))

    def _ident(self, submission: Submission, given: Given | None, now_us: int) -> UUID:
        keyed = submission_id(submission.tenant, submission.key) if submission.key else None
        if given is None:
            return keyed or self._new_id(now_us)
        if keyed is not None and keyed != given.submission_id:
            raise InvalidSubmission("is not what the submission's id was made of.", field="key", remedy="Hand it over anew.")
        return given.submission_id

    def _entry(self, submission: Submission, part: _Part, content: bytes, route: str | None) -> tuple[Entry, tuple[Blob, ...]]:
        # Blind copies live in the envelope alone: what is stored may be shown.
        message, blobs = set_apart(part.message.model_copy(update={"bcc": ()}))
        message_id, refs = self._names(submission, part)
        lane = self._lanes[submission.lane]
        return_path = part.envelope.return_path
        entry = Entry(
            submission_id=part.ident,
            message_id=message_id,
            # An alarm's route is its own: a sender's key would let a worker that re-routes put it on the host's.
            sender=route or _sender(message),
            route=route or self._route_of(submission),
            lane=submission.lane,
            lane_weight=lane.weight,
            return_path=return_path.addr_spec if return_path is not None else "",
            recipients=tuple(one.addr_spec for one in part.envelope.recipients),
            body=encode_body(message),
            fingerprint=hashlib.sha256(content + part.ident.bytes).digest(),
            size_bytes=estimated_size(part.message),
            lifetime_us=int(lane.deadline_s * 1_000_000),
            tenant=submission.tenant,
            ticket=submission.ticket,
            key=submission.key,
            not_before_us=moment_us(submission.not_before),
            deadline_us=_deadline_us(submission, lane.deadline_s),
            supersedes=part.supersedes,
            blobs=tuple(blob.digest for blob in blobs),
            refs=refs,
            traceparent=self._traceparent(),
        )
        return entry, blobs

    def _names(self, submission: Submission, part: _Part) -> tuple[str, tuple[TokenRef, ...]]:
        """The Message-ID (the host's own wins), and the rows that lead from our ids in the mail back to the ticket."""
        keys = self.keys()
        message = part.message
        recipients = [one.key for one in part.envelope.recipients]
        tenant, ticket = submission.tenant, submission.ticket
        # Stored under the host's own id too: X-Ticketmail-Id carries the ref as well.
        refs = [TokenRef(ref_for(keys[0], part.ident), tenant, ticket, part.ident)]
        if ticket is not None:
            refs.append(TokenRef(root_ref(keys[0], tenant, ticket), tenant, ticket, None))
        own = message.message_id
        if message.in_reply_to and ticket is not None:  # the mail that it answers belongs there too, and so do answers to that
            refs.append(TokenRef(id_ref(tenant, message.in_reply_to), tenant, ticket, None))
        if own is not None:
            refs.append(TokenRef(id_ref(tenant, own), tenant, ticket, part.ident))
            return own if own.startswith("<") else f"<{own}>", tuple(refs)
        domain = self._rules.message_id_domain or (message.sender.domain if message.sender is not None else "")
        return message_id(keys, part.ident, domain, tenant=tenant, recipients=recipients), tuple(refs)

    def _route_of(self, submission: Submission) -> str:
        return self._routes.route_of(_sender(submission.message))

    def _check_size(self, message: Message, route: str) -> None:
        limit = min(self._rules.max_size_bytes, self._rules.route_sizes.get(route, self._rules.max_size_bytes))
        size = estimated_size(message)
        if size > limit:
            raise TooLarge(
                f"about {size} bytes as a mail, more than the {limit} that are allowed.",
                field="message",
                remedy="Send a link, or raise max_size where the mail server takes more.",
            )

    def _new_id(self, now_us: int) -> UUID:
        return uuid7(now_us, self._random_bytes(10))

    def prepare(self) -> None:
        """Open the spool, which makes its tables, also where settings have token keys of their own. Raises SpoolError."""
        stored = tuple(self._administering.secrets())
        self._secrets = self._secrets or stored

    def keys(self) -> tuple[bytes, ...]:
        """Token keys, newest first: the settings', else the spool's, read once. The worker needs them too. Raises SpoolError."""
        if not self._secrets:  # no lock: two threads may both read, and get the same
            self._secrets = tuple(self._administering.secrets())
        return self._secrets


@dataclass(frozen=True, slots=True)
class _Part:
    """What one entry is made of."""

    ident: UUID
    message: Message
    envelope: Envelope
    supersedes: UUID | None


def _part(whole: UUID, submission: Submission, envelope: Envelope, recipient: Address) -> _Part:
    """One recipient's own mail: it shows that recipient alone."""
    message = submission.message
    if message.raw is None:
        message = message.model_copy(update={"to": (recipient,), "cc": (), "bcc": ()})
    return _Part(
        part_id(whole, recipient),
        message,
        envelope.model_copy(update={"recipients": (recipient,)}),
        part_id(superseded, recipient) if (superseded := _superseded(submission)) else None,
    )


def _as_given(entry: Entry, given: Given, submission: Submission) -> Entry:
    """``entry`` with the names that its host decided; single mails have a Message-ID each, made here."""
    message_id = None if submission.per_recipient or submission.message.message_id else given.message_id
    if message_id is not None:
        check_id(message_id, "message_id", whole=True)
    trace = given.traceparent if _TRACEPARENT.fullmatch(given.traceparent) else entry.traceparent
    return replace(entry, message_id=message_id or entry.message_id, traceparent=trace)


def _superseded(submission: Submission) -> UUID | None:
    return submission_id(submission.tenant, submission.supersedes) if submission.supersedes else None


def _sender(message: Message) -> str:
    return message.sender.key if message.sender is not None else ""


def _receipt(entries: tuple[Entry, ...], submission: Submission) -> Receipt:
    first = entries[0]
    unknown = f"not before {submission.not_before.isoformat()}; {_ETA}" if submission.not_before else _ETA
    return Receipt(
        submission_id=first.submission_id,
        durable="spool",
        message_id=first.message_id,
        eta_unknown=unknown,
        parts=tuple(entry.submission_id for entry in entries) if submission.per_recipient else (),
    )


def _deadline_us(submission: Submission, lifetime_s: float) -> int | None:
    """None: the lane's lifetime from acceptance. A mail that begins later lives that long from then on."""
    if submission.deadline is not None or submission.not_before is None:
        return moment_us(submission.deadline)
    return moment_us(submission.not_before + timedelta(seconds=lifetime_s))


def moment_us(moment: datetime | None) -> int | None:
    """UTC microseconds, exactly: floats lose some."""
    if moment is None:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def estimated_size(message: Message) -> int:
    """About how many bytes the mail will have (base64 with line breaks: 4/3 and 2 in 78; RFC 2045 section 6.8). Pure."""
    if message.raw is not None:
        return len(message.raw) + _HEADER_BYTES
    texts = sum(len(text.encode()) for text in (message.text, message.html) if text)
    files = sum(one.size_bytes or len(one.content or b"") for one in message.attachments)
    return _HEADER_BYTES + texts + files * 4 * 78 // (3 * 76) + 512 * len(message.attachments)
