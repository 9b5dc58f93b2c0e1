"""``Ledger``: incoming mail. Taking one pushes its due time to the lease's end, so that nothing reaps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ticketmail.adapters.memory.settling import add_refs, settle
from ticketmail.adapters.memory.state import Blob, Incoming
from ticketmail.adapters.memory.store import Access, refuse_connection
from ticketmail.adapters.memory.transaction import Tx, utf8
from ticketmail.domain.inbound.acknowledging import Pace
from ticketmail.domain.inbound.conversation import Earlier
from ticketmail.domain.ports.accepting import TokenRef
from ticketmail.domain.ports.receiving import InboundItem, InboundState, InboundView, RawMail, Settlement, Stored
from ticketmail.domain.ticket import REF_BYTES

_S = InboundState
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What ``find`` asks for."""

    mailbox: str | None
    ticket: str | None
    states: Sequence[InboundState]
    since_us: int | None

    def fits(self, mail: Incoming) -> bool:
        return (
            self.mailbox in (None, mail.mailbox)
            and self.ticket in (None, mail.ticket)
            and (not self.states or mail.state in self.states)
            and (self.since_us is None or mail.stored_us >= self.since_us)
        )


class MemoryLedger:
    """``Ledger`` in memory."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def store(self, mails: Sequence[RawMail]) -> Sequence[Stored]:
        with self._access.tx() as tx:
            return [_store(tx, mail) for mail in mails]

    def take(self, limit: int, lease_s: float) -> Sequence[InboundItem]:
        with self._access.tx() as tx:
            stored = (mail for mail in tx.state.inbound.values() if mail.state is _S.STORED and mail.due_us <= tx.now_us)
            due = sorted(stored, key=lambda mail: (mail.due_us, mail.id.hex))[: max(0, limit)]
            for mail in due:
                tx.change(mail, due_us=tx.now_us + int(lease_s * _SECOND_US), fence=mail.fence + 1)
            return [InboundItem(view_of(mail), _content(tx, mail)) for mail in due]

    def settle(self, item: InboundItem, settlement: Settlement) -> InboundState | None:
        with self._access.tx() as tx:
            return settle(tx, item.view, settlement)

    def settle_all(self, settlements: Sequence[tuple[InboundItem, Settlement]]) -> Sequence[InboundState | None]:
        with self._access.tx() as tx:
            return [settle(tx, item.view, settlement) for item, settlement in settlements]

    def failed(self, item: InboundItem, error: str, retry_after_s: float) -> None:
        with self._access.tx() as tx:
            mail = tx.state.inbound.get(item.view.inbound_id)
            if mail is not None and mail.state is _S.STORED and mail.fence == item.view.fence:
                due_us = tx.now_us + int(retry_after_s * _SECOND_US)
                tx.change(mail, due_us=due_us, error=utf8(error), attempts=mail.attempts + 1)

    def assign(self, event_id: UUID, ticket: str, *, connection: object | None = None) -> bool:
        refuse_connection(connection)
        with self._access.tx() as tx:
            told = (mail for mail in tx.state.inbound.values() if mail.event_id == event_id and mail.state in (_S.DONE, _S.DEAD))
            found = [mail for mail in told if mail.ticket in (None, ticket)]
            for mail in found:
                tx.change(mail, ticket=ticket)
                tx.note("assigned", submission_id=mail.id, reason=f"It is ticket {ticket}.")
                own = [bytes.fromhex(mail.message_key)[:REF_BYTES]] if mail.message_key else []
                add_refs(tx, [TokenRef(ref, mail.tenant, ticket, None) for ref in (*own, *mail.marks)])
            return bool(found)

    def participants(self, tenant: str, ticket: str) -> frozenset[str]:
        with self._access.tx() as tx:
            sent = {delivery.recipient_key for delivery in tx.state.in_ticket(tenant, ticket)}
            came = {m.author for m in tx.state.inbound.values() if (m.tenant, m.ticket) == (tenant, ticket) and m.author}
            return frozenset(sent | came)

    def earlier(self, tenant: str, *, ticket: str, limit: int) -> Sequence[Earlier]:
        with self._access.tx() as tx:
            came = [m for m in tx.state.inbound.values() if (m.tenant, m.ticket, m.state) == (tenant, ticket, _S.DONE)]
            sent = [delivery.submission.accepted_us for delivery in tx.state.in_ticket(tenant, ticket)]
            ours = [Earlier(ticket, age_s=(tx.now_us - max(sent)) / _SECOND_US, ours=True)] if sent else []
            return [*ours, *_earlier(came, tx.now_us, limit)]

    def written(self, tenant: str, mailbox: str, author: str, *, within_s: float, limit: int) -> Sequence[Earlier]:
        with self._access.tx() as tx:
            place, since_us = (tenant, mailbox, author, _S.DONE), tx.now_us - int(within_s * _SECOND_US)
            theirs = [m for m in tx.state.inbound.values() if (m.tenant, m.mailbox, m.author, m.state) == place]
            return _earlier([mail for mail in theirs if mail.stored_us >= since_us], tx.now_us, limit)

    def is_familiar(self, tenant: str, author: str) -> bool:
        with self._access.tx() as tx:
            wrote = any((m.tenant, m.author) == (tenant, author) and m.ticket for m in tx.state.inbound.values())
            return wrote or any((d.submission.tenant, d.recipient_key) == (tenant, author) for d in tx.state.deliveries.values())

    def deliveries(self, submission_id: UUID) -> Sequence[tuple[int, str, str]]:
        with self._access.tx() as tx:
            submission = tx.state.submissions.get(submission_id)
            found = tx.state.of(submission) if submission is not None else []
            return [(delivery.number, delivery.recipient_key, delivery.lane) for delivery in found]

    def pace(self, tenant: str, author: str, subject: str, ticket: str | None, *, recent_s: float, day_s: float) -> Pace:
        with self._access.tx() as tx:
            day_us, recent_us = tx.now_us - int(day_s * _SECOND_US), tx.now_us - int(recent_s * _SECOND_US)
            mails = [mail for mail in tx.state.inbound.values() if mail.tenant == tenant]
            theirs = [mail for mail in mails if mail.author == author and mail.state is _S.DONE]
            granted = [mail for mail in theirs if mail.acknowledged and mail.stored_us >= day_us]
            in_ticket = [m for m in mails if ticket and m.ticket == ticket and m.acknowledged and m.stored_us >= day_us]
            return Pace(
                mails=sum(mail.stored_us >= recent_us for mail in theirs),
                granted=len(granted),
                same_subject=sum(mail.subject == utf8(subject, 255) for mail in granted),
                granted_in_ticket=len(in_ticket),
            )

    def has(self, mailbox: str, sources: Sequence[str], *, tenant: str = "") -> frozenset[str]:
        with self._access.tx() as tx:
            ours = {m.source for m in tx.state.inbound.values() if (m.mailbox, m.tenant) == (mailbox, tenant)}
            return frozenset(ours.intersection(sources))

    def cursor(self, mailbox: str, name: str) -> str:
        with self._access.tx() as tx:
            return tx.state.cursors.get((mailbox, name), "")

    def move_cursor(self, mailbox: str, name: str, value: str) -> None:
        with self._access.tx() as tx:
            tx.put(tx.state.cursors, (mailbox, name), value)

    def find(
        self,
        *,
        mailbox: str | None = None,
        ticket: str | None = None,
        states: Sequence[InboundState] = (),
        since_us: int | None = None,
        limit: int = 100,
    ) -> Sequence[InboundView]:
        wanted = _Wanted(mailbox, ticket, states, since_us)
        with self._access.tx() as tx:
            found = [mail for mail in tx.state.inbound.values() if wanted.fits(mail)]
            found.sort(key=lambda mail: (mail.stored_us, mail.id.hex), reverse=True)
            return [view_of(mail) for mail in found[:limit]]

    def get(self, inbound_id: UUID) -> InboundView | None:
        with self._access.tx() as tx:
            mail = tx.state.inbound.get(inbound_id)
            return view_of(mail) if mail is not None else None

    def counts(self, mailbox: str) -> dict[InboundState, int]:
        with self._access.tx() as tx:
            states = [mail.state for mail in tx.state.inbound.values() if mail.mailbox == mailbox]
            return {state: states.count(state) for state in set(states)}

    def again(self, inbound_id: UUID) -> bool:
        with self._access.tx() as tx:
            mail = tx.state.inbound.get(inbound_id)
            if mail is None or mail.state is not _S.DEAD:
                return False
            tx.change(mail, state=_S.STORED, due_us=tx.now_us, attempts=0, error="")
            return True


def _earlier(mails: Sequence[Incoming], now_us: int, limit: int) -> list[Earlier]:
    newest = sorted(mails, key=lambda mail: (mail.stored_us, mail.id.hex), reverse=True)[:limit]
    return [Earlier(one.ticket, one.subject, (now_us - one.stored_us) / _SECOND_US, one.category) for one in newest]


def view_of(mail: Incoming) -> InboundView:
    """An incoming mail as people see it."""
    return InboundView(
        inbound_id=mail.id,
        tenant=mail.tenant,
        mailbox=mail.mailbox,
        source=mail.source,
        raw=mail.digest,
        size_bytes=mail.size_bytes,
        envelope_from=mail.envelope_from,
        envelope_to=mail.envelope_to,
        received_us=mail.received_us,
        silent=mail.silent,
        state=mail.state,
        attempts=mail.attempts,
        fence=mail.fence,
        category=mail.category,
        author=mail.author,
        subject=mail.subject,
        event_id=mail.event_id,
        ticket=mail.ticket,
        strength=mail.strength,
        verdict=mail.verdict,
        error=mail.error,
        rules=mail.rules,
        signatures=mail.signatures,
        settled_us=mail.settled_us,
    )


def _store(tx: Tx, mail: RawMail) -> Stored:
    if mail.inbound_id in tx.state.inbound:
        return Stored(mail.inbound_id, new=False)
    digest = f"sha256:{hashlib.sha256(mail.content).hexdigest()}"
    place = (mail.tenant, digest)
    row = Incoming(
        id=mail.inbound_id,
        tenant=mail.tenant,
        mailbox=mail.mailbox,
        source=mail.source,
        digest=digest,
        size_bytes=len(mail.content),
        envelope_from=mail.envelope_from,
        envelope_to=mail.envelope_to,
        stored_us=tx.now_us,
        received_us=tx.now_us if mail.received_us is None else mail.received_us,
        due_us=tx.now_us,
        silent=mail.silent,
        error=utf8(mail.trouble),
    )
    tx.put(tx.state.inbound, mail.inbound_id, row)
    tx.put(tx.state.blobs, place, Blob(bytes(mail.content), tx.now_us))
    tx.use_blobs(row, (digest,))
    return Stored(mail.inbound_id, new=True)


def _content(tx: Tx, mail: Incoming) -> bytes:
    blob = tx.state.blobs.get((mail.tenant, mail.digest))
    return blob.content if blob is not None else b""
