"""Stored mails become events: each is read under a lease, and settled in one transaction with its event."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ticketmail.app.usecases.ingest.events import TEXTS, event_of, ids_of
from ticketmail.app.usecases.ingest.feedback import feedback
from ticketmail.app.usecases.ingest.interpret import Interpret, Interpreted, unread
from ticketmail.domain.errors import SpoolError
from ticketmail.domain.events import MailReceived
from ticketmail.domain.inbound.identity import content_key, event_id, revised
from ticketmail.domain.inbound.reading import RULES
from ticketmail.domain.ports.accepting import Blobs, TokenRef
from ticketmail.domain.ports.receiving import InboundItem, InboundState, Ledger, Settlement
from ticketmail.domain.ticket import id_ref

LEASE_S = 180.0
BATCH = 16
#: Seconds before the second, third, ... try of a mail that could not be settled for a fault of ours or the host's.
RETRY_AFTER_S = (1.0, 5.0, 30.0, 120.0, 600.0)
#: About four hours of them.
MOST_TRIES = 30
#: Text that stands in the event itself; what is longer is kept apart, and begins there.
INLINE_CHARS = 16_384
_log = logging.getLogger("ticketmail.ingest")


@dataclass(frozen=True, slots=True)
class Settled:
    """What one round did. ``failed`` will be tried again."""

    done: int = 0
    duplicates: int = 0
    dead: int = 0
    failed: int = 0

    @property
    def seen(self) -> int:
        """All of them."""
        return self.done + self.duplicates + self.dead + self.failed


class Settle:
    """Takes from the ledger and settles. Synchronous; any number of workers may run it."""

    def __init__(self, *, ledger: Ledger, blobs: Blobs, interpret: Interpret, now_us: Callable[[], int]) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._interpret = interpret
        self._now_us = now_us

    def round(self, limit: int = BATCH) -> Settled:
        """Settle what is due, at most ``limit`` mails. Raises SpoolError kin; what was leased comes again by itself."""
        states = [self._one(item) for item in self._ledger.take(limit, LEASE_S)]
        return Settled(
            done=states.count(InboundState.DONE),
            duplicates=states.count(InboundState.DUPLICATE),
            dead=states.count(InboundState.DEAD),
            failed=states.count(None),
        )

    def _one(self, item: InboundItem) -> InboundState | None:
        """None: the lease was lost, or it failed and will be tried again. A fault with one mail stops no other."""
        try:
            found = self._interpret.one(item.view, item.content)
            return self._ledger.settle(item, self.settlement(found, item))
        except SpoolError:
            raise
        except Exception as error:
            return self._failed(item, error)

    def _failed(self, item: InboundItem, error: Exception) -> InboundState | None:
        """Again later; after MOST_TRIES it is told with nothing but its bytes, and waits for a human."""
        text = f"{type(error).__name__}: {error}"
        if item.view.attempts >= MOST_TRIES:
            _log.exception("incoming mail %s is dead", item.view.inbound_id)
            return self._ledger.settle(item, self.settlement(unread(item.view, text), item))
        wait_s = RETRY_AFTER_S[min(item.view.attempts, len(RETRY_AFTER_S) - 1)]
        _log.exception("incoming mail %s could not be settled, again in %g s", item.view.inbound_id, wait_s)
        self._ledger.failed(item, text, wait_s)
        return None

    def settlement(self, found: Interpreted, item: InboundItem) -> Settlement:
        """What is written. Puts files and long texts into the blob store. Raises SpoolError kin."""
        view, reading = item.view, found.reading
        message_id = reading.mail.message_id or ""
        ident = event_id(view.tenant, view.mailbox, message_id, content_key(reading.mail, item.content))
        if view.event_id is not None:
            ident = revised(view.event_id, view.fence)
        now_us = self._now_us()
        keys = tuple(self._blobs.put(view.tenant, part.content) for part in reading.mail.attachments)
        event = event_of(found, ident=ident, now_us=now_us, keys=keys)
        event, apart = self._set_apart(event)
        told = [feedback(one, view, event.ticket, now_us) for one in found.subjects]
        return Settlement(
            event=event,
            message_id=message_id,
            author=found.author,
            subject=reading.mail.subject,
            strength=found.thread.strength,
            verdict=json.dumps([clue.model_dump() for clue in found.thread.clues]),
            rules=RULES,
            error=reading.error,
            acknowledged=event.acknowledge.allowed,
            blobs=tuple(dict.fromkeys((*keys, *apart))),
            refs=_refs(view.tenant, event.ticket, ids_of(found)),
            feedback=tuple(one for one in told if one is not None),
        )

    def _set_apart(self, event: MailReceived) -> tuple[MailReceived, tuple[str, ...]]:
        """Long texts into the blob store: an event travels through brokers, which take little."""
        long = {name: getattr(event, name) for name in TEXTS if len(getattr(event, name)) > INLINE_CHARS}
        if not long:
            return event, ()
        keys = {name: self._blobs.put(event.tenant, text.encode("utf-8", "replace")) for name, text in long.items()}
        # HTML that is cut is not safe any more.
        cut = {name: "" if name == "html" else text[:INLINE_CHARS] for name, text in long.items()}
        return event.model_copy(update={**cut, "content": keys}), tuple(keys.values())


def _refs(tenant: str, ticket: str | None, ids: tuple[str, ...]) -> tuple[TokenRef, ...]:
    """A later mail that answers this one belongs to its ticket."""
    return tuple(TokenRef(id_ref(tenant, one), tenant, ticket, None) for one in ids) if ticket is not None else ()
