"""``ticketmail broker``, and what ``status`` and ``doctor`` say of the road: broker, queues, outbox or bridge, shared store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ticketmail.app.cli import OK
from ticketmail.app.cli.context import Context
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.output import Table
from ticketmail.app.settings import Settings
from ticketmail.app.settings_values import masked, scheme_of
from ticketmail.app.usecases.relay import age_of
from ticketmail.app.usecases.report import Finding, Level, worst
from ticketmail.app.wiring.brokering import blobs_of, broker_of, outbox_of
from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.ports.queueing import EVENTS, SPOOLED, SUBMIT, Broker, BrokerCapabilities
from ticketmail.domain.ports.relaying import Backlog

_PROBE: Final = b"ticketmail doctor"


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """Jobs that wait in a queue; None where the broker does not say."""

    name: str
    waiting: int | None


@dataclass(frozen=True, slots=True)
class RoadStatus:
    """The host's road on one screen."""

    level: Level
    url: str
    prefix: str
    capabilities: BrokerCapabilities | None
    queues: tuple[QueueLoad, ...]
    outbox: Backlog | None
    findings: tuple[Finding, ...]


def ensure(context: Context) -> int:
    """Make what is missing on the broker."""
    settings = _with_broker(context)
    broker = broker_of(settings)
    try:
        lines = list(broker.ensure(_queues(settings)))
    finally:
        broker.close()
    if context.out.as_json:
        context.out.json({"broker": masked(settings.broker.url), "queues": lines})
    else:
        for line in lines:
            context.out.line(line)
    return OK


def show(context: Context) -> int:
    """Broker, queues and outbox. The exit code is the level."""
    return _shown(context, road_status(_with_broker(context)))


def host_status(context: Context) -> int:
    """``status`` of a host without a spool."""
    code = _shown(context, road_status(context.mail.settings))
    if not context.out.as_json:
        context.out.line("Whether mail leaves is asked where the mail service runs: `ticketmail status` there.")
    return code


def road_status(settings: Settings) -> RoadStatus:
    """Look at all of it. What cannot be looked at is a finding."""
    findings, loads, backlog = list(broker_findings(settings)), list[QueueLoad](), None
    capabilities = None
    try:
        broker = broker_of(settings)
        capabilities = broker.capabilities
        loads = [QueueLoad(name, broker.depth(name)) for name in _queues(settings)]
        broker.close()
    except (TicketmailError, OSError):
        pass  # the findings say it
    try:
        outbox = outbox_of(settings)
        if outbox is not None:
            backlog = outbox.backlog()
            outbox.close()
    except (TicketmailError, OSError):
        pass
    level = worst(one.level for one in findings)
    url = masked(settings.broker.url)
    return RoadStatus(level, url, settings.broker.prefix, capabilities, tuple(loads), backlog, tuple(findings))


def broker_findings(settings: Settings) -> Iterator[Finding]:
    """For ``doctor``: each part of the road that is set."""
    yield from _guarded("broker", lambda: _broker(settings))
    yield from _guarded(_name_of_outbox(settings), lambda: _outbox(settings))
    yield from _guarded("shared store", lambda: _shared(settings))


def _guarded(subject: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except (TicketmailError, OSError) as error:
        return [Finding(Level.BAD, subject, str(error))]  # our errors say the next step themselves


def _broker(settings: Settings) -> Iterator[Finding]:
    broker = broker_of(settings)
    try:
        waiting = broker.depth(SUBMIT)
    finally:
        broker.close()
    yield _reached(settings, broker, waiting)
    if not settings.broker.secret and scheme_of(settings.broker.url.get_secret_value()) != "memory":
        text = "Jobs are not signed: whoever may publish on this broker can send mail."
        yield Finding(Level.WARN, "broker", text, "Set the same [broker] secret for host and mail service.")


def _reached(settings: Settings, broker: Broker, waiting: int | None) -> Finding:
    text = f"{masked(settings.broker.url)} answers; {'some' if waiting is None else waiting} jobs wait for the mail service."
    able = broker.capabilities
    if not able.at_least_once:
        return Finding(Level.WARN, "broker", f"{text} It may lose jobs that it confirmed.", "Take another one for real mail.")
    if not able.survives_restart:
        return Finding(Level.WARN, "broker", f"{text} {able.note}", "Take another one for real mail.")
    return Finding(Level.OK, "broker", text)


def _outbox(settings: Settings) -> Iterator[Finding]:
    outbox, name = outbox_of(settings), _name_of_outbox(settings)
    if outbox is None:
        return
    try:
        found = outbox.backlog()
    finally:
        outbox.close()
    age_s, start = age_of(found), "Start `ticketmail relay`, and see what it says."
    if found.stuck:
        text = f"{found.stuck} mails are refused by the broker: {found.error}"
        yield Finding(Level.BAD, name, text, "Set [broker] blobs, or raise the broker's limit; they are tried again hourly.")
    elif age_s > settings.outbox.alarm_after:
        yield Finding(Level.BAD, name, f"{found.waiting} mails wait for the broker, the oldest for {age_s:.0f} s.", start)
    else:
        awaited = f", {found.awaited} for the mail service's word" if found.awaited else ""
        yield Finding(Level.OK, name, f"{found.waiting} mails wait for the broker{awaited}.")
    lost_s = 0 if found.oldest_awaited_us is None else (found.now_us - found.oldest_awaited_us) / 1_000_000
    if lost_s > 2 * settings.outbox.again:
        text = f"{found.awaited} mails were published and the mail service has not said that it has them, for {lost_s:.0f} s."
        yield Finding(Level.BAD, name, text, "See whether a worker takes jobs from this broker and prefix.")


def _shared(settings: Settings) -> Iterator[Finding]:
    shared = blobs_of(settings)
    if shared is None:
        return
    try:
        whole = shared.get("", shared.put("", _PROBE)) == _PROBE
    finally:
        shared.close()
    where = masked(settings.broker.blobs)
    yield Finding(Level.OK if whole else Level.BAD, "shared store", f"{where} takes content and gives it back.")


def _shown(context: Context, found: RoadStatus) -> int:
    out = context.out
    if out.as_json:
        out.json(found)
        return found.level.exit_code
    out.line(f"{found.url}, names begin with {found.prefix!r}")
    table = Table(("queue", "waiting"), right=(1,))
    table.rows = [(one.name, "?" if one.waiting is None else str(one.waiting)) for one in found.queues]
    if found.queues:
        out.table(table)
    for one in found.findings:
        out.verdict(one.level, f"{one.subject}: {one.text}")
        if one.remedy and one.level is not Level.OK:
            out.line(f"     -> {one.remedy}")
    return found.level.exit_code


def _queues(settings: Settings) -> Sequence[str]:
    events = [EVENTS] if settings.events_by("broker") else []
    return [SUBMIT, *events, *([SPOOLED] if settings.outbox.confirm == "spooled" else [])]


def _name_of_outbox(settings: Settings) -> str:
    return "bridge" if settings.bridge.get_secret_value() else "outbox"


def _with_broker(context: Context) -> Settings:
    settings = context.mail.settings
    if not settings.broker.url.get_secret_value():
        raise UsageError("No broker is set.", remedy="Set [broker] url, or TICKETMAIL_BROKER__URL.")
    return settings
