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
from ticketmail.domain.ids import blob_key
from ticketmail.domain.inbound.identity import content_key, event_id, revised
from ticketmail.domain.inbound.reading import RULES
from ticketmail.domain.ports.accepting import TokenRef
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
#: Mails that one transaction settles: few enough that nobody waits long for the lock of an SQLite file.
GROUP = 8
GROUP_BYTES = 1_000_000
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


class _Group:
    """Mails that are settled together."""

    def __init__(self) -> None:
        self.found: list[Interpreted] = []
        self._settlements: list[tuple[InboundItem, Settlement]] = []

    def add(self, item: InboundItem, found: Interpreted, settlement: Settlement) -> None:
        self.found.append(found)
        self._settlements.append((item, settlement))

    @property
    def is_full(self) -> bool:
        sizes = (len(content) for _, settlement in self._settlements for content in settlement.contents.values())
        return len(self.found) >= GROUP or sum(sizes) > GROUP_BYTES

    def taken(self) -> list[tuple[InboundItem, Settlement]]:
        """What it held; it is empty then."""
        taken, self._settlements, self.found = self._settlements, [], []
        return taken


class Settle:
    """Takes from the ledger and settles. Synchronous; any number of workers may run it."""

    def __init__(self, *, ledger: Ledger, interpret: Interpret, now_us: Callable[[], int]) -> None:
        self._ledger = ledger
        self._interpret = interpret
        self._now_us = now_us

    def round(self, limit: int = BATCH) -> Settled:
        """Settle what is due, at most ``limit`` mails. Raises SpoolError kin; what was leased comes again by itself.

        Mails that have nothing to do with one another are settled together: a commit costs more than a mail."""
        states: list[InboundState | None] = []
        group = _Group()
        for item in self._ledger.take(limit, LEASE_S):
            states += self._add(group, item)
        states += self._end(group)
        return Settled(
            done=states.count(InboundState.DONE),
            duplicates=states.count(InboundState.DUPLICATE),
            dead=states.count(InboundState.DEAD),
            failed=states.count(None),
        )

    def _add(self, group: _Group, item: InboundItem) -> list[InboundState | None]:
        """Read one, and put it into the group; the states of all that had to be settled before. A fault with one mail stops no
        other."""
        ended: list[InboundState | None] = []
        try:
            reading = self._interpret.read(item.view, item.content)
            found = self._interpret.judge(item.view, reading)
            if found.leans_on(group.found):
                ended = self._end(group)
                found = self._interpret.judge(item.view, reading)
            group.add(item, found, self.settlement(found, item))
        except SpoolError:
            raise
        except Exception as error:
            return [*ended, self._failed(item, error)]
        return [*ended, *(self._end(group) if group.is_full else ())]

    def _end(self, group: _Group) -> list[InboundState | None]:
        """Settle the group in one transaction; where that fails for one of them, each alone. None: the lease was lost, or it
        failed and will be tried again."""
        settlements = group.taken()
        try:
            return list(self._ledger.settle_all(settlements))
        except Exception as error:
            if _is_sick(error):
                raise
            return [self._alone(item, settlement) for item, settlement in settlements]

    def _alone(self, item: InboundItem, settlement: Settlement) -> InboundState | None:
        try:
            return self._ledger.settle(item, settlement)
        except Exception as error:
            if _is_sick(error):
                raise
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
        """What is written: the event, and beside it its files and long texts, for brokers take little."""
        view, reading = item.view, found.reading
        message_id = reading.mail.message_id or ""
        ident = event_id(view.tenant, view.mailbox, message_id, content_key(reading.mail, item.content))
        if view.event_id is not None:
            ident = revised(view.event_id, view.fence)
        now_us = self._now_us()
        keys = tuple(blob_key(part.content) for part in reading.mail.attachments)
        event, apart = _set_apart(event_of(found, ident=ident, now_us=now_us, keys=keys))
        told = [feedback(one, view, event.ticket, now_us) for one in found.subjects]
        return Settlement(
            event=event,
            message_id=message_id,
            author=found.author,
            subject=reading.mail.subject,
            strength=found.thread.strength,
            verdict=json.dumps([clue.model_dump() for clue in found.thread.clues]),
            signatures=json.dumps([one.model_dump() for one in reading.signatures]) if reading.signatures else "",
            rules=RULES,
            error=reading.error,
            acknowledged=event.acknowledge.allowed,
            contents={**dict(zip(keys, (part.content for part in reading.mail.attachments), strict=True)), **apart},
            refs=_refs(view.tenant, event.ticket, found),
            marks=found.marks,
            feedback=tuple(one for one in told if one is not None),
        )


def _set_apart(event: MailReceived) -> tuple[MailReceived, dict[str, bytes]]:
    """The event without its long texts, and these by key."""
    long = {name: getattr(event, name) for name in TEXTS if len(getattr(event, name)) > INLINE_CHARS}
    if not long:
        return event, {}
    contents = {name: text.encode("utf-8", "replace") for name, text in long.items()}
    keys = {name: blob_key(content) for name, content in contents.items()}
    # HTML that is cut is not safe any more.
    cut = {name: "" if name == "html" else text[:INLINE_CHARS] for name, text in long.items()}
    apart = {keys[name]: content for name, content in contents.items()}
    return event.model_copy(update={**cut, "content": keys}), apart


def _refs(tenant: str, ticket: str | None, found: Interpreted) -> tuple[TokenRef, ...]:
    """A later mail that answers this one, or names its number, belongs to its ticket."""
    refs = (*(id_ref(tenant, one) for one in ids_of(found)), *found.marks)
    return tuple(TokenRef(ref, tenant, ticket, None) for ref in refs) if ticket is not None else ()


def _is_sick(error: Exception) -> bool:
    """Whether the spool is, rather than one mail: then the round ends. A bare SpoolError is a database's word on one of them."""
    return isinstance(error, SpoolError) and type(error) is not SpoolError
