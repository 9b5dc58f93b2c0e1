"""What ``doctor`` looks at. A check that cannot be made is a finding, never an exception."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Iterator

from ticketmail.app.cli.boxes import mailbox_findings
from ticketmail.app.cli.context import Context
from ticketmail.app.settings import Settings
from ticketmail.app.usecases.report import Facts, Finding, Level, Status, status
from ticketmail.domain.errors import SettingsError, TicketmailError
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused
from ticketmail.domain.ports.reading import Reading
from ticketmail.domain.ports.sending import Gateway
from ticketmail.domain.scope import Scope

#: Wall clocks further apart than this (seconds) are worth a word; than the second, trouble: deadlines and tokens suffer.
SKEW_WARN_S, SKEW_BAD_S = 2.0, 30.0
#: The most that one account's check may take, however slow its server (seconds).
CHECK_S = 30.0
#: So many of the newest mails are looked at for their senders.
SENDERS_SEEN = 1000


def examine(context: Context) -> list[Finding]:
    """All checks, in the order of dependence: without settings nothing else can be looked at."""
    try:
        settings = context.mail.settings
    except SettingsError as error:
        return [Finding(Level.BAD, "settings", str(error), "Correct it; `ticketmail settings` shows each value's source.")]
    found = [_settings(context)]
    if settings.broker.url.get_secret_value():
        from ticketmail.app.cli.roads import broker_findings

        found += broker_findings(settings)
    if settings.by_broker:
        return found + _guarded("alarms", lambda: _hosts_alarms(context, settings))
    reachable = _guarded("spool", lambda: _reachable(context.reading))
    found += reachable
    if not reachable:
        found += _guarded("spool", lambda: _spool(context, settings))
    found += _guarded("accounts", lambda: _accounts(context))
    found += _guarded("mailboxes", lambda: mailbox_findings(context))
    found += _guarded("alarms", lambda: _alarms(context, settings))
    if not reachable:
        found += _guarded("clock", lambda: _clock(context.reading))
        found += _guarded("routes", lambda: _routes(context))
        found += _guarded("status", lambda: _mail(status(context.reading, context.facts)))
    return found


def _guarded(subject: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except (TicketmailError, OSError) as error:
        return [Finding(Level.BAD, subject, str(error))]  # our errors say the next step themselves


def _settings(context: Context) -> Finding:
    loaded = context.mail.loaded
    where = f"from {loaded.path}" if loaded.path else "from code, environment and defaults (no file was found)"
    return Finding(Level.OK, "settings", f"site {loaded.settings.site!r}, {where}.")


def _reachable(reading: Reading) -> list[Finding]:
    """Nothing, or what keeps us from looking. As any first use it makes tables, where settings let it."""
    reading.now_us()
    return []


def _spool(context: Context, settings: Settings) -> Iterator[Finding]:
    overview, problems = context.reading.overview(), list(context.mail.administering.check())
    foreign = overview.site != settings.site
    for one in problems:
        if not foreign or settings.site not in one:  # status below says the same of the site, with its remedy
            yield Finding(Level.BAD, "spool", one, "Mend the database, then `ticketmail db check`.")
    if not problems:
        yield Finding(Level.OK, "spool", f"reachable, safe, schema {overview.schema_version}, site {overview.site!r}.")
    if overview.free_bytes is not None:
        yield _disk(overview.free_bytes)


def _disk(free_bytes: int) -> Finding:
    text = f"{free_bytes // 2**20} MiB are free where the spool lives."
    if free_bytes < 64 * 2**20:
        return Finding(Level.BAD, "disk", f"{text} Below 64 MiB sending pauses.", "Free some space.")
    return Finding(Level.WARN if free_bytes < 512 * 2**20 else Level.OK, "disk", text, "Free some space.")


def _clock(reading: Reading) -> Iterator[Finding]:
    before = time.time()
    theirs = reading.now_us() / 1_000_000
    skew_s = max(theirs - time.time(), before - theirs, 0.0)
    level = Level.BAD if skew_s > SKEW_BAD_S else Level.WARN if skew_s > SKEW_WARN_S else Level.OK
    yield Finding(level, "clock", f"{skew_s:.1f} s between this machine and the spool.", "Run NTP on both.")


# --- accounts ---------------------------------------------------------------------------------------------------------------


def _accounts(context: Context) -> Iterator[Finding]:
    settings = context.mail.settings
    if not settings.accounts and (settings.mailboxes or context.mail.may_change("mailboxes")):
        yield Finding(Level.OK, "accounts", "There is none: this service receives, and sends nothing.")
        return
    if not settings.accounts:
        yield Finding(
            Level.BAD, "accounts", "There is none: nothing can be sent.", 'Add [accounts.NAME] with url = "smtp://...".'
        )
        return
    gateways: dict[str, Gateway] = {}
    for name in settings.accounts:
        try:
            gateways[name] = _open(context, settings, name)
        except TicketmailError as error:  # the others are looked at all the same
            yield Finding(Level.BAD, f"account {name}", str(error))
    yield from asyncio.run(_check_all(gateways, context.facts))


def _open(context: Context, settings: Settings, name: str) -> Gateway:
    from ticketmail.app.wiring.sending import open_gateways

    alone = settings.model_copy(update={"accounts": {name: settings.accounts[name]}})
    return open_gateways(alone, tokens=context.mail.host.tokens)[name]


async def _check_all(gateways: dict[str, Gateway], facts: Facts) -> list[Finding]:
    return list(await asyncio.gather(*(_check(name, gateway, facts) for name, gateway in gateways.items())))


async def _check(name: str, gateway: Gateway, facts: Facts) -> Finding:
    subject = f"account {name}"
    try:
        async with asyncio.timeout(CHECK_S):
            text = await gateway.check()
    except TimeoutError:
        return Finding(Level.BAD, subject, f"No answer within {CHECK_S:g} s.", "Check host, port and firewall.")
    except TicketmailError as error:
        return Finding(Level.BAD, subject, str(error), "" if error.remedy else "Check its url and login.")
    except OSError as error:
        return Finding(Level.BAD, subject, str(error) or type(error).__name__, remedy_for(error))
    finally:
        await gateway.aclose()
    if not facts.accounts[name].network:
        return Finding(Level.WARN, subject, f"{text} It mails nobody.", "Name a mail server when it is time to mail.")
    return Finding(Level.OK, subject, text)


def remedy_for(error: OSError) -> str:
    """The next step for what a network or a server did. A gateway of ours tells the fact in ``failure``."""
    failure = getattr(error, "failure", None)
    text = str(error).lower()
    wrong = isinstance(failure, Refused) and failure.phase is Phase.AUTH and failure.reply.code >= 500
    if isinstance(error, PermissionError) or wrong:
        return "Correct user, password or token; many providers want an app password or OAuth2."
    if isinstance(failure, Refused):
        cause = cause_of(classify(failure, http=getattr(error, "http", False)).cause)
        return f"{cause.sentence} {cause.remedy}".rstrip()
    if isinstance(error, ssl.SSLError) or (isinstance(failure, NotReached) and failure.tls):
        return "Check the server's name and certificate, `ca_file`, and the clock; smtps:// is for port 465."
    if isinstance(error, ConnectionRefusedError) or "refused" in text or "connect call failed" in text:
        return "Nothing listens there: check host and port (587 is smtp://, 465 is smtps://)."
    return "Check host, port, name resolution and firewall."


def _alarms(context: Context, settings: Settings) -> Iterator[Finding]:
    from ticketmail.app.usecases.submit import Submit
    from ticketmail.app.wiring.alerting import blind_accounts, sinks_of

    sinks = [*sinks_of(settings, context.mail.injector.get(Submit)), *context.mail.host.alert_sinks]
    if not sinks:
        text = "Administrators are told through the log alone."
        yield Finding(Level.WARN, "alarms", text, "Set alerts.webhook, or alerts.mail_to with an account of its own.")
        return
    blind = blind_accounts(settings, sinks)
    for name in blind:
        text = f"Each way to administrators leads through account {name!r} or its server: its own alarm reaches the log alone."
        yield Finding(Level.WARN, "alarms", text, "Set alerts.webhook, or a mail_account at another server.")
    if not blind:
        yield Finding(Level.OK, "alarms", f"{len(sinks)} way{'s' if len(sinks) > 1 else ''} to administrators beside the log.")


def _hosts_alarms(context: Context, settings: Settings) -> Iterator[Finding]:
    """Of a host without a spool: only its relay has any."""
    ways = bool(settings.alerts.webhook.get_secret_value()) + len(context.mail.host.alert_sinks)
    if ways:
        yield Finding(Level.OK, "alarms", f"{ways} way{'s' if ways > 1 else ''} to administrators beside the log.")
    else:
        yield Finding(Level.WARN, "alarms", "Administrators are told through the log alone.", "Set alerts.webhook.")


# --- mail -------------------------------------------------------------------------------------------------------------------


def _routes(context: Context) -> Iterator[Finding]:
    from ticketmail.app.settings_outbound import routes_of

    routes, facts = routes_of(context.mail.settings), context.facts
    seen = {(one.sender, one.route) for one in context.reading.find(Scope.parse("all"), limit=SENDERS_SEEN)}
    # A worker that re-routes will give waiting mail the route that its sender has by now.
    ways = {sender: facts.accounts_of(route) or routes.accounts_of(routes.route_of(sender)) for sender, route in seen}
    bare = sorted(sender for sender, accounts in ways.items() if not accounts)
    for sender in bare:
        text = f"No account may send for {sender}, which mail was handed over for."
        yield Finding(Level.BAD, "routes", text, f'Add "{sender}" = ["ACCOUNT"] under [routes].')
    if not bare:
        yield Finding(Level.OK, "routes", f"{len(facts.routes)} in the settings; {len(ways)} senders seen, each has one.")


def _mail(found: Status) -> Iterator[Finding]:
    """What status finds, but not what was looked at above."""
    for one in found.findings:
        # Modes and accounts speak for themselves above; a silent account is a warning there, a red mode here.
        if one.subject != "no-route":
            yield one
    if all(lane.level is Level.OK for lane in found.lanes):
        yield Finding(Level.OK, "oldest due", "Nothing is due for too long.")
