"""Begin, record, release: compare-and-set with fence and worker, history, events, evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import case, exists, func, select, update

from ticketmail.adapters.sql.line import free_next
from ticketmail.adapters.sql.rows import add_events, add_history, add_suppressions, history_row, utf8
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.settling import add_refs
from ticketmail.adapters.sql.transaction import Language, Tx, bound, one_of
from ticketmail.domain.outbound.delivery import FINAL, DeliveryState
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.delivering import Completion, Fenced
from ticketmail.domain.ticket import id_ref, is_mail_id

#: The kind of history row that a new state makes.
KINDS = {
    DeliveryState.QUEUED: "deferred",
    DeliveryState.UNKNOWN: "unknown",
    DeliveryState.SENT: "sent",
    DeliveryState.FAILED: "failed",
    DeliveryState.DEAD: "dead",
    DeliveryState.EXPIRED: "expired",
    DeliveryState.SUPPRESSED: "suppressed",
    DeliveryState.CANCELLED: "cancelled",
    DeliveryState.SUPERSEDED: "superseded",
}


#: A worker's id (hex) and what it made of a claim.
Outcome = tuple[str, Completion]


class OutcomeStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, w, h = t.delivery.c, t.worker.c, t.history.c
        this = (d.submission_id == bound("p_id"), d.number == bound("p_number"))
        fenced = (*this, d.fence == bound("p_fence"), d.worker_id == bound("p_worker"))
        alive = exists().where(w.id == bound("p_worker"), w.retired_us.is_(None), w.dead_us.is_(None))
        self.begin = (
            update(t.delivery).where(*fenced, d.state == "claimed", alive).values(state="sending", account=bound("p_account"))
        )
        self.release = (
            update(t.delivery)
            .where(*fenced, d.state == "claimed")
            .values(state="queued", worker_id=None, due_us=func.coalesce(bound("p_due"), d.due_us))
        )
        told = bound("p_told")
        self.record = (
            update(t.delivery)
            .where(*fenced, one_of(d.state, ("claimed", "sending")))
            .values(
                state=bound("p_state"),
                due_us=bound("p_due"),
                attempts=d.attempts + bound("p_spent"),
                unknowns=d.unknowns + bound("p_unknown"),
                checks=0,
                delay_told=case((d.delay_told > told, d.delay_told), else_=told),
                cause=bound("p_cause"),
                reason=bound("p_reason"),
                reply=bound("p_reply"),
                account=bound("p_account"),
                remote_id=bound("p_remote"),
                ended_us=bound("p_ended"),
                worker_id=None,
            )
        )
        self.attempt = (
            update(t.history)
            .where(h.submission_id == bound("p_id"), h.number == bound("p_number"), h.submission_id.is_not(None))
            .where(h.fence == bound("p_fence"), h.kind == "attempt", h.ended_us.is_(None))
            .values({name: bound(f"p_{name}") for name in _ATTEMPT})
        )
        self.prove = (
            update(t.delivery)
            .where(*this, one_of(d.state, ("unknown", "queued", "claimed")))
            .values(
                state="sent",
                due_us=None,
                ended_us=bound("p_now"),
                cause="",
                reason=bound("p_reason"),
                reply=bound("p_reply"),
                account=bound("p_account"),
                remote_id=bound("p_remote"),
                worker_id=None,
                behind_submission_id=None,
                behind_number=None,
            )
        )
        self.account = select(d.account).where(*this)
        s = t.submission.c
        self.whose = select(s.tenant, s.ticket).where(s.id == bound("p_id"))


_ATTEMPT = ("state", "account", "outcome", "phase", "cause", "reason", "reply", "remote_id", "ended_us")


@dataclass(frozen=True, slots=True)
class Beginning:
    """One claim whose body is about to leave."""

    claim: Fenced
    worker: str
    account: str


def begin(tx: Tx, items: Sequence[Beginning]) -> list[bool]:
    """See ``Deliveries.begin``. A worker that was declared dead fits nothing."""
    params = [{**_key(i.claim), "p_worker": i.worker, "p_account": i.account} for i in items]
    begun = [count == 1 for count in tx.each(tx.book(OutcomeStatements).begin, params)]
    add_history(tx, (_attempt_began(i, tx.now_us) for i, ok in zip(items, begun, strict=True) if ok))
    return begun


def _attempt_began(item: Beginning, at_us: int) -> dict[str, Any]:
    claim = item.claim
    return history_row(
        "attempt",
        at_us,
        claim.submission_id.hex,
        claim.number,
        fence=claim.fence,
        state="sending",
        account=item.account,
        worker_id=item.worker,
    )


def release(tx: Tx, worker_id: UUID, claims: Sequence[Fenced], due_us: int | None) -> None:
    """See ``Deliveries.release``."""
    # No bell: whoever gives back because it may not send would wake itself for ever.
    tx.each(tx.book(OutcomeStatements).release, [{**_key(c), "p_worker": worker_id.hex, "p_due": due_us} for c in claims])


def record(tx: Tx, items: Sequence[Outcome]) -> list[bool]:
    """See ``Deliveries.record``."""
    changed = tx.each(tx.book(OutcomeStatements).record, [_change(c, worker, tx.now_us) for worker, c in items])
    fresh = [item for item, count in zip(items, changed, strict=True) if count == 1]
    _write_attempts(tx, [item for item in fresh if item[1].outcome])
    add_history(tx, (_decision(c, worker, tx.now_us) for worker, c in fresh))
    _know_ids(tx, [c for _, c in fresh if is_mail_id(c.remote_id)])
    add_events(tx, (event for _, c in fresh for event in c.events))
    add_suppressions(tx, (c.suppress for _, c in fresh if c.suppress is not None))
    free_next(tx, _ends(c for _, c in fresh))
    for (worker, completion), count in zip(items, changed, strict=True):
        if count != 1:
            _keep_evidence(tx, worker, completion)
    return [count == 1 for count in changed]


def _know_ids(tx: Tx, completions: Sequence[Completion]) -> None:
    """Ids that providers gave our mails lead back to them: answers name these."""
    for c in completions:
        for tenant, ticket in tx.rows(tx.book(OutcomeStatements).whose, p_id=c.claim.submission_id.hex):
            add_refs(tx, [TokenRef(id_ref(tenant, c.remote_id), tenant, ticket, c.claim.submission_id)])


def _key(claim: Fenced) -> dict[str, Any]:
    return {"p_id": claim.submission_id.hex, "p_number": claim.number, "p_fence": claim.fence}


def _change(c: Completion, worker: str, now_us: int) -> dict[str, Any]:
    final = c.state in FINAL
    return {
        **_key(c.claim),
        "p_worker": worker,
        "p_state": c.state.value,
        "p_due": None if final else c.due_us,
        "p_spent": int(c.spends),
        "p_unknown": int(c.state is DeliveryState.UNKNOWN),
        "p_told": int(c.delay_told),
        "p_cause": c.cause,
        "p_reason": utf8(c.reason),
        "p_reply": utf8(c.reply),
        "p_account": c.account,
        "p_remote": utf8(c.remote_id),
        "p_ended": now_us if final else None,
    }


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


def _write_attempts(tx: Tx, attempted: Sequence[Outcome]) -> None:
    """Complete the attempt rows that begin made; write whole ones for attempts that never came to a body."""
    params = [
        {**_key(c.claim), **{f"p_{name}": value for name, value in _attempt(c).items()}, "p_ended_us": c.ended_us or tx.now_us}
        for _, c in attempted
    ]
    counts = tx.each(tx.book(OutcomeStatements).attempt, params)
    add_history(
        tx,
        (
            history_row(
                "attempt",
                c.began_us or tx.now_us,
                c.claim.submission_id.hex,
                c.claim.number,
                fence=c.claim.fence,
                worker_id=worker,
                ended_us=c.ended_us or tx.now_us,
                **_attempt(c),
            )
            for (worker, c), count in zip(attempted, counts, strict=True)
            if not count
        ),
    )


def _decision(c: Completion, worker: str, at_us: int, kind: str = "", **more: Any) -> dict[str, Any]:
    return history_row(
        kind or KINDS[c.state],
        at_us,
        c.claim.submission_id.hex,
        c.claim.number,
        fence=c.claim.fence,
        worker_id=worker,
        **{**_attempt(c), **more},
    )


def _ends(done: Iterable[Completion]) -> list[tuple[str, int]]:
    """Whose first attempt is over now. A hold that spends nothing is no attempt."""
    return [(c.claim.submission_id.hex, c.claim.number) for c in done if c.spends or c.state is not DeliveryState.QUEUED]


def _keep_evidence(tx: Tx, worker: str, c: Completion) -> None:
    """The fence was stale. What the server said is kept, and a 250 is a proof."""
    proven = c.outcome == "taken" and c.state is DeliveryState.SENT and _prove(tx, c)
    add_history(tx, [_decision(c, worker, tx.now_us, "evidence", state="sent" if proven else "")])
    _write_open_attempt(tx, c)
    if proven:
        add_events(tx, c.events)
        free_next(tx, [(c.claim.submission_id.hex, c.claim.number)])


def _prove(tx: Tx, c: Completion) -> bool:
    reason = f"A late reply proves that attempt {c.claim.fence} was taken."
    return bool(
        tx.run(
            tx.book(OutcomeStatements).prove,
            p_id=c.claim.submission_id.hex,
            p_number=c.claim.number,
            p_now=tx.now_us,
            p_reason=reason,
            p_reply=utf8(c.reply),
            p_account=c.account,
            p_remote=utf8(c.remote_id),
        )
    )


def _write_open_attempt(tx: Tx, c: Completion) -> None:
    """An attempt row that nobody has completed gets its outcome all the same."""
    values = {f"p_{name}": value for name, value in _attempt(c).items()}
    tx.run(tx.book(OutcomeStatements).attempt, **_key(c.claim), **values, p_ended_us=c.ended_us or tx.now_us)
