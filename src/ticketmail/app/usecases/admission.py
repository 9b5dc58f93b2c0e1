"""What the accounts' shared state lets this worker do: connections, permits, room in windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from ticketmail.app.usecases.account_lane import AccountLane
from ticketmail.app.usecases.deliver import Errand
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.domain.outbound.holds import Hold
from ticketmail.domain.outbound.permits import Grant
from ticketmail.domain.ports.delivering import ClaimedMail
from ticketmail.domain.ports.sending import Gateway

#: How often connections are asked for; by a worker that has none, or more open than it may have, sooner (seconds).
_LEASE_RENEWED_S, _LEASE_SOON_S = 10.0, 1.0


class Admission:
    """One per pump."""

    def __init__(self, health: AccountHealth, gateways: Mapping[str, Gateway], monotonic_s: Callable[[], float]) -> None:
        self._health = health
        self._gateways = gateways
        self._monotonic_s = monotonic_s

    async def lease(self, worker_id: UUID, account: AccountLane) -> None:
        """Connections are leases that every worker renews; one that a refusal took away is missed at once."""
        taken_away = self._health.leased(account.name, worker_id.hex) < account.connections
        if taken_away or self._monotonic_s() >= account.ask_at_s:
            await self.permits(worker_id, account, 0)

    async def permits(self, worker_id: UUID, account: AccountLane, count: int, reserve: float = 0.0) -> Grant:
        """Ask for ``count``, and for connections. ``reserve``: the part of a day's quota that is left to other lanes."""
        in_use = account.in_use(self._gateways.get(account.name))
        grant = await self._health.take(
            account.name,
            worker_id.hex,
            permits=count,
            connections=account.limits.slots,
            in_use=in_use,
            reserve=reserve,
        )
        account.may_have(grant.connections)
        settled = 0 < grant.connections >= account.in_use(self._gateways.get(account.name))
        account.ask_at_s = self._monotonic_s() + (_LEASE_RENEWED_S if settled else _LEASE_SOON_S)
        return grant

    async def charge(self, worker_id: UUID, account: AccountLane, mail: ClaimedMail) -> Hold | None:
        """Count what the mail counts beyond its permit. A Hold: a window has no room, and nothing was counted."""
        extra = len(mail.deliveries) - 1
        return await self._health.charge(account.name, worker_id.hex, recipients=extra, size_bytes=mail.size_bytes)

    async def not_by(self, worker_id: UUID, errand: Errand) -> None:
        """The account does not send it now: nothing counts it."""
        await self._health.give_back(errand.account, worker_id.hex, 1)
        await self._health.tenants.give_back(errand.account, worker_id.hex, errand.mail, errand.issued_us)

    def counted(self, account: AccountLane) -> bool:
        """Whether each mail needs its permit. Of a provider that says what it still takes it must be known what is on its way."""
        gateway = self._gateways.get(account.name)
        says = gateway is not None and (gateway.capabilities.http or gateway.capabilities.tells_allowance)
        return says or not self._health.unrestricted(account.name)
