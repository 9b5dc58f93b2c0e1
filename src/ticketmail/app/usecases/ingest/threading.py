"""Looking up what a mail's traces lead to, and the verdict of the domain on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ticketmail.domain.inbound.conversation import Known, Place, Ticket, Traces, Writer, decide, look, refs_of
from ticketmail.domain.inbound.policy import Policy
from ticketmail.domain.inbound.reading import Reading
from ticketmail.domain.ports.accepting import Directory
from ticketmail.domain.ports.hosting import Tickets
from ticketmail.domain.ports.receiving import InboundView, Ledger
from ticketmail.domain.received import Thread

#: How far merges are followed.
_MERGES = 10
#: How many mails of before are looked at, of a ticket or an author.
_EARLIER = 30


class Threading:
    """``keys()`` gives the token keys, ``tickets`` the host's word on its tickets, if it gives one."""

    def __init__(
        self, directory: Directory, ledger: Ledger, keys: Callable[[], Sequence[bytes]], tickets: Tickets | None = None
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._keys = keys
        self._tickets = tickets

    def thread(self, view: InboundView, reading: Reading, writer: Writer, policy: Policy) -> tuple[Thread, frozenset[str]]:
        """The verdict, and who takes part in its ticket. Raises SpoolError kin."""
        keys, tenant = tuple(self._keys()), view.tenant
        traces = look(
            reading.mail,
            envelope_to=view.envelope_to,
            quoted=reading.content.quoted,
            secrets=keys,
            tenant=tenant,
            returned=reading.returned,
        )
        known = self._known(traces, view, writer, policy)
        thread = decide(traces, known, writer, tenant=tenant, secrets=keys, policy=policy)
        place = known.tickets.get(thread.ticket or thread.related or "", Ticket())
        return thread, place.participants

    def is_familiar(self, tenant: str, author: str) -> bool:
        """Whether an author took part in anything before."""
        return bool(author) and self._ledger.is_familiar(tenant, author)

    def _known(self, traces: Traces, view: InboundView, writer: Writer, policy: Policy) -> Known:
        places: dict[bytes, Place] = {}
        tenant = view.tenant
        for ref in refs_of(traces, tenant, writer.domain):
            found = self._directory.resolve(ref)
            if found is not None and found.tenant == tenant:
                places[ref] = Place(found.tenant, found.ticket, found.submission_id)
        window: dict[str, Any] = {"within_s": policy.same_subject_s, "limit": _EARLIER}
        asked = bool(policy.same_subject_s and writer.key)
        earlier = tuple(self._ledger.written(tenant, view.mailbox, writer.key, **window)) if asked else ()
        named = [place.ticket for place in places.values()] + [traces.tag, *(one.ticket for one in earlier)]
        tickets: dict[str, Ticket] = {}
        for name in filter(None, named):
            self._look_at(name, tenant, tickets, topics=policy.topic == "link")
        return Known(places, tickets, earlier)

    def _look_at(self, name: str | None, tenant: str, tickets: dict[str, Ticket], *, topics: bool) -> None:
        """A ticket, and what it was merged into."""
        for _ in range(_MERGES):
            if name is None or name in tickets:
                return
            said = self._tickets.look(tenant=tenant, ticket=name) if self._tickets is not None else None
            participants = self._ledger.participants(tenant, name)
            merged = said.merged_into if said is not None else None
            closed, exists = (said.closed, said.exists) if said is not None else (False, True)
            earlier = tuple(self._ledger.earlier(tenant, ticket=name, limit=_EARLIER)) if topics else ()
            tickets[name] = Ticket(participants, merged, closed=closed, exists=exists, earlier=earlier)
            name = merged
