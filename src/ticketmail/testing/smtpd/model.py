"""A limited mail server without sockets: gateways that answer as the local server would, in whatever time their loop lives."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ticketmail.domain.outbound.outcome import Outcome, Phase, Refused, Reply, Taken
from ticketmail.domain.ports.sending import GatewayCapabilities, OnBody, Outgoing
from ticketmail.testing.smtpd.limits import RateMeter, ServerLimits
from ticketmail.testing.world import outcome_of

_PHASES = {"connect": Phase.BANNER, "mail": Phase.MAIL, "rcpt": Phase.RCPT, "data": Phase.DATA, "dot": Phase.DOT}


@dataclass(eq=False)
class _Connection:
    login: str
    mails: int = 0
    idle_since_s: float = 0.0
    busy: bool = True


class ModelServer:
    """One server, met by any number of gateways. ``round_trip_s`` is waited once for a connection, and twice for each mail;
    ``dot_delay_s`` besides. ``taken`` counts by Message-ID."""

    def __init__(
        self, limits: ServerLimits, now_s: Callable[[], float], *, round_trip_s: float = 0.002, dot_delay_s: float = 0.0
    ) -> None:
        self.limits = limits
        self.now_s = now_s
        self.round_trip_s = round_trip_s
        self.dot_delay_s = dot_delay_s
        self.taken: Counter[str] = Counter()
        self.meters: dict[str, RateMeter] = {}
        self.connections: list[_Connection] = []

    def gateway(self, login: str = "", *, mails_per_connection: int = 100, idle_s: float = 30.0) -> ModelGateway:
        """A client's way to it, with connections of its own."""
        return ModelGateway(self, login, mails_per_connection, idle_s)

    def meter(self, login: str) -> RateMeter:
        """What counts for that login."""
        key = login if self.limits.per_login else ""
        if key not in self.meters:
            self.meters[key] = RateMeter(self.limits, self.now_s)
        return self.meters[key]

    def answer(self, connection: _Connection, point: str) -> str | float | None:
        """As the local server: a refusal, or seconds to wait."""
        limits = self.limits
        if point == limits.connections_at and limits.connections is not None and self._place(connection) >= limits.connections:
            return limits.connections_reply
        if point == "mail" and limits.mails_per_connection is not None and connection.mails >= limits.mails_per_connection:
            return limits.mails_reply
        return self.meter(connection.login).verdict(point)

    def _place(self, connection: _Connection) -> int:
        login = connection.login if self.limits.per_login else None
        older = self.connections[: self.connections.index(connection)]
        return sum(login in (None, one.login) for one in older)


class ModelGateway:
    """A ``Gateway`` with kept connections, as the SMTP adapter has them. One event loop."""

    def __init__(self, server: ModelServer, login: str, mails_per_connection: int, idle_s: float) -> None:
        self._server = server
        self._login = login
        self._most = mails_per_connection
        self._idle_s = idle_s
        self._own: list[_Connection] = []
        self._kept: int | None = None

    @property
    def capabilities(self) -> GatewayCapabilities:
        return GatewayCapabilities(network=False, keeps_connections=True)

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[Outcome]:
        connection = self._idle()
        try:
            refused = None
            if connection is None:
                connection = self._open()
                await asyncio.sleep(self._server.round_trip_s)
                refused = await self._refused(connection, "connect")
            outcome = refused or await self._transaction(connection, mail, on_body)
        except BaseException:
            self._close(connection)
            raise
        connection.busy, connection.idle_since_s = False, self._server.now_s()
        asyncio.get_running_loop().call_later(self._idle_s, self._sweep, connection)
        above = self._kept is not None and len(self._own) > self._kept
        if above or connection.mails >= self._most or refused or (isinstance(outcome, Refused) and outcome.reply.code == 421):
            self._close(connection)
        return [outcome] * len(mail.recipients)

    async def check(self) -> str:
        return "A model of a server."

    def keep(self, most: int) -> int:
        self._kept = most
        for connection in [one for one in reversed(self._own) if not one.busy][: max(0, len(self._own) - most)]:
            self._close(connection)
        return len(self._own)

    async def aclose(self) -> None:
        for connection in list(self._own):
            self._close(connection)

    async def _transaction(self, connection: _Connection, mail: Outgoing, on_body: OnBody) -> Outcome:
        server = self._server
        await asyncio.sleep(server.round_trip_s)
        for point in ("mail", "rcpt", "data"):
            if (refused := await self._refused(connection, point)) is not None:
                return refused
        await on_body(range(len(mail.recipients)))
        await asyncio.sleep(server.round_trip_s + server.dot_delay_s)
        if (refused := await self._refused(connection, "dot")) is not None:
            return refused
        connection.mails += 1
        server.meter(self._login).count("taken")
        server.taken[mail.message_id] += 1
        return Taken(reply=Reply(250, "Ok", "2.0.0"))

    async def _refused(self, connection: _Connection, point: str) -> Refused | None:
        answer = self._server.answer(connection, point)
        if isinstance(answer, str):
            self._server.meter(self._login).count("refused")
            return outcome_of(answer, _PHASES[point])
        if answer is not None:
            await asyncio.sleep(answer)
        return None

    def _idle(self) -> _Connection | None:
        found = next((one for one in self._own if not one.busy), None)
        if found is not None:
            found.busy = True
        return found

    def _sweep(self, connection: _Connection) -> None:
        if not connection.busy and self._server.now_s() - connection.idle_since_s >= self._idle_s:
            self._close(connection)

    def _open(self) -> _Connection:
        connection = _Connection(self._login)
        self._own.append(connection)
        self._server.connections.append(connection)
        return connection

    def _close(self, connection: _Connection | None) -> None:
        if connection in self._own:
            self._own.remove(connection)
            self._server.connections.remove(connection)
