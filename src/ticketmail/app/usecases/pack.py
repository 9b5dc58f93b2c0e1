"""From a submission to a job: checked, named, its large content set apart where host and mail service share a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from ticketmail.app.usecases.compile import estimated_size, moment_us, part_id, submission_id, with_header
from ticketmail.app.usecases.large import BLOB_BYTES, set_apart
from ticketmail.domain.checking import check
from ticketmail.domain.envelope import Envelope
from ticketmail.domain.errors import JobTooLarge, NaiveTime, TooLarge
from ticketmail.domain.ids import uuid7
from ticketmail.domain.job import CancelOrder, Parcel, SubmitOrder, SuppressOrder, encode, payload_of
from ticketmail.domain.message import Message
from ticketmail.domain.ports.queueing import Job
from ticketmail.domain.ports.rendering import Renderer
from ticketmail.domain.ports.sharing import SharedBlobs
from ticketmail.domain.ports.timing import Clock
from ticketmail.domain.submission import Receipt, Submission
from ticketmail.domain.ticket import message_id

#: Content above this goes to the shared store where the job would else be too large for the broker (bytes).
SMALL_BYTES: Final = 4 * 1024

ETA_UNKNOWN: Final = "the mail service knows when: an event tells what became of it"


@dataclass(frozen=True, slots=True)
class PackRules:
    """What settings say. ``token_secrets`` make Message-IDs, newest first; (): the service makes them. ``job_secret`` signs.
    ``max_job_bytes``: what the broker takes (None: no limit known). ``confirm``: the service's word is awaited."""

    max_size_bytes: int
    message_id_domain: str = ""
    token_secrets: tuple[bytes, ...] = ()
    job_secret: bytes | None = field(default=None, repr=False)
    max_job_bytes: int | None = None
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """A job, and what its host is told about it. The same bytes, however often it is handed over."""

    job: Job
    receipt: Receipt


class Packer:
    """Thread-safe. ``random_bytes(n)`` and ``clock`` are injected. ``shared`` None: everything travels in the job.
    ``traceparent()`` is the W3C Trace Context of the caller's span, '' for none."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        lanes: Mapping[str, object],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        rules: PackRules,
        shared: SharedBlobs | None = None,
        traceparent: Callable[[], str] = str,
    ) -> None:
        self._renderer = renderer
        self._lanes = lanes
        self._clock = clock
        self._random_bytes = random_bytes
        self._rules = rules
        self._shared = shared
        self._traceparent = traceparent

    def submission(self, submission: Submission) -> Packed:
        """Check ``submission`` and make it a job. Its large content is in the shared store when this returns.

        Raises:
            InvalidSubmission kin: names the field. JobTooLarge with what the broker takes.
            BlobStoreError: the shared store cannot be used.
        """
        now_us = self._clock.now_us()
        seen = with_header(self._renderer, submission)
        envelope = check(seen, lanes=self._lanes, max_size_bytes=self._rules.max_size_bytes, now_us=now_us)
        self._check_size(seen.message)
        ident = submission_id(submission.tenant, submission.key) if submission.key else self._new_id(now_us)
        named = self._message_id(ident, seen, envelope)
        order = SubmitOrder(submission, ident, named, self._traceparent(), self._rules.confirm)
        return Packed(self._submit_job(order, now_us), _receipt(order, envelope))

    def order(self, kind: Literal["cancel", "suppress"], order: CancelOrder | SuppressOrder) -> Job:
        """A job of that kind, with an id of its own."""
        now_us = self._clock.now_us()
        return self._job(Parcel(kind, self._new_id(now_us), now_us, payload_of(order)))

    def _submit_job(self, order: SubmitOrder, now_us: int) -> Job:
        """Large content always goes to the shared store; smaller content too where the job would not fit."""
        job = self._job(_parcel(self._apart(order, BLOB_BYTES), now_us))
        if not self._fits(job) and self._shared is not None:
            job = self._job(_parcel(self._apart(order, SMALL_BYTES), now_us))
        if not self._fits(job):
            remedy = "Set [broker] blobs to a store that host and mail service share: large content then goes there."
            raise JobTooLarge(
                f"{len(job.body)} bytes as a job, more than the {self._rules.max_job_bytes} that this broker takes.",
                field="message",
                remedy=remedy if self._shared is None else "Send less text, or fewer files.",
            )
        return job

    def _apart(self, order: SubmitOrder, above_bytes: int) -> SubmitOrder:
        if self._shared is None:
            return order
        message, blobs = set_apart(order.submission.message, above_bytes)
        for blob in blobs:
            self._shared.put(order.submission.tenant, blob.content)
        return replace(order, submission=order.submission.model_copy(update={"message": message})) if blobs else order

    def _job(self, parcel: Parcel) -> Job:
        return Job(parcel.job_id.hex, encode(parcel, secret=self._rules.job_secret))

    def _fits(self, job: Job) -> bool:
        return self._rules.max_job_bytes is None or len(job.body) <= self._rules.max_job_bytes

    def _message_id(self, ident: UUID, submission: Submission, envelope: Envelope) -> str | None:
        """The one that the mail will have, where this host can know it."""
        own = submission.message.message_id
        if own is not None:
            return own if own.startswith("<") else f"<{own}>"
        if not self._rules.token_secrets or submission.per_recipient:
            return None
        sender = submission.message.sender
        domain = self._rules.message_id_domain or (sender.domain if sender is not None else "")
        recipients = [one.key for one in envelope.recipients]
        return message_id(self._rules.token_secrets, ident, domain, tenant=submission.tenant, recipients=recipients)

    def _check_size(self, message: Message) -> None:
        size = estimated_size(message)
        if size > self._rules.max_size_bytes:
            raise TooLarge(
                f"about {size} bytes as a mail, more than the {self._rules.max_size_bytes} that are allowed.",
                field="message",
                remedy="Send a link, or raise max_size where the mail server takes more.",
            )

    def _new_id(self, now_us: int) -> UUID:
        return uuid7(now_us, self._random_bytes(10))


def end_us(until: datetime | None) -> int | None:
    """UTC microseconds of an aware time. Raises NaiveTime."""
    if until is not None and until.utcoffset() is None:
        raise NaiveTime("has no offset.", field="until", remedy="Pass an aware datetime.")
    return moment_us(until)


def _parcel(order: SubmitOrder, now_us: int) -> Parcel:
    return Parcel("submit", order.submission_id, now_us, payload_of(order))


def _receipt(order: SubmitOrder, envelope: Envelope) -> Receipt:
    whole = order.submission_id
    parts = tuple(part_id(whole, one) for one in envelope.recipients) if order.submission.per_recipient else ()
    return Receipt(
        submission_id=parts[0] if parts else whole,
        durable="broker",
        message_id=order.message_id,
        eta_unknown=ETA_UNKNOWN,
        parts=parts,
    )
