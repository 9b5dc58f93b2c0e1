"""A small pool of sessions: as many as the account may have, reused while young, given back in order of asking."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ticketmail.adapters.smtp.session import Session
from ticketmail.adapters.smtp.wire import Wire, WireError

_NOOP_AFTER_S = 10.0  #: an idle session is asked whether it lives before it is used again
_ASK_TIMEOUT_S = 10.0  #: for RSET and NOOP; a session that does not answer is dropped, nothing is lost


_LEAVE_TIMEOUT_S = 1.0  #: for the TLS goodbye when the pool closes


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Durations in seconds."""

    connections: int = 5
    mails_per_connection: int = 100
    seconds_per_connection: float = 300.0
    idle_s: float = 30.0


@dataclass(slots=True)
class Lease:
    """A session lent to one send. ``reused`` tells that it was idle before. Set ``broken`` to have it closed at once."""

    session: Session
    reused: bool
    broken: bool = False


@dataclass(slots=True)
class Pool:
    """Sessions of one account. Belongs to one event loop. Waiting is fair (first come, first served) and may be cancelled."""

    open_session: Callable[[], Awaitable[Session]]
    limits: PoolLimits
    now_s: Callable[[], float] | None = None
    _slots: asyncio.Semaphore = field(init=False, repr=False)
    _idle: deque[Session] = field(default_factory=deque, init=False, repr=False)
    _leaving: set[Wire] = field(default_factory=set, init=False, repr=False)
    _lent: int = field(default=0, init=False)
    _most: int = field(init=False)
    _closed: bool = field(default=False, init=False)
    _sweep: asyncio.TimerHandle | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._most = self.limits.connections
        self._slots = asyncio.Semaphore(max(1, self.limits.connections))

    @asynccontextmanager
    async def lend(self, *, fresh: bool = False) -> AsyncIterator[Lease]:
        """A session: an idle one, or a new one (``fresh``: in any case). Raises what ``open_session`` raises.

        An exception, cancellation too, within the block closes the session at once: its state is not known.
        """
        async with self._slots:
            self._lent += 1
            try:
                lease = await self._find(fresh)
                try:
                    yield lease
                except BaseException:
                    lease.session.wire.abort()
                    raise
                self._give_back(lease)
            finally:
                self._lent -= 1

    async def aclose(self) -> None:
        """Close what is idle now, and wait shortly until it is closed; what is lent is closed when it comes back. Idempotent."""
        self._closed = True
        self._retire_idle(lambda _: True)
        leaving = [asyncio.ensure_future(wire.gone.wait()) for wire in self._leaving]
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=_LEAVE_TIMEOUT_S)
            for task in late:
                task.cancel()
        for wire in tuple(self._leaving):
            wire.abort()
        self._leaving.clear()
        await asyncio.sleep(0)  # let an aborted transport close its socket

    def keep(self, most: int) -> int:
        """See :class:`ticketmail.domain.ports.sending.KeepsConnections`."""
        self._most = most
        if self._above() > 0 and self._idle:  # the youngest: a server with a cap refuses those who come last
            surplus = sorted(self._idle, key=lambda session: -session.opened_s)[: self._above()]
            self._retire_idle(lambda session: session in surplus)
        return len(self._idle) + self._lent

    def _above(self) -> int:
        """How many are open that should not be."""
        return len(self._idle) + self._lent - self._most

    @property
    def idle(self) -> int:
        """How many sessions wait."""
        return len(self._idle)

    async def _find(self, fresh: bool) -> Lease:
        if fresh and self._idle and len(self._idle) + self._lent > self.limits.connections:
            self._retire(self._idle.popleft())  # its place is needed, or we would hold one more than allowed
        while not fresh and self._idle:
            session = self._idle.pop()
            if self._too_old(session):
                self._retire(session)
            elif await self._revived(session):
                return Lease(session, reused=True)
        return Lease(await self.open_session(), reused=False)

    async def _revived(self, session: Session) -> bool:
        """True if it can be used now: in step, and answering if it was idle for long or ended in an error."""
        try:
            if not session.wire.usable:
                raise WireError("closed while idle")
            if session.dirty or self._now() - session.used_s > _NOOP_AFTER_S:
                answer = await session.wire.ask(b"RSET" if session.dirty else b"NOOP", _ASK_TIMEOUT_S)
                if answer.code // 100 != 2:
                    raise WireError(str(answer))
        except BaseException as error:
            session.wire.abort()
            if isinstance(error, WireError):
                return False
            raise
        session.dirty = False
        return True

    def _give_back(self, lease: Lease) -> None:
        session = lease.session
        session.used_s = self._now()
        if lease.broken or not session.wire.usable:
            session.wire.abort()
        elif self._closed or self._above() > 0 or self._too_old(session) or session.mails >= self.limits.mails_per_connection:
            self._retire(session)
        else:
            self._idle.append(session)
            self._watch()

    def _retire(self, session: Session) -> None:
        """QUIT. Over TLS the goodbye takes a round trip, so who has left is looked at when the next one leaves."""
        session.wire.quit()
        self._leaving = {wire for wire in self._leaving if not wire.gone.is_set()} | {session.wire}

    def _too_old(self, session: Session) -> bool:
        return self._now() - session.opened_s >= self.limits.seconds_per_connection

    def _watch(self) -> None:
        if self._sweep is None and self._idle:
            oldest = min(session.used_s for session in self._idle)
            wait_s = max(0.01, oldest + self.limits.idle_s - self._now())
            self._sweep = asyncio.get_running_loop().call_later(wait_s, self._sweep_idle)

    def _sweep_idle(self) -> None:
        self._sweep = None
        self._retire_idle(lambda session: self._now() - session.used_s >= self.limits.idle_s or not session.wire.usable)
        self._watch()

    def _retire_idle(self, due: Callable[[Session], bool]) -> None:
        keep = [session for session in self._idle if not due(session)]
        for session in self._idle:
            if session not in keep:
                self._retire(session)
        self._idle = deque(keep)
        if not keep and self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _now(self) -> float:
        return self.now_s() if self.now_s is not None else asyncio.get_running_loop().time()
