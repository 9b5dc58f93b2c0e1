"""Commands that look: status, why, find, log, workers, settings."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ticketmail.app.cli import BAD, NOT_QUITE, OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.moments import past_us
from ticketmail.app.cli.output import Table
from ticketmail.app.cli.scopes import scope_or_id
from ticketmail.app.usecases.report import Answer, Times
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import DeliveryView, HistoryRow, WorkerView
from ticketmail.domain.scope import Scope, ScopeKind

#: The id last: where the terminal is narrow, it stands on a line of its own.
_HEADS = ("accepted", "state", "lane", "to", "ticket", "cause", "due or ended", "id/n")


def status(context: Context) -> int:
    """Is mail leaving? The exit code is the level."""
    if context.mail.settings.by_broker:
        from ticketmail.app.cli.roads import host_status

        return host_status(context)
    from ticketmail.app.cli.screen import show_status
    from ticketmail.app.usecases.report import status as look

    found = look(context.reading, context.facts)
    if context.out.as_json:
        context.out.json(found)
    else:
        show_status(context.out, found, Times(found.at_us))
    return found.level.exit_code


def why(context: Context) -> int:
    """Sentences with a time for each delivery that is meant."""
    from ticketmail.app.usecases.report import Outlook, surroundings
    from ticketmail.app.usecases.report import why as ask

    views = meant(context)
    if not views:
        context.out.error(f"error: nothing is known of {context.args.what!r}. `ticketmail find all` lists the newest mail.")
        return NOT_QUITE
    around = surroundings(context.reading, context.facts)
    times = Times(around.now_us)
    outlook = Outlook(around, times)
    answers = [ask(context.reading, view, around, times, outlook=outlook) for view in views]
    if context.out.as_json:
        context.out.json(answers)
    for answer in () if context.out.as_json else answers:
        _show_answer(context, answer)
    return OK


def meant(context: Context) -> list[DeliveryView]:
    """The deliveries that an id, a scope, a ticket or a key means, oldest first."""
    what, limit = context.args.what, context.args.limit
    for scope in scopes_of(what, context.args.tenant):
        found = context.reading.find(scope, limit=limit)
        if found:
            return sorted(found, key=lambda one: (one.accepted_us, one.submission_id.bytes, one.number))
    return []


def scopes_of(what: str, tenant: str) -> list[Scope]:
    """What ``what`` may mean, likeliest first."""
    from ticketmail.app.usecases.compile import submission_id

    id_, slash, number = what.partition("/")
    if (uuid := _uuid(id_)) is not None:
        return [Scope.parse(f"id:{uuid}{slash}{number}")]
    if ":" in what and what.partition(":")[0] in {kind.value for kind in ScopeKind}:
        return [Scope.parse(what)]
    key = Scope(kind=ScopeKind.ID, value=str(submission_id(tenant, what)))
    return [Scope(kind=ScopeKind.TICKET, value=what), key]


def find(context: Context) -> int:
    """Mail, newest first. Exit code 1 if there is none."""
    args = context.args
    since_us = past_us(args.since, context.reading.now_us(), option="--since") if args.since else None
    found = context.reading.find(scope_or_id(args.scope), states=states_of(args.state), since_us=since_us, limit=args.limit)
    show_deliveries(context, found, empty=f"Nothing in {args.scope}.")
    return OK if found else NOT_QUITE


def show_deliveries(context: Context, found: Sequence[DeliveryView], *, empty: str) -> None:
    """A table, or JSON."""
    if context.out.as_json:
        context.out.json(found)
        return
    times = context.times
    table = Table(_HEADS, [_row(one, times) for one in found], empty=empty, wide=True)
    context.out.table(table)


def _row(view: DeliveryView, times: Times) -> tuple[str, ...]:
    moment = view.ended_us if view.ended_us is not None else view.due_us
    return (
        times.at(view.accepted_us),
        view.state.value,
        view.lane,
        view.recipient,
        view.ticket or "",
        view.cause,
        times.at(moment) if moment is not None else "",
        f"{view.submission_id}/{view.number}",
    )


def states_of(names: list[str]) -> tuple[DeliveryState, ...]:
    """States by name; several may stand in one, with commas. Raises UsageError."""
    words = [word for name in names for word in name.split(",") if word]
    known = {state.value: state for state in DeliveryState}
    for word in words:
        if word not in known:
            raise UsageError(f"There is no state {word!r}.", remedy=f"Known: {', '.join(known)}.")
    return tuple(known[word] for word in words)


def log(context: Context) -> int:
    """What changed."""
    args = context.args
    since_us = past_us(args.since, context.reading.now_us(), option="--since")
    rows = context.reading.log(since_us=since_us, limit=args.limit, decisions_only=not args.everything)
    if context.out.as_json:
        context.out.json(rows)
        return OK
    times = context.times
    table = Table(("when", "what", "of", "by", "said"), [_log_row(row, times) for row in rows], empty="Nothing changed.")
    context.out.table(table)
    if len(rows) == args.limit:
        context.out.line(f"Only the newest {args.limit}; --limit shows more.")
    return OK


def _log_row(row: HistoryRow, times: Times) -> tuple[str, ...]:
    of = row.scope or (f"id:{row.submission_id}" if row.submission_id else "")
    said = "; ".join(part for part in dict.fromkeys((row.state, row.cause, row.reason, row.reply)) if part)
    return times.at(row.at_us), row.kind, of, row.actor, said


def workers(context: Context) -> int:
    """Who sends. Exit code 2 if nobody does."""
    from ticketmail.app.cli.screen import workers_table
    from ticketmail.app.usecases.report import worker_status

    found = list(context.reading.workers())
    shown = [one for one in found if context.args.everything or one.retired_us is None]
    if context.out.as_json:
        context.out.json(shown)
    else:
        times = Times(context.reading.now_us())
        context.out.table(workers_table([worker_status(one) for one in shown], times))
    return OK if any(_sends(one) for one in found) else BAD


def _sends(worker: WorkerView) -> bool:
    return worker.alive and worker.retired_us is None


def settings(context: Context) -> int:
    """Each setting, its value and its source. Secrets are masked."""
    prefix = context.args.prefix
    rows = [row for row in context.mail.loaded.explain() if row[0].startswith(prefix)]
    if context.out.as_json:
        context.out.json([{"name": name, "value": value, "source": source} for name, value, source in rows])
    else:
        context.out.table(Table(("setting", "value", "from"), list(rows), empty=f"No setting begins with {prefix!r}."))
    return OK if rows else NOT_QUITE


def _show_answer(context: Context, answer: Answer) -> None:
    ticket = f", ticket {answer.ticket}" if answer.ticket else ""
    context.out.line(f"{answer.submission_id}/{answer.number} to {answer.recipient}{ticket}: {answer.state.value}", "bold")
    for sentence in answer.sentences:
        context.out.line(f"  {sentence.text}")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
