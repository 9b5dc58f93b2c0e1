"""Forgetting a person: what is theirs goes, what happened stays, under a keyed hash in place of the address."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql import ends
from ticketmail.adapters.sql.administering import token_keys
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import add_history, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.selecting import CHUNK
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.ports.reading import Erased

_TEXTS = ("reason", "reply")


class EraseStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d, s, h, e, r, b, x = (
            *(t.delivery.c, t.submission.c, t.history.c, t.event.c),
            *(t.blob_ref.c, t.blob.c, t.suppression.c),
        )
        this = (d.submission_id == bound("p_id"), d.number == bound("p_number"))
        of = bound("p_id")
        self.theirs = (
            select(*ends.brief_columns(t), d.reason, d.reply)
            .join(t.submission, s.id == d.submission_id)
            .where(d.recipient_key == bound("p_address"), d.state != "sending")
            .order_by(d.submission_id, d.number)
            .limit(bound("p_limit"))
        )
        names = ("recipient", "recipient_key", "recipient_domain", *_TEXTS)
        self.rename = update(t.delivery).where(*this).values({name: bound(f"p_{name}") for name in names})
        self.still_wanted = select(d.number).where(d.submission_id == of, d.number != bound("p_number"), _unfinished(d)).limit(1)
        self.empty = update(t.submission).where(s.id == of, s.body.is_not(None)).values(body=None, body_purged_us=bound("p_now"))
        self.refs = select(r.tenant, r.digest).where(r.submission_id == of)
        self.unref = delete(t.blob_ref).where(r.submission_id == of)
        used = select(r.submission_id).where(r.tenant == b.tenant, r.digest == b.digest).exists()
        self.drop_blob = delete(t.blob).where(b.tenant == bound("p_tenant"), b.digest == bound("p_digest"), ~used)
        self.events = select(e.seq, e.payload).where(e.submission_id == of)
        self.drop_event = delete(t.event).where(e.seq == bound("p_seq"))
        self.told = select(h.seq, h.reason, h.reply).where(h.submission_id == of, h.submission_id.is_not(None))
        self.retell = update(t.history).where(h.seq == bound("p_seq")).values(reason=bound("p_reason"), reply=bound("p_reply"))
        self.noted = select(h.seq, h.scope, h.reason).where(h.scope == bound("p_scope"), h.scope != "")
        self.renote = update(t.history).where(h.seq == bound("p_seq")).values(scope=bound("p_scope"), reason=bound("p_reason"))
        i = t.inbound.c
        theirs = or_(i.author == bound("p_address"), func.lower(i.envelope_from) == bound("p_address"))
        self.received = select(i.id).where(theirs).order_by(i.id).limit(bound("p_limit"))
        f, report = t.feedback.c, t.inbound.alias("report")
        same = and_(report.c.id == f.inbound_id, i.event_id == report.c.event_id)  # with its copies
        self.reports = select(i.id).where(f.submission_id == of, f.number == bound("p_number"), same)
        forgotten: dict[str, Any] = dict.fromkeys(("subject", "verdict", "signatures", "error", "marks", "digest"), "")
        forgotten |= dict.fromkeys(("author", "envelope_from"), bound("p_alias"))
        state = case((i.state == "stored", "done"), else_=i.state)
        self.forget = update(t.inbound).where(i.id == of).values(state=state, raw_purged_us=bound("p_now"), **forgotten)
        self.parked = select(t.parked.c.id, t.parked.c.job_id, t.parked.c.body)
        self.drop_parked = delete(t.parked).where(t.parked.c.id == of)
        self.suppressions = delete(t.suppression).where(x.address == bound("p_address"))


def _unfinished(d: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = d.ended_us.is_(None)
    return found


def erase(database: Database, address: str, *, actor: str, reason: str) -> Erased:
    """See ``Operating.erase``. What is being sent at this moment is left; the same call again reaches it."""
    key = token_keys(database)[0]
    alias = f"erased-{hmac.new(key, address.encode(), hashlib.sha256).hexdigest()[:16]}"
    eraser = _Eraser(address, alias, actor, reason)
    while database.write(eraser.some):
        pass
    while database.write(eraser.received):
        pass
    database.write(eraser.rest)
    return Erased(**eraser.reached)


class _Eraser:
    """One erasure over all its transactions. Counts what was reached."""

    def __init__(self, address: str, alias: str, actor: str, reason: str) -> None:
        self._address = address
        self._alias = alias
        self._actor = actor
        self._reason = self._clean(reason)
        self.reached = dict.fromkeys(("deliveries", "bodies", "blobs", "events", "history", "suppressions", "received"), 0)

    def some(self, tx: Tx) -> bool:
        """Some of their deliveries. False: there is none left."""
        rows = tx.rows(tx.book(EraseStatements).theirs, p_address=self._address, p_limit=max(1, CHUNK // 5))
        for row in rows:
            self._delivery(tx, ends.Brief(*row[:-2]), row[-2], row[-1])
        return bool(rows)

    def received(self, tx: Tx) -> bool:
        """Some mails of theirs. Their rows stay, so that a copy is known. False: there is none left."""
        book = tx.book(EraseStatements)
        rows = tx.rows(book.received, p_address=self._address, p_limit=max(1, CHUNK // 5))
        for (id_,) in rows:
            self._mail(tx, id_)
        return bool(rows)

    def rest(self, tx: Tx) -> None:
        """What belongs to no mail."""
        book = tx.book(EraseStatements)
        self.reached["suppressions"] += tx.run(book.suppressions, p_address=self._address)
        for id_, job_id, body in tx.rows(book.parked):  # few, or somebody should look at them
            if self._address.encode() in bytes(body).lower():
                self.reached["bodies"] += tx.run(book.drop_parked, p_id=id_)
                self._events(tx, job_id)
        notes = tx.rows(book.noted, p_scope=f"to:{self._address}")
        params = [{"p_seq": seq, "p_scope": f"to:{self._alias}", "p_reason": self._clean(text)} for seq, _, text in notes]
        self.reached["history"] += sum(tx.each(book.renote, params))
        add_history(
            tx,
            [history_row("erased", tx.now_us, scope=f"to:{self._alias}", actor=self._actor, reason=self._reason)],
        )

    def _delivery(self, tx: Tx, brief: ends.Brief, reason: str, reply: str) -> None:
        if brief.state in ("queued", "claimed", "unknown"):
            more: dict[str, Any] = {"kind": "cancelled", "cause": "erased", "reason": self._reason, "actor": self._actor}
            ends.end(tx, [brief], "cancelled", told=None, **more)
            reason = self._reason
        texts = {"p_reason": self._clean(reason), "p_reply": self._clean(reply)}
        alias = self._alias
        tx.run(
            tx.book(EraseStatements).rename,
            p_id=brief.submission_id,
            p_number=brief.number,
            p_recipient=alias,
            p_recipient_key=alias,
            p_recipient_domain="",
            **texts,
        )
        self.reached["deliveries"] += 1
        self._content(tx, brief)
        self._traces(tx, brief.submission_id)
        for (id_,) in tx.rows(tx.book(EraseStatements).reports, p_id=brief.submission_id, p_number=brief.number):
            self._mail(tx, id_)
        row = history_row("erased", tx.now_us, brief.submission_id, brief.number, fence=brief.fence)
        add_history(tx, [{**row, "actor": self._actor, "reason": self._reason}])

    def _mail(self, tx: Tx, id_: str) -> None:
        """A mail that came in."""
        book = tx.book(EraseStatements)
        self._drop_blobs(tx, id_)
        told = [{"p_seq": seq} for seq, _ in tx.rows(book.events, p_id=id_)]
        self.reached["events"] += sum(tx.each(book.drop_event, told))
        self.reached["received"] += tx.run(book.forget, p_id=id_, p_alias=self._alias, p_now=tx.now_us)
        add_history(tx, [history_row("erased", tx.now_us, id_, actor=self._actor, reason=self._reason)])

    def _content(self, tx: Tx, brief: ends.Brief) -> None:
        """Body and blobs, unless another recipient still waits for them: then retention takes them."""
        book = tx.book(EraseStatements)
        if tx.rows(book.still_wanted, p_id=brief.submission_id, p_number=brief.number):
            return
        self.reached["bodies"] += tx.run(book.empty, p_id=brief.submission_id, p_now=tx.now_us)
        self._drop_blobs(tx, brief.submission_id)

    def _drop_blobs(self, tx: Tx, id_: str) -> None:
        book = tx.book(EraseStatements)
        refs = tx.rows(book.refs, p_id=id_)
        tx.run(book.unref, p_id=id_)
        self.reached["blobs"] += sum(
            tx.each(book.drop_blob, [{"p_tenant": tenant, "p_digest": digest} for tenant, digest in refs])
        )

    def _traces(self, tx: Tx, submission_id: str) -> None:
        book = tx.book(EraseStatements)
        self._events(tx, submission_id)
        told = [
            {"p_seq": seq, "p_reason": self._clean(reason), "p_reply": self._clean(reply)}
            for seq, reason, reply in tx.rows(book.told, p_id=submission_id)
            if self._address in f"{reason} {reply}".lower()
        ]
        self.reached["history"] += sum(tx.each(book.retell, told))

    def _events(self, tx: Tx, about: str) -> None:
        book = tx.book(EraseStatements)
        events: Sequence[int] = [seq for seq, payload in tx.rows(book.events, p_id=about) if self._address in payload.lower()]
        self.reached["events"] += sum(tx.each(book.drop_event, [{"p_seq": seq} for seq in events]))

    def _clean(self, text: str) -> str:
        return re.sub(re.escape(self._address), self._alias, text, flags=re.IGNORECASE)
