"""``Operating``: acts of people, each in one transaction, with actor, reason and history rows."""

from __future__ import annotations

from collections.abc import Sequence
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
                select(tx.state, scope, _CANCELLABLE),
                _S.CANCELLED,
                kind="cancelled",
                cause="cancelled",
                reason=reason,
                actor=actor,
                told=lambda d: MailCancelled(**ends.facts(d, "cancelled", tx.now_us, reason)),
            )

    def pause(self, pause: Pause) -> None:
        with self._access.tx() as tx:
            tx.put(tx.state.pauses, str(pause.scope), pause)
            tx.note("pause", scope=str(pause.scope), actor=pause.actor, reason=pause.reason)

    def resume(self, scope: Scope, *, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            found = tx.drop(tx.state.pauses, str(scope))
            if found:
                tx.note("resume", scope=str(scope), actor=actor, reason=reason)
            tx.rings = found
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
        chosen = tuple(state for state in states if state in _REPLAYABLE)
        if not chosen:
            return 0
        with self._access.tx() as tx:
            found = [d for d in select(tx.state, scope, chosen) if _waits_for_a_human(d)][:limit]
            gap_us = 0 if pace_per_s is None else int(1_000_000 / pace_per_s)
            places: dict[UUID, int] = {}
            for delivery in found:
                due_us = tx.now_us + places.setdefault(delivery.submission.id, len(places)) * gap_us
                _replay(tx, delivery, due_us, lifetime_us)
                tx.note_on(delivery, "replayed", state="queued", actor=actor, reason=reason)
            tx.rings = bool(found)
            return len(found)

    def dismiss(self, scope: Scope, *, actor: str, reason: str) -> int:
        with self._access.tx() as tx:
            unread = [d for d in select(tx.state, scope, (_S.DEAD,)) if d.dismissed_us is None]
            for delivery in unread:
                tx.change(delivery, dismissed_us=tx.now_us)
                tx.note_on(delivery, "dismissed", state="dead", actor=actor, reason=reason)
            return len(unread)

    def edit(self, submission_id: UUID, number: int, *, recipient: str, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            delivery = _one(tx, submission_id, number, (_S.DEAD, _S.FAILED))
            if delivery is None:
                return False
            note = f"{delivery.recipient} became {recipient}. {reason}".strip()
            key = recipient.lower()
            tx.change(delivery, recipient=recipient, recipient_key=key, recipient_domain=key.rpartition("@")[2])
            tx.note_on(delivery, "edited", state=delivery.state.value, actor=actor, reason=note)
            return True

    def settle(self, submission_id: UUID, number: int, *, sent: bool, actor: str, reason: str) -> bool:
        with self._access.tx() as tx:
            delivery = _one(tx, submission_id, number, (_S.UNKNOWN,))
            if delivery is None:
                return False
            state, due_us, ended_us = (_S.SENT, None, tx.now_us) if sent else (_S.QUEUED, tx.now_us, None)
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
            found = tx.drop(tx.state.documents, ("account", account))
            if found:
                tx.note("account", scope=f"account:{account}", actor=actor, reason=reason)
            tx.rings = found
            return found


def _waits_for_a_human(delivery: Delivery) -> bool:
    return delivery.dismissed_us is None and (delivery.state is not _S.UNKNOWN or delivery.due_us is None)


def _replay(tx: Tx, delivery: Delivery, due_us: int, lifetime_us: int) -> None:
    tx.change(
        delivery,
        state=_S.QUEUED,
        due_us=due_us,
        first_due_us=due_us,
        deadline_us=due_us + lifetime_us,
        ended_us=None,
        delay_told=False,
        checks=0,
        lost=0,
        lost_alone=0,
    )


def _one(tx: Tx, submission_id: UUID, number: int, states: Sequence[DeliveryState]) -> Delivery | None:
    delivery = tx.state.deliveries.get((submission_id, number))
    return delivery if delivery is not None and delivery.state in states else None
