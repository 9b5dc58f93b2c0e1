"""Commands that foretell: eta."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ticketmail.app.cli import NOT_QUITE, OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.limits import known_account
from ticketmail.app.cli.looking import meant
from ticketmail.app.usecases.report import DeliveryEta, LaneEta, Outlook, Surroundings, Times, leaves, surroundings
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.scope import Scope, ScopeKind


def eta(context: Context) -> int:
    """When mail leaves. Exit code 1 if that cannot be said of some of it, or nothing waits."""
    what = context.args.what
    around = surroundings(context.reading, context.facts)
    outlook, times = Outlook(around, Times(around.now_us)), Times(around.now_us)
    scope = Scope.parse(what) if what == "all" or what.startswith(("lane:", "account:")) else None
    if scope is not None:
        return _lanes(context, _foretold(scope, around, outlook), times)
    views = meant(context)
    if not views:
        context.out.error(f"error: nothing is known of {what!r}. `ticketmail find all` lists the newest mail.")
        return NOT_QUITE
    found = [outlook.of(view, context.reading) for view in views]
    _show(context, found, [_delivery(one, times) for one in found])
    return OK if all(one.eta.at_us is not None or one.state is DeliveryState.SENT for one in found) else NOT_QUITE


def _foretold(scope: Scope, around: Surroundings, outlook: Outlook) -> list[LaneEta]:
    """By lane, of what waits now: which account a mail leaves by is decided when it does."""
    if scope.kind is ScopeKind.ACCOUNT:
        known_account(scope.value, around)
        return outlook.of_lanes(account=scope.value)
    return outlook.of_lanes(None if scope.kind is ScopeKind.ALL else scope.value)


def _delivery(one: DeliveryEta, times: Times) -> str:
    ticket = f", ticket {one.ticket}" if one.ticket else ""
    head = f"{one.submission_id}/{one.number} to {one.recipient}{ticket}:"
    if one.state is not DeliveryState.QUEUED and one.eta.at_us is None:
        return f"{head} {one.eta.reason}."
    late = f" That is after its deadline, {times.at(one.deadline_us)}." if one.late else ""
    account = f", by account {one.eta.account!r}" if one.eta.account and one.eta.at_us is not None else ""
    return f"{head} leaves {leaves(one.eta, times)}{account}.{late}"


def _lanes(context: Context, found: Sequence[LaneEta], times: Times) -> int:
    _show(context, found, [f"{one.lane}: {one.due} due; the last leaves {leaves(one.last, times)}." for one in found])
    if not found and not context.out.as_json:
        context.out.line("Nothing is due.")
    return OK if found and all(one.last.at_us is not None for one in found) else NOT_QUITE


def _show(context: Context, found: Sequence[Any], lines: Sequence[str]) -> None:
    if context.out.as_json:
        context.out.json(found)
        return
    for line in lines:
        context.out.line(line)
