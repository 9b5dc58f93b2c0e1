"""One account's work in one worker: what is in flight, and how many connections it may have open."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.clocks import is_ahead
from ticketmail.domain.outbound.windows import AHEAD_US
from ticketmail.domain.ports.sending import Gateway, KeepsConnections


class NoSlot(Exception):
    """There are none, and who would have to wait has better be elsewhere."""


class Slots:
    """As a semaphore, of which the number may change: who is inside stays, and the next one waits until there is room; if there
    is to be none, NoSlot is raised. First come, first served. One event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def allow(self, most: int) -> None:
        """So many from now on."""
        self.most = max(0, most)
        self._let()
        while self._waiting and not self.most:
            self._waiting.popleft().set_exception(NoSlot)

    async def __aenter__(self) -> None:
        if not self.most:
            raise NoSlot
        if self.busy < self.most and not self._waiting:
            self.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # whoever ends it has counted it
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            elif turn.exception() is None:
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self.busy -= 1
        self._let()

    def _let(self) -> None:
        while self._waiting and self.busy < self.most:
            self.busy += 1
            self._waiting.popleft().set_result(None)


class AccountLane:
    """``connections`` is what the account's shared state let this worker have when it was last asked."""

    def __init__(self, name: str, limits: AccountLimits) -> None:
        self.name = name
        self.limits = limits
        self.connections = 0
        self.ask_at_s = -1e9  #: when connections are asked for again
        self.in_flight = 0
        self.slots = Slots(limits.slots)
        self.sleeping = 0  #: mails that wait for their turn, besides
        self.turns_until_us = 0  #: the last of these turns
        self.served_us = 0  #: when mails of it were claimed last
        self.no_room_until_us = 0  #: until then no window of bytes or recipients has room for any of the mails claimed last
        self.backlog = False  #: the last claim found more than there were permits for

    @property
    def room(self) -> int:
        """Mails that may be claimed now: twice the connections, so that each has its next at hand."""
        return max(0, 2 * min(self.limits.slots, max(1, self.connections)) - self.in_flight)

    def is_full(self, now_us: int) -> bool:
        """It has what it may have for now: it waits, or nothing more may be claimed."""
        return self.connections > 0 and (self.waits(now_us) or self.room <= 0)

    def waits(self, now_us: int) -> bool:
        """For turns that are far ahead, or for room in a window. What a clock said that has been set back since holds up
        nothing."""
        until_us = max(self.turns_until_us - AHEAD_US // 2, self.no_room_until_us)
        return until_us > now_us and not is_ahead(until_us, now_us)

    def in_use(self, gateway: Gateway | None) -> int:
        """Connections that are open, after idle ones above what it may have were closed; of a gateway that keeps none: mails
        that are on their way."""
        if gateway is None or not gateway.capabilities.keeps_connections:
            return self.slots.busy
        return max(self.slots.busy, cast(KeepsConnections, gateway).keep(self.connections))

    def may_have(self, connections: int) -> None:
        """So many from now on. Without any, what waits for one is given back."""
        self.connections = connections
        self.slots.allow(connections)
