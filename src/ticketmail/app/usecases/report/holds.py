"""Holds, derived: from a delivery, pauses, accounts, workers and the spool. Nothing is stored per mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ticketmail.app.usecases.report.models import AccountFacts, AccountStatus, Facts, Hold, HoldKind, Level
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.holds import amount_hold, hold_of
from ticketmail.domain.outbound.routing import FAILOVER_KINDS
from ticketmail.domain.outbound.server import server_hold
from ticketmail.domain.outbound.tenants import TenantState, document_of, tenant_hold
from ticketmail.domain.ports.reading import DeliveryView, Overview, Pause, Reading, WorkerView
from ticketmail.domain.scope import Scope, ScopeKind

#: Below this much room sending pauses (ARCHITECTURE section 9, full disk).
LEAST_FREE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What holds deliveries from outside, read once for a whole report."""

    overview: Overview
    pauses: Sequence[Pause]
    accounts: Mapping[str, AccountStatus]
    workers: Sequence[WorkerView]
    facts: Facts
    states: Mapping[str, AccountState] = field(default_factory=dict)  #: of accounts whose document can be read
    servers: Mapping[str, AccountState] = field(default_factory=dict)  #: of gateways that accounts share
    tenants: Mapping[str, TenantState] = field(default_factory=dict)  #: at accounts that limit them, see ``document_of``
    mail_bytes: Mapping[str, int] = field(default_factory=dict)  #: by account with windows of bytes: what a delivery brings

    @property
    def now_us(self) -> int:
        """The spool's clock."""
        return self.overview.now_us

    def state(self, account: str) -> AccountState:
        """An account's shared state; a fresh one if nothing has happened to it, or its document cannot be read."""
        return self.states.get(account) or AccountState()

    def limits(self, account: str) -> AccountLimits:
        """What holds for an account now. The one place that reports, forecasts and alarms take it from."""
        return self.facts.accounts.get(account, AccountFacts()).limits

    @property
    def alive(self) -> tuple[WorkerView, ...]:
        """Workers that live."""
        return tuple(one for one in self.workers if one.alive and one.retired_us is None)


def holds_of(view: DeliveryView, around: Surroundings, times: Times, *, recipients: int = 1) -> tuple[Hold, ...]:
    """Why ``view`` does not run now; () if it does, or is over. Longest first, human decisions before all. ``recipients`` of its
    mail wait with it (:func:`recipients_of`)."""
    if view.state is DeliveryState.UNKNOWN:
        return _of_unknown(view, times)
    if view.state is not DeliveryState.QUEUED:
        return ()
    found = [*_of_time(view, around.now_us, times)]
    found += [pause_hold(one, times) for one in around.pauses if covers(one.scope, view)]
    by_route = route_hold(view.route, around, times)
    of_tenant, of_size = tenant_hold_of(view, around, times), amount_hold_of(view, around, recipients)
    of_lane = reserve_hold(view.route, view.lane, around)
    found += [one for one in (by_route, of_tenant, of_size, of_lane) if one is not None]
    found += general_holds(around, times)
    return tuple(sorted(found, key=_longest_first))


def general_holds(around: Surroundings, times: Times) -> tuple[Hold, ...]:
    """What holds everything: no worker, no room."""
    found = []
    if not around.alive:
        last_us = max((one.beat_us for one in around.workers), default=None)
        seen = f"the last one was seen at {times.at(last_us)}" if last_us is not None else "none was ever seen"
        found.append(
            Hold(
                HoldKind.NO_WORKER,
                "all",
                f"no worker is alive ({seen})",
                decision="start `ticketmail worker`",
                since_us=last_us,
            )
        )
    free = around.overview.free_bytes
    if free is not None and free < LEAST_FREE_BYTES:
        found.append(
            Hold(
                HoldKind.SPOOL,
                "all",
                f"the spool's disk has only {free // 2**20} MiB left, and what cannot be recorded is not sent",
                decision="free some space",
            )
        )
    return tuple(found)


def pause_hold(pause: Pause, times: Times) -> Hold:
    """A human's pause as a hold."""
    why = f": {pause.reason.rstrip('.')}" if pause.reason else ""
    return Hold(
        HoldKind.PAUSE,
        str(pause.scope),
        f"{pause.scope} is paused since {times.at(pause.since_us)} by {pause.actor or 'somebody'}{why}",
        until_us=pause.until_us,
        decision="" if pause.until_us is not None else f"`ticketmail resume {pause.scope} --reason ...`",
        since_us=pause.since_us,
    )


