"""A stored mail becomes an event: row, event, ids, feedback and suppressions in one transaction, under the lease's fence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, select, update

from ticketmail.adapters.sql.content import put_contents
from ticketmail.adapters.sql.rows import EventStatements, add_events, add_history, add_suppressions, history_row, utf8
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound, one_of
from ticketmail.domain.events import MailReceived
from ticketmail.domain.inbound.identity import REUSED
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.receiving import Feedback, InboundState, InboundView, Settlement
from ticketmail.domain.ticket import id_digest

_FEEDBACK = ("submission_id", "number", "kind", "at_us", "inbound_id")
_SETTLED = (
    *("state", "category", "event_id", "message_key", "author", "subject", "ticket", "strength", "verdict", "error", "rules"),
    *("signatures", "marks", "acknowledged", "settled_us"),
)


class SettleStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        i = t.inbound.c
        mine = and_(i.id == bound("p_id"), i.state == "stored", i.fence == bound("p_fence"))
        self.settle = update(t.inbound).where(mine).values({name: bound(f"p_{name}") for name in _SETTLED})
        other = i.id != bound("p_id")
        told = one_of(i.state, ("done", "dead"))
        self.same = select(i.id).where(i.event_id == bound("p_event"), other, told).limit(1)
        self.reused = (
            select(i.id)
            .where(i.message_key == bound("p_key"), i.message_key != "", i.mailbox == bound("p_mailbox"), other, told)
            .limit(1)
        )
        self.feedback = language.insert_once(t.feedback, _FEEDBACK)
        self.ref = language.insert_once(t.ref, ("ref", "tenant", "ticket", "submission_id"))
        self.blob_ref = language.insert_once(t.blob_ref, ("tenant", "digest", "submission_id"))


def settle(tx: Tx, view: InboundView, s: Settlement) -> InboundState | None:
    """See ``Ledger.settle``."""
    book = tx.book(SettleStatements)
    key = id_digest(view.tenant, s.message_id).hex() if s.message_id else ""
    id_ = view.inbound_id.hex
    state = InboundState.DEAD if s.error else InboundState.DONE
    if tx.rows(book.same, p_id=id_, p_event=s.event.event_id.hex):
        state = InboundState.DUPLICATE
    if not tx.run(book.settle, p_id=id_, p_fence=view.fence, **_row(s, state, key, tx.now_us)):
        return None
    if state is InboundState.DUPLICATE:
        return state
    reused = bool(tx.rows(book.reused, p_id=id_, p_key=key, p_mailbox=view.mailbox))
    if not _add_event(tx, marked(s.event, reused=reused)):
        # Another worker has just settled a copy: its event stands, this row is its duplicate.
        tx.run_once(update(tx.tables.inbound).where(tx.tables.inbound.c.id == id_).values(state="duplicate", acknowledged=0))
        return InboundState.DUPLICATE
    add_history(tx, [_history(tx, view, s)])
    add_refs(tx, s.refs)
    put_contents(tx, view.tenant, s.contents)
    tx.each(book.blob_ref, [{"tenant": view.tenant, "digest": digest, "submission_id": id_} for digest in s.contents])
    for one in s.feedback:
        _feedback(tx, view, one)
    return state


def marked(event: MailReceived, *, reused: bool) -> MailReceived:
    """The event, with the risk that its Message-ID was another mail's."""
    return event.model_copy(update={"risks": (*event.risks, REUSED)}) if reused else event


def add_refs(tx: Tx, refs: Iterable[TokenRef]) -> None:
    """Rows that lead from ids to tickets; the first word holds."""
    book = tx.book(SettleStatements)
    tx.each(
        book.ref,
        [
            {
                "ref": ref.ref.hex(),
                "tenant": ref.tenant,
                "ticket": ref.ticket,
                "submission_id": ref.submission_id.hex if ref.submission_id else None,
            }
            for ref in refs
        ],
    )


def _row(s: Settlement, state: InboundState, key: str, now_us: int) -> dict[str, Any]:
    return {
        "p_state": state.value,
        "p_category": s.event.category,
        "p_event_id": s.event.event_id.hex,
        "p_message_key": key,
        "p_author": utf8(s.author, 320),
        "p_subject": utf8(s.subject, 255),
        "p_ticket": s.event.ticket,
        "p_strength": s.strength,
        "p_verdict": s.verdict,
        "p_signatures": s.signatures,
        "p_error": utf8(s.error),
        "p_rules": s.rules,
        "p_marks": " ".join(mark.hex() for mark in s.marks),
        "p_acknowledged": int(s.acknowledged and state is InboundState.DONE),
        "p_settled_us": now_us,
    }


def _add_event(tx: Tx, event: MailReceived) -> bool:
    """True if it is new to the outbox."""
    row = {
        "event_id": event.event_id.hex,
        "submission_id": event.about.hex,
        "payload": event.model_dump_json(),
        "created_us": tx.now_us,
        "due_us": tx.now_us,
    }
    tx.tells = True
    return tx.run(tx.book(EventStatements).insert, **row) == 1


def _history(tx: Tx, view: InboundView, s: Settlement) -> dict[str, Any]:
    return history_row("received", tx.now_us, view.inbound_id.hex, cause=s.event.category, reason=utf8(s.event.reason))


def _feedback(tx: Tx, view: InboundView, f: Feedback) -> None:
    """A fact about a delivery, once."""
    row = {
        "submission_id": f.submission_id.hex,
        "number": f.number,
        "kind": f.kind,
        "at_us": tx.now_us,
        "inbound_id": view.inbound_id.hex,
    }
    if tx.run(tx.book(SettleStatements).feedback, **row) != 1:
        return
    more = {"cause": f.cause, "reason": utf8(f.reason), "reply": utf8(f.reply)}
    add_history(tx, [history_row(f.kind, tx.now_us, f.submission_id.hex, f.number, **more)])
    if f.event is not None:
        add_events(tx, [f.event])
    if f.suppress is not None:
        add_suppressions(tx, [f.suppress])
