"""``ticketmail top``: what happens now, on a screen that renews itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ticketmail.app.cli import OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.output import STYLES, Line, Table
from ticketmail.app.cli.screen import end_of, lanes_table, workers_table
from ticketmail.app.usecases.report import Level, Times
from ticketmail.app.usecases.report.top import AccountTop, Top
from ticketmail.app.usecases.report.top import top as look

#: From this part of a window on it is worth a look.
NEARLY = 0.9


def top(context: Context) -> int:
    """Until interrupted; once with ``--once``, ``--json``, or where nobody looks at a terminal."""
    if context.out.as_json:
        context.out.json(look(context.reading, context.facts))
        return OK
    try:
        context.out.live(_frames(context))
    except KeyboardInterrupt:
        pass  # how a person leaves it
    return OK


def _frames(context: Context) -> Iterator[Sequence[Line | Table]]:
    while True:
        found = look(context.reading, context.facts)
        yield _frame(found, Times(found.at_us))
        if context.args.once:
            return
        time.sleep(context.args.every)


def _frame(found: Top, times: Times) -> list[Line | Table]:
    accounts = Table(
        ("account", "state", "now", "last minute", "not taken", "fullest window", "connections", "held until"),
        title="Accounts",
        empty="none in the settings: nothing can be sent",
        right=(2, 3),
        rows=[_account(one, times) for one in found.accounts],
    )
    frame: list[Line | Table] = [
        Line(f"{times.full(found.at_us)}  {found.headline}", STYLES[found.level]),
        accounts,
        lanes_table(found.lanes, times),
        workers_table(found.workers, times),
        Line(f"In flight: {found.in_flight}", ""),
    ]
    if found.changes:
        rows: list[Sequence[object]] = [(times.at(one.at_us), one.scope, one.text) for one in reversed(found.changes)]
        frame.append(Table(("when", "of", "what"), rows, title="Changed lately"))
    return frame


def _account(one: AccountTop, times: Times) -> tuple[object, ...]:
    refused = ", ".join(f"{count} {cause}" for cause, count in sorted(one.refused.items()))
    used = "-" if one.used is None else f"{one.used:.0%} of {one.window}"
    full = one.used is not None and one.used >= NEARLY
    holds = ", ".join(end_of(hold, times) for hold in one.limits.holds)
    return (
        one.account,
        (one.state, "" if one.level is Level.OK else STYLES[one.level]),
        f"{one.now_per_s:.1f}/s",
        f"{one.per_min:.0f}/min",
        (refused or "-", STYLES[Level.WARN] if refused else ""),
        (used, STYLES[Level.WARN] if full else ""),
        f"{one.limits.connections_held} of {one.limits.connections}",
        holds or "-",
    )