def covers(scope: Scope, view: DeliveryView) -> bool:
    """True if ``scope`` selects ``view``. An account's pause is one of its account, see :func:`holds_of`."""
    value = scope.value
    match scope.kind:
        case ScopeKind.ALL:
            return True
        case ScopeKind.ID:
            id_, number = scope.delivery
            return id_ == view.submission_id.hex and number in (None, view.number)
        case ScopeKind.TO:
            return value == view.recipient.lower()
        case ScopeKind.DOMAIN:
            return value == view.recipient.lower().rpartition("@")[2]
        case ScopeKind.ACCOUNT:
            return False
        case _:
            return value == {"lane": view.lane, "tenant": view.tenant, "ticket": view.ticket, "cause": view.cause}[scope.kind]


def no_route(route: str, missing: Sequence[str] = (), count: int = 0) -> Hold:
    """Nothing may send for this route. ``missing`` are accounts that it names, and may not use."""
    whose = f"the route {route!r}" if route != "*" else "senders without a route (`ticketmail doctor` names them)"
    named = f"; it names {', '.join(missing)}: gone, or not allowed to send as its sender" if missing else ""
    return Hold(
        HoldKind.NO_ROUTE,
        f"route:{route}",
        f"no account may send for {whose}{f' ({count} waiting)' if count else ''}{named}",
        decision="add one under [routes] or [accounts] in the settings",
    )


def _of_time(view: DeliveryView, now_us: int, times: Times) -> list[Hold]:
    due_us = view.due_us
    if due_us is None or due_us <= now_us:
        return []
    if view.behind is not None:
        text = f"it waits for the earlier mail {view.behind[0]} of its ticket, at most until {times.at(due_us)}"
        return [Hold(HoldKind.ORDER, f"ticket:{view.ticket}", text, until_us=due_us, since_us=view.accepted_us)]
    if view.attempts or view.cause:
        text = f"its next try is at {times.at(due_us)}"
        if said := view.reply or view.reason or view.cause:
            text += f" because {_whose_word(view)} {said}"
        return [Hold(HoldKind.DEFERRED, f"id:{view.submission_id}", text, until_us=due_us)]
    text = f"it is scheduled for {times.at(due_us)}"
    return [Hold(HoldKind.SCHEDULED, f"id:{view.submission_id}", text, until_us=due_us)]


def _whose_word(view: DeliveryView) -> str:
    return "the server said" if view.reply else "of"


def _of_unknown(view: DeliveryView, times: Times) -> tuple[Hold, ...]:
    scope = f"id:{view.submission_id}"
    if view.due_us is not None:
        text = f"it may have been taken; proof is looked for again at {times.at(view.due_us)}"
        return (Hold(HoldKind.EVIDENCE, scope, text, until_us=view.due_us),)
    text = "it may have been taken, and nothing proves either"
    return (
        Hold(
            HoldKind.DECISION,
            scope,
            text,
            decision=f"`ticketmail unknowns settle {view.submission_id}/{view.number} --sent --reason ...` or `--again`",
        ),
    )


def route_hold(route: str, around: Surroundings, times: Times) -> Hold | None:
    """What holds a whole route, None if one of its accounts is free (as ``routing.serving`` has it: a pace is waited for,
    trouble is passed over). Where all are in trouble, the account that is free first decides."""
    names = around.facts.accounts_of(route)
    if not names:
        return no_route(route, around.facts.missing.get(route, ()))
    held = []
    for name in names:
        of_account = account_holds(name, around, times)
        if not of_account:
            return None
        held.append(min(of_account, key=_longest_first))
        if held[-1].kind.value not in FAILOVER_KINDS:
            return held[-1]
    first = max(held, key=_longest_first)
    if len(names) == 1:
        return first
    return replace(first, text=f"{first.text}; all other accounts of its route ({', '.join(names)}) are held too")


def account_holds(name: str, around: Surroundings, times: Times) -> list[Hold]:
    """What holds an account: its own state, the server that it shares, and pauses of it."""
    of_account = list(around.accounts[name].holds) if name in around.accounts else []
    server = around.facts.accounts.get(name, AccountFacts()).shares
    if server is not None:
        held = server_hold(around.servers.get(server.name) or AccountState(), server, now_us=around.now_us)
        if held is not None:
            text = f"gateway {server.name!r} is held because {held.reason[:1].lower()}{held.reason[1:].rstrip('.')}"
            of_account.append(Hold(HoldKind(held.kind), f"gateway:{server.name}", text, until_us=held.until_us))
    paused = [one for one in around.pauses if one.scope == Scope(kind=ScopeKind.ACCOUNT, value=name)]
    return [*of_account, *(pause_hold(one, times) for one in paused)]


