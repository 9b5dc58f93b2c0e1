"""How fast mail leaves: by accounts that share it, by a gateway that several accounts share, of one tenant."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

from ticketmail.app.usecases.report.holds import Surroundings
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.forecast import MAIL_BYTES, Pace, pace_of, together
from ticketmail.domain.outbound.holds import back_us, health_hold
from ticketmail.domain.outbound.server import Server
from ticketmail.domain.outbound.tenants import TenantState, document_of
from ticketmail.domain.scope import Scope, ScopeKind

#: A pace is looked at for so many mails more than wait for it.
SPARE = 500


class Paces:
    """Each is computed when it is first asked for, and again only for a mail that is farther back."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._known: dict[Hashable, tuple[Pace, int]] = {}

    def of_accounts(self, pool: tuple[str, ...], count: int, reserve: float, waiting: Callable[[], int]) -> Pace:
        """Of accounts that share a route's mail, of which so many wait. ``reserve``: the part of a day's quota left to others."""
        return self._to(
            (pool, reserve),
            count,
            lambda: max(2 * count, waiting() + SPARE),
            lambda mails: together([self._of_account(name, mails, reserve) for name in pool]),
        )

    def of_server(self, server: Server, count: int) -> Pace:
        """Of a gateway's own limits, which all of its accounts share."""
        state = self._around.servers.get(server.name) or AccountState()
        return self._to(
            server.name,
            count,
            lambda: 2 * count + SPARE,
            lambda mails: pace_of(
                state, server.limits, from_us=self._around.now_us, mails=mails, size_bytes=self._bytes_through(server)
            ),
        )

    def of_tenant(self, pool: tuple[str, ...], tenant: str, count: int) -> Pace:
        """Of a tenant's own limits."""
        return self._to(
            (pool, tenant),
            count,
            lambda: 2 * count + SPARE,
            lambda mails: together([self._at_account(name, tenant, mails) for name in pool]),
        )

    def _to(self, key: Hashable, count: int, most: Callable[[], int], look: Callable[[int], Pace]) -> Pace:
        known = self._known.get(key)
        if known is None or known[1] < count:
            mails = most()
            known = self._known[key] = (look(mails), mails)
        return known[0]

    def _of_account(self, account: str, mails: int, reserve: float) -> Pace:
        state, limits = self._around.state(account), self._around.limits(account)
        size_bytes = self._around.mail_bytes.get(account, MAIL_BYTES)
        return pace_of(state, limits, from_us=self._from_us(account), mails=mails, size_bytes=size_bytes, reserve=reserve)

    def _at_account(self, account: str, tenant: str, mails: int) -> Pace:
        limits, state = self._around.limits(account), self._around.tenants.get(document_of(account, tenant), TenantState())
        own = AccountLimits(tuple(replace(one, per_tenant=False) for one in limits.of_tenant), connections=limits.slots)
        counted, size_bytes = AccountState(windows=state.windows), self._around.mail_bytes.get(account, MAIL_BYTES)
        return pace_of(counted, own, from_us=self._from_us(account), mails=mails, size_bytes=size_bytes)

    def _bytes_through(self, server: Server) -> int:
        """Of the accounts that share it the one with the largest mails counts."""
        sharing = (name for name, one in self._around.facts.accounts.items() if one.shares == server)
        return max((self._around.mail_bytes[name] for name in sharing if name in self._around.mail_bytes), default=MAIL_BYTES)

    def _from_us(self, account: str) -> int:
        """When it may begin again: the end of its breaker, throttle, pause; when its quota is back."""
        now_us, state = self._around.now_us, self._around.state(account)
        held = health_hold(state, now_us)
        scope = Scope(kind=ScopeKind.ACCOUNT, value=account)
        paused = [one.until_us for one in self._around.pauses if one.scope == scope and one.until_us is not None]
        ends = [back_us(state, now_us) or 0, held.until_us or 0 if held is not None else 0]
        return max([now_us, *paused, *ends])
