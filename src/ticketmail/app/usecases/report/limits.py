"""An account's limits as people see them: used, allowed, where each figure comes from, when there is room again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ticketmail.app.usecases.report.holds import Surroundings, account_holds
from ticketmail.app.usecases.report.models import AccountFacts, Hold
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.outbound.account import AccountState, slots_of
from ticketmail.domain.outbound.allowance import Told
from ticketmail.domain.outbound.learning import Learned
from ticketmail.domain.outbound.server import Server, accounts_holding
from ticketmail.domain.outbound.tenants import TenantState, whose
from ticketmail.domain.outbound.windows import Window, WindowState, next_us, pending

#: So many tenants are shown.
_TENANTS: Final = 20


@dataclass(frozen=True, slots=True)
class WindowUse:
    """One window. ``used`` is what counts now of ``allowed``, our part of ``limit``; a ``smooth`` window forgets within moments,
    and counts what is above its even pace. ``next_us``: when one more may go; ``free_us``: when all of it is free again, if
    nothing goes till then (None: it is). ``source`` says who named the figure."""

    window: str
    unit: str
    period_s: float
    kind: str
    used: int
    allowed: int
    limit: int
    source: str
    next_us: int
    free_us: int | None


@dataclass(frozen=True, slots=True)
class Leased:
    """Connections of one worker. ``process`` is its host and pid, '' for one that is gone."""

    worker: str
    process: str
    held: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Cap:
    """A single figure: None means no limit is known."""

    name: str
    value: int | None
    source: str


@dataclass(frozen=True, slots=True)
class LearnedPace:
    """What the server taught by refusing: mails a second that are kept to, the bracket round the truth (None: not known yet),
    its line and when it said it. ``connections`` None: nothing was learned of them."""

    per_s: float | None
    good_per_s: float | None
    bad_per_s: float | None
    connections: int | None
    evidence: str
    learned_us: int


@dataclass(frozen=True, slots=True)
class ToldByProvider:
    """What the provider's answers said: ``remaining`` mails until ``reset_us``, of ``limit`` (None: it did not say)."""

    remaining: int
    limit: int | None
    reset_us: int
    told_us: int


@dataclass(frozen=True, slots=True)
class SharedServer:
    """A gateway that several accounts share: their connections together (``connections`` None: not limited), and windows."""

    gateway: str
    connections_held: int
    connections: int | None
    held_by_account: Mapping[str, int]
    windows: tuple[WindowUse, ...]


@dataclass(frozen=True, slots=True)
class TenantUse:
    """What one tenant has used of a window that each tenant has for itself. ``tenant`` '': mail of none."""

    tenant: str
    use: WindowUse


@dataclass(frozen=True, slots=True)
class LimitsView:
    """All of one account. ``share`` is our part of windows and connections. ``connections`` are ours."""

    account: str
    server: str
    share: float
    windows: tuple[WindowUse, ...]
    connections_held: int
    connections: int
    leases: tuple[Leased, ...]
    caps: tuple[Cap, ...]
    holds: tuple[Hold, ...]
    learned: LearnedPace | None = None
    told: ToldByProvider | None = None
    shared: SharedServer | None = None
    of_each_tenant: tuple[WindowUse, ...] = ()  #: what each tenant has for itself, as one has it that has sent nothing
    tenants: tuple[TenantUse, ...] = ()  #: those that have used most of theirs, at most 20


def limits_view(name: str, around: Surroundings, times: Times) -> LimitsView:
    """What limits the account ``name`` now."""
    of_settings = around.facts.accounts.get(name, AccountFacts())
    state, limits = around.state(name), around.limits(name)
    leases = tuple(_leases(state, around))
    windows = [one for one in limits.windows if not one.per_tenant]
    whole = {one.key: one.limit for one in sorted(windows, key=lambda one: -one.limit)}
    return LimitsView(
        account=name,
        server=of_settings.server,
        share=limits.share,
        windows=tuple(_use(one, whole.get(one.key, one.limit), state, of_settings.sources, around.now_us) for one in limits.ours),
        connections_held=sum(one.held for one in leases),
        connections=slots_of(state, limits),
        leases=leases,
        caps=tuple(
            Cap(field, getattr(limits, field), of_settings.sources.get(field, "default"))
            for field in ("connections", "messages_per_connection", "max_recipients", "max_size_bytes")
        ),
        holds=tuple(account_holds(name, around, times)),
        learned=_learned(state.learned),
        told=_told(state.told, around.now_us),
        shared=_shared(of_settings.shares, around),
        of_each_tenant=tuple(_use(one, one.limit, TenantState(), of_settings.sources, around.now_us) for one in limits.of_tenant),
        tenants=_tenants(name, of_settings, around),
    )


def _tenants(account: str, of_settings: AccountFacts, around: Surroundings) -> tuple[TenantUse, ...]:
    """The fullest windows of tenants first."""
    found = []
    for document, state in around.tenants.items():
        of_account, tenant = whose(document)
        if of_account != account:
            continue
        for window in around.limits(account).of_tenant:
            use = _use(window, window.limit, state, of_settings.sources, around.now_us)
            found += [TenantUse(tenant, use)] if use.used else []
    return tuple(sorted(found, key=lambda one: (-one.use.used / one.use.allowed, one.tenant))[:_TENANTS])


def _shared(server: Server | None, around: Surroundings) -> SharedServer | None:
    if server is None:
        return None
    state, limits = around.servers.get(server.name) or AccountState(), server.limits
    held = accounts_holding(state.leases, around.now_us)
    sources = {f"windows.{one}": f"gateway {server.name}" for one in limits.windows}
    return SharedServer(
        gateway=server.name,
        connections_held=sum(held.values()),
        connections=limits.connections if server.caps_connections else None,
        held_by_account=held,
        windows=tuple(_use(one, one.limit, state, sources, around.now_us) for one in limits.ours),
    )


def _learned(learned: Learned | None) -> LearnedPace | None:
    if learned is None or not (learned.per_s or learned.connections):
        return None
    return LearnedPace(
        per_s=learned.pace or None,
        good_per_s=learned.good or None,
        bad_per_s=learned.bad or None,
        connections=learned.connections or None,
        evidence=learned.evidence,
        learned_us=learned.learned_us,
    )


def _told(told: Told | None, now_us: int) -> ToldByProvider | None:
    if told is None or told.guessed or now_us >= told.reset_us:
        return None
    return ToldByProvider(told.remaining, told.limit or None, told.reset_us, told.told_us)


def _use(window: Window, limit: int, state: AccountState | TenantState, sources: Mapping[str, str], now_us: int) -> WindowUse:
    of_window = state.windows.get(window.key, WindowState())
    counting = pending(window, of_window, now_us)
    whole = replace(window, limit=limit)
    return WindowUse(
        window=str(window),
        unit=window.unit,
        period_s=window.period_s,
        kind=window.kind,
        used=sum(count for _, count in counting),
        allowed=window.limit,
        limit=limit,
        source=sources.get(f"windows.{whole}", "settings"),
        next_us=next_us(window, of_window, now_us),
        free_us=counting[-1][0] if counting else None,
    )


def _leases(state: AccountState, around: Surroundings) -> Iterable[Leased]:
    processes = {one.worker_id.hex: f"{one.host}:{one.pid}" for one in around.workers}
    for worker, lease in sorted(state.leases.items()):
        if lease.held and lease.until_us > around.now_us:
            yield Leased(worker, processes.get(worker, ""), lease.held, lease.until_us)
