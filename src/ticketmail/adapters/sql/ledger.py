"""``Ledger``: incoming mail. Taking one pushes its due time to the lease's end, so that nothing reaps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, or_, select, update

from ticketmail.adapters.sql import joining
from ticketmail.adapters.sql.content import ContentStatements, put_contents
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.rows import add_history, history_row, to_uuid, utf8
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.settling import add_refs, settle
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound, one_of
from ticketmail.domain.inbound.acknowledging import Pace
from ticketmail.domain.inbound.conversation import Earlier
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.receiving import InboundItem, InboundState, InboundView, RawMail, Settlement, Stored
from ticketmail.domain.ticket import REF_BYTES

_STORE = ("id", "tenant", "mailbox", "source", "digest", "size_bytes", "envelope_from", "envelope_to", "stored_us", "received_us")
_VIEW = (
    *("inbound_id", "tenant", "mailbox", "source", "raw", "size_bytes", "envelope_from", "envelope_to", "received_us", "silent"),
    *("state", "attempts", "fence", "category", "author", "subject", "event_id", "ticket", "strength", "verdict", "error"),
    *("rules", "signatures", "settled_us"),
)
_CURSOR = "cursor"


def view_columns(t: Tables) -> list[Any]:
    """What people see of an incoming mail, in the order of :func:`to_view`."""
    i = t.inbound.c
    return [
        *(i.id, i.tenant, i.mailbox, i.source, i.digest, i.size_bytes, i.envelope_from, i.envelope_to, i.received_us, i.silent),
        *(i.state, i.attempts, i.fence, i.category, i.author, i.subject, i.event_id, i.ticket, i.strength, i.verdict, i.error),
        *(i.rules, i.signatures, i.settled_us),
    ]


class LedgerStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        i, d, x = t.inbound.c, t.delivery.c, t.document.c
        now = bound("p_now")
        names = (*_STORE, "due_us", "silent", "error")
        self.store = language.insert_once(t.inbound, names)
        self.blob_ref = language.insert_once(t.blob_ref, ("tenant", "digest", "submission_id"))
        due = and_(i.state == "stored", i.due_us <= now)
        self.due = select(i.id).where(due).order_by(i.due_us, i.id).limit(bound("p_limit"))
        self.pick = self.due.with_for_update(skip_locked=True)
        self.lease = update(t.inbound).where(i.id == bound("p_id")).values(due_us=bound("p_until"), fence=i.fence + 1)
        mine = and_(i.id == bound("p_id"), i.state == "stored", i.fence == bound("p_fence"))
        self.failed = update(t.inbound).where(mine).values(due_us=bound("p_due"), error=bound("p_error"), attempts=i.attempts + 1)
        free = or_(i.ticket.is_(None), i.ticket == bound("p_ticket"))
        this = and_(i.event_id == bound("p_event"), one_of(i.state, ("done", "dead")), free)
        self.told = select(i.id, i.tenant, i.message_key, i.marks).where(this).with_for_update()
        self.assign = update(t.inbound).where(i.id == bound("p_id")).values(ticket=bound("p_ticket"))
        self.wrote = select(i.author).where(i.ticket == bound("p_ticket"), i.tenant == bound("p_tenant"), i.author != "")
        self.written = select(d.recipient_key).where(d.ticket == bound("p_ticket"), d.tenant == bound("p_tenant"))
        letter = select(i.ticket, i.subject, i.stored_us, i.category).where(i.tenant == bound("p_tenant"), i.state == "done")
        newest = (i.stored_us.desc(), i.id.desc())
        self.came = letter.where(i.ticket == bound("p_ticket")).order_by(*newest).limit(bound("p_limit"))
        to_us = (i.author == bound("p_author"), i.mailbox == bound("p_mailbox"), i.stored_us >= bound("p_since"))
        self.letters = letter.where(*to_us).order_by(*newest).limit(bound("p_limit"))
        s = t.submission.c
        of = select(d.submission_id).where(d.ticket == bound("p_ticket"), d.tenant == bound("p_tenant"))
        self.sent = select(func.max(s.accepted_us)).where(s.id.in_(of))
        took_part = (i.author == bound("p_author"), i.tenant == bound("p_tenant"), i.ticket.is_not(None))
        self.took_part = select(i.id).where(*took_part).limit(1)
        self.was_sent = select(d.number).where(d.recipient_key == bound("p_author"), d.tenant == bound("p_tenant")).limit(1)
        self.deliveries = select(d.number, d.recipient_key, d.lane).where(d.submission_id == bound("p_id")).order_by(d.number)
        granted = and_(i.acknowledged == 1, i.stored_us >= bound("p_day"))
        counted = (i.stored_us >= bound("p_recent"), granted, and_(granted, i.subject == bound("p_subject")))
        theirs = (
            i.author == bound("p_author"),
            i.tenant == bound("p_tenant"),
            i.stored_us >= bound("p_since"),
            i.state == "done",
        )
        self.pace = select(*(func.sum(case((one, 1), else_=0)) for one in counted)).where(*theirs)
        self.in_ticket = select(func.count()).where(
            i.ticket == bound("p_ticket"), i.tenant == bound("p_tenant"), i.stored_us >= bound("p_since"), i.acknowledged == 1
        )
        self.has = select(i.source).where(
            i.mailbox == bound("p_mailbox"), i.tenant == bound("p_tenant"), language.within(i.source, "p_sources")
        )
        self.cursor = select(x.content).where(x.kind == _CURSOR, x.name == bound("p_name"))
        cursor = ("kind", "name", "content", "version", "updated_us")
        self.put_cursor = language.upsert(t.document, cursor, ("kind", "name"), ("content", "updated_us"))
        self.get = select(*view_columns(t)).where(i.id == bound("p_id"))
        self.counts = select(i.state, func.count()).where(i.mailbox == bound("p_mailbox")).group_by(i.state)
        self.again = (
            update(t.inbound)
            .where(i.id == bound("p_id"), i.state == "dead")
            .values(state="stored", due_us=now, attempts=0, error="")
        )


class SqlLedger:
    """``Ledger`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def store(self, mails: Sequence[RawMail]) -> Sequence[Stored]:
        if not mails:
            return []
        return self._database.write(lambda tx: [_store(tx, mail) for mail in mails], guard=True)

    def take(self, limit: int, lease_s: float) -> Sequence[InboundItem]:
        if limit <= 0 or not self._database.read(_is_due):
            return []
        return self._database.write(lambda tx: _take(tx, limit, lease_s))

    def settle(self, item: InboundItem, settlement: Settlement) -> InboundState | None:
        return self._database.write(lambda tx: settle(tx, item.view, settlement))

    def settle_all(self, settlements: Sequence[tuple[InboundItem, Settlement]]) -> Sequence[InboundState | None]:
        if not settlements:
            return []
        return self._database.write(lambda tx: [settle(tx, item.view, settlement) for item, settlement in settlements])

    def failed(self, item: InboundItem, error: str, retry_after_s: float) -> None:
        def work(tx: Tx) -> None:
            tx.run(
                tx.book(LedgerStatements).failed,
                p_id=item.view.inbound_id.hex,
                p_fence=item.view.fence,
                p_due=tx.now_us + int(retry_after_s * 1_000_000),
                p_error=utf8(error),
            )

        self._database.write(work)

    def assign(self, event_id: UUID, ticket: str, *, connection: object | None = None) -> bool:
        def work(tx: Tx) -> bool:
            return _assign(tx, event_id, ticket)

        if connection is not None:
            return joining.run(self._database, connection, work)
        return self._database.write(work)

    def participants(self, tenant: str, ticket: str) -> frozenset[str]:
        def work(tx: Tx) -> frozenset[str]:
            book = tx.book(LedgerStatements)
            found = [tx.rows(one, p_ticket=ticket, p_tenant=tenant) for one in (book.wrote, book.written)]
            return frozenset(address for rows in found for (address,) in rows)

        return self._database.read(work)

    def earlier(self, tenant: str, *, ticket: str, limit: int) -> Sequence[Earlier]:
        def work(tx: Tx) -> list[Earlier]:
            book, of = tx.book(LedgerStatements), {"p_tenant": tenant, "p_ticket": ticket}
            (sent_us,) = tx.row(book.sent, **of) or (None,)
            ours = [Earlier(ticket, age_s=(tx.now_us - sent_us) / 1_000_000, ours=True)] if sent_us is not None else []
            return [*ours, *_earlier(tx, tx.rows(book.came, **of, p_limit=limit))]

        return self._database.read(work)

    def written(self, tenant: str, mailbox: str, author: str, *, within_s: float, limit: int) -> Sequence[Earlier]:
        def work(tx: Tx) -> list[Earlier]:
            who = {"p_tenant": tenant, "p_mailbox": mailbox, "p_author": author}
            since_us = tx.now_us - int(within_s * 1_000_000)
            return _earlier(tx, tx.rows(tx.book(LedgerStatements).letters, **who, p_since=since_us, p_limit=limit))

        return self._database.read(work)

    def is_familiar(self, tenant: str, author: str) -> bool:
        def work(tx: Tx) -> bool:
            book = tx.book(LedgerStatements)
            return any(tx.row(one, p_author=author, p_tenant=tenant) is not None for one in (book.was_sent, book.took_part))

        return self._database.read(work)

    def deliveries(self, submission_id: UUID) -> Sequence[tuple[int, str, str]]:
        rows = self._database.read(lambda tx: tx.rows(tx.book(LedgerStatements).deliveries, p_id=submission_id.hex))
        return [(number, key, lane) for number, key, lane in rows]

    def pace(self, tenant: str, author: str, subject: str, ticket: str | None, *, recent_s: float, day_s: float) -> Pace:
        def work(tx: Tx) -> Pace:
            book = tx.book(LedgerStatements)
            day_us, recent_us = (tx.now_us - int(one * 1_000_000) for one in (day_s, recent_s))
            since = {"p_day": day_us, "p_recent": recent_us, "p_since": min(day_us, recent_us)}
            row = tx.row(book.pace, p_author=author, p_tenant=tenant, p_subject=utf8(subject, 255), **since) or ()
            mails, granted, same = (int(one or 0) for one in row)
            in_ticket = tx.row(book.in_ticket, p_ticket=ticket, p_tenant=tenant, p_since=day_us) if ticket else None
            return Pace(mails, granted, same, int(in_ticket[0]) if in_ticket else 0)

        return self._database.read(work)

    def has(self, mailbox: str, sources: Sequence[str], *, tenant: str = "") -> frozenset[str]:
        def work(tx: Tx) -> frozenset[str]:
            rows = tx.rows(tx.book(LedgerStatements).has, p_mailbox=mailbox, p_tenant=tenant, p_sources=tx.pack(list(sources)))
            return frozenset(source for (source,) in rows)

        return self._database.read(work)

    def cursor(self, mailbox: str, name: str) -> str:
        row = self._database.read(lambda tx: tx.row(tx.book(LedgerStatements).cursor, p_name=_cursor_name(mailbox, name)))
        return bytes(row[0]).decode() if row is not None else ""

    def move_cursor(self, mailbox: str, name: str, value: str) -> None:
        def work(tx: Tx) -> None:
            place = {"kind": _CURSOR, "name": _cursor_name(mailbox, name)}
            tx.run(tx.book(LedgerStatements).put_cursor, **place, content=value.encode(), version=1, updated_us=tx.now_us)

        self._database.write(work)

    def find(
        self,
        *,
        mailbox: str | None = None,
        ticket: str | None = None,
        states: Sequence[InboundState] = (),
        since_us: int | None = None,
        limit: int = 100,
    ) -> Sequence[InboundView]:
        def work(tx: Tx) -> list[InboundView]:
            i = tx.tables.inbound.c
            found = select(*view_columns(tx.tables)).order_by(i.stored_us.desc(), i.id.desc()).limit(limit)
            wanted = [
                *([i.mailbox == mailbox] if mailbox is not None else []),
                *([i.ticket == ticket] if ticket is not None else []),
                *([one_of(i.state, states)] if states else []),
                *([i.stored_us >= since_us] if since_us is not None else []),
            ]
            return [to_view(row) for row in tx.rows_once(found.where(*wanted))]

        return self._database.read(work)

    def get(self, inbound_id: UUID) -> InboundView | None:
        row = self._database.read(lambda tx: tx.row(tx.book(LedgerStatements).get, p_id=inbound_id.hex))
        return None if row is None else to_view(row)

    def counts(self, mailbox: str) -> dict[InboundState, int]:
        rows = self._database.read(lambda tx: tx.rows(tx.book(LedgerStatements).counts, p_mailbox=mailbox))
        return {InboundState(state): count for state, count in rows}

    def again(self, inbound_id: UUID) -> bool:
        def work(tx: Tx) -> bool:
            return tx.run(tx.book(LedgerStatements).again, p_id=inbound_id.hex, p_now=tx.now_us) == 1

        return self._database.write(work)


def to_view(row: Row) -> InboundView:
    """A row of :func:`view_columns`."""
    values = dict(zip(_VIEW, row, strict=True))
    values |= {"inbound_id": UUID(row[0]), "envelope_to": tuple(json.loads(values["envelope_to"]))}
    values |= {"silent": bool(values["silent"]), "state": InboundState(values["state"]), "event_id": to_uuid(values["event_id"])}
    return InboundView(**values)


def _earlier(tx: Tx, rows: Sequence[Row]) -> list[Earlier]:
    return [Earlier(ticket, subject, (tx.now_us - at_us) / 1_000_000, category) for ticket, subject, at_us, category in rows]


def _cursor_name(mailbox: str, name: str) -> str:
    """Names of folders may be long; the column is not."""
    return f"{mailbox}/{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _is_due(tx: Tx) -> bool:
    return tx.row(tx.book(LedgerStatements).due, p_now=tx.now_us, p_limit=1) is not None


def _store(tx: Tx, mail: RawMail) -> Stored:
    book, id_ = tx.book(LedgerStatements), mail.inbound_id.hex
    digest = f"sha256:{hashlib.sha256(mail.content).hexdigest()}"
    row = {
        "id": id_,
        "tenant": mail.tenant,
        "mailbox": mail.mailbox,
        "source": mail.source,
        "digest": digest,
        "size_bytes": len(mail.content),
        "envelope_from": mail.envelope_from,
        "envelope_to": json.dumps(mail.envelope_to),
        "stored_us": tx.now_us,
        "received_us": tx.now_us if mail.received_us is None else mail.received_us,
        "due_us": tx.now_us,
        "silent": int(mail.silent),
        "error": utf8(mail.trouble),
    }
    new = tx.run(book.store, **row) == 1
    if new:
        put_contents(tx, mail.tenant, {digest: mail.content})
        tx.run(book.blob_ref, tenant=mail.tenant, digest=digest, submission_id=id_)
    return Stored(mail.inbound_id, new)


def _take(tx: Tx, limit: int, lease_s: float) -> list[InboundItem]:
    book = tx.book(LedgerStatements)
    pick = book.pick if tx.language.locks_rows else book.due
    ids = [id_ for (id_,) in tx.rows(pick, p_now=tx.now_us, p_limit=limit)]
    if not ids:
        return []
    until_us = tx.now_us + int(lease_s * 1_000_000)
    tx.each(book.lease, [{"p_id": id_, "p_until": until_us} for id_ in ids])
    views = [to_view(row) for rows in tx.each_rows(book.get, [{"p_id": id_} for id_ in ids]) for row in rows]
    return [InboundItem(view, _content(tx, view)) for view in views]


def _content(tx: Tx, view: InboundView) -> bytes:
    row = tx.row(tx.book(ContentStatements).get, p_tenant=view.tenant, p_digest=view.raw)
    return bytes(row[0]) if row is not None else b""


def _assign(tx: Tx, event_id: UUID, ticket: str) -> bool:
    book = tx.book(LedgerStatements)
    rows = tx.rows(book.told, p_event=event_id.hex, p_ticket=ticket)
    for id_, tenant, message_key, marks in rows:
        tx.run(book.assign, p_id=id_, p_ticket=ticket)
        add_history(tx, [history_row("assigned", tx.now_us, id_, reason=f"It is ticket {ticket}.")])
        own = [bytes.fromhex(message_key)[:REF_BYTES]] if message_key else []
        refs = (*own, *map(bytes.fromhex, marks.split()))
        add_refs(tx, [TokenRef(ref, tenant, ticket, None) for ref in refs])
    return bool(rows)
