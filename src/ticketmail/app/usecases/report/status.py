"""Is mail leaving? One screen of the spool, with a level that is the exit code. Needs no worker alive."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from ticketmail.app.usecases.report.accounts import account_status, state_in
from ticketmail.app.usecases.report.grants import on_grants
from ticketmail.app.usecases.report.holds import (
    LEAST_FREE_BYTES,
    Surroundings,
    account_holds,
    general_holds,
    lane_level,
    pause_hold,
    reserve_hold,
    route_hold,
)
from ticketmail.app.usecases.report.mailboxes import mailboxes_of, on_mailboxes
from ticketmail.app.usecases.report.models import (
    Facts,
    Finding,
    Hold,
    HoldKind,
    LaneStatus,
    Level,
    SpoolStatus,
    Status,
    WorkerStatus,
    worst,
)
from ticketmail.app.usecases.report.roads import on_roads, roads_of
from ticketmail.app.usecases.report.times import Times, span
from ticketmail.domain.outbound.tenants import TenantState, tenant_hold, whose
from ticketmail.domain.ports.reading import LaneLoad, Reading, WorkerView

#: Workers that died are shown for so long (microseconds).
SHOW_DEAD_US = 24 * 3_600_000_000
#: Events that wait longer than this have no listener (seconds).
OLD_EVENT_S = 600.0
#: So many of the mails that are due first in a lane say how large its mails are.
_SIZES = 1000
#: So many tenants that are held are named.
_TENANTS = 20
#: Holds that are how it should be: the mail flows, no faster than it may.
PACE = frozenset({HoldKind.RATE, HoldKind.THROTTLE, HoldKind.CONNECTIONS})


def surroundings(reading: Reading, facts: Facts) -> Surroundings:
    """What reports look at beside a mail, read once. Raises SpoolError kin."""
    overview = reading.overview()
    documents = reading.documents("account")
    names = sorted({*facts.accounts, *documents})
    accounts = {name: account_status(name, documents.get(name), facts, overview.now_us) for name in names}
    states = {name: state for name, content in documents.items() if (state := state_in(content)) is not None}
    servers = reading.documents("gateway") if any(one.shares for one in facts.accounts.values()) else {}
    shared = {name: state for name, content in servers.items() if (state := state_in(content)) is not None}
    counted = reading.documents("tenant") if any(one.limits.of_tenant for one in facts.accounts.values()) else {}
    tenants = {name: TenantState.from_json(content) for name, content in counted.items()}
    sizes = _mail_bytes(reading, facts, overview.lanes)
    return Surroundings(overview, reading.pauses(), accounts, reading.workers(), facts, states, shared, tenants, sizes)


def _mail_bytes(reading: Reading, facts: Facts, loads: Sequence[LaneLoad]) -> dict[str, int]:
    """What a delivery that is due brings (bytes), by account whose windows count bytes."""
    counting = [name for name, one in facts.accounts.items() if one.counts_bytes]
    waiting = {name: [load for load in loads if load.due and name in facts.accounts_of(load.route)] for name in counting}
    pairs = {(load.route, load.lane) for found in waiting.values() for load in found}
    means = {pair: reading.due_bytes(*pair, limit=_SIZES) for pair in pairs}
    sizes: dict[str, int] = {}
    for name, found in waiting.items():
        if found:
            weighed = sum(load.due * means[load.route, load.lane] for load in found)
            sizes[name] = math.ceil(weighed / sum(load.due for load in found))
    return sizes


def status(reading: Reading, facts: Facts, times: Times | None = None, around: Surroundings | None = None) -> Status:
    """The whole screen. ``times`` None: seen at the spool's now, in local time. ``around``: what was read already. Raises
    SpoolError kin."""
    around = around or surroundings(reading, facts)
    times = times or Times(around.now_us)
    overview = around.overview
    lanes = tuple(_lane(lane, list(loads), around) for lane, loads in _by_lane(overview.lanes))
    holds = tuple(dict.fromkeys([*_all_holds(around, times), *_tenants_held(reading, around)]))
    roads = roads_of(reading)
    mailboxes = mailboxes_of(reading, facts, around.now_us)
    findings = (
        *_findings(reading, around, lanes, holds, times),
        *on_roads(roads, overview, around.workers),
        *on_mailboxes(mailboxes, around.now_us),
        *on_grants(facts.grants, around.now_us),
    )
    return Status(
        at_us=around.now_us,
        level=worst(one.level for one in findings),
        headline=_headline(around, lanes, holds, times),
        findings=findings,
        modes=facts.modes,
        lanes=lanes,
        holds=holds,
        accounts=tuple(around.accounts.values()),
        workers=tuple(worker_status(one) for one in around.workers if _worth_showing(one, around.now_us)),
        counts={state.value: count for state, count in overview.counts.items() if count},
        spool=SpoolStatus(overview.schema_version, overview.site, overview.free_bytes, overview.size_bytes),
        last_sent_us=overview.last_sent_us,
        events_waiting=overview.events_waiting,
        events_dead=overview.events_dead,
        oldest_event_us=overview.oldest_event_us,
        roads=roads,
        jobs_parked=overview.jobs_parked,
        mailboxes=mailboxes,
    )


def _by_lane(loads: Sequence[LaneLoad]) -> Iterable[tuple[str, Iterable[LaneLoad]]]:
    return groupby(sorted(loads, key=lambda load: load.lane), key=lambda load: load.lane)


def _lane(lane: str, loads: Sequence[LaneLoad], around: Surroundings) -> LaneStatus:
    oldest_us = min((load.oldest_due_us for load in loads if load.oldest_due_us is not None), default=None)
    age_s = None if oldest_us is None else (around.now_us - oldest_us) / 1_000_000
    level = lane_level(lane, age_s, around.facts)
    return LaneStatus(lane, sum(one.queued for one in loads), sum(one.due for one in loads), oldest_us, age_s, level)


def worker_status(view: WorkerView) -> WorkerStatus:
    """A worker's row as people see it."""
    return WorkerStatus(view.worker_id, view.host, view.pid, view.version, view.alive, view.started_us, view.beat_us, view.stats)


