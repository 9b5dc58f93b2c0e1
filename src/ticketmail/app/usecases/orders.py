"""What a host orders over a broker beside mail: cancel, suppress, and its word on an event. Each does no harm when repeated."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from ticketmail.app.usecases.tell import retry_after_s
from ticketmail.domain.errors import InvalidJob
from ticketmail.domain.event_job import Unreadable, answer_from
from ticketmail.domain.job import Parcel, cancel_from, suppress_from
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.intaking import ParkedJob, parked_id
from ticketmail.domain.ports.queueing import EVENTS
from ticketmail.domain.ports.spooling import SpoolAdapter
from ticketmail.domain.scope import Scope, ScopeKind


class Orders:
    """Carries them out on ``spool``. Synchronous, thread-safe."""

    def __init__(self, spool: SpoolAdapter) -> None:
        self._spool = spool

    def carry_out(self, parcel: Parcel) -> None:
        """Raises InvalidJob kin (it can never be done), SpoolError kin."""
        match parcel.kind:
            case "cancel":
                self._cancel(parcel)
            case "suppress":
                self._suppress(parcel)
            case "answer":
                self._answer(parcel)
            case _:
                raise InvalidJob(
                    f"A job of kind {parcel.kind!r} is not for the mail service.", remedy="Read it where it belongs."
                )

    def cancel_what_came(self, ids: Iterable[UUID]) -> None:
        """These submissions have been stored, and had been cancelled. Raises SpoolError kin."""
        for ident in ids:
            scope = Scope(kind=ScopeKind.ID, value=str(ident))
            self._spool.operating.cancel(scope, actor="host", reason="It was cancelled before it came.")

    def _cancel(self, parcel: Parcel) -> None:
        """The tombstone first: a submission that commits in between looks for it. A wider scope is carried out once: when its
        job comes again, what was handed over since is not meant."""
        order, stones = cancel_from(parcel), self._spool.tombstones
        ident = _whole_submission(order.scope)
        if ident is not None:
            stones.bury([ident])
        elif stones.buried([parcel.job_id]):
            return
        self._spool.operating.cancel(order.scope, actor=order.actor, reason=order.reason)
        if ident is None:
            stones.bury([parcel.job_id])

    def _suppress(self, parcel: Parcel) -> None:
        order, operating = suppress_from(parcel), self._spool.operating
        if order.lift:
            operating.unsuppress(order.address, actor=order.actor, reason=order.reason, tenant=order.tenant)
            return
        new = Suppression(order.address, "host", order.reason, parcel.at_us, order.until_us, order.tenant)
        if new not in self._spool.reading.suppressions(order.address):
            operating.suppress(new, actor=order.actor, reason=order.reason)

    def _answer(self, parcel: Parcel) -> None:
        answer = answer_from(parcel)
        if isinstance(answer, Unreadable):
            reason = f"The host could not read it: {answer.error}"
            job = ParkedJob(parked_id(answer.body), EVENTS, "", "unreadable-event", reason, answer.body, "event")
            self._spool.parking.park([job])
            return
        self._spool.outbox.returned(answer.event_id, answer.fence, answer.error, retry_after_s)


def _whole_submission(scope: Scope) -> UUID | None:
    """The submission that a scope names by its id, with all its recipients. A tombstone has no recipients of its own."""
    if scope.kind is not ScopeKind.ID:
        return None
    text, number = scope.delivery
    try:
        return None if number is not None else UUID(text)
    except ValueError:
        raise InvalidJob("The scope's id is not a UUID.", remedy="Name the receipt's submission_id.") from None
