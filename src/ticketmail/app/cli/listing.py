"""Commands on lists: suppressions, accounts, events."""

from __future__ import annotations

from uuid import UUID

from ticketmail.app.cli import NOT_QUITE, OK
from ticketmail.app.cli.acting import done
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.moments import future_us
from ticketmail.app.cli.output import Table
from ticketmail.app.usecases.report.times import Times
from ticketmail.domain.address import parse_address
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.telling import DeadEvent


def suppressions(context: Context) -> int:
    """Who, why, until when. Exit code 1 if there are none."""
    address = parse_address(context.args.address).key if context.args.address else None
    found = list(context.reading.suppressions(address))
    if context.out.as_json:
        context.out.json(found)
    else:
        times = context.times
        table = Table(("address", "cause", "since", "until", "tenant", "evidence"), empty="No suppressions.")
        for one in found:
            until = times.at(one.until_us) if one.until_us is not None else "removed by hand"
            table.rows.append((one.address, one.cause, times.at(one.since_us), until, one.tenant, one.evidence))
        context.out.table(table)
    return OK if found else NOT_QUITE


def suppress(context: Context) -> int:
    """Do not write to an address."""
    args, now_us = context.args, context.reading.now_us()
    key = parse_address(args.address).key
    until_us = future_us(args.until, now_us, option="--until") if args.until else None
    reason = context.reason
    suppression = Suppression(key, "manual", reason, now_us, until_us, args.tenant)
    context.mail.operating.suppress(suppression, actor=context.actor, reason=reason)
    return done(context, 1, f"{key} is not written to any more.", address=key, until_us=until_us)


def unsuppress(context: Context) -> int:
    """Write to it again."""
    args = context.args
    key = parse_address(args.address).key
    found = context.mail.operating.unsuppress(key, actor=context.actor, reason=context.reason, tenant=args.tenant)
    text = f"{key} is written to again." if found else f"{key} was not suppressed{f' for {args.tenant}' if args.tenant else ''}."
    return done(context, int(found), text, address=key)


def accounts(context: Context) -> int:
    """Accounts, their state and what they are held by. Exit code 1 if one is in trouble."""
    from ticketmail.app.cli.screen import accounts_table, holds_table
    from ticketmail.app.usecases.report import Level, Times, surroundings

    around = surroundings(context.reading, context.facts)
    found = tuple(around.accounts.values())
    held = tuple(hold for one in found for hold in one.holds)
    if context.out.as_json:
        context.out.json(found)
    else:
        times = Times(around.now_us)
        context.out.table(accounts_table(found, times))
        if held:
            context.out.table(holds_table(held, times))
    return OK if all(one.level is Level.OK for one in found) else NOT_QUITE


def clear_account(context: Context) -> int:
    """It is well again."""
    name = context.args.name
    known = {*context.mail.settings.accounts, *context.reading.documents("account")}
    if name not in known:
        raise UsageError(f"There is no account {name!r}.", remedy=f"Known: {', '.join(sorted(known)) or 'none'}.")
    cleared = context.mail.operating.clear_account(name, actor=context.actor, reason=context.reason)
    text = f"Account {name!r} begins anew." if cleared else f"Account {name!r} was held by nothing."
    return done(context, int(cleared), text, account=name)


def dead_events(context: Context) -> int:
    """Those that the host would not take, the last first. Exit code 1 if there are any."""
    overview = context.reading.overview()
    found = list(context.mail.spool.outbox.dead(context.args.limit)) if overview.events_dead else []
    if context.out.as_json:
        facts = {"waiting": overview.events_waiting, "dead": overview.events_dead, "oldest_us": overview.oldest_event_us}
        context.out.json({**facts, "events": found})
        return NOT_QUITE if overview.events_dead else OK
    out, times = context.out, context.times
    oldest = f", the oldest since {times.at(overview.oldest_event_us)}" if overview.oldest_event_us is not None else ""
    out.line(f"{overview.events_dead} dead, {overview.events_waiting} waiting{oldest}.")
    if not overview.events_dead:
        return OK
    out.table(_events_table(found, times))
    out.line("Mend the host's handler, then `ticketmail events replay` (all), or with the ids of some.")
    return NOT_QUITE


def _events_table(found: list[DeadEvent], times: Times) -> Table:
    table = Table(("event", "what", "mail", "ticket", "given up", "tries", "error"), right=(5,), wide=True)
    for one in found:
        event = one.event
        mail = f"{event.about}" if event.kind == "received" else f"{event.about}/{event.recipient_number}"
        row = (event.event_id, event.kind, mail, event.ticket, times.at(one.dead_us), one.attempts, one.error)
        table.rows.append(row)
    return table


def replay_events(context: Context) -> int:
    """Tell dead events again."""
    try:
        ids = [UUID(text) for text in context.args.ids] or None
    except ValueError:
        raise UsageError("An event's id is a UUID.", remedy="Leave it out for all of them.") from None
    count = context.mail.spool.outbox.replay(ids)
    if context.out.as_json:
        context.out.json({"changed": count})
    else:
        context.out.line(f"{count} events are told again.")
    return OK if count else NOT_QUITE
