"""Intake: the host's rows, in our transaction or in the host's. Ids in one batch of statements, whatever the number of mails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import insert, select

from ticketmail.adapters.sql import ends, joining
from ticketmail.adapters.sql.commits import CommitInDoubt
from ticketmail.adapters.sql.engine import Database
from ticketmail.adapters.sql.line import before_first_attempt
from ticketmail.adapters.sql.rows import HistoryStatements, history_row
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Tx, bound
from ticketmail.domain.errors import KeyReused, SpoolError, SubmitInDoubt
from ticketmail.domain.ports.accepting import Accepted, Entry


class _Statements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        d = t.delivery.c
        names = [column.name for column in t.submission.c if column.name != "body_purged_us"]
        self.submission = language.insert_once(t.submission, names)
        standing = select(t.submission.c.id, t.submission.c.fingerprint, t.submission.c.accepted_us)
        # Locked where a host's transaction may look at an older state of the table than the one that its INSERT met.
        standing = standing if language.returns else standing.with_for_update(read=True)
        self.standing = standing.where(language.within(t.submission.c.id, "p_ids"))
        self.delivery = insert(t.delivery).values({name: bound(name) for name in _DELIVERY})
        self.ahead = (
            select(d.tenant, d.ticket, d.recipient_key, *(d[name] for name in _Waiting._fields))
            .where(language.within(d.ticket, "p_tickets"), language.within(d.recipient_key, "p_keys"))
            .where(d.ticket.is_not(None), *before_first_attempt(t.delivery))
            .order_by(d.accepted_us, d.submission_id, d.number)
        )
        self.ref = language.insert_once(t.ref, _REF)
        self.blob_ref = language.insert_once(t.blob_ref, _BLOB_REF)


_DELIVERY = (
    *("submission_id", "number", "route", "lane", "lane_weight", "tenant", "ticket", "recipient", "recipient_key"),
    *("recipient_domain", "due_us", "first_due_us", "deadline_us", "behind_submission_id", "behind_number", "accepted_us"),
)
_REF = ("ref", "tenant", "ticket", "submission_id")
_BLOB_REF = ("tenant", "digest", "submission_id")


class _Waiting(NamedTuple):
    """A delivery that has not made its first attempt, as far as order in a ticket needs it: a column each."""

    submission_id: str
    number: int
    lane_weight: int
    first_due_us: int
    accepted_us: int

    def goes_before(self, row: dict[str, Any]) -> bool:
        """As ``line`` says."""
        due_before = self.first_due_us <= max(self.accepted_us, row["first_due_us"])
        return due_before and self.lane_weight >= int(row["lane_weight"])


class SqlIntake:
    """``Intake`` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(self, entries: Sequence[Entry], *, connection: object | None = None) -> Sequence[Accepted | KeyReused]:
        if not entries:
            return []
        if connection is not None:
            return joining.run(self._database, connection, lambda tx: self._accept_joined(tx, entries))
        work = _Acceptance(self._database, entries)
        try:
            return self._database.write_or_doubt(work, guard=True)
        except CommitInDoubt as doubt:
            return self._after_doubt(work, doubt)

    def _accept_joined(self, tx: Tx, entries: Sequence[Entry]) -> list[Accepted | KeyReused]:
        self._database.guard_meta(tx)
        return _Acceptance(self._database, entries)(tx)

    def _after_doubt(self, work: _Acceptance, doubt: CommitInDoubt) -> Sequence[Accepted | KeyReused]:
        """Read back by doing it again: what stands already with our time was ours."""
        try:
            return self._database.write(work)
        except SpoolError:
            raise SubmitInDoubt(
                "The database broke off while it committed; the mail may or may not be stored.",
                retry=lambda: self.accept(work.entries),
            ) from doubt


