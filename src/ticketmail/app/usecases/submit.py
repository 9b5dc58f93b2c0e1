"""Handing over: submissions become entries, large content goes ahead, and one transaction takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from ticketmail.app.usecases.compile import Compiled, Compiler
from ticketmail.app.usecases.eta import Foresight
from ticketmail.domain.errors import (
    ContractBroken,
    InvalidMessage,
    KeyReused,
    SpoolBusy,
    SpoolError,
    SubmitInDoubt,
    TicketmailError,
)
from ticketmail.domain.message import Message
from ticketmail.domain.ports.accepting import Accepted, Blobs, Entry, Intake
from ticketmail.domain.refusal import as_refusal
from ticketmail.domain.submission import Receipt, Submission

#: Entries per transaction of ``many``. SQLite's writers share one lock: no transaction should hold it long.
CHUNK: Final = 250

WITH_COMMIT = "it is due when the host's transaction commits"


@dataclass(frozen=True, slots=True)
class _Job:
    """A submission on its way through ``many``: where its result belongs, and what it became."""

    place: int
    compiled: Compiled


class Submit:
    """Thread-safe. ``route`` overrides the route that the sender implies; only alarms have one of their own. ``foresight`` gives
    receipts their ETA; None: they have none."""

    def __init__(self, compiler: Compiler, intake: Intake, blobs: Blobs, foresight: Foresight | None = None) -> None:
        self._compiler = compiler
        self._intake = intake
        self._blobs = blobs
        self._foresight = foresight

    def prepare(self) -> None:
        """Make tables where they are missing, and load token keys. Raises SpoolError kin."""
        self._compiler.prepare()

    def one(self, submission: Submission, *, connection: object | None = None, route: str | None = None) -> Receipt:
        """Accept one. Raises what :meth:`ticketmail.TicketMail.submit` says."""
        self._ready(connection)
        compiled = self._compiler.compile(submission, route=route)
        self._put_blobs(compiled, connection)
        return self._accept_one(compiled, connection)

    def many(self, submissions: Sequence[Submission], *, connection: object | None = None) -> list[Receipt | TicketmailError]:
        """Accept many, with a result each, in order. With ``connection`` in one piece, and errors of the spool are raised."""
        self._ready(connection)
        results: list[Receipt | TicketmailError | None] = [None] * len(submissions)
        jobs: list[_Job] = []
        for place, submission in enumerate(submissions):
            try:
                compiled = self._compiler.compile(submission)
                self._put_blobs(compiled, connection)
            except TicketmailError as error:
                if connection is not None and isinstance(error, SpoolError):
                    raise
                results[place] = error
            else:
                jobs.append(_Job(place, compiled))
        sick: SpoolError | None = None
        for chunk in [jobs] if connection is not None else _chunks(jobs):
            # A spool that refused one chunk would let each further one wait for its time-out.
            answers = [sick] * len(chunk) if sick is not None else self._accept_chunk(chunk, connection)
            for job, result in zip(chunk, answers, strict=True):
                results[job.place] = result
                sick = result if isinstance(result, SpoolError) else sick
        return [present(result) for result in results]

    def _ready(self, connection: object | None) -> None:
        """Token keys must be there before the host's transaction is used: on SQLite it locks us out of making them."""
        if connection is None:
            return
        try:
            self._compiler.keys()
        except SpoolBusy as error:
            raise SpoolBusy(
                "The spool is new, and cannot be set up beside the host's open transaction.",
                remedy="Call TicketMail.prepare() once, when the host starts.",
            ) from error

    def _accept_one(self, compiled: Compiled, connection: object | None) -> Receipt:
        try:
            accepted = self._intake.accept(compiled.entries, connection=connection)
        except SubmitInDoubt as doubt:
            # The adapter's own retry gives the port's answer; the host wants a receipt.
            raise SubmitInDoubt(str(doubt.args[0]), retry=lambda: self._accept_one(compiled, connection), remedy="") from doubt
        result = self._receipt(compiled, accepted, connection)
        if isinstance(result, TicketmailError):
            raise result
        return result

    def _accept_chunk(self, jobs: Sequence[_Job], connection: object | None) -> list[Receipt | TicketmailError]:
        entries: list[Entry] = [entry for job in jobs for entry in job.compiled.entries]
        if not entries:
            return []
        try:
            accepted = list(self._intake.accept(entries, connection=connection))
        except SubmitInDoubt as doubt:
            return [self._in_doubt(job.compiled, connection, doubt) for job in jobs]
        except SpoolError as error:
            if connection is not None:
                raise
            return [error for _ in jobs]
        if len(accepted) != len(entries):
            raise ContractBroken(f"The spool gave {len(accepted)} answers for {len(entries)} entries.")
        results: list[Receipt | TicketmailError] = []
        at = 0
        for job in jobs:
            count = len(job.compiled.entries)
            results.append(self._receipt(job.compiled, accepted[at : at + count], connection))
            at += count
        return results

    def _in_doubt(self, compiled: Compiled, connection: object | None, doubt: SubmitInDoubt) -> SubmitInDoubt:
        return SubmitInDoubt(str(doubt.args[0]), retry=lambda: self._accept_one(compiled, connection), remedy="")

    def _receipt(
        self, compiled: Compiled, accepted: Sequence[Accepted | KeyReused], connection: object | None
    ) -> Receipt | KeyReused:
        refused = next((one for one in accepted if isinstance(one, KeyReused)), None)
        if refused is not None:
            return refused
        receipt = compiled.receipt
        new = any(isinstance(one, Accepted) and one.new for one in accepted)
        if connection is not None:
            return receipt.model_copy(update={"durable": "transaction", "eta_unknown": WITH_COMMIT, "new": new})
        eta = self._foresight.of(compiled.entries) if self._foresight is not None and new else None
        if eta is None:
            return receipt.model_copy(update={"new": new})
        return receipt.model_copy(update={"new": new, "eta_us": eta.at_us, "eta_unknown": eta.reason})

    def _put_blobs(self, compiled: Compiled, connection: object | None) -> None:
        for blob in compiled.blobs:
            digest = self._blobs.put(compiled.tenant, blob.content, connection=connection)
            if digest != blob.digest:
                raise ContractBroken("The blob store names content otherwise than sha256:hex.")


def _chunks(jobs: Sequence[_Job]) -> Iterable[list[_Job]]:
    """Jobs in groups of about CHUNK entries; the entries of one submission stay together."""
    chunk: list[_Job] = []
    size = 0
    for job in jobs:
        chunk.append(job)
        size += len(job.compiled.entries)
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def submission_of(given: object, names: Mapping[str, Any]) -> Submission:
    """One submission of a message or submission and the names given beside it, which win. Raises InvalidSubmission kin."""
    set_names = {name: value for name, value in names.items() if value is not None}
    if not isinstance(given, (Message, Submission)):
        text = f"{type(given).__name__} is no mail."
        raise InvalidMessage(text, field="message", remedy="Pass a Message; ready MIME bytes go in Message(raw=...).")
    try:
        if isinstance(given, Message):
            return Submission(message=given, **set_names)
        # Built anew rather than copied: model_copy would not check the names.
        return (
            Submission(**{**{name: getattr(given, name) for name in Submission.model_fields}, **set_names})
            if set_names
            else given
        )
    except ValidationError as error:
        raise as_refusal(error) from None


def present(result: Receipt | TicketmailError | None) -> Receipt | TicketmailError:
    """A result that must be there by now. Raises ContractBroken."""
    if result is None:
        raise ContractBroken("A submission was left without a result.")
    return result
