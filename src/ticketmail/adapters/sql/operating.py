"""``Operating``: acts of people, compare-and-set, in chunks of short transactions. A crash leaves each delivery done or not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql import ends, erasing, joining
from ticketmail.adapters.sql.book import DocumentStatements
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import add_events, add_history, add_suppressions, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.selecting import Key, Selection, chunks_in, in_chunks
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.adapters.sql.upkeep import put_pause
from ticketmail.domain.events import MailCancelled, MailSent
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import Erased, Pause
from ticketmail.domain.scope import Scope

_S = DeliveryState
_CANCELLABLE = (_S.QUEUED, _S.CLAIMED, _S.UNKNOWN)
_REPLAYABLE = frozenset({_S.DEAD, _S.FAILED, _S.EXPIRED, _S.SUPPRESSED, _S.UNKNOWN})


class OperatingStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, p, x = t.delivery.c, t.pause.c, t.suppression.c
        this = (d.submission_id == bound("p_id"), d.number == bound("p_number"))
        same = (*this, d.state == bound("p_was"), d.fence == bound("p_fence"))
        self.one = select(*ends.brief_columns(t)).join(t.submission, t.submission.c.id == d.submission_id).where(*this)
        self.replay = (
            update(t.delivery)
            .where(*same, d.dismissed_us.is_(None))
            .values(
                state="queued",
                due_us=bound("p_due"),
                first_due_us=bound("p_due"),
                deadline_us=bound("p_deadline"),
                ended_us=None,
                delay_told=0,
                checks=0,
                lost=0,
                lost_alone=0,
            )
        )
        self.dismiss = update(t.delivery).where(*same, d.dismissed_us.is_(None)).values(dismissed_us=bound("p_now"))
        self.edit = (
            update(t.delivery)
            .where(*same)
            .values(recipient=bound("p_recipient"), recipient_key=bound("p_key"), recipient_domain=bound("p_domain"))
        )
        self.settle = (
            update(t.delivery)
            .where(*same)
            .values(
                state=bound("p_state"),
                due_us=bound("p_due"),
                ended_us=bound("p_ended"),
                cause="",
                reason=bound("p_reason"),
            )
        )
        self.resume = delete(t.pause).where(p.scope == bound("p_scope"))
        self.unsuppress = delete(t.suppression).where(x.tenant == bound("p_tenant"), x.address == bound("p_address"))


class SqlOperating:
    """``Operating`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancel(self, scope: Scope, *, actor: str, reason: str, connection: object | None = None) -> int:
        chosen = Selection(scope, _CANCELLABLE)
        step = partial(_cancel, chosen, actor, reason)
        if connection is None:
            return in_chunks(self._database, chosen, step, None)
        return joining.run(self._database, connection, lambda tx: chunks_in(tx, chosen, step))

    def pause(self, pause: Pause) -> None:
        def work(tx: Tx) -> None:
            put_pause(tx, pause)
            _note(tx, "pause", str(pause.scope), pause.actor, pause.reason)

        self._database.write(work)

    def resume(self, scope: Scope, *, actor: str, reason: str) -> bool:
        def work(tx: Tx) -> bool:
            found = bool(tx.run(tx.book(OperatingStatements).resume, p_scope=str(scope)))
            if found:
                _note(tx, "resume", str(scope), actor, reason)
                tx.rings = True
            return found

        return self._database.write(work)

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
        replay = _Replay(Selection(scope, chosen, _waits_for_a_human), lifetime_us, pace_per_s, actor, reason)
        return in_chunks(self._database, replay.selection, replay, limit)

    def dismiss(self, scope: Scope, *, actor: str, reason: str) -> int:
        chosen = Selection(scope, (_S.DEAD,), _unread)
        return in_chunks(self._database, chosen, partial(_dismiss, chosen, actor, reason), None)

    def edit(self, submission_id: UUID, number: int, *, recipient: str, actor: str, reason: str) -> bool:
        return self._database.write(partial(_edit, submission_id, number, recipient, actor, reason))

    def settle(self, submission_id: UUID, number: int, *, sent: bool, actor: str, reason: str) -> bool:
        return self._database.write(partial(_settle, submission_id, number, sent, actor, reason))

    def suppress(self, suppression: Suppression, *, actor: str, reason: str) -> None:
        def work(tx: Tx) -> None:
            add_suppressions(tx, [suppression])
            _note(tx, "suppressed", f"to:{suppression.address}", actor, reason)

        self._database.write(work)

    def unsuppress(self, address: str, *, actor: str, reason: str, tenant: str = "") -> bool:
        def work(tx: Tx) -> bool:
            found = bool(tx.run(tx.book(OperatingStatements).unsuppress, p_tenant=tenant, p_address=address))
            if found:
                _note(tx, "unsuppressed", f"to:{address}", actor, reason)
            return found

        return self._database.write(work)

    def erase(self, address: str, *, actor: str, reason: str) -> Erased:
        return erasing.erase(self._database, address, actor=actor, reason=reason)

    def clear_account(self, account: str, *, actor: str, reason: str) -> bool:
        def work(tx: Tx) -> bool:
            found = bool(tx.run(tx.book(DocumentStatements).delete, p_kind="account", p_name=account))
            if found:
                _note(tx, "account", f"account:{account}", actor, reason)
                tx.rings = True
            return found

        return self._database.write(work)


def _cancel(chosen: Selection, actor: str, reason: str, tx: Tx, keys: Sequence[Key]) -> int:
    ended = ends.end(
        tx,
        chosen.briefs(tx, keys),
        "cancelled",
        kind="cancelled",
        cause="cancelled",
        reason=reason,
        actor=actor,
        told=lambda b: MailCancelled(**b.facts("cancelled", tx.now_us, reason)),
    )
    return len(ended)


def _unread(t: Tables) -> ColumnElement[bool]:
    found: ColumnElement[bool] = t.delivery.c.dismissed_us.is_(None)
    return found


def _waits_for_a_human(t: Tables) -> ColumnElement[bool]:
    d = t.delivery.c
    return and_(_unread(t), or_(d.state != "unknown", d.due_us.is_(None)))


class _Replay:
    """One replay over all its chunks: it goes on counting mails, so that the pace holds over them."""

    def __init__(self, selection: Selection, lifetime_us: int, pace_per_s: float | None, actor: str, reason: str) -> None:
        self.selection = selection
        self._lifetime_us = lifetime_us
        self._gap_us = 0 if pace_per_s is None else int(1_000_000 / pace_per_s)
        self._actor = actor
        self._reason = reason
        self._start_us: int | None = None
        self._place: dict[str, int] = {}

    def __call__(self, tx: Tx, keys: Sequence[Key]) -> int:
        found = self.selection.briefs(tx, keys)
        if self._start_us is None:
            self._start_us = tx.now_us
        due = [self._start_us + self._place.setdefault(b.submission_id, len(self._place)) * self._gap_us for b in found]
        counts = tx.each(
            tx.book(OperatingStatements).replay,
            [
                {**_same(b), "p_due": due_us, "p_deadline": due_us + self._lifetime_us}
                for b, due_us in zip(found, due, strict=True)
            ],
        )
        done = [b for b, count in zip(found, counts, strict=True) if count]
        add_history(tx, (_act(tx, "replayed", b, "queued", self._actor, self._reason) for b in done))
        tx.rings = bool(done)
        return len(done)


def _dismiss(chosen: Selection, actor: str, reason: str, tx: Tx, keys: Sequence[Key]) -> int:
    found = chosen.briefs(tx, keys)
    counts = tx.each(tx.book(OperatingStatements).dismiss, [{**_same(b), "p_now": tx.now_us} for b in found])
    done = [b for b, count in zip(found, counts, strict=True) if count]
    add_history(tx, (_act(tx, "dismissed", b, "dead", actor, reason) for b in done))
    return len(done)


def _one(tx: Tx, submission_id: UUID, number: int, states: Sequence[str]) -> ends.Brief | None:
    row = tx.row(tx.book(OperatingStatements).one, p_id=submission_id.hex, p_number=number)
    brief = None if row is None else ends.Brief(*row)
    return brief if brief is not None and brief.state in states else None


def _edit(submission_id: UUID, number: int, recipient: str, actor: str, reason: str, tx: Tx) -> bool:
    brief = _one(tx, submission_id, number, ("dead", "failed"))
    if brief is None:
        return False
    key = recipient.lower()
    changed = tx.run(
        tx.book(OperatingStatements).edit,
        **_same(brief),
        p_recipient=recipient,
        p_key=key,
        p_domain=key.rpartition("@")[2],
    )
    if changed:
        note = f"{brief.recipient} became {recipient}. {reason}".strip()
        add_history(tx, [_act(tx, "edited", brief, brief.state, actor, note)])
    return bool(changed)


def _settle(submission_id: UUID, number: int, sent: bool, actor: str, reason: str, tx: Tx) -> bool:
    brief = _one(tx, submission_id, number, ("unknown",))
    if brief is None:
        return False
    state = "sent" if sent else "queued"
    changed = tx.run(
        tx.book(OperatingStatements).settle,
        **_same(brief),
        p_state=state,
        p_due=None if sent else tx.now_us,
        p_ended=tx.now_us if sent else None,
        p_reason=reason,
    )
    if changed:
        add_history(tx, [_act(tx, "resolved", brief, state, actor, reason)])
        if sent:
            add_events(tx, [MailSent(**brief.facts("sent", tx.now_us, reason))])
        tx.rings = not sent
    return bool(changed)


def _same(brief: ends.Brief) -> dict[str, Any]:
    return {"p_id": brief.submission_id, "p_number": brief.number, "p_was": brief.state, "p_fence": brief.fence}


def _act(tx: Tx, kind: str, brief: ends.Brief, state: str, actor: str, reason: str) -> dict[str, Any]:
    return history_row(
        kind, tx.now_us, brief.submission_id, brief.number, fence=brief.fence, state=state, actor=actor, reason=reason
    )


def _note(tx: Tx, kind: str, scope: str, actor: str, reason: str) -> None:
    add_history(tx, [history_row(kind, tx.now_us, scope=scope, actor=actor, reason=reason)])
