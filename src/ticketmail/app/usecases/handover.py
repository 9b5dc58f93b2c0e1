"""Handing over to a broker: a submission becomes a job, and the receipt comes when the job is safe on its road."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from ticketmail.app.usecases.pack import Packed, Packer
from ticketmail.app.usecases.submit import WITH_COMMIT, present
from ticketmail.app.usecases.together import Together
from ticketmail.domain.errors import BrokerError, InvalidSubmission, SpoolError, SubmitInDoubt, TicketmailError
from ticketmail.domain.job import CancelOrder, SuppressOrder
from ticketmail.domain.ports.queueing import SUBMIT, Broker, Job
from ticketmail.domain.submission import Receipt, Submission

#: Jobs published together by ``many``.
CHUNK: Final = 500

#: Where a job is safe.
Durable = Literal["broker", "outbox", "transaction"]


class Road(Protocol):
    """What takes a host's jobs. Thread-safe, safe after a fork."""

    def prepare(self) -> None:
        """Open it, and make what is missing. Raises BrokerError, SpoolError kin."""
        ...

    def take(self, jobs: Sequence[Job], *, connection: object | None = None) -> Durable:
        """Return when ``jobs`` are safe, and say where. Raises BrokerError, SpoolError kin, SubmitInDoubt."""
        ...

    def close(self) -> None:
        """Stop what runs in the background. Idempotent."""
        ...


class BrokerRoad:
    """Straight to the broker. Threads that publish at the same time share a batch of confirms."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._together = Together(lambda jobs: broker.publish(SUBMIT, jobs))

    def prepare(self) -> None:
        """See ``Road.prepare``."""
        self._broker.ensure([SUBMIT])

    def take(self, jobs: Sequence[Job], *, connection: object | None = None) -> Durable:
        """See ``Road.take``."""
        if connection is not None:
            raise InvalidSubmission(
                "a broker joins no transaction.", field="connection", remedy="Set outbox to the host's own database."
            )
        self._together.publish(jobs)
        return "broker"

    def close(self) -> None:
        """See ``Road.close``."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A packed submission, and where its result belongs."""

    place: int
    packed: Packed


class Handover:
    """Thread-safe. The road's failures become the host's: SubmitInDoubt where a job may be safe although nobody said so."""

    def __init__(self, packer: Packer, road: Road) -> None:
        self._packer = packer
        self._road = road

    def prepare(self) -> None:
        """Connect, and make queues or tables where they are missing. Raises BrokerError, SpoolError kin."""
        self._road.prepare()

    def one(self, submission: Submission, *, connection: object | None = None) -> Receipt:
        """Hand one over. Raises what :meth:`ticketmail.TicketMail.submit` says."""
        return self._hand(self._packer.submission(submission), connection)

    def many(self, submissions: Sequence[Submission], *, connection: object | None = None) -> list[Receipt | TicketmailError]:
        """Hand many over, with a result each, in order. With ``connection`` errors of the road are raised."""
        results: list[Receipt | TicketmailError | None] = [None] * len(submissions)
        placed: list[_Place] = []
        for place, submission in enumerate(submissions):
            try:
                placed.append(_Place(place, self._packer.submission(submission)))
            except TicketmailError as error:
                results[place] = error
        sick: TicketmailError | None = None
        for start in range(0, len(placed), CHUNK):
            chunk = placed[start : start + CHUNK]
            # A road that failed once would let each further chunk wait for its time-out.
            answers = [sick] * len(chunk) if sick is not None else self._hand_chunk(chunk, connection)
            for one, answer in zip(chunk, answers, strict=True):
                results[one.place] = answer
            if isinstance(answers[0], TicketmailError):
                sick = _undoubted(answers[0])
        return [present(result) for result in results]

    def cancel(self, order: CancelOrder, *, connection: object | None = None) -> None:
        """Hand a cancel over. Raises as :meth:`one`."""
        self._safely(lambda: self._road.take([self._packer.order("cancel", order)], connection=connection))

    def suppress(self, order: SuppressOrder, *, connection: object | None = None) -> None:
        """Hand a suppression over. Raises as :meth:`one`."""
        self._safely(lambda: self._road.take([self._packer.order("suppress", order)], connection=connection))

    def _hand(self, packed: Packed, connection: object | None = None) -> Receipt:
        try:
            durable = self._road.take([packed.job], connection=connection)
        except SubmitInDoubt as doubt:
            raise self._in_doubt(packed, doubt) from doubt
        except BrokerError as error:
            if not error.in_doubt:
                raise
            raise self._in_doubt(packed, error) from error
        return _receipt(packed, durable)

    def _hand_chunk(self, chunk: Sequence[_Place], connection: object | None) -> list[Receipt | TicketmailError]:
        try:
            durable = self._road.take([one.packed.job for one in chunk], connection=connection)
        except (BrokerError, SpoolError, SubmitInDoubt) as error:
            if connection is not None:
                raise
            unsure = isinstance(error, SubmitInDoubt) or (isinstance(error, BrokerError) and error.in_doubt)
            return [self._in_doubt(one.packed, error) if unsure else error for one in chunk]
        return [_receipt(one.packed, durable) for one in chunk]

    def _in_doubt(self, packed: Packed, cause: TicketmailError) -> SubmitInDoubt:
        text = str(cause.args[0])
        doubt = SubmitInDoubt(f"{text} It may have been stored all the same.", retry=lambda: self._hand(packed))
        doubt.__cause__ = cause
        return doubt

    def _safely(self, hand: Callable[[], Durable]) -> None:
        """An act that may have arrived may be sent again: it is idempotent."""
        try:
            hand()
        except BrokerError as error:
            if not error.in_doubt:
                raise
            raise SubmitInDoubt(str(error.args[0]), retry=lambda: self._safely(hand)) from error


def _receipt(packed: Packed, durable: Durable) -> Receipt:
    if durable == "broker":
        return packed.receipt
    eta = {"eta_unknown": WITH_COMMIT} if durable == "transaction" else {}
    return packed.receipt.model_copy(update={"durable": durable, **eta})


def _undoubted(error: TicketmailError) -> TicketmailError:
    """What the rest of a failed ``many`` is told: it was not handed over at all."""
    cause = error.__cause__
    return cause if isinstance(error, SubmitInDoubt) and isinstance(cause, TicketmailError) else error
