"""Begin, record, release: compare-and-set with fence and worker, history, events, evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ticketmail.adapters.memory.ends import free_next
from ticketmail.adapters.memory.settling import add_refs
from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.adapters.memory.workers import is_alive
from ticketmail.domain.outbound.delivery import FINAL, DeliveryState
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.delivering import Completion, Fenced
from ticketmail.domain.ticket import id_ref, is_mail_id

_S = DeliveryState
_HELD = frozenset({_S.CLAIMED, _S.SENDING})
_PROVABLE = frozenset({_S.UNKNOWN, _S.QUEUED, _S.CLAIMED})

#: The kind of history row that a new state makes.
KINDS = {
    _S.QUEUED: "deferred",
    _S.UNKNOWN: "unknown",
    _S.SENT: "sent",
    _S.FAILED: "failed",
    _S.DEAD: "dead",
    _S.EXPIRED: "expired",
    _S.SUPPRESSED: "suppressed",
    _S.CANCELLED: "cancelled",
    _S.SUPERSEDED: "superseded",
}


def begin(tx: Tx, worker_id: UUID, account: str, claims: Sequence[Fenced]) -> list[bool]:
    """See ``Deliveries.begin``."""
    return [_begin(tx, worker_id, account, claim) for claim in claims]


def _begin(tx: Tx, worker_id: UUID, account: str, claim: Fenced) -> bool:
    delivery = _held(tx, worker_id, claim)
    if delivery is None or delivery.state is not _S.CLAIMED or not is_alive(tx, worker_id):
        return False
    tx.change(delivery, state=_S.SENDING, account=account)
    tx.note_on(delivery, "attempt", state="sending", account=account, worker_id=worker_id)
    return True


def release(tx: Tx, worker_id: UUID, claims: Sequence[Fenced], due_us: int | None) -> None:
    """See ``Deliveries.release``. No bell: whoever gives back because it may not send would wake itself for ever."""
    for claim in claims:
        delivery = _held(tx, worker_id, claim)
        if delivery is not None and delivery.state is _S.CLAIMED:
            tx.change(delivery, state=_S.QUEUED, worker_id=None, due_us=delivery.due_us if due_us is None else due_us)


def record(tx: Tx, worker_id: UUID, completions: Sequence[Completion]) -> list[bool]:
    """See ``Deliveries.record``."""
    fresh = [_record(tx, worker_id, completion) for completion in completions]
    # After all that fits: a late proof in the same call must not push aside the outcome of a newer claim.
    for completion, fits in zip(completions, fresh, strict=True):
        if not fits:
            _keep_evidence(tx, worker_id, completion)
    return fresh


def _record(tx: Tx, worker_id: UUID, c: Completion) -> bool:
    delivery = _held(tx, worker_id, c.claim)
    if delivery is None:
        return False
    _complete(tx, delivery, c)
    if c.outcome and not _complete_attempt(tx, c):
        values = {"worker_id": worker_id, "ended_us": c.ended_us or tx.now_us, **_attempt(c)}
        tx.note_on(delivery, "attempt", at_us=c.began_us or tx.now_us, **values)
    tx.note_on(delivery, KINDS[c.state], worker_id=worker_id, **_attempt(c))
    if is_mail_id(c.remote_id):
        mail = delivery.submission
        add_refs(tx, [TokenRef(id_ref(mail.tenant, c.remote_id), mail.tenant, mail.ticket, mail.id)])
    tx.tell(c.events)
    if c.suppress is not None:
        tx.suppress(c.suppress)
    if c.spends or c.state is not _S.QUEUED:  # a hold that spends nothing is no attempt
        free_next(tx, [delivery])
    return True


def _held(tx: Tx, worker_id: UUID, claim: Fenced) -> Delivery | None:
    """The delivery, if that claim of it is still this worker's."""
    delivery = tx.state.deliveries.get((claim.submission_id, claim.number))
    if delivery is None or delivery.state not in _HELD:
        return None
    return delivery if (delivery.fence, delivery.worker_id) == (claim.fence, worker_id) else None


def _complete(tx: Tx, delivery: Delivery, c: Completion) -> None:
    final = c.state in FINAL
    tx.change(
        delivery,
        state=c.state,
        due_us=None if final else c.due_us,
        attempts=delivery.attempts + c.spends,
        unknowns=delivery.unknowns + (c.state is _S.UNKNOWN),
        checks=0,
        delay_told=delivery.delay_told or c.delay_told,
        cause=c.cause,
        reason=utf8(c.reason),
        reply=utf8(c.reply),
        account=c.account,
        remote_id=utf8(c.remote_id),
        ended_us=tx.now_us if final else None,
        worker_id=None,
    )


def _attempt(c: Completion) -> dict[str, Any]:
    """What completes an attempt row."""
    return {
        "state": c.state.value,
        "account": c.account,
        "outcome": c.outcome,
        "phase": c.phase,
        "cause": c.cause,
        "reason": utf8(c.reason),
        "reply": utf8(c.reply),
        "remote_id": utf8(c.remote_id),
    }


def open_attempt(tx: Tx, claim: Fenced) -> int | None:
    """The attempt row that begin wrote and nobody has completed."""
    for seq in tx.state.history_of.get(claim.submission_id, ()):
        row = tx.state.history[seq]
        if row.kind == "attempt" and (row.number, row.fence, row.ended_us) == (claim.number, claim.fence, None):
            return seq
    return None


def _complete_attempt(tx: Tx, c: Completion) -> bool:
    seq = open_attempt(tx, c.claim)
    if seq is not None:
        tx.amend(seq, **_attempt(c), ended_us=c.ended_us or tx.now_us)
    return seq is not None


def _keep_evidence(tx: Tx, worker_id: UUID, c: Completion) -> None:
    """The fence was stale. What the server said is kept, and a 250 is a proof."""
    delivery = tx.state.deliveries.get((c.claim.submission_id, c.claim.number))
    proven = c.outcome == "taken" and c.state is _S.SENT and delivery is not None and delivery.state in _PROVABLE
    tx.note(
        "evidence",
        submission_id=c.claim.submission_id,
        number=c.claim.number,
        fence=c.claim.fence,
        worker_id=worker_id,
        **{**_attempt(c), "state": "sent" if proven else ""},
    )
    _complete_attempt(tx, c)
    if proven and delivery is not None:
        _prove(tx, delivery, c)


def _prove(tx: Tx, delivery: Delivery, c: Completion) -> None:
    tx.change(
        delivery,
        state=_S.SENT,
        due_us=None,
        ended_us=tx.now_us,
        cause="",
        reason=f"A late reply proves that attempt {c.claim.fence} was taken.",
        reply=utf8(c.reply),
        account=c.account,
        remote_id=utf8(c.remote_id),
        worker_id=None,
        behind=None,
    )
    tx.tell(c.events)
    free_next(tx, [delivery])
