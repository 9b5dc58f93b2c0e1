"""Commands on dead letters and unknowns."""

from __future__ import annotations

from collections.abc import Sequence

from ticketmail.app.cli import NOT_QUITE, OK
from ticketmail.app.cli.acting import done, mails
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.looking import show_deliveries, states_of
from ticketmail.app.cli.message import shown_message
from ticketmail.app.cli.moments import lifetime_us, pace_per_s
from ticketmail.app.cli.output import Table
from ticketmail.app.cli.scopes import by_id, scope_or_id
from ticketmail.app.usecases.replay import Plan, Replay
from ticketmail.app.usecases.report import span
from ticketmail.domain.address import parse_address
from ticketmail.domain.errors import InvalidScope
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import CauseGroup, DeliveryView
from ticketmail.domain.scope import Scope, ScopeKind

_ENDED_BADLY = (DeliveryState.DEAD, DeliveryState.FAILED)
_NAMED = 5  #: so many recipients are named where one has to be chosen


def _meant(context: Context, states: Sequence[DeliveryState]) -> list[DeliveryView]:
    """The deliveries that ``ID[/N]`` means: of a bare ID those in ``states``, or all if none is. Raises UsageError: none."""
    text = context.args.delivery
    try:
        scope = by_id(text)
    except (ValueError, InvalidScope):
        raise UsageError(f"{text!r} is not a mail.", remedy="Write ID or ID/N, as `ticketmail find` shows it.") from None
    found = list(context.reading.find(scope, limit=1000))
    if not found:
        raise UsageError(f"There is no mail {scope.value}.", remedy="`ticketmail find all` lists the newest.")
    return [one for one in found if one.state in states] or found


def _one(context: Context, states: Sequence[DeliveryState]) -> DeliveryView:
    """The one delivery that is meant. Raises UsageError: there is none, or there are several."""
    meant = _meant(context, states)
    if len(meant) > 1:
        named = ", ".join(f"{one.submission_id}/{one.number} ({one.recipient})" for one in meant[:_NAMED])
        text = f"{meant[0].submission_id} has {len(meant)} such recipients."
        raise UsageError(text, remedy=f"Name one of them: {named}.")
    return meant[0]


def listed(context: Context) -> int:
    """Causes first, then the mails; of all, also how many jobs never became one."""
    scope = Scope.parse(context.args.scope)
    parked = context.mail.spool.parking.waiting() if scope.kind is ScopeKind.ALL else 0
    groups = list(context.reading.dead_causes())
    found = [
        one for one in context.reading.find(scope, states=[DeliveryState.DEAD], limit=context.args.limit) if not one.dismissed
    ]
    if context.out.as_json:
        context.out.json({"causes": groups, "deliveries": found, "parked_jobs": parked})
        return OK if found or parked else NOT_QUITE
    if scope.kind is ScopeKind.ALL:
        context.out.table(_causes(context, groups))
        context.out.line("")
    show_deliveries(context, found, empty=f"No dead letter in {scope}.")
    if parked:
        context.out.line(f"{parked} jobs from the broker could not be taken in: `ticketmail parked list`.")
    return OK if found or parked else NOT_QUITE


def _causes(context: Context, groups: list[CauseGroup]) -> Table:
    times = context.times
    table = Table(("cause", "count", "since", "last", "account", "sample"), empty="No dead letters.", right=(1,))
    for one in groups:
        row = (one.cause, one.count, times.at(one.oldest_us), times.at(one.newest_us), one.account, one.sample)
        table.rows.append(row)
    return table


def show(context: Context) -> int:
    """One mail: facts, what to do, history, and what it says."""
    view, *others = _meant(context, _ENDED_BADLY)
    history = list(context.reading.history(view.submission_id, view.number))
    message = shown_message(context.reading.body(view.submission_id))
    cause = cause_of(view.cause)
    if context.out.as_json:
        context.out.json(
            {"delivery": view, "cause": cause.sentence, "remedy": cause.remedy, "history": history, "message": message}
        )
        return OK
    times, out = context.times, context.out
    out.line(f"{view.submission_id}/{view.number} to {view.recipient}: {view.state.value}", "bold")
    out.line(f"  {cause.sentence} {cause.remedy}".rstrip() if view.cause else f"  {view.reason}")
    said = [view.cause, view.reply or view.reason] if view.cause else [view.reply]
    out.line(f"  {'; '.join(part for part in said if part)}")
    if others:
        out.line(f"  other recipients: {', '.join(f'/{one.number} {one.recipient}' for one in others[:_NAMED])}")
    for name, value in message.items():
        out.line(f"  {name}: {value}")
    out.table(
        Table(
            ("when", "what", "account", "outcome", "said", "by"),
            [(times.at(row.at_us), row.kind, row.account, row.outcome, row.reply or row.reason, row.actor) for row in history],
        )
    )
    return OK