def _worth_showing(view: WorkerView, now_us: int) -> bool:
    return view.retired_us is None and (view.alive or now_us - view.beat_us < SHOW_DEAD_US)


def _all_holds(around: Surroundings, times: Times) -> Iterable[Hold]:
    """Everything that holds something now, once each: general, pauses, accounts, routes without any account."""
    yield from general_holds(around, times)
    accounts = set(around.accounts)
    paused = {one.scope.value for one in around.pauses if str(one.scope).startswith("account:")}
    yield from (pause_hold(one, times) for one in around.pauses if not str(one.scope).startswith("account:"))
    for name in sorted(accounts | paused):
        yield from account_holds(name, around, times)
    yield from _kept_holds(around)
    for route, loads in _by_route(around.overview.lanes):
        if not around.facts.accounts_of(route) and (hold := route_hold(route, around, times)) is not None:
            yield hold_counted(hold, sum(load.queued for load in loads))


def _kept_holds(around: Surroundings) -> Iterable[Hold]:
    """Lanes that wait for what is kept for others, with how many."""
    waiting: dict[Hold, int] = {}
    for load in around.overview.lanes:
        hold = reserve_hold(load.route, load.lane, around) if load.due else None
        if hold is not None:
            waiting[hold] = waiting.get(hold, 0) + load.due
    return (hold_counted(hold, count) for hold, count in waiting.items())


def _tenants_held(reading: Reading, around: Surroundings) -> list[Hold]:
    """Tenants that have used up what they may send, and have mail due: those with most of it."""
    due: Counter[str] = Counter()
    for route in {load.route for load in around.overview.lanes if load.due} if around.tenants else ():
        for (_, tenant), count in reading.due_of_tenants(route).items():
            due[tenant] += count
    found: list[tuple[int, Hold]] = []
    for document, state in sorted(around.tenants.items()):
        account, tenant = whose(document)
        held = tenant_hold(state, around.limits(account), tenant, around.now_us) if due[tenant] else None
        if held is not None:
            text = f"{held.reason[:1].lower()}{held.reason[1:].rstrip('.')} {account!r}"
            hold = Hold(HoldKind(held.kind), f"tenant:{tenant}", text, until_us=held.until_us)
            found.append((due[tenant], hold_counted(hold, due[tenant])))
    return [hold for _, hold in sorted(found, key=lambda one: -one[0])[:_TENANTS]]


def hold_counted(hold: Hold, count: int) -> Hold:
    """``hold`` with how many mails it concerns."""
    return Hold(hold.kind, hold.scope, f"{hold.text} ({count} waiting)", hold.until_us, hold.decision, hold.since_us)


def _by_route(loads: Sequence[LaneLoad]) -> Iterable[tuple[str, Iterable[LaneLoad]]]:
    return groupby(sorted(loads, key=lambda load: load.route), key=lambda load: load.route)


# --- is mail leaving? -------------------------------------------------------------------------------------------------------


def _headline(around: Surroundings, lanes: Sequence[LaneStatus], holds: Sequence[Hold], times: Times) -> str:
    due = sum(lane.due for lane in lanes)
    queued = sum(lane.queued for lane in lanes)
    last_us = around.overview.last_sent_us
    last = f"the last mail left {times.ago(last_us)}" if last_us is not None else "nothing was ever sent"
    if around.facts.modes:
        return f"Nobody, or not everybody, is mailed: {around.facts.modes[0]}"
    if not around.alive and queued:
        return f"Mail is not leaving: no worker is alive, {queued} waiting; {last}."
    if due and _all_routes_held(around, times):
        if all(one.kind in PACE for one in holds):
            return f"Mail is leaving as its limits let it: {due} due, {queued} waiting in all; {last}."
        heaviest = next((one for one in holds if one.kind not in PACE), holds[0])
        return f"Mail is held: {due} due, and {heaviest.text}; {last}."
    if due:
        return f"Mail is leaving: {due} due, {queued} waiting in all; {last}."
    if queued:
        return f"Nothing is due now, {queued} waiting for their time; {last}."
    return f"Nothing is waiting; {last}."


