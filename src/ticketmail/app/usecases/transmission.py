"""One mail's way through one account's gateway: in one transaction, or in several where the account takes fewer recipients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ticketmail.app.usecases.outgoing import part_of
from ticketmail.domain.errors import ContractBroken, TicketmailError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.profile import Profile
from ticketmail.domain.ports.sending import Gateway, Outgoing

_log = logging.getLogger("ticketmail.deliver")


class NotStarted(Exception):
    """``begin`` said no (cancelled, stale, a worker that may not start): no byte of the body leaves."""


@dataclass(frozen=True, slots=True)
class Means:
    """An account as a transmission needs it. ``fitting``: recipients that its server took at once, where it refused more."""

    account: str
    gateway: Gateway
    profile: Profile | None
    limits: AccountLimits
    fitting: dict[str, int]

    def most(self) -> int | None:
        """Recipients at once; None for as many as there are."""
        known = (self.limits.max_recipients, self.gateway.capabilities.max_recipients, self.fitting.get(self.account))
        return min((one for one in known if one), default=None)

    def fault_of(self, outcome: Outcome) -> Fault | None:
        """What the account's server meant; None for what it took."""
        if isinstance(outcome, Taken):
            return None
        http = self.gateway.capabilities.http
        if self.profile is None:
            return classify(outcome, http=http)
        return classify(outcome, profile=self.profile.name, http=http, rules=self.profile.rules)


class Transmission:
    """Places are positions of recipients in the outgoing mail. ``begin`` makes their SENDING durable, before a body; ``begun``
    are those where it is. ``asked``: the gateway was, so that a server may have seen it."""

    def __init__(
        self,
        means: Means,
        *,
        begin: Callable[[Sequence[int]], Awaitable[Sequence[bool]]],
        may_start: Callable[[], bool],
        now_us: Callable[[], int],
    ) -> None:
        self.means = means
        self._begin = begin
        self._may_start = may_start
        self._now_us = now_us
        self._on_body_done = False  # of the transaction that runs
        self.asked = False
        self.begun: set[int] = set()
        self.began_us = now_us()

    async def send(self, outgoing: Outgoing) -> Sequence[Outcome]:
        """Fewer outcomes than recipients: the rest was not tried, for the account or its server is not well. Raises NotStarted
        if nothing was."""
        most_bytes = self.means.limits.max_size_bytes
        count = len(outgoing.recipients)
        if most_bytes is not None and len(outgoing.mime) > most_bytes:
            text = f"{len(outgoing.mime)} bytes, max_size of the account is {most_bytes} (found before sending)"
            return [Refused(Reply(552, text, "5.3.4"), Phase.MAIL)] * count
        self.began_us = self._now_us()
        outcomes: list[Outcome] = []
        while len(outcomes) < count:
            first = len(outcomes)
            try:
                outcomes += await self._transaction(part_of(outgoing, first, self.means.most() or count), first)
            except NotStarted:
                if not first:
                    raise
                break
            if self._ended(outcomes[first:]):
                break
        return outcomes

    def _ended(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether a transaction's outcomes end the attempt. Notes how many recipients the server took, where it refused more."""
        faults = [fault for fault in map(self.means.fault_of, outcomes) if fault is not None]
        refused = sum(fault.advice is Advice.SPLIT for fault in faults)
        if refused and len(outcomes) > 1:
            self.means.fitting[self.means.account] = (len(outcomes) - refused) or len(outcomes) // 2
        return any(fault.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY) for fault in faults)

    async def _transaction(self, outgoing: Outgoing, first: int) -> Sequence[Outcome]:
        """The gateway's outcomes for the recipients from ``first`` on, guarded against a gateway that breaks its contract."""
        self._on_body_done = False
        places = range(first, first + len(outgoing.recipients))
        if not self._may_start():
            raise NotStarted("this worker may start no mail now")
        self.asked = True
        try:
            outcomes = await self.means.gateway.send(outgoing, on_body=partial(self._on_body, first))
        except NotStarted:
            raise
        except asyncio.CancelledError:
            # A second signal: what may have left is told as such. The task ends here, recorded.
            return self._guarded("the worker was stopped while the mail was on its way", places)
        except Exception as error:
            _log.exception("gateway of account %s raised", self.means.account)
            return self._guarded(f"the gateway raised {type(error).__name__}", places)
        if len(outcomes) != len(places):
            broken = ContractBroken(f"{len(outcomes)} outcomes for {len(places)} recipients")
            _log.error("gateway of account %s: %s", self.means.account, broken)
            return self._guarded(f"the gateway broke its contract: {broken}", places)
        return outcomes

    def _guarded(self, error: str, places: Sequence[int]) -> list[Outcome]:
        lost = Unclear(error) if self._on_body_done else NotReached(error, Phase.MAIL)
        return [lost if place in self.begun or not self._on_body_done else NotReached(error, Phase.RCPT) for place in places]

    async def _on_body(self, first: int, accepted: Sequence[int]) -> None:
        if not self._may_start():
            raise NotStarted("this worker may start no body now")
        places = [first + index for index in accepted]
        try:
            answers = await self._begin(places)
        except TicketmailError as error:
            raise NotStarted(f"the spool did not take the beginning: {error}") from error
        self.begun |= {place for place, begun in zip(places, answers, strict=True) if begun}
        if not all(answers):
            raise NotStarted("a recipient was cancelled or taken over meanwhile")
        self._on_body_done = True
