"""Taking jobs from a broker into the spool: durable before they are acknowledged, each once, in order. What cannot be taken in is
parked with its bytes and a reason, and holds nobody up.

A cancellation writes its tombstone, commits, and then cancels what stands; a submission commits, and then looks for tombstones.
So whichever comes first, and wherever either is interrupted, the mail is cancelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final
from uuid import UUID, uuid5

from ticketmail.app.usecases.compile import Compiled, Compiler, Given
from ticketmail.app.usecases.orders import Orders
from ticketmail.app.usecases.submit import CHUNK
from ticketmail.domain.errors import ContractBroken, InvalidJob, KeyReused, SpoolError, SubmitInDoubt, TicketmailError
from ticketmail.domain.events import MailRefused
from ticketmail.domain.job import Parcel, SubmitOrder, decode, order_from
from ticketmail.domain.ports.accepting import Accepted, Entry
from ticketmail.domain.ports.intaking import ParkedJob, parked_id
from ticketmail.domain.ports.queueing import SUBMIT, Job
from ticketmail.domain.ports.spooling import SpoolAdapter

#: A mail that was cancelled before it came is stored, so that it can be found, and not due before it is cancelled there.
_HELD_US: Final = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: jobs by outcome (``accepted``, ``repeated``, ``done``, ``parked``), and when the oldest was
    handed over by its host's clock (UTC microseconds; None: none could be read). ``awaited``: jobs that their host keeps until
    it has our word that they are safe."""

    counts: Mapping[str, int]
    oldest_us: int | None = None
    awaited: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """A job on its way, what was read of it, and what ends its way."""

    job: Job
    parcel: Parcel | None = None
    error: TicketmailError | None = None

    @property
    def kind(self) -> str:
        return self.parcel.kind if self.parcel is not None else ""


@dataclass(frozen=True, slots=True)
class _Mail:
    """A submission on its way into the spool."""

    item: _Item
    order: SubmitOrder
    compiled: Compiled

    def cancelled(self, buried: frozenset[UUID]) -> list[UUID]:
        """Which of its entries were cancelled: all, by its own id, or single mails by theirs."""
        ids = [entry.submission_id for entry in self.compiled.entries]
        return ids if self.order.submission_id in buried else [ident for ident in ids if ident in buried]

    def entries(self, buried: frozenset[UUID], held_us: int) -> list[Entry]:
        """As they are stored."""
        held = set(self.cancelled(buried))
        entries = self.compiled.entries
        return [replace(entry, not_before_us=held_us) if entry.submission_id in held else entry for entry in entries]