def _all_routes_held(around: Surroundings, times: Times) -> bool:
    everything = any(str(one.scope) == "all" for one in around.pauses)
    routes = {load.route for load in around.overview.lanes if load.due}
    return everything or all(route_hold(route, around, times) is not None for route in routes)


def _findings(
    reading: Reading, around: Surroundings, lanes: Sequence[LaneStatus], holds: Sequence[Hold], times: Times
) -> Iterable[Finding]:
    yield from (
        Finding(Level.BAD, "mode", one, "Remove it from the settings when it is time to mail.") for one in around.facts.modes
    )
    yield from _on_workers(around, lanes)
    yield from _on_lanes(lanes)
    yield from _on_holds(holds)
    yield from _on_spool(around)
    yield from _on_dead(reading, around)
    yield from _on_events(around)


def _on_workers(around: Surroundings, lanes: Sequence[LaneStatus]) -> Iterable[Finding]:
    waiting = sum(lane.queued for lane in lanes)
    if around.alive:
        count = len(around.alive)
        yield Finding(Level.OK, "workers", f"{count} worker{'s' if count > 1 else ''} alive.")
    else:
        level = Level.BAD if waiting else Level.WARN
        yield Finding(level, "workers", "No worker is alive.", "Start one: `ticketmail worker`.")


def _on_lanes(lanes: Sequence[LaneStatus]) -> Iterable[Finding]:
    for lane in lanes:
        if lane.oldest_due_s is not None and lane.level is not Level.OK:
            text = f"{lane.due} due in lane {lane.lane!r}, the oldest for {span(lane.oldest_due_s)}."
            yield Finding(
                lane.level, "lane", text, f"`ticketmail find lane:{lane.lane} --state queued`, then `ticketmail why ID`."
            )


def _on_holds(holds: Sequence[Hold]) -> Iterable[Finding]:
    for hold in holds:
        if hold.kind is not HoldKind.NO_WORKER:  # said above
            level = _LEVELS.get(hold.kind, Level.WARN)
            remedy = f"It lasts until somebody acts: {hold.decision}." if hold.decision else ""
            yield Finding(level, hold.kind.value, f"{hold.text[0].upper()}{hold.text[1:]}.", remedy)


#: A pace is how it should be; trouble is not. What is not listed is worth a look today.
_LEVELS = {
    **dict.fromkeys(PACE, Level.OK),
    HoldKind.BREAKER: Level.BAD,
    HoldKind.ACCOUNT: Level.BAD,
    HoldKind.NO_ROUTE: Level.BAD,
    HoldKind.SPOOL: Level.BAD,
}


def _on_spool(around: Surroundings) -> Iterable[Finding]:
    overview, site = around.overview, around.facts.site
    if overview.site and overview.site != site:
        yield Finding(
            Level.BAD,
            "spool",
            f"The spool belongs to site {overview.site!r}, the settings say {site!r}.",
            f"`ticketmail adopt --hold {site} --reason ...` takes it over, or correct `site`.",
        )
    free = overview.free_bytes
    if free is not None and LEAST_FREE_BYTES <= free < 8 * LEAST_FREE_BYTES:
        yield Finding(Level.WARN, "spool", f"{free // 2**20} MiB are left on its disk.", "Free some space.")


def _on_dead(reading: Reading, around: Surroundings) -> Iterable[Finding]:
    groups = reading.dead_causes()
    if groups:
        total, first = sum(group.count for group in groups), groups[0]
        most = f", most of them {first.cause!r}" if len(groups) > 1 else f": {first.cause!r}"
        text = f"{total} dead letter{'s wait' if total > 1 else ' waits'} for a human{most}."
        yield Finding(Level.WARN, "dead", text, "`ticketmail dead list`.")
    unknown = {state.value: count for state, count in around.overview.counts.items()}.get("unknown", 0)
    if unknown:
        yield Finding(Level.WARN, "unknown", f"{unknown} may or may not have been taken.", "`ticketmail unknowns list`.")


def _on_events(around: Surroundings) -> Iterable[Finding]:
    overview = around.overview
    if overview.events_dead:
        text = f"{overview.events_dead} events could not be told to the host."
        yield Finding(Level.WARN, "events", text, "Mend its handler, then `ticketmail events replay`.")
    oldest_us = overview.oldest_event_us
    if oldest_us is not None and (around.now_us - oldest_us) / 1_000_000 > OLD_EVENT_S:
        text = f"{overview.events_waiting} events wait for the host, the oldest for {span((around.now_us - oldest_us) / 1e6)}."
        yield Finding(Level.WARN, "events", text, "Is `mail.listen(...)` or `ticketmail listen` running?")
