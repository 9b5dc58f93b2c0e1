"""The shared state of servers that several accounts use, as one worker sees it. All arithmetic is the domain's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.holds import Hold
from ticketmail.domain.outbound.permits import Grant, charge, give_back, take
from ticketmail.domain.outbound.server import Server, both, drop_holder, holder, server_hold, told
from ticketmail.domain.ports.delivering import Book, Change

T = TypeVar("T")
KIND = "gateway"
NO_SERVERS: Final[Mapping[str, Server]] = {}
#: Where connections are all that is shared, they are asked for this often (microseconds).
_RENEWED_US = 5_000_000


@dataclass(frozen=True, slots=True)
class _Last:
    """An account's last grant of connections."""

    at_us: int
    wanted: int
    grant: Grant


class ServerHealth:
    """For one worker. ``servers`` by account. Not thread-safe: one event loop. Raises SpoolError kin."""

    def __init__(self, book: Book, servers: Mapping[str, Server]) -> None:
        self._book = book
        self._servers = dict(servers)
        self._states: dict[str, AccountState] = {}
        self._last: dict[str, _Last] = {}

    def use(self, servers: Mapping[str, Server]) -> None:
        """Others from now on."""
        self._servers = dict(servers)

    async def refresh(self) -> None:
        """Read all states, which other workers change too."""
        if self._servers:
            documents = await self._book.load(KIND)
            self._states = {name: AccountState.from_json(content) for name, content in documents.items()}

    def limit(self, account: str) -> bool:
        """The account shares a server whose use is limited."""
        return account in self._servers

    def counts(self, account: str) -> bool:
        """Each of its mails needs a permit of the server's."""
        server = self._servers.get(account)
        return server is not None and server.counts

    def hold(self, account: str, now_us: int) -> Hold | None:
        """Why no account may send through its server, by the last state seen."""
        server = self._servers.get(account)
        return None if server is None else server_hold(self._state(server), server, now_us=now_us)

    async def take(self, account: str, worker: str, own: Grant, *, in_use: int, now_us: int) -> Grant:
        """What the server allows of ``own``, the account's grant."""
        server, last = self._servers[account], self._last.get(account)
        permits = own.permits if server.counts else 0
        fresh = last is not None and now_us - last.at_us < _RENEWED_US and last.wanted == own.connections
        if last is None or permits or not fresh or last.grant.connections < own.connections:

            def step(state: AccountState, at_us: int) -> tuple[AccountState, Grant]:
                name = holder(worker, account)
                asked = {"permits": permits, "connections": own.connections, "in_use": in_use}
                return take(state, server.limits, worker=name, now_us=at_us, **asked)

            last = self._last[account] = _Last(now_us, own.connections, await self._change(server, step))
        shared = last.grant
        if not server.counts:
            shared = Grant(own.permits if shared.connections else 0, shared.connections, own.until_us)
        return both(own, shared, server.name)

    async def charge(self, account: str, worker: str, *, recipients: int, size_bytes: int) -> Hold | None:
        """As ``AccountHealth.charge``, of the server's windows."""
        server = self._servers[account]
        if not any(window.unit != "messages" for window in server.limits.ours):
            return None

        def step(state: AccountState, at_us: int) -> tuple[AccountState, Hold | None]:
            name = holder(worker, account)
            return charge(state, server.limits, worker=name, recipients=recipients, size_bytes=size_bytes, now_us=at_us)

        return told(await self._change(server, step), server.name)

    async def give_back(self, account: str, worker: str, permits: int) -> None:
        """Permits not used."""
        if permits > 0 and self.counts(account):
            name = holder(worker, account)
            await self._change(self._servers[account], lambda state, at_us: (give_back(state, name, permits, at_us), None))

    async def drop(self, worker: str) -> None:
        """Free what a worker that is gone held."""
        for server in {server.name: server for server in self._servers.values()}.values():
            if drop_holder(self._state(server), worker) is not self._state(server):
                await self._change(server, lambda state, at_us: (drop_holder(state, worker), None))

    def _state(self, server: Server) -> AccountState:
        return self._states.get(server.name) or AccountState()

    async def _change(self, server: Server, step: Callable[[AccountState, int], tuple[AccountState, T]]) -> T:
        def change(content: bytes | None, now_us: int) -> tuple[Change | None, tuple[AccountState, T]]:
            before = AccountState.from_json(content)
            after, result = step(before, now_us)
            return None if after is before else Change(after.to_json()), (after, result)

        state, result = await self._book.change(KIND, server.name, change)
        self._states[server.name] = state
        return result
