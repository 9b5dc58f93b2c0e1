"""The shared state of accounts, as one worker sees it: permits, holds, breakers. All arithmetic is the domain's."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from ticketmail.app.usecases.servers import NO_SERVERS, ServerHealth
from ticketmail.app.usecases.tenants import TenantHealth
from ticketmail.domain.outbound.account import AccountLimits, AccountState, headroom, metered
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.holds import Hold, hold_of, stopped_since
from ticketmail.domain.outbound.learning import Recent
from ticketmail.domain.outbound.permits import Grant, charge, drop_worker, give_back, take, unrestricted
from ticketmail.domain.outbound.server import Server
from ticketmail.domain.outbound.settling import settle_allowance, settle_change, settle_fault, settle_success
from ticketmail.domain.ports.delivering import Book, Change
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import ScopeKind

T = TypeVar("T")
KIND = "account"
_WENT_MOST, _WENT_US = 5000, 120_000_000
_log = logging.getLogger("ticketmail.accounts")


class AccountHealth:
    """Asks and settles through ``Book``; keeps the last state seen, so that a healthy account costs no write per mail.

    Not thread-safe: one event loop. Raises SpoolError kin.
    """

    def __init__(
        self,
        book: Book,
        limits: Mapping[str, AccountLimits],
        *,
        pauses: Callable[[], Awaitable[Sequence[Pause]]],
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        servers: Mapping[str, Server] = NO_SERVERS,
    ) -> None:
        self._book = book
        self._pauses = pauses
        self._paused: dict[str, Pause] = {}
        self._limits = dict(limits)
        self._now_us = now_us
        self._jitter = jitter
        self._states: dict[str, AccountState] = {}
        self._went: dict[str, deque[int]] = {}
        self._servers = ServerHealth(book, servers)
        self._worker = ""
        self.tenants = TenantHealth(book, self._limits, now_us)

    def use(self, limits: Mapping[str, AccountLimits], servers: Mapping[str, Server] = NO_SERVERS) -> None:
        """Other limits from now on. Those of accounts that are gone stay known, for mails that are on their way."""
        self._limits.update(limits)
        self._servers.use(servers)

    async def refresh(self) -> None:
        """Read all states, which other workers change too, and people's pauses of accounts; claims know all other pauses."""
        pauses = await self._pauses()
        self._paused = {one.scope.value: one for one in pauses if one.scope.kind is ScopeKind.ACCOUNT}
        documents = await self._book.load(KIND)
        self._states = {name: AccountState.from_json(content) for name, content in documents.items()}
        await self._servers.refresh()

    def state(self, account: str) -> AccountState:
        """The last state seen."""
        return self._states.get(account) or AccountState()

    def holds(self, *, reserve: float = 0.0) -> dict[str, Hold | None]:
        """Why each account may not send now, by the last state seen. ``reserve``: the part of windows above a minute that is
        left to other lanes."""
        now_us = self._now_us()
        return {
            name: self._pause_of(name, now_us)
            or hold_of(self.state(name), limits, now_us=now_us, reserve=reserve)
            or self._servers.hold(name, now_us)
            for name, limits in self._limits.items()
        }

    def headroom(self) -> dict[str, float]:
        """By account: the part of its quotas that is left, 0 to 1, by the last state seen."""
        now_us = self._now_us()
        return {name: headroom(self.state(name), limits, now_us) for name, limits in self._limits.items()}

    def _pause_of(self, account: str, now_us: int) -> Hold | None:
        pause = self._paused.get(account)
        if pause is None or (pause.until_us is not None and pause.until_us <= now_us):
            return None
        return Hold("pause", pause.until_us, "paused", f"Paused by {pause.actor}: {pause.reason}")

    async def take(
        self, account: str, worker: str, *, permits: int, connections: int, in_use: int, reserve: float = 0.0
    ) -> Grant:
        """Permits and connections, from the shared state: of the account, and of the server that it shares with others."""

        def step(state: AccountState, now_us: int) -> tuple[AccountState, Grant]:
            return take(
                state,
                self._limits[account],
                worker=worker,
                permits=permits,
                connections=connections,
                in_use=in_use,
                now_us=now_us,
                reserve=reserve,
            )

        self._worker = worker
        grant = await self._change(account, step)
        if not self._servers.limit(account):
            return grant
        together = await self._servers.take(account, worker, grant, in_use=in_use, now_us=self._now_us())
        await self._give_back(account, worker, grant.permits - together.permits)
        return together

    async def charge(self, account: str, worker: str, *, recipients: int, size_bytes: int) -> Hold | None:
        """Count recipients beyond the first and bytes. A Hold: nothing was counted, the mails wait."""
        amounts = {"recipients": recipients, "size_bytes": size_bytes}
        if self._servers.limit(account):
            own = charge(self.state(account), self._limits[account], worker=worker, now_us=self._now_us(), **amounts)[1]
            if hold := own or await self._servers.charge(account, worker, **amounts):
                return hold
        if not any(window.unit != "messages" for window in self._limits[account].ours):
            return None

        def step(state: AccountState, now_us: int) -> tuple[AccountState, Hold | None]:
            limits = self._limits[account]
            return charge(state, limits, worker=worker, recipients=recipients, size_bytes=size_bytes, now_us=now_us)

        return await self._change(account, step)

    async def give_back(self, account: str, worker: str, permits: int) -> None:
        """Permits not used."""
        await self._servers.give_back(account, worker, permits)
        await self._give_back(account, worker, permits)

    async def _give_back(self, account: str, worker: str, permits: int) -> None:
        if permits > 0 and metered(self.state(account), self._limits[account]):
            await self._change(account, lambda state, now_us: (give_back(state, worker, permits, now_us), None))

    async def drop(self, worker: str) -> None:
        """Free what a worker that is gone held on every account."""
        await self.refresh()
        for name, state in list(self._states.items()):
            if drop_worker(state, worker) is not state:
                await self._change(name, lambda state, now_us: (drop_worker(state, worker), None))
        await self._servers.drop(worker)

    def leased(self, account: str, worker: str) -> int:
        """Connections that the worker may have, by the last state seen."""
        lease = self.state(account).leases.get(worker)
        return lease.held if lease is not None else 0

    def metered(self, account: str) -> bool:
        """Whether its mails need permits."""
        return metered(self.state(account), self._limits[account]) or self._servers.counts(account)

    def unrestricted(self, account: str) -> bool:
        """Whether its mails need no permits, by the last state seen: a worker that did not see that another was refused is soon
        refused itself, and sees it then."""
        return not self._servers.counts(account) and unrestricted(self.state(account), self._limits[account])

    def stopped_since(self, account: str, issued_us: int) -> bool:
        """Whether it has begun to be held after that permit was given, by the last state seen."""
        return stopped_since(self.state(account), issued_us, self._now_us())

    async def changed(self, account: str) -> None:
        """Its settings are others now: a breaker that is open tries one mail, instead of waiting until its time is over."""

        await self._change(account, lambda state, now_us: (settle_change(state), None))

    async def said(self, account: str, allowance: Allowance) -> None:
        """The provider told what it still takes. Writes only if that changes anything."""

        def step(state: AccountState, now_us: int) -> tuple[AccountState, None]:
            return settle_allowance(state, allowance, now_us=now_us), None

        if step(self.state(account), self._now_us())[0] is not self.state(account):
            await self._change(account, step)

    async def fault(self, account: str, fault: Fault, *, issued_us: int) -> str:
        """An attempt failed. Returns the note that went into the history, '' if nothing changed for the account."""
        jitter, recent = self._jitter(), self._recent(account)

        def step(state: AccountState, now_us: int) -> tuple[AccountState, str]:
            return settle_fault(state, fault, now_us=now_us, jitter=jitter, permits_issued_us=issued_us, recent=recent)

        if step(self.state(account), self._now_us())[0] is self.state(account):
            return ""
        return await self._change(account, step, noted=True)

    async def success(self, account: str, *, issued_us: int) -> str:
        """A mail was taken. Writes only if that changes anything."""
        self._went.setdefault(account, deque(maxlen=_WENT_MOST)).append(self._now_us())

        def step(state: AccountState, now_us: int) -> tuple[AccountState, str]:
            return settle_success(state, now_us=now_us, permits_issued_us=issued_us)

        if step(self.state(account), self._now_us())[0] is self.state(account):
            return ""
        return await self._change(account, step, noted=True)

    def _recent(self, account: str) -> Recent:
        """How fast mails went in the last minutes, before the server began to refuse: ours; and those of all workers, as if each
        went as fast."""
        now_us, state = self._now_us(), self.state(account)
        until_us = state.learned.blocked_us if state.learned is not None and state.learned.blocked_us else now_us
        went = [at_us for at_us in self._went.get(account, ()) if until_us - _WENT_US <= at_us <= until_us]
        last = sum(at_us >= until_us - 1_000_000 for at_us in went)
        return Recent(len(went), went[0] if went else 0, last * max(1, len(state.leases)), self._worker)

    async def _change(
        self, account: str, step: Callable[[AccountState, int], tuple[AccountState, T]], *, noted: bool = False
    ) -> T:
        def change(content: bytes | None, now_us: int) -> tuple[Change | None, tuple[AccountState, T]]:
            before = AccountState.from_json(content)
            after, result = step(before, now_us)
            if after is before:
                return None, (before, result)
            note = str(result) if noted and result else ""
            return Change(after.to_json(), note=note, scope=f"account:{account}", actor="worker"), (after, result)

        state, result = await self._book.change(KIND, account, change)
        self._states[account] = state
        return result
