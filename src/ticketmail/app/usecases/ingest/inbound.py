"""Incoming mail for hosts: hand it in, say which ticket it became, fetch what belongs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from ticketmail.app.usecases.ingest.interpret import Interpret
from ticketmail.app.usecases.ingest.settle import Settle, Settled
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.events import MailReceived
from ticketmail.domain.ports.accepting import Blobs
from ticketmail.domain.ports.receiving import InboundState, InboundView, Ledger, RawMail, Stored


class Inbound:
    """``tenants`` are those of the mailboxes of the settings, by name. Thread-safe."""

    def __init__(
        self, *, ledger: Ledger, blobs: Blobs, settle: Settle, interpret: Interpret, tenants: Callable[[], Mapping[str, str]]
    ) -> None:
        self.ledger = ledger
        self.interpret = interpret
        self._blobs = blobs
        self._settle = settle
        self._tenants = tenants

    def receive(
        self,
        mailbox: str,
        content: bytes,
        *,
        source: str = "",
        envelope_from: str | None = None,
        envelope_to: Sequence[str] = (),
        received_us: int | None = None,
        silent: bool = False,
    ) -> Stored:
        """Hand in one mail. Durable on return; a worker makes it an event. The same bytes for the same recipients are one mail,
        unless ``source`` names it. ``silent``: old mail, nothing may be answered.

        Raises SettingsError for a mailbox that no settings name, SpoolError kin: nothing was stored, try again.
        """
        mail = RawMail(
            mailbox=mailbox,
            source=source or source_of(content, envelope_to),
            content=content,
            tenant=self.tenant(mailbox),
            envelope_from=envelope_from,
            envelope_to=tuple(envelope_to),
            received_us=received_us,
            silent=silent,
        )
        return self.ledger.store([mail])[0]

    def receive_together(
        self, wanted: Mapping[str, Sequence[str]], content: bytes, *, envelope_from: str | None = None
    ) -> Sequence[Stored]:
        """Hand in one mail for several mailboxes, each with its recipients: all of them in one transaction, or none. Else as
        :meth:`receive`."""
        mails = [
            RawMail(
                mailbox=mailbox,
                source=source_of(content, recipients),
                content=content,
                tenant=self.tenant(mailbox),
                envelope_from=envelope_from,
                envelope_to=tuple(recipients),
            )
            for mailbox, recipients in wanted.items()
        ]
        return self.ledger.store(mails)

    def tenant(self, mailbox: str) -> str:
        """Whose mailbox it is. Raises SettingsError for one that no settings name."""
        tenants = self._tenants()
        if mailbox not in tenants:
            known = ", ".join(sorted(tenants)) or "none"
            raise SettingsError(
                f"There is no mailbox {mailbox!r}.", name="mailboxes", remedy=f"Add [mailboxes.{mailbox}]. Known: {known}."
            )
        return tenants[mailbox]

    def assign(self, event: MailReceived | UUID, ticket: str, *, connection: object | None = None) -> bool:
        """The host says which ticket a mail became: later mails that answer it belong there. In the host's own transaction
        with ``connection``. False: no such event, or it has another ticket. Raises SpoolError kin."""
        event_id = event if isinstance(event, UUID) else event.event_id
        return self.ledger.assign(event_id, ticket, connection=connection)

    def content(self, event: MailReceived, key: str) -> bytes:
        """The bytes of one of the event's files, texts, or of the mail itself (``event.raw``). Raises KeyError if they are gone
        (retention, erasure), or the key is none of the event's."""
        keys = {event.raw, *event.content.values(), *(one.key for one in event.attachments)}
        if key not in keys:
            raise KeyError(key)
        return self._blobs.get(event.tenant, key)

    def find(
        self,
        *,
        mailbox: str | None = None,
        ticket: str | None = None,
        states: Sequence[InboundState] = (),
        since_us: int | None = None,
        limit: int = 100,
    ) -> Sequence[InboundView]:
        """Incoming mails, newest first. Raises SpoolError kin."""
        return self.ledger.find(mailbox=mailbox, ticket=ticket, states=states, since_us=since_us, limit=limit)

    def raw(self, view: InboundView) -> bytes:
        """A mail's own bytes. Raises KeyError if they are gone."""
        return self._blobs.get(view.tenant, view.raw)

    def settle(self, limit: int = 64) -> Settled:
        """Do now what a worker does: make events of what was stored, at most ``limit`` mails. Raises SpoolError kin."""
        return self._settle.round(limit)


def source_of(content: bytes, envelope_to: Sequence[str]) -> str:
    """A source key for mail that comes without one: what was tried again is the same."""
    digest = hashlib.sha256(content)
    for one in sorted(envelope_to):
        digest.update(b"\0" + one.lower().encode("utf-8", "replace"))
    return f"sha256:{digest.hexdigest()}"
