"""Forgetting a person: what is theirs goes, what happened stays, under a keyed hash in place of the address."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace

from ticketmail.adapters.memory import ends
from ticketmail.adapters.memory.administering import token_keys
from ticketmail.adapters.memory.state import Delivery
from ticketmail.adapters.memory.transaction import Tx
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import Erased

_S = DeliveryState
_CANCELLED = frozenset({_S.QUEUED, _S.CLAIMED, _S.UNKNOWN})


def erase(tx: Tx, address: str, *, actor: str, reason: str) -> Erased:
    """See ``Operating.erase``. What is being sent at this moment is left; the same call again reaches it."""
    alias = f"erased-{hmac.new(token_keys(tx)[0], address.encode(), hashlib.sha256).hexdigest()[:16]}"
    eraser = _Eraser(tx, address, alias, actor, reason)
    theirs = [d for d in tx.state.deliveries.values() if d.recipient_key == address and d.state is not _S.SENDING]
    for delivery in sorted(theirs, key=lambda d: d.key):
        eraser.delivery(delivery)
    eraser.rest()
    return eraser.reached


class _Eraser:
    """One erasure. Counts what was reached."""

    def __init__(self, tx: Tx, address: str, alias: str, actor: str, reason: str) -> None:
        self._tx = tx
        self._address = address
        self._alias = alias
        self._actor = actor
        self._reason = self._clean(reason)
        self.reached = Erased(0, 0, 0, 0, 0, 0)

    def delivery(self, delivery: Delivery) -> None:
        """All about one delivery of theirs."""
        if delivery.state in _CANCELLED:
            act = {"kind": "cancelled", "cause": "erased", "reason": self._reason, "actor": self._actor}
            ends.end(self._tx, [delivery], _S.CANCELLED, told=None, **act)
        names = {"recipient": self._alias, "recipient_key": self._alias, "recipient_domain": ""}
        self._tx.change(delivery, **names, reason=self._clean(delivery.reason), reply=self._clean(delivery.reply))
        self._count(deliveries=1)
        self._content(delivery)
        self._events(delivery)
        self._history(delivery)
        self._tx.note_on(delivery, "erased", actor=self._actor, reason=self._reason)

    def rest(self) -> None:
        """What belongs to no mail."""
        tx = self._tx
        theirs = [key for key in tx.state.suppressions if key[1] == self._address]
        self._count(suppressions=sum(tx.drop(tx.state.suppressions, key) for key in theirs))
        for seq, row in list(tx.state.history.items()):
            if row.scope == f"to:{self._address}":
                tx.amend(seq, scope=f"to:{self._alias}", reason=self._clean(row.reason))
                self._count(history=1)
        tx.note("erased", scope=f"to:{self._alias}", actor=self._actor, reason=self._reason)

    def _content(self, delivery: Delivery) -> None:
        """Body and blobs, unless another recipient still waits for them: then retention takes them."""
        tx, mail = self._tx, delivery.submission
        if any(other.ended_us is None for other in tx.state.of(mail) if other is not delivery):
            return
        if mail.body is not None:
            tx.change(mail, body=None, body_purged_us=tx.now_us)
            self._count(bodies=1)
        places = [(mail.tenant, digest) for digest in mail.blobs]
        tx.use_blobs(mail, ())
        unused = [place for place in places if not tx.state.blob_uses.get(place)]
        self._count(blobs=sum(tx.drop(tx.state.blobs, place) for place in unused))

    def _events(self, delivery: Delivery) -> None:
        events = self._tx.state.events
        of_mail = [event for event in events.values() if event.submission_id == delivery.submission.id]
        theirs = [event.event_id for event in of_mail if self._address in event.payload.lower()]
        self._count(events=sum(self._tx.drop(events, id_) for id_ in theirs))

    def _history(self, delivery: Delivery) -> None:
        history = self._tx.state.history
        for seq in self._tx.state.history_of.get(delivery.submission.id, ()):
            row = history[seq]
            if self._address in f"{row.reason} {row.reply}".lower():
                self._tx.amend(seq, reason=self._clean(row.reason), reply=self._clean(row.reply))
                self._count(history=1)

    def _count(self, **more: int) -> None:
        self.reached = replace(self.reached, **{name: getattr(self.reached, name) + n for name, n in more.items()})

    def _clean(self, text: str) -> str:
        return re.sub(re.escape(self._address), self._alias, text, flags=re.IGNORECASE)
