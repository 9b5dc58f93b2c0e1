"""Intake, blobs and the directory of ids: the host's side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ticketmail.adapters.memory import ends
from ticketmail.adapters.memory.settling import put_contents
from ticketmail.adapters.memory.state import Delivery, Submission
from ticketmail.adapters.memory.store import Access, refuse_connection
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.errors import KeyReused, SpoolError
from ticketmail.domain.ports.accepting import Accepted, Entry, TokenRef


class MemoryIntake:
    """``Intake`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def accept(self, entries: Sequence[Entry], *, connection: object | None = None) -> Sequence[Accepted | KeyReused]:
        refuse_connection(connection)
        if not entries:
            return []
        with self._access.tx() as tx:
            results, new = [], []
            for entry in entries:
                standing = tx.state.submissions.get(entry.submission_id)
                if standing is None:
                    tx.put(tx.state.submissions, entry.submission_id, _submission(entry, tx.now_us))
                    new.append(entry)
                results.append(_result(entry, standing, tx.now_us))
            self._store(tx, new)
        return results

    def _store(self, tx: Tx, new: Sequence[Entry]) -> None:
        for entry in new:
            if entry.supersedes is not None:
                ends.supersede(tx, entry.supersedes, by=entry.submission_id)
        for entry in new:
            self._enter(tx, entry)
            for ref in entry.refs:
                if ref.ref not in tx.state.refs:
                    tx.put(tx.state.refs, ref.ref, ref)
            tx.use_blobs(tx.state.submissions[entry.submission_id], tuple(dict.fromkeys(entry.blobs)))
            tx.rings = True

    def _enter(self, tx: Tx, entry: Entry) -> None:
        submission = tx.state.submissions[entry.submission_id]
        for number, recipient in enumerate(entry.recipients):
            delivery = _delivery(entry, submission, number, recipient, tx.now_us)
            if entry.ticket is not None:
                self._put_behind(tx, delivery)
            tx.enter(delivery)
            tx.note_on(delivery, "accepted", state="queued")

    def _put_behind(self, tx: Tx, delivery: Delivery) -> None:
        line = ends.line_of(delivery, tx.state.in_ticket(delivery.submission.tenant, delivery.submission.ticket))
        if line:  # a batch shares its time, and clocks may be set back: the order within a line is told by these times alone
            delivery.accepted_us = max(tx.now_us, max(one.accepted_us for one in line) + 1)
        ahead = ends.ahead_of(delivery, line)
        if ahead is not None:
            delivery.behind = ahead.key
            delivery.due_us = max(delivery.first_due_us, tx.now_us + self._access.order_wait_us)


def _result(entry: Entry, standing: Submission | None, now_us: int) -> Accepted | KeyReused:
    if standing is None:
        return Accepted(entry.submission_id, True, now_us)
    if standing.fingerprint == entry.fingerprint:
        return Accepted(entry.submission_id, False, standing.accepted_us)
    return KeyReused(
        f"{entry.key!r} was used before for other content.",
        field="key",
        remedy="Use a new key for a new mail; the first one stands.",
    )


def _submission(entry: Entry, now_us: int) -> Submission:
    return Submission(
        id=entry.submission_id,
        tenant=entry.tenant,
        key=entry.key,
        fingerprint=entry.fingerprint,
        ticket=entry.ticket,
        lane=entry.lane,
        route=entry.route,
        sender=entry.sender,
        return_path=entry.return_path,
        message_id=entry.message_id,
        traceparent=entry.traceparent,
        size_bytes=entry.size_bytes,
        accepted_us=now_us,
        body=bytes(entry.body),
        recipients=len(entry.recipients),
    )


def _delivery(entry: Entry, submission: Submission, number: int, recipient: str, now_us: int) -> Delivery:
    natural_us = max(entry.not_before_us or 0, now_us)
    return Delivery(
        submission=submission,
        number=number,
        route=entry.route,
        lane=entry.lane,
        lane_weight=entry.lane_weight,
        recipient=recipient,
        recipient_key=recipient.lower(),
        recipient_domain=recipient.rpartition("@")[2].lower(),
        due_us=natural_us,
        first_due_us=natural_us,
        deadline_us=entry.deadline_us if entry.deadline_us is not None else now_us + entry.lifetime_us,
        accepted_us=now_us,
    )


class MemoryBlobs:
    """``Blobs`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def put(self, tenant: str, content: bytes, *, connection: object | None = None) -> str:
        refuse_connection(connection)
        digest = _digest(content)
        with self._access.tx() as tx:
            put_contents(tx, tenant, {digest: content})
        return digest

    def get(self, tenant: str, digest: str) -> bytes:
        with self._access.tx() as tx:
            content = tx.state.blobs[tenant, digest].content
        if _digest(content) != digest:
            raise SpoolError(f"The blob {digest} is corrupt: its hash does not fit.", remedy="Hand the mail over again.")
        return content


class MemoryDirectory:
    """``Directory`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def resolve(self, ref: bytes) -> TokenRef | None:
        with self._access.tx() as tx:
            return tx.state.refs.get(ref)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
