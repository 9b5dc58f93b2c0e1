"""The status screen: what a person on call reads first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ticketmail.app.cli.output import STYLES, Output, Table
from ticketmail.app.usecases.report import (
    AccountStatus,
    Hold,
    LaneStatus,
    Level,
    MailboxStatus,
    Status,
    Times,
    WorkerStatus,
    span,
)
from ticketmail.domain.outbound.delivery import SETTLED

RED = STYLES[Level.BAD]
_WORD = {Level.OK: "OK", Level.WARN: "WARN", Level.BAD: "BAD"}


def show_status(out: Output, found: Status, times: Times) -> None:
    """One screen, worst first."""
    out.line(f"{_WORD[found.level]}  {found.headline}", STYLES[found.level])
    for mode in found.modes:
        out.line(f"!!  {mode}", RED)
    out.line(f"site {found.spool.site or '-'}, seen {times.full(found.at_us)}", "dim")
    out.line("")
    out.table(lanes_table(found.lanes, times))
    if found.holds:
        out.line("")
        out.table(holds_table(found.holds, times))
    out.line("")
    out.table(accounts_table(found.accounts, times))
    out.line("")
    out.table(workers_table(found.workers, times))
    if found.mailboxes:
        out.line("")
        out.table(mailboxes_table(found.mailboxes, times))
    out.line("")
    _foot(out, found, times)


def lanes_table(lanes: Sequence[LaneStatus], times: Times) -> Table:
    """What waits by lane, and for how long."""
    table = Table(("lane", "queued", "due", "oldest due"), title="Lanes", empty="nothing waits", right=(1, 2))
    for lane in lanes:
        oldest = "-" if lane.oldest_due_us is None else f"{times.at(lane.oldest_due_us)} ({span(lane.oldest_due_s or 0)})"
        table.rows.append((lane.lane, lane.queued, lane.due, (oldest, STYLES[lane.level] if lane.level is not Level.OK else "")))
    return table


def holds_table(holds: Sequence[Hold], times: Times) -> Table:
    """Holds with their ends."""
    table = Table(("cause", "why", "ends"), title="Holds", empty="nothing is held")
    table.rows += [(one.kind.value, one.text, end_of(one, times)) for one in holds]
    return table


def end_of(hold: Hold, times: Times) -> str:
    """When a hold ends: a time, or whose decision it is."""
    return times.at(hold.until_us) if hold.until_us is not None else hold.decision


def accounts_table(accounts: Sequence[AccountStatus], times: Times) -> Table:
    """Accounts, their state and use."""
    table = Table(("account", "state", "in use"), title="Accounts", empty="none in the settings: nothing can be sent")
    for one in accounts:
        state = one.state if one.network else f"{one.state}; mails nobody"
        style = "" if one.level is Level.OK else STYLES[one.level]
        table.rows.append((one.name, (state, style), "; ".join(one.used) or "-"))
    return table


def workers_table(workers: Sequence[WorkerStatus], times: Times) -> Table:
    """Workers and their last beat."""
    heads = ("worker", "process", "state", "last beat", "does")
    table = Table(heads, title="Workers", empty="none: start one with `ticketmail worker`")
    for one in workers:
        state: Any = "alive" if one.alive else ("dead", RED)
        stats = [(key, value) for key, value in sorted(one.stats.items()) if isinstance(value, (int, float, str)) and value != ""]
        does = ", ".join(f"{key} {value}" for key, value in stats)
        process = f"{one.host}:{one.pid} {one.version}"
        table.rows.append((str(one.worker_id)[-12:], process, state, times.ago(one.beat_us), does or "-"))
    return table


def mailboxes_table(mailboxes: Sequence[MailboxStatus], times: Times) -> Table:
    """Mailboxes that are watched, and how far they are read."""
    table = Table(("mailbox", "state", "by", "last look", "last mail", "read up to"), title="Mailboxes", empty="none")
    for one in mailboxes:
        style = "" if one.level is Level.OK else STYLES[one.level]
        looked, mail = (times.ago(at) if at is not None else "-" for at in (one.well_us, one.last_mail_us))
        places = ", ".join(f"{folder} {place}" for folder, place in sorted(one.places.items()))
        table.rows.append((one.name, (one.state, style), one.host or "-", looked, mail, places or "-"))
    return table


def _foot(out: Output, found: Status, times: Times) -> None:
    settled = {name: count for name, count in found.counts.items() if name in SETTLED}
    open_ = {name: count for name, count in found.counts.items() if name not in SETTLED}
    counts = f"{_listed(open_) or 'nothing waits'}; within a day {_listed(settled) or 'nothing ended'}"
    sizes = ((found.spool.size_bytes, "used"), (found.spool.free_bytes, "free"))
    known = [f"{_mib(size)} {word}" for size, word in sizes if size is not None]
    out.line(f"Spool: {counts}; schema {found.spool.schema_version}{''.join(f', {one}' for one in known)}")
    oldest = f", the oldest since {times.at(found.oldest_event_us)}" if found.oldest_event_us is not None else ""
    out.line(f"Events for the host: {found.events_waiting} waiting{oldest}; {found.events_dead} dead")
    for road in found.roads:
        waiting = "cannot be told" if road.waiting is None else f"{road.waiting} waiting"
        out.line(f"Broker, queue {road.queue}: {waiting}, seen {times.ago(road.at_us)}")
    if found.jobs_parked:
        out.line(f"Parked jobs: {found.jobs_parked}")
    for one in found.findings:
        if one.level is not Level.OK:
            out.verdict(one.level, f"{one.subject}: {one.text} {one.remedy}".rstrip())


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
