"""``ticketmail limits``: used, allowed, where each figure comes from, when there is room again."""

from __future__ import annotations

import difflib

from ticketmail.app.cli import NOT_QUITE, OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.output import STYLES, Output, Table
from ticketmail.app.cli.screen import holds_table
from ticketmail.app.usecases.report import (
    LearnedPace,
    Level,
    LimitsView,
    Surroundings,
    Times,
    ToldByProvider,
    WindowUse,
    limits_view,
    span,
    surroundings,
)

_CAPS = {
    "connections": "connections",
    "messages_per_connection": "messages per connection",
    "max_recipients": "recipients per mail",
    "max_size_bytes": "bytes per mail",
}
#: From this part of a window on it is worth a look.
NEARLY = 0.9
#: So many accounts are named to who named none of them.
_NAMED = 20


def limits(context: Context) -> int:
    """All accounts, or one. Exit code 1 if a hold is in force."""
    around = surroundings(context.reading, context.facts)
    wanted = context.args.account
    if wanted is not None:
        known_account(wanted, around)
    times = Times(around.now_us)
    found = [limits_view(name, around, times) for name in around.accounts if wanted in (None, name)]
    if context.out.as_json:
        context.out.json(found)
    else:
        for place, one in enumerate(found):
            if place:
                context.out.line("")
            _show(context.out, one, times)
    return NOT_QUITE if any(one.holds for one in found) else OK


def known_account(name: str, around: Surroundings) -> None:
    """Raises UsageError, with the nearest that there is."""
    if name in around.accounts:
        return
    near = difflib.get_close_matches(name, around.accounts, n=1)
    known = sorted(around.accounts)
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known[:_NAMED]) or 'none'}{more}."
    raise UsageError(f"There is no account {name!r}.", remedy=remedy)


def _show(out: Output, view: LimitsView, times: Times) -> None:
    server = f" at {view.server}" if view.server else ""
    share = f"; {view.share:.0%} of each limit is ours" if view.share < 1 else ""
    out.line(f"{view.account}{server}{share}", "bold")
    table = Table(("window", "used", "allowed", "from", "next place", "all free"), empty="no windows are known", right=(1, 2))
    table.rows += [_row(one, times) for one in view.windows]
    table.rows += [_row(one, times) for one in (view.shared.windows if view.shared else ())]
    out.table(table)
    for one in view.of_each_tenant:
        out.line(f"each tenant: {one.window.removesuffix(' per tenant')} ({one.source})")
    if view.tenants:
        table = Table(("tenant", "window", "used", "allowed", "from", "next place", "all free"), right=(2, 3))
        table.rows += [(one.tenant or "(none)", *_row(one.use, times)) for one in view.tenants]
        out.table(table)
    if view.told is not None:
        _show_told(out, view.told, times)
    if view.learned is not None:
        _show_learned(out, view.learned, times)
    out.line(_connections(view))
    for cap in view.caps:
        if cap.value is not None:
            out.line(f"{_CAPS[cap.name]}: {cap.value} ({cap.source})")
    if view.holds:
        out.table(holds_table(view.holds, times))


def _connections(view: LimitsView) -> str:
    """Of the account; of the gateway, where its accounts share them: what the account might have alone is no news then."""
    if view.shared is not None and view.shared.connections is not None:
        by = ", ".join(f"{held} by {account}" for account, held in sorted(view.shared.held_by_account.items()))
        held, most, whose = view.shared.connections_held, view.shared.connections, f" of gateway {view.shared.gateway}"
    else:
        by = ", ".join(f"{one.held} by {one.process or one.worker[-12:]}" for one in view.leases)
        held, most, whose = view.connections_held, view.connections, ""
    return f"connections{whose}: {held} of {most} leased{f' ({by})' if by else ''}"


def _show_told(out: Output, told: ToldByProvider, times: Times) -> None:
    of_limit = f" of {told.limit}" if told.limit is not None else ""
    out.line(f"told by the provider: {told.remaining}{of_limit} left until {times.at(told.reset_us)}")


def _show_learned(out: Output, learned: LearnedPace, times: Times) -> None:
    """What the server taught, in a sentence, with its words."""
    if learned.per_s is not None:
        good, bad = (f"{one:.3g}" if one else "?" for one in (learned.good_per_s, learned.bad_per_s))
        out.line(f"learned: {learned.per_s:.3g} mails a second (good {good}, too fast {bad})")
    if learned.connections is not None:
        out.line(f"learned: {learned.connections} connections")
    out.line(f"  last refusal {times.at(learned.learned_us)}: {learned.evidence}")


def _row(use: WindowUse, times: Times) -> tuple[object, ...]:
    now = use.next_us <= times.now_us
    style = "" if now and use.used < NEARLY * use.allowed else STYLES[Level.WARN]
    even = f" (evenly, one each {span(use.period_s / use.allowed)})" if use.kind == "smooth" else ""
    allowed = f"{use.allowed}" if use.allowed == use.limit else f"{use.allowed} (of {use.limit})"
    return (
        f"{use.window}{even}",
        (use.used, style),
        allowed,
        use.source,
        ("now" if now else times.at(use.next_us), style),
        "now" if use.free_us is None else times.at(use.free_us),
    )