class TakeIn:
    """Thread-safe, synchronous. ``secrets``: with any, only jobs signed with one of them are taken. ``whole`` puts large
    content that travelled beside its job back into it; it raises InvalidSubmission kin if that is gone, and OSError if its
    store cannot be reached."""

    def __init__(
        self,
        *,
        compiler: Compiler,
        spool: SpoolAdapter,
        secrets: Sequence[bytes],
        now_us: Callable[[], int],
        whole: Callable[[SubmitOrder], SubmitOrder] | None = None,
    ) -> None:
        self._compiler = compiler
        self._spool = spool
        self._orders = Orders(spool)
        self._secrets = secrets
        self._now_us = now_us
        self._whole = whole

    def take(self, jobs: Sequence[Job]) -> Taken:
        """Take ``jobs`` in, in order. On return all of them are safe: in the spool, or parked there.

        Raises OSError (SpoolError kin are), SubmitInDoubt: the spool, or the store of large content, is sick. Some may be
        stored; the same jobs again do no harm.
        """
        items = [self._read(job) for job in jobs]
        counts: Counter[str] = Counter()
        for kind, run in groupby(items, key=lambda item: item.kind):
            some = list(run)
            counts.update(self._submitted(some) if kind == "submit" else map(self._done, some))
        parcels = [item.parcel for item in items if item.parcel is not None]
        awaited = tuple(parcel.job_id for parcel in parcels if parcel.payload.get("confirm") is True)
        return Taken(counts, min((parcel.at_us for parcel in parcels), default=None), awaited)

    def _read(self, job: Job) -> _Item:
        try:
            return _Item(job, decode(job.body, secrets=self._secrets))
        except InvalidJob as error:
            return _Item(job, error=error)

    def _done(self, item: _Item) -> str:
        """Anything but a submission."""
        if item.parcel is None:
            return self._parked(item)
        try:
            self._orders.carry_out(item.parcel)
        except Exception as error:
            return self._parked(_failed(item, error))
        return "done"

    # --- submissions --------------------------------------------------------------------------------------------------------

    def _submitted(self, items: Sequence[_Item]) -> Iterable[str]:
        for at in range(0, len(items), CHUNK):
            made = [self._made(item) for item in items[at : at + CHUNK]]
            yield from (self._parked(one) for one in made if isinstance(one, _Item))
            yield from self._store([one for one in made if isinstance(one, _Mail)])

    def _made(self, item: _Item) -> _Mail | _Item:
        try:
            if item.parcel is None:
                raise ContractBroken("A job that could not be read is no submission.")
            order = order_from(item.parcel)
            if self._whole is not None:
                order = self._whole(order)
            given = Given(order.submission_id, item.parcel.at_us, order.message_id, order.traceparent)
            return _Mail(item, order, self._compiler.compile(order.submission, given=given))
        except Exception as error:
            return _failed(item, error)

    def _store(self, mails: Sequence[_Mail]) -> list[str]:
        """One transaction; if it fails for another reason than a sick spool, each mail has one of its own."""
        if not mails:
            return []
        try:
            return self._stored(mails)
        except Exception as error:
            alone = _failed(mails[0].item, error)  # raises if the spool is sick
            return [self._parked(alone)] if len(mails) == 1 else [one for mail in mails for one in self._store([mail])]

    def _stored(self, mails: Sequence[_Mail]) -> list[str]:
        ids = [mail.order.submission_id for mail in mails]
        ids += [entry.submission_id for mail in mails if len(mail.compiled.entries) > 1 for entry in mail.compiled.entries]
        buried = self._spool.tombstones.buried(ids)
        for mail in mails:
            for blob in mail.compiled.blobs:
                self._spool.blobs.put(mail.compiled.tenant, blob.content)
        held_us = self._now_us() + _HELD_US
        answers = iter(self._spool.intake.accept([one for mail in mails for one in mail.entries(buried, held_us)]))
        outcomes = [self._outcome(mail, [next(answers) for _ in mail.compiled.entries]) for mail in mails]
        buried = self._spool.tombstones.buried(ids)
        self._orders.cancel_what_came(ident for mail in mails for ident in mail.cancelled(buried))
        return outcomes

    def _outcome(self, mail: _Mail, answers: Sequence[Accepted | KeyReused]) -> str:
        for one in answers:
            if isinstance(one, KeyReused):
                return self._parked(replace(mail.item, error=one))
        return "accepted" if any(isinstance(one, Accepted) and one.new for one in answers) else "repeated"

    # --- what cannot be taken in --------------------------------------------------------------------------------------------

    def _parked(self, item: _Item) -> str:
        """Parked, and the host told where it can be told which mail it was."""
        error = item.error or InvalidJob("It cannot be taken in.")
        job = ParkedJob(
            parked_id(item.job.body), SUBMIT, item.job.job_id, error.code, str(error), body=item.job.body, kind=item.kind
        )
        self._spool.parking.park([job])
        if item.parcel is not None and item.parcel.kind == "submit":
            self._spool.outbox.put([self._refused(item.parcel, job)])
        return "parked"

    def _refused(self, parcel: Parcel, job: ParkedJob) -> MailRefused:
        submission = parcel.payload.get("submission")
        named = submission if isinstance(submission, dict) else {}
        texts = {
            name: _writable(value) for name in ("tenant", "ticket", "lane", "key") if isinstance(value := named.get(name), str)
        }
        return MailRefused(
            event_id=uuid5(parcel.job_id, f"refused:{job.parked_id}"),
            at_us=self._now_us(),
            submission_id=parcel.job_id,
            recipient=_first_recipient(parcel),
            reason=_writable(job.reason),
            cause=job.cause,
            **texts,
        )


def _failed(item: _Item, error: Exception) -> _Item:
    """``item``, ended by ``error``. Raises it if the fault is not the job's."""
    if isinstance(error, SubmitInDoubt) or (isinstance(error, OSError) and type(error) is not SpoolError):
        raise error
    if isinstance(error, TicketmailError):
        return replace(item, error=error)
    # A fault of ours, or data that no check of ours knows. Never its text: it may quote the mail.
    return replace(item, error=InvalidJob(f"It cannot be taken in: {type(error).__name__}.", remedy="Please report this."))


def _writable(text: str) -> str:
    """Unchecked text of a job, so that it can be written: JSON may hold lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _first_recipient(parcel: Parcel) -> str:
    """For people; '' where it cannot be told."""
    try:
        submission = order_from(parcel).submission
    except (InvalidJob, RecursionError):
        return ""
    message, envelope = submission.message, submission.envelope
    everybody = envelope.recipients if envelope is not None else message.to + message.cc + message.bcc
    return everybody[0].addr_spec if everybody else ""
