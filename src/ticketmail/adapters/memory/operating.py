"""``Operating``: acts of people, each at once and whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from ticketmail.adapters.memory import ends
from ticketmail.adapters.memory.erasing import erase
from ticketmail.adapters.memory.selecting import select
from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.store import Access, refuse_connection
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.events import MailCancelled, MailSent
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import Erased, Pause
from ticketmail.domain.scope import Scope

_S = DeliveryState
_CANCELLABLE = (_S.QUEUED, _S.CLAIMED, _S.UNKNOWN)
_REPLAYABLE = frozenset({_S.DEAD, _S.FAILED, _S.EXPIRED, _S.SUPPRESSED, _S.UNKNOWN})


class MemoryOperating:
    """``Operating`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def cancel(self, scope: Scope, *, actor: str, reason: str, connection: object | None = None) -> int:
        refuse_connection(connection)
        with self._access.tx() as tx:
            return ends.end(
                tx,
                _chosen(tx, scope, _CANCELLABLE),
                _S.CANCELLED,
                kind="cancelled",
                cause="cancelled",
                reason=reason,
                actor=actor,
                told=lambda d: MailCancelled(**ends.facts(d, "cancelled", tx.now_us, reason)),
            )

    def pause(self, pause: Pause) -> None:
        with self._access.tx() as tx:
            put_pause(tx, pause)
            tx.note("pause", scope=str(pause.scope), actor=pause.actor, reason=pause.reason)

    def resume(self, scope: Scope, *, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            tx.rings = found = tx.drop(tx.state.pauses, str(scope))
            if found:
                tx.note("resume", scope=str(scope), actor=actor, reason=reason)
            return found

    def replay(
        self,
        scope: Scope,
        *,
        states: Sequence[DeliveryState],
        lifetime_us: int,
        pace_per_s: float | None,
        actor: str,
        reason: str,
        limit: int | None = None,
    ) -> int:
        states = [state for state in states if state in _REPLAYABLE]
        if not states:
            return 0
        gap_us = 0 if pace_per_s is None else int(1_000_000 / pace_per_s)
        with self._access.tx() as tx:
            place: dict[UUID, int] = {}
            found = _chosen(tx, scope, states, _waits_for_a_human)[:limit]
            for delivery in found:
                due_us = tx.now_us + place.setdefault(delivery.submission.id, len(place)) * gap_us
                _requeue(tx, delivery, due_us, due_us + lifetime_us)
                tx.note_on(delivery, "replayed", state="queued", actor=actor, reason=reason)
            tx.rings = bool(found)
            return len(found)

    def dismiss(self, scope: Scope, *, actor: str, reason: str) -> int:
        with self._access.tx() as tx:
            found = _chosen(tx, scope, (_S.DEAD,), lambda d: d.dismissed_us is None)
            for delivery in found:
                tx.change(delivery, dismissed_us=tx.now_us)
                tx.note_on(delivery, "dismissed", state="dead", actor=actor, reason=reason)
            return len(found)

    def edit(self, submission_id: UUID, number: int, *, recipient: str, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            delivery = tx.state.deliveries.get((submission_id, number))
            if delivery is None or delivery.state not in (_S.DEAD, _S.FAILED):
                return False
            note = f"{delivery.recipient} became {recipient}. {reason}".strip()
            key = recipient.lower()
            tx.change(delivery, recipient=recipient, recipient_key=key, recipient_domain=key.rpartition("@")[2])
            tx.note_on(delivery, "edited", state=delivery.state.value, actor=actor, reason=note)
            return True

    def settle(self, submission_id: UUID, number: int, *, sent: bool, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            delivery = tx.state.by_state[_S.UNKNOWN].get((submission_id, number))
            if delivery is None:
                return False
            state = _S.SENT if sent else _S.QUEUED
            due_us, ended_us = (None, tx.now_us) if sent else (tx.now_us, None)
            tx.change(delivery, state=state, due_us=due_us, ended_us=ended_us, cause="", reason=reason)
            tx.note_on(delivery, "resolved", state=state.value, actor=actor, reason=reason)
            if sent:
                tx.tell([MailSent(**ends.facts(delivery, "sent", tx.now_us, reason))])
            tx.rings = not sent
            return True

    def suppress(self, suppression: Suppression, *, actor: str, reason: str) -> None:
        with self._access.tx() as tx:
            tx.suppress(suppression)
            tx.note("suppressed", scope=f"to:{suppression.address}", actor=actor, reason=reason)

    def unsuppress(self, address: str, *, actor: str, reason: str, tenant: str = "") -> bool:
        with self._access.tx() as tx:
            found = tx.drop(tx.state.suppressions, (tenant, address))
            if found:
                tx.note("unsuppressed", scope=f"to:{address}", actor=actor, reason=reason)
            return found

    def erase(self, address: str, *, actor: str, reason: str) -> Erased:
        with self._access.tx() as tx:
            return erase(tx, address, actor=actor, reason=reason)

    def clear_account(self, account: str, *, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            tx.rings = found = tx.drop(tx.state.documents, ("account", account))
            if found:
                tx.note("account", scope=f"account:{account}", actor=actor, reason=reason)
            return found


def put_pause(tx: Tx, pause: Pause) -> None:
    """The later word holds."""
    tx.put(tx.state.pauses, str(pause.scope), pause)


def _chosen(
    tx: Tx, scope: Scope, states: Sequence[DeliveryState], more: Callable[[Delivery], bool] = lambda d: True
) -> list[Delivery]:
    """The deliveries of a scope, oldest first."""
    return [delivery for delivery in select(tx.state, scope, states) if more(delivery)]


def _waits_for_a_human(delivery: Delivery) -> bool:
    return delivery.dismissed_us is None and (delivery.state is not _S.UNKNOWN or delivery.due_us is None)


def _requeue(tx: Tx, delivery: Delivery, due_us: int, deadline_us: int) -> None:
    """As new, but for what it has been through."""
    tx.change(
        delivery,
        state=_S.QUEUED,
        due_us=due_us,
        first_due_us=due_us,
        deadline_us=deadline_us,
        ended_us=None,
        delay_told=False,
        checks=0,
        lost=0,
        lost_alone=0,
    )
