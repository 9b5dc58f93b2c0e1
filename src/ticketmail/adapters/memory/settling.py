"""A stored mail becomes an event: row, event, ids, feedback and suppressions together, under the lease's fence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ticketmail.adapters.memory.state import Blob, Incoming
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.domain.inbound.identity import REUSED
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.receiving import Feedback, InboundState, InboundView, Settlement
from ticketmail.domain.ticket import id_digest

_S = InboundState
_TOLD = (_S.DONE, _S.DEAD)


def settle(tx: Tx, view: InboundView, s: Settlement) -> InboundState | None:
    """See ``Ledger.settle``."""
    mail = tx.state.inbound.get(view.inbound_id)
    if mail is None or mail.state is not _S.STORED or mail.fence != view.fence:
        return None
    key = id_digest(view.tenant, s.message_id).hex() if s.message_id else ""
    others = [one for one in tx.state.inbound.values() if one is not mail and one.state in _TOLD]
    state = _S.DEAD if s.error else _S.DONE
    if any(one.event_id == s.event.event_id for one in others):
        state = _S.DUPLICATE
    _write(tx, mail, s, state, key)
    if state is _S.DUPLICATE:
        return state
    reused = any(key and one.message_key == key and one.mailbox == view.mailbox for one in others)
    event = s.event.model_copy(update={"risks": (*s.event.risks, REUSED)}) if reused else s.event
    tx.tell([event])
    tx.note("received", submission_id=mail.id, cause=event.category, reason=utf8(event.reason))
    add_refs(tx, s.refs)
    put_contents(tx, mail.tenant, s.contents)
    tx.use_blobs(mail, tuple(dict.fromkeys((*mail.blobs, *s.contents))))
    for one in s.feedback:
        _feedback(tx, mail, one)
    return state


def put_contents(tx: Tx, tenant: str, contents: Mapping[str, bytes]) -> None:
    """Store content by its hash; what is there is touched."""
    for digest, content in contents.items():
        blob = tx.state.blobs.get((tenant, digest))
        if blob is None:
            tx.put(tx.state.blobs, (tenant, digest), Blob(bytes(content), tx.now_us))
        else:
            tx.change(blob, touched_us=tx.now_us)


def add_refs(tx: Tx, refs: Iterable[TokenRef]) -> None:
    """Rows that lead from ids to tickets; the first word holds."""
    for ref in refs:
        if ref.ref not in tx.state.refs:
            tx.put(tx.state.refs, ref.ref, ref)


def _write(tx: Tx, mail: Incoming, s: Settlement, state: InboundState, key: str) -> None:
    tx.change(
        mail,
        state=state,
        category=s.event.category,
        event_id=s.event.event_id,
        message_key=key,
        author=utf8(s.author, 320),
        subject=utf8(s.subject, 255),
        ticket=s.event.ticket,
        strength=s.strength,
        verdict=s.verdict,
        signatures=s.signatures,
        error=utf8(s.error),
        rules=s.rules,
        marks=s.marks,
        acknowledged=s.acknowledged and state is _S.DONE,
        settled_us=tx.now_us,
    )


def _feedback(tx: Tx, mail: Incoming, f: Feedback) -> None:
    """A fact about a delivery, once."""
    place = (f.submission_id, f.number, f.kind)
    if place in tx.state.feedback:
        return
    tx.put(tx.state.feedback, place, mail.id)
    about: dict[str, Any] = {"number": f.number, "cause": f.cause, "reason": utf8(f.reason), "reply": utf8(f.reply)}
    tx.note(f.kind, submission_id=f.submission_id, **about)
    if f.event is not None:
        tx.tell([f.event])
    if f.suppress is not None:
        tx.suppress(f.suppress)
