"""What a host plugs in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

#: Fetches an attachment given by reference: name in, bytes out. May be async. A LookupError means that it is gone, any
#: other exception: again later.
AttachmentFetcher = Callable[[str], bytes | Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What evidence says of an UNKNOWN delivery. ``proof`` is for people."""

    answer: Literal["sent", "not-sent", "no-evidence"]
    proof: str = ""
    remote_id: str = ""


class Evidence(Protocol):
    """Finds out what became of a mail whose final reply was not read: a Sent folder, a provider's search, a log."""

    async def look(self, *, account: str, message_id: str, recipient: str, since_us: int) -> Verdict:
        """Never raises for what a network does: that is ``no-evidence``. ``since_us``: UTC microseconds of the attempt."""
        ...


class WantedCheck(Protocol):
    """Asked right before sending: does the host still want this mail? (closed, merged, reassigned tickets)"""

    async def still_wanted(self, *, submission_id: str, ticket: str | None, lane: str) -> bool:
        """False: the mail is cancelled. An exception counts as True: a hook that fails must not stop mail."""
        ...


class Accounts(Protocol):
    """The accounts, or the mailboxes, of a host that keeps them in its own tables. Asked by workers every few seconds, in a
    thread of their own, and by a submitting process at most every half minute, in the thread that submits."""

    def __call__(self) -> Mapping[str, object]:
        """All of them now, by name: what ``[accounts.X]`` or ``[mailboxes.M]`` holds, or a URL. They add to those of the
        settings, and win over them.

        May block; opens its own connection and leaves it as it was. If it raises, the last good list stays in force.
        """
        ...


@dataclass(frozen=True, slots=True)
class TicketState:
    """What the host knows of a ticket. ``merged_into``: mail for it belongs there."""

    exists: bool = True
    closed: bool = False
    merged_into: str | None = None


class Tickets(Protocol):
    """The host's word on a ticket that incoming mail names. Asked by workers, in a thread."""

    def look(self, *, tenant: str, ticket: str) -> TicketState | None:
        """None: nothing to say, the ticket is taken as open. May block. If it raises, the mail is tried again later."""
        ...
