"""When will it leave? The domain's forecast, asked with what the spool says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ticketmail.app.usecases.report.etas import DeliveryEta, Eta, LaneEta, Place, place_of
from ticketmail.app.usecases.report.holds import (
    Surroundings,
    account_holds,
    general_holds,
    holds_of,
    no_route,
    pause_hold,
    recipients_of,
    reserve_hold,
)
from ticketmail.app.usecases.report.models import AccountFacts, Hold
from ticketmail.app.usecases.report.paces import Paces
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.forecast import about_us, ahead_of
from ticketmail.domain.outbound.holds import back_us, health_hold, hold_of
from ticketmail.domain.outbound.routing import FAILOVER_KINDS
from ticketmail.domain.outbound.server import Server
from ticketmail.domain.ports.reading import DeliveryView, LaneLoad, Reading
from ticketmail.domain.scope import Scope, ScopeKind

IN_FLIGHT = (DeliveryState.CLAIMED, DeliveryState.SENDING)


class Outlook:
    """Forecasts from one look at the spool. An account's pace is computed once, when it is first asked for."""

    def __init__(self, around: Surroundings, times: Times) -> None:
        self._around = around
        self._times = times
        self._paces = Paces(around)
        self._accounts: dict[tuple[str, float], str | None] = {}
        self._kept: dict[tuple[str, str], bool] = {}

    @property
    def now_us(self) -> int:
        """The spool's clock at that look."""
        return self._around.now_us

    def of(self, view: DeliveryView, reading: Reading) -> DeliveryEta:
        """When one delivery leaves, with what people need to know it by. Raises SpoolError kin."""
        waits = view.state is DeliveryState.QUEUED
        holds = holds_of(view, self._around, self._times, recipients=recipients_of(reading, view, self._around))
        eta = self.of_view(view, place_of(reading, view, self._around) if waits else Place(0), holds)
        late = waits and eta.at_us is not None and eta.at_us > view.deadline_us
        return DeliveryEta(
            submission_id=view.submission_id,
            number=view.number,
            recipient=view.recipient,
            ticket=view.ticket,
            lane=view.lane,
            state=view.state,
            eta=eta,
            about_us=self._about_us(eta),
            deadline_us=view.deadline_us,
            late=late,
        )

    def of_lanes(self, lane: str | None = None, *, account: str | None = None) -> list[LaneEta]:
        """When the last due mail of each lane, or of one, leaves; of what an account is to send, if one is named."""
        due: dict[str, list[LaneLoad]] = {}
        for load in self._loads():
            if load.due and lane in (None, load.lane) and (account is None or account in self.pool_of(load.route, load.lane)):
                due.setdefault(load.lane, []).append(load)
        etas = {name: self._last_of(loads) for name, loads in due.items()}
        counts = {name: sum(load.due for load in loads) for name, loads in due.items()}
        return [LaneEta(name, counts[name], eta, self._about_us(eta)) for name, eta in etas.items()]

    def _about_us(self, eta: Eta) -> int | None:
        return None if eta.at_us is None else about_us(eta.at_us, self.now_us)

    def of_view(self, view: DeliveryView, place: Place, holds: Sequence[Hold] | None = None) -> Eta:
        """When one delivery leaves. ``holds`` are its own, if they are known already."""
        if view.state in IN_FLIGHT:
            return Eta(self.now_us, account=view.account)
        if view.state is not DeliveryState.QUEUED:
            return Eta(None, _STATES.get(view.state, f"it is {view.state.value}"))
        found = holds_of(view, self._around, self._times) if holds is None else holds
        undecided = next((one for one in found if one.until_us is None), None)
        if undecided is not None:
            return Eta(None, f"{undecided.text}; somebody has to act: {undecided.decision}")
        # Holds of accounts are in the pace, which knows how many may go when.
        own = [one.until_us for one in found if one.until_us is not None and not one.scope.startswith("account:")]
        eta = self._of_new(view.route, view.lane, place.count, from_us=max([view.due_us or 0, *own]))
        return self._of_tenant(view.route, view.tenant, place.own, eta)

    def of_new(self, route: str, lane: str, place: int, *, from_us: int = 0) -> Eta:
        """When a mail leaves that is due at ``from_us`` and has ``place`` of its lane and route before it. Where each tenant has
        limits of its own, that is known of a tenant's mail only."""
        if self.limits_tenants(route):
            return Eta(None, "each tenant has limits of its own there; `ticketmail eta ID` knows what waits before a mail")
        return self._of_new(route, lane, place, from_us=from_us)

    def of_tenants(self, route: str, lane: str, place: int, *, tenant: str, own: int, from_us: int = 0) -> Eta:
        """The same of a tenant's mail, which has ``own`` of that tenant before it."""
        return self._of_tenant(route, tenant, own, self._of_new(route, lane, place, from_us=from_us))

    def limits_tenants(self, route: str) -> bool:
        """All accounts that share the route's mail limit each tenant."""
        pool = self.pool_of(route)
        return bool(pool) and all(self._around.limits(name).of_tenant for name in pool)

    def _of_tenant(self, route: str, tenant: str, own: int, eta: Eta) -> Eta:
        """Not before its tenant's own limits let it."""
        if eta.at_us is None or not self.limits_tenants(route):
            return eta
        pace = self._paces.of_tenant(self.pool_of(route), tenant, own + 1)
        at_us = pace.when_us(own + 1)
        if at_us is None:
            return Eta(None, "more of its tenant waits before it than is let through in 60 days", eta.ahead, "", eta.account)
        waits_for = f"its tenant's {pace.waiting_for(own + 1)}"
        return eta if at_us <= eta.at_us else Eta(at_us, "", eta.ahead, waits_for, eta.account)

    def _of_new(self, route: str, lane: str, place: int, *, from_us: int) -> Eta:
        general = general_holds(self._around, self._times)
        if general:
            return Eta(None, f"{general[0].text}; somebody has to act: {general[0].decision}")
        pauses = [one for one in self._around.pauses if _pauses_all_of(one.scope, lane)]
        endless = next((one for one in pauses if one.until_us is None), None)
        if endless is not None:
            return Eta(None, pause_hold(endless, self._times).text)
        pool = self.pool_of(route, lane)
        if not pool:
            return Eta(None, self._why_none(route))
        ahead = self._ahead(pool, route, lane, place)
        known = tuple(name for name in pool if back_us(self._around.state(name), self.now_us) is not None)
        if not known:
            return Eta(None, self._untold(pool[0]), ahead, account=pool[0])
        account = " or ".join(known)
        at_us, waits_for = self._when(known, ahead + 1, self._reserve(lane))
        if at_us is None:
            return Eta(None, f"more waits before it than account {account!r} lets through in 60 days", ahead, waits_for, account)
        shared_us, shared = self._at_gateway(known, ahead + 1)
        if shared_us is None:
            return Eta(None, f"more waits before it than gateway {shared!r} lets through in 60 days", ahead, "", account)
        at_us, waits_for = max((at_us, waits_for), (shared_us, shared))
        at_us = max([at_us, from_us, *(one.until_us for one in pauses if one.until_us is not None)])
        return Eta(at_us, "", ahead, waits_for, account)

    def last_of(self, lane: str) -> Eta:
        """When the last of what is due in a lane leaves; of its routes the latest."""
        return self._last_of([load for load in self._loads() if load.lane == lane and load.due])

    def _last_of(self, loads: Iterable[LaneLoad]) -> Eta:
        etas = [self.of_new(load.route, load.lane, load.due - 1) for load in loads]
        unknown = next((one for one in etas if one.at_us is None), None)
        return unknown or max(etas, key=lambda one: one.at_us or 0, default=Eta(None, "nothing in this lane is due"))

    def due(self, route: str, lane: str) -> int:
        """How many of a route and lane are due."""
        return next((load.due for load in self._loads() if (load.route, load.lane) == (route, lane)), 0)

    def account_of(self, route: str, lane: str = "") -> str | None:
        """The account that the route's next mail (of a lane) leaves by, as ``routing.serving`` has it; None if all wait for a
        human."""
        reserve = self._reserve(lane)
        if (route, reserve) not in self._accounts:
            self._accounts[route, reserve] = self._chosen(route, reserve)
        return self._accounts[route, reserve]

    def _reserve(self, lane: str) -> float:
        """The part of a day's quota that the lane leaves to others."""
        return self._around.facts.reserves.get(lane, 0.0)

    def pool_of(self, route: str, lane: str = "") -> tuple[str, ...]:
        """The accounts that share what leaves by that one; () if all wait for a human."""
        account = self.account_of(route, lane)
        if account is None:
            return ()
        equals = self._around.facts.equals_of(route, account)
        return tuple(name for name in equals if name == account or self._ends(name) is not None)

    def _ends(self, account: str) -> int | None:
        """When all that holds an account is over; None: that is a human's decision."""
        ends = [one.until_us for one in account_holds(account, self._around, self._times)]
        return None if None in ends else max((one for one in ends if one is not None), default=0)

    def _chosen(self, route: str, reserve: float) -> str | None:
        passed: list[tuple[int, str]] = []
        for name in self._around.facts.accounts_of(route):
            until_us = self._ends(name)
            if until_us is None:
                continue
            held = hold_of(self._around.state(name), self._around.limits(name), now_us=self.now_us, reserve=reserve)
            until_us = max(until_us, held.until_us or 0 if held is not None else 0)
            if until_us <= self.now_us or (held is not None and held.kind not in FAILOVER_KINDS):
                return name
            passed.append((until_us, name))
        return min(passed)[1] if passed else None

    def waiting_for(self, account: str) -> dict[str, int]:
        """By lane: how many are due that leave by this account, if nothing changes."""
        found: dict[str, int] = {}
        for load in self._loads():
            if load.due and self.account_of(load.route, load.lane) == account:
                found[load.lane] = found.get(load.lane, 0) + load.due
        return found

    def _why_none(self, route: str) -> str:
        names = self._around.facts.accounts_of(route)
        holds = [hold for name in names for hold in account_holds(name, self._around, self._times) if hold.until_us is None]
        hold = holds[0] if holds else no_route(route, self._around.facts.missing.get(route, ()))
        return f"{hold.text}; somebody has to act: {hold.decision}"

    def _untold(self, account: str) -> str:
        """Why nobody knows when it takes mail again."""
        status = self._around.accounts.get(account)
        if status is None or not status.holds:
            return f"account {account!r} took no mail when it was asked last, and is asked again with the next one"
        return f"{status.holds[0].text}; it is tried again at {self._times.at(status.holds[0].until_us or self.now_us)}"

    def _ahead(self, pool: tuple[str, ...], route: str, lane: str, place: int) -> int:
        """Mails that go first: of its own lane and route, of its lane's other routes in turn, of other lanes by weight."""
        weights = self._around.facts.weights
        due: dict[str, int] = {}
        for load in self._loads():
            if self.account_of(load.route, load.lane) not in pool or (load.lane, load.route) == (lane, route):
                continue
            if self._keeps_off(load.route, load.lane):
                continue
            if load.lane == lane:
                place += min(load.due, place + 1)
            else:
                due[load.lane] = due.get(load.lane, 0) + load.due
        in_flight = sum(self._around.overview.counts.get(state, 0) for state in IN_FLIGHT)
        return ahead_of(lane, place, due, weights) + in_flight

    def _keeps_off(self, route: str, lane: str) -> bool:
        """What is left of the quota is kept for other lanes: this one goes before none of their mails."""
        if (route, lane) not in self._kept:
            self._kept[route, lane] = reserve_hold(route, lane, self._around) is not None
        return self._kept[route, lane]

    def _when(self, pool: tuple[str, ...], count: int, reserve: float) -> tuple[int | None, str]:
        pace = self._paces.of_accounts(pool, count, reserve, lambda: sum(sum(self.waiting_for(name).values()) for name in pool))
        at_us, waits_for = pace.when_us(count), pace.waiting_for(count)
        held = health_hold(self._around.state(pool[0]), self.now_us)
        return at_us, waits_for or (f"the end of a hold ({held.cause})" if held is not None else "")

    def _at_gateway(self, pool: tuple[str, ...], count: int) -> tuple[int | None, str]:
        """When the gateway that all of ``pool`` share lets ``count`` of its mails through; its other accounts send by turns."""
        servers = [self._around.facts.accounts.get(name, AccountFacts()).shares for name in pool]
        server = servers[0]
        if server is None or not server.counts or any(one != server for one in servers):
            return self.now_us, ""
        others = sum(load.due for load in self._loads() if self._is_beside(load, pool, server))
        count += min(others, count)
        pace = self._paces.of_server(server, count)
        return pace.when_us(count), f"{pace.waiting_for(count)} of gateway {server.name}"

    def _is_beside(self, load: LaneLoad, pool: tuple[str, ...], server: Server) -> bool:
        """Leaves by another account of the server, one that is not stopped."""
        account = self.account_of(load.route, load.lane)
        if account is None or account in pool or self._around.facts.accounts.get(account, AccountFacts()).shares != server:
            return False
        status = self._around.accounts.get(account)
        return status is None or all(one.kind.value not in FAILOVER_KINDS for one in status.holds)

    def _loads(self) -> Iterable[LaneLoad]:
        return self._around.overview.lanes


def _pauses_all_of(scope: Scope, lane: str) -> bool:
    return scope.kind is ScopeKind.ALL or scope == Scope(kind=ScopeKind.LANE, value=lane)


_STATES: Mapping[DeliveryState, str] = {
    DeliveryState.UNKNOWN: "it may have been taken already; proof is looked for, or a human decides",
    DeliveryState.SENT: "it was sent",
}
