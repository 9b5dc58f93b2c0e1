"""Commands that act on mail: cancel, pause, resume, erase, adopt."""

from __future__ import annotations

from ticketmail.app.cli import NOT_QUITE, OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.moments import future_us
from ticketmail.app.cli.scopes import scope_or_id
from ticketmail.app.settings_values import named
from ticketmail.domain.address import parse_address
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope, ScopeKind


def done(context: Context, changed: int, text: str, **facts: object) -> int:
    """Say what was done. Exit code 1 if nothing changed."""
    if context.out.as_json:
        context.out.json({"changed": changed, "actor": context.actor, **facts})
    else:
        context.out.line(text)
    return OK if changed else NOT_QUITE


def mails(count: int) -> str:
    """``1 mail``, ``3 mails``: deliveries, one per recipient."""
    return f"{count} mail{'' if count == 1 else 's'}"


def cancel(context: Context) -> int:
    """What has not begun in a scope."""
    scope = scope_or_id(context.args.scope)
    count = context.mail.cancel(scope, actor=context.actor, reason=context.reason)
    if count is None:
        return done(context, 1, f"Handed over: what has not begun in {scope} is cancelled by the mail service.", scope=str(scope))
    return done(context, count, f"{mails(count)} in {scope} cancelled.", scope=str(scope))


def pause(context: Context) -> int:
    """Nothing of a scope is sent before its end."""
    scope, now_us, until = scope_or_id(context.args.scope), context.reading.now_us(), context.args.until
    until_us = future_us(until, now_us, option="--until") if until else None
    context.mail.operating.pause(Pause(scope, now_us, until_us, context.reason, context.actor))
    _warn_of_a_name_that_nothing_has(context, scope)
    end = f"until {context.times.at(until_us)}" if until_us is not None else f"until `ticketmail resume {scope} --reason ...`"
    return done(context, 1, f"{scope} is paused {end}. What is in flight ends.", scope=str(scope), until_us=until_us)


def _warn_of_a_name_that_nothing_has(context: Context, scope: Scope) -> None:
    """A pause of a misspelt account pauses nothing. It stands: another host's settings may know the name."""
    known = {ScopeKind.ACCOUNT: context.facts.accounts, ScopeKind.LANE: context.facts.lanes}.get(scope.kind)
    if known is None or scope.value in known or scope.value in context.reading.documents(scope.kind.value):
        return
    context.out.error(f"warning: these settings have no {scope}. Known: {', '.join(sorted(known)) or 'none'}.")


def resume(context: Context) -> int:
    """End a pause."""
    scope = scope_or_id(context.args.scope)
    ended = context.mail.operating.resume(scope, actor=context.actor, reason=context.reason)
    names = ", ".join(str(one.scope) for one in context.reading.pauses()) or "nothing"
    text = f"{scope} is sent again." if ended else f"{scope} was not paused; paused now: {names}."
    return done(context, int(ended), text, scope=str(scope))


def erase(context: Context) -> int:
    """Forget a person."""
    address = parse_address(context.args.address).key
    reason = context.reason
    context.confirm(f"Erase {address} for good, from all mail, dead letters and events?")
    erased = context.mail.operating.erase(address, actor=context.actor, reason=reason)
    if context.out.as_json:
        context.out.json(erased)
    else:
        context.out.line(
            f"Erased: {mails(erased.deliveries)}; bodies {erased.bodies}, attachments {erased.blobs}, events {erased.events}, "
            f"history rows {erased.history}, suppressions {erased.suppressions}, mails that came in {erased.received}."
        )
    return OK if erased.deliveries or erased.suppressions or erased.received else NOT_QUITE


def adopt(context: Context) -> int:
    """Make a copied or restored spool this site's."""
    site, hold, own = context.args.site, context.args.hold, context.facts.site
    try:
        named(site)
    except ValueError as error:
        raise UsageError(f"{site!r} is no site: {error}.", remedy=f"These settings say {own!r}.") from None
    waiting = context.mail.administering.adopt(site, hold=hold, actor=context.actor, reason=context.reason)
    paused = "Everything is paused: look with `ticketmail find all`, then `ticketmail resume all --reason ...`."
    then = paused if hold else "It is sent now."
    if context.out.as_json:
        context.out.json({"site": site, "waiting": waiting, "held": hold, "actor": context.actor})
    else:
        context.out.line(f"The spool is {site}'s now; {mails(waiting)} waiting. {then}")
    if site != own:
        context.out.error(f"warning: these settings say {own!r}; a worker with them is refused. Set site = {site!r}.")
    return OK