class _Acceptance:
    """One call of accept. Callable, and again after a doubt."""

    def __init__(self, database: Database, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._order_wait_us = int(database.options.order_wait_s * 1_000_000)
        self._accepted_us: set[int] = set()  #: the times of our own tries

    def __call__(self, tx: Tx) -> list[Accepted | KeyReused]:
        written = tx.each(tx.book(_Statements).submission, [_submission(entry, tx.now_us) for entry in self.entries])
        new = [entry for entry, count in zip(self.entries, written, strict=True) if count == 1]
        if new:
            self._store(tx, new)
            tx.rings = True
        results = self._results(tx, written)
        self._accepted_us.add(tx.now_us)
        return results

    def _store(self, tx: Tx, new: Sequence[Entry]) -> None:
        s = tx.book(_Statements)
        for entry in new:
            if entry.supersedes is not None:
                ends.supersede(tx, entry.supersedes, by=entry.submission_id)
        deliveries = self._ordered(tx, new)
        tx.each(s.delivery, deliveries)
        tx.each(tx.book(HistoryStatements).insert, [_accepted_row(row) for row in deliveries])
        tx.each(s.ref, [_ref_row(ref) for entry in new for ref in entry.refs])
        tx.each(s.blob_ref, [_blob_ref_row(entry, digest) for entry in new for digest in dict.fromkeys(entry.blobs)])

    def _results(self, tx: Tx, written: Sequence[int]) -> list[Accepted | KeyReused]:
        repeated = [e.submission_id.hex for e, count in zip(self.entries, written, strict=True) if count != 1]
        standing: dict[str, tuple[bytes, int]] = {}
        if repeated:
            for id_, fingerprint, accepted_us in tx.rows(tx.book(_Statements).standing, p_ids=tx.pack(repeated)):
                standing[id_] = (bytes(fingerprint), accepted_us)
        return [
            Accepted(entry.submission_id, True, tx.now_us) if count == 1 else self._repeated(entry, standing)
            for entry, count in zip(self.entries, written, strict=True)
        ]

    def _repeated(self, entry: Entry, standing: dict[str, tuple[bytes, int]]) -> Accepted | KeyReused:
        fingerprint, accepted_us = standing[entry.submission_id.hex]
        if fingerprint != entry.fingerprint:
            return KeyReused(
                f"{entry.key!r} was used before for other content.",
                field="key",
                remedy="Use a new key for a new mail; the first one stands.",
            )
        return Accepted(entry.submission_id, accepted_us in self._accepted_us, accepted_us)

    def _ordered(self, tx: Tx, new: Sequence[Entry]) -> list[dict[str, Any]]:
        """Rows of deliveries, each behind one that goes before it in the ticket, if there is any (see ``line``)."""
        line = _line(tx, new)
        rows: list[dict[str, Any]] = []
        for entry in new:
            natural_us = max(entry.not_before_us or 0, tx.now_us)
            for number, recipient in enumerate(entry.recipients):
                row = _delivery(entry, number, recipient, natural_us, tx.now_us)
                if entry.ticket is not None:
                    self._put_behind(row, line, tx.now_us)
                rows.append(row)
        return rows

    def _put_behind(self, row: dict[str, Any], line: dict[tuple[str, ...], list[_Waiting]], now_us: int) -> None:
        place = line.setdefault((row["tenant"], row["ticket"], row["recipient_key"]), [])
        ahead = [waiting for waiting in place if waiting.goes_before(row)]
        if ahead:
            last = min(reversed(ahead), key=lambda w: w.lane_weight)  # of its own lane rather, the last one
            row["behind_submission_id"], row["behind_number"] = last.submission_id, last.number
            row["due_us"] = max(row["due_us"], now_us + self._order_wait_us)
        if place:  # a batch shares its time, and clocks may be set back: the order within a line is told by these times alone
            row["accepted_us"] = max(now_us, place[-1].accepted_us + 1)
        place.append(_Waiting(*(row[name] for name in _Waiting._fields)))


def _line(tx: Tx, new: Sequence[Entry]) -> dict[tuple[str, ...], list[_Waiting]]:
    """Per (tenant, ticket, recipient key) what waits for its first attempt already, in order of acceptance."""
    ticketed = [entry for entry in new if entry.ticket is not None]
    if not ticketed:
        return {}
    tickets = tx.pack(sorted({str(entry.ticket) for entry in ticketed}))
    keys = tx.pack(sorted({recipient.lower() for entry in ticketed for recipient in entry.recipients}))
    line: dict[tuple[str, ...], list[_Waiting]] = {}
    for row in tx.rows(tx.book(_Statements).ahead, p_tickets=tickets, p_keys=keys):
        tenant, ticket, key, *waiting = row
        line.setdefault((tenant, ticket, key), []).append(_Waiting(*waiting))
    return line


def _submission(entry: Entry, now_us: int) -> dict[str, Any]:
    return {
        "id": entry.submission_id.hex,
        "tenant": entry.tenant,
        "submit_key": entry.key,
        "fingerprint": entry.fingerprint,
        "ticket": entry.ticket,
        "lane": entry.lane,
        "route": entry.route,
        "sender": entry.sender,
        "return_path": entry.return_path,
        "message_id": entry.message_id,
        "traceparent": entry.traceparent,
        "size_bytes": entry.size_bytes,
        "accepted_us": now_us,
        "body": entry.body,
    }


def _delivery(entry: Entry, number: int, recipient: str, natural_us: int, now_us: int) -> dict[str, Any]:
    deadline_us = entry.deadline_us if entry.deadline_us is not None else now_us + entry.lifetime_us
    return {
        "submission_id": entry.submission_id.hex,
        "number": number,
        "route": entry.route,
        "lane": entry.lane,
        "lane_weight": entry.lane_weight,
        "tenant": entry.tenant,
        "ticket": entry.ticket,
        "recipient": recipient,
        "recipient_key": recipient.lower(),
        "recipient_domain": recipient.rpartition("@")[2].lower(),
        "due_us": natural_us,
        "first_due_us": natural_us,
        "deadline_us": deadline_us,
        "behind_submission_id": None,
        "behind_number": None,
        "accepted_us": now_us,
    }


def _accepted_row(delivery: dict[str, Any]) -> dict[str, Any]:
    return history_row(
        "accepted", delivery["accepted_us"], delivery["submission_id"], delivery["number"], fence=0, state="queued"
    )


def _ref_row(ref: Any) -> dict[str, Any]:
    submission_id: UUID | None = ref.submission_id
    return dict(
        ref=ref.ref.hex(), tenant=ref.tenant, ticket=ref.ticket, submission_id=submission_id.hex if submission_id else None
    )


def _blob_ref_row(entry: Entry, digest: str) -> dict[str, Any]:
    return dict(tenant=entry.tenant, digest=digest, submission_id=entry.submission_id.hex)