def reserve_hold(route: str, lane: str, around: Surroundings) -> Hold | None:
    """What is left of a quota is kept for other lanes, at each account of the route that is well; None: one may send for it."""
    reserve = around.facts.reserves.get(lane, 0.0)
    found: list[Hold] = []
    for name in around.facts.accounts_of(route) if reserve else ():
        if name not in around.accounts or around.accounts[name].holds:
            continue
        held = hold_of(around.state(name), around.limits(name), now_us=around.now_us, reserve=reserve)
        if held is None:
            return None
        kept = f"account {name!r} keeps {reserve:.0%} of its quota for other lanes"
        text = f"{kept}; of what is left to lane {lane!r} {held.reason[:1].lower()}{held.reason[1:].rstrip('.')}"
        found.append(Hold(HoldKind(held.kind), f"lane:{lane}", text, until_us=held.until_us))
    return max(found, key=_longest_first, default=None)


def recipients_of(reading: Reading, view: DeliveryView, around: Surroundings) -> int:
    """How many of the mail's recipients wait with ``view``, where a window counts them; else 1. Raises SpoolError kin."""
    windows = [one for name in around.facts.accounts_of(view.route) for one in around.limits(name).windows]
    if view.state is not DeliveryState.QUEUED or all(one.unit != "recipients" for one in windows):
        return 1
    return len(reading.find(Scope.parse(f"id:{view.submission_id}"), states=[DeliveryState.QUEUED], limit=1000))


def amount_hold_of(view: DeliveryView, around: Surroundings, recipients: int) -> Hold | None:
    """The mail counts more than its account has left of a window, which others may still use, and no other may send it."""
    found: list[Hold] = []
    for group in around.facts.groups_of(view.route):
        free = [name for name in group if name in around.accounts and not around.accounts[name].holds]
        held = [one for name in free if (one := _amount_hold_at(name, view, around, recipients)) is not None]
        if len(held) < len(free):
            return None
        found += held
        if any(one.kind.value not in FAILOVER_KINDS for one in held):
            break
    return max(found, key=_longest_first, default=None)


def _amount_hold_at(account: str, view: DeliveryView, around: Surroundings, recipients: int) -> Hold | None:
    limits = around.limits(account)
    recipients = min(recipients, limits.max_recipients or recipients)
    found = amount_hold(around.state(account), limits, recipients=recipients, size_bytes=view.size_bytes, now_us=around.now_us)
    if found is None:
        return None
    text = f"account {account!r} has less left of its limit of {found[0]} than the mail counts"
    return Hold(HoldKind(found[1].kind), f"id:{view.submission_id}", text, until_us=found[1].until_us)


def tenant_hold_of(view: DeliveryView, around: Surroundings, times: Times) -> Hold | None:
    """What holds the mail's tenant at the account that would send it: the first of its route that is well."""
    names = around.facts.accounts_of(view.route)
    account = next((name for name in names if not account_holds(name, around, times)), names[0] if names else "")
    state = around.tenants.get(document_of(account, view.tenant), TenantState())
    held = tenant_hold(state, around.limits(account), view.tenant, around.now_us)
    if held is None:
        return None
    text = f"{held.reason[:1].lower()}{held.reason[1:].rstrip('.')} {account!r}"
    return Hold(HoldKind(held.kind), f"tenant:{view.tenant}", text, until_us=held.until_us)


def _longest_first(hold: Hold) -> tuple[int, int]:
    """Sorts what waits for a human first, then by the latest end."""
    return (0, 0) if hold.until_us is None else (1, -hold.until_us)


def lane_level(lane: str, oldest_due_s: float | None, facts: Facts) -> Level:
    """How old due mail may be: a tenth of the lane's deadline is late, half of it is bad, at most 5 min and 1 h."""
    if oldest_due_s is None:
        return Level.OK
    deadline_s = facts.lanes.get(lane, 86_400.0)
    if oldest_due_s > min(3_600.0, deadline_s / 2):
        return Level.BAD
    return Level.WARN if oldest_due_s > min(300.0, deadline_s / 10) else Level.OK