def edit(context: Context) -> int:
    """Correct the recipient."""
    address, reason = parse_address(context.args.to, field="--to").addr_spec, context.reason
    view = _one(context, _ENDED_BADLY)
    id_, number = view.submission_id, view.number
    changed = context.mail.operating.edit(id_, number, recipient=address, actor=context.actor, reason=reason)
    state = "" if view.state is DeliveryState.DEAD else f" --state {view.state.value}"
    text = (
        f"Its recipient is {address} now; `ticketmail dead replay {id_}/{number}{state} --reason ...` sends it."
        if changed
        else f"{id_}/{number} was not changed: only dead and failed mail can be."
    )
    return done(context, int(changed), text, recipient=address)


def replay(context: Context) -> int:
    """Send again, by scope or id."""
    args = context.args
    lanes = context.facts.lanes
    case = Replay(context.reading, context.mail.operating, lane_lifetime_s=lambda lane: lanes.get(lane, 12 * 3600.0))
    plan = case.plan(
        scope_or_id(args.scope),
        states=states_of(args.state) or (DeliveryState.DEAD,),
        pace_per_s=pace_per_s(args.pace, option="--pace") if args.pace else None,
        lifetime_us=lifetime_us(args.lifetime, option="--lifetime") if args.lifetime else None,
        limit=args.limit,
    )
    if args.dry_run:
        return _show_plan(context, plan)
    replayed = case.run(plan, actor=context.actor, reason=context.reason, limit=args.limit)
    text = f"{mails(replayed.count)} in {plan.scope} queued again{_how(plan)}."
    return done(context, replayed.count, text, plan=plan)


def _show_plan(context: Context, plan: Plan) -> int:
    if context.out.as_json:
        context.out.json(plan)
        return OK
    more = "at least " if plan.more else ""
    context.out.line(f"Would send {more}{mails(plan.count)} in {plan.scope} again{_how(plan)}.")
    context.out.table(Table(("cause", "count"), list(plan.by_cause.items()), right=(1,)))
    return OK


def _how(plan: Plan) -> str:
    pace = f", {plan.pace_per_s:g} a second (over {span(plan.takes_s)})" if plan.pace_per_s else ""
    return f"{pace}, each wanted for {span(plan.lifetime_us / 1_000_000)}"


def dismiss(context: Context) -> int:
    """They were read."""
    scope = scope_or_id(context.args.scope)
    count = context.mail.operating.dismiss(scope, actor=context.actor, reason=context.reason)
    return done(context, count, f"{mails(count)} in {scope} dismissed; the body is kept for the retention.", scope=str(scope))


def unknowns(context: Context) -> int:
    """Mail that may or may not have been taken."""
    found = context.reading.find(Scope.parse("all"), states=[DeliveryState.UNKNOWN], limit=context.args.limit)
    show_deliveries(context, found, empty="No unknowns.")
    return OK if found else NOT_QUITE


def settle(context: Context) -> int:
    """A human knows."""
    args = context.args
    if args.sent == args.again:
        raise UsageError("Say what became of it.", remedy="Add --sent (it arrived) or --again (send it once more).")
    reason = context.reason
    view = _one(context, (DeliveryState.UNKNOWN,))
    id_, number = view.submission_id, view.number
    settled = context.mail.operating.settle(id_, number, sent=args.sent, actor=context.actor, reason=reason)
    became = "is sent" if args.sent else "will be sent once more"
    text = f"{id_}/{number} {became}." if settled else f"{id_}/{number} is not unknown (any more): nothing was changed."
    return done(context, int(settled), text)
