"""Forgetting a person: what is theirs goes, what happened stays, under a keyed hash in place of the address."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace

from ticketmail.adapters.memory import ends
from ticketmail.adapters.memory.administering import token_keys
from ticketmail.adapters.memory.state import Delivery, Incoming, Submission
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import Erased
from ticketmail.domain.ports.receiving import InboundState

_S = DeliveryState
_WAITING = frozenset({_S.QUEUED, _S.CLAIMED, _S.UNKNOWN})


def erase(tx: Tx, address: str, *, actor: str, reason: str) -> Erased:
    """See ``Operating.erase``. What is being sent at this moment is left; the same call again reaches it."""
    alias = f"erased-{hmac.new(token_keys(tx)[0], address.encode(), hashlib.sha256).hexdigest()[:16]}"
    eraser = _Eraser(tx, address, alias, actor, reason)
    for delivery in list(tx.state.deliveries.values()):
        if delivery.recipient_key == address and delivery.state is not _S.SENDING:
            eraser.delivery(delivery)
    for mail in list(tx.state.inbound.values()):
        if address in (mail.author, (mail.envelope_from or "").lower()):
            eraser.received(mail)
    eraser.rest()
    return Erased(**eraser.reached)


class _Eraser:
    """One erasure. Counts what was reached."""

    def __init__(self, tx: Tx, address: str, alias: str, actor: str, reason: str) -> None:
        self._tx = tx
        self._address = address
        self._alias = alias
        self._actor = actor
        self._reason = self._clean(reason)
        self.reached = dict.fromkeys(("deliveries", "bodies", "blobs", "events", "history", "suppressions", "received"), 0)

    def delivery(self, delivery: Delivery) -> None:
        """One of theirs, with all that hangs on it."""
        if delivery.state in _WAITING:
            act = {"reason": self._reason, "actor": self._actor}
            ends.end(self._tx, [delivery], _S.CANCELLED, kind="cancelled", cause="erased", told=None, **act)
        self._tx.change(
            delivery,
            recipient=self._alias,
            recipient_key=self._alias,
            recipient_domain="",
            reason=self._clean(delivery.reason),
            reply=self._clean(delivery.reply),
        )
        self.reached["deliveries"] += 1
        self._content(delivery.submission)
        self._traces(delivery.submission)
        for mail in self._reports(delivery):
            self.received(mail)
        self._tx.note_on(delivery, "erased", actor=self._actor, reason=self._reason)

    def received(self, mail: Incoming) -> None:
        """A mail of theirs, or about one to them. Its row stays, so that a copy of it is known."""
        self._drop_blobs(mail)
        told = [event for event in self._tx.state.events.values() if event.submission_id == mail.id]
        self.reached["events"] += sum(self._tx.drop(self._tx.state.events, event.event_id) for event in told)
        names = dict.fromkeys(("subject", "verdict", "signatures", "error", "digest"), "")
        names |= dict.fromkeys(("author", "envelope_from"), self._alias)
        state = InboundState.DONE if mail.state is InboundState.STORED else mail.state
        self._tx.change(mail, state=state, marks=(), **names)
        self._tx.note("erased", submission_id=mail.id, actor=self._actor, reason=self._reason)
        self.reached["received"] += 1

    def _reports(self, delivery: Delivery) -> list[Incoming]:
        """What came in about a delivery, with its copies."""
        ids = {id_ for (mail, number, _), id_ in self._tx.state.feedback.items() if (mail, number) == delivery.key}
        events = {self._tx.state.inbound[id_].event_id for id_ in ids if id_ in self._tx.state.inbound}
        return [mail for mail in self._tx.state.inbound.values() if mail.event_id in events]

    def rest(self) -> None:
        """What belongs to no mail."""
        theirs = [place for place in self._tx.state.suppressions if place[1] == self._address]
        self.reached["suppressions"] += sum(self._tx.drop(self._tx.state.suppressions, place) for place in theirs)
        for job in list(self._tx.state.parked.values()):
            if self._address.encode() in job.body.lower():
                self.reached["bodies"] += self._tx.drop(self._tx.state.parked, job.id)
                self._events(job.job_id)
        for seq, row in list(self._tx.state.history.items()):
            if row.scope == f"to:{self._address}":
                self._tx.amend(seq, scope=f"to:{self._alias}", reason=self._clean(row.reason))
                self.reached["history"] += 1
        self._tx.note("erased", scope=f"to:{self._alias}", actor=self._actor, reason=self._reason)

    def _content(self, mail: Submission) -> None:
        """Body and blobs, unless another recipient still waits for them: then retention takes them."""
        if any(d.ended_us is None for d in self._tx.state.of(mail)):
            return
        self.reached["bodies"] += mail.body is not None
        self._tx.change(mail, body=None, body_purged_us=self._tx.now_us)
        self._drop_blobs(mail)

    def _drop_blobs(self, mail: Submission | Incoming) -> None:
        digests = mail.blobs
        self._tx.use_blobs(mail, ())
        for digest in digests:
            place = (mail.tenant, digest)
            if not self._tx.state.blob_uses.get(place):
                self.reached["blobs"] += self._tx.drop(self._tx.state.blobs, place)

    def _traces(self, mail: Submission) -> None:
        state = self._tx.state
        self._events(mail.id.hex)
        for seq in state.history_of.get(mail.id, ()):
            row = state.history[seq]
            cleaned = replace(row, reason=self._clean(row.reason), reply=self._clean(row.reply))
            if cleaned != row:
                self._tx.amend(seq, reason=cleaned.reason, reply=cleaned.reply)
                self.reached["history"] += 1

    def _events(self, about: str) -> None:
        events = self._tx.state.events
        told = [e.event_id for e in events.values() if e.submission_id.hex == about and self._address in e.payload.lower()]
        self.reached["events"] += sum(self._tx.drop(events, event_id) for event_id in told)

    def _clean(self, text: str) -> str:
        return re.sub(re.escape(self._address), self._alias, text, flags=re.IGNORECASE)
