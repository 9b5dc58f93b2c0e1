"""What a worker is made of: health, pump, deliver, resolve, housekeeping and alerts, wired to one spool side and one time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from ticketmail.app.facade import TicketMail
from ticketmail.app.housekeeping import Housekeeping
from ticketmail.app.refreshing import Desk, Refreshing
from ticketmail.app.settings import Settings
from ticketmail.app.settings_limits import servers_of
from ticketmail.app.settings_outbound import lanes_of, policy_of, routes_of
from ticketmail.app.usecases.account_lane import Slots
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.completions import Judgement
from ticketmail.app.usecases.deliver import Deliver, Errand, Report
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.outgoing import Packer
from ticketmail.app.usecases.pump import Delivering, Pump
from ticketmail.app.usecases.quota_calls import QuotaCalls
from ticketmail.app.usecases.resolve import Resolve
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.wiring.alerting import make_alerts
from ticketmail.app.wiring.rendering import LazyRenderer
from ticketmail.app.wiring.sending import marks_of
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.ports.delivering import WorkerSide
from ticketmail.domain.ports.observing import Meter, Tracer
from ticketmail.domain.ports.sending import Gateway
from ticketmail.domain.ports.timing import Clock


class SpoolClock:
    """The spool's time between two beats: anchored at each, carried on by the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._monotonic_s = clock.monotonic_s
        self._anchor_us, self._at_s = clock.now_us(), clock.monotonic_s()

    def now_us(self) -> int:
        """UTC microseconds by the spool's clock."""
        return self._anchor_us + int((self._monotonic_s() - self._at_s) * 1_000_000)

    def anchor(self, now_us: int) -> int:
        """Set by a beat. Returns how far the spool's clock had moved against the monotonic one (microseconds)."""
        drift_us = now_us - self.now_us()
        self._anchor_us, self._at_s = now_us, self._monotonic_s()
        return drift_us


@dataclass(frozen=True)
class Engine:
    """The parts, for the worker that turns them."""

    health: AccountHealth
    pump: Pump
    resolve: Resolve
    house: Housekeeping
    alerts: Alerts
    refreshing: Refreshing
    quota_calls: QuotaCalls


@dataclass(frozen=True)
class Mounting:
    """What the parts are wired to. ``now_us`` is the spool's time, ``may_start`` says whether a body may begin now,
    ``report`` hears what came of each errand."""

    side: WorkerSide
    desk: Desk
    timing: Timing
    meter: Meter
    tracer: Tracer
    now_us: Callable[[], int]
    may_start: Callable[[], bool]
    report: Callable[[Errand, Report], None]
    open_gateway: Callable[[Settings, str], Gateway]


def equip(mail: TicketMail, mounting: Mounting) -> Engine:
    """An engine for ``mail``'s settings and host. Opens nothing."""
    settings, side, timing = mail.settings, mounting.side, mounting.timing
    desk = mounting.desk
    health = AccountHealth(
        side.book,
        desk.limits,
        pauses=lambda: timing.threads.run(mail.reading.pauses),
        now_us=mounting.now_us,
        jitter=timing.chance,
        servers=servers_of(settings),
    )
    alerts = make_alerts(settings, side.book, mail.injector.get(Submit), sinks=mail.host.alert_sinks, live=lambda: mail.settings)
    pump = Pump(
        deliveries=side.deliveries,
        health=health,
        gateways=desk.gateways,
        deliver=Observed(_deliver(mail, mounting, health), mounting),
        routes=routes_of(settings),
        lanes=lanes_of(settings),
        limits=desk.limits,
        now_us=mounting.now_us,
        monotonic_s=timing.clock.monotonic_s,
        sleeper=timing.sleeper,
        report=mounting.report,
    )
    resolve = Resolve(
        side.deliveries,
        lanes=lanes_of(settings),
        policy=policy_of(settings),
        now_us=mounting.now_us,
        evidence=mail.host.evidence,
    )
    house = Housekeeping(side.upkeep, settings, routes=routes_of(settings), alerts=alerts, reading=mail.reading, timing=timing)
    refreshing = Refreshing(
        mail,
        desk,
        open_gateway=mounting.open_gateway,
        health=health,
        pump=pump,
        house=house,
        alerts=alerts,
        book=side.book,
        threads=timing.threads,
    )
    quota_calls = QuotaCalls(desk.gateways, health, mounting.now_us)
    return Engine(health, pump, resolve, house, alerts, refreshing, quota_calls)


def _deliver(mail: TicketMail, mounting: Mounting, health: AccountHealth) -> Deliver:
    settings, host, timing = mail.settings, mail.host, mounting.timing
    live = host.live or (lambda: settings)
    packer = Packer(
        renderer=LazyRenderer(),
        blobs=mail.spool.blobs,
        keys=mail.injector.get(Compiler).keys,
        threads=timing.threads,
        fetch=host.fetch,
        marks=lambda account: marks_of(live(), account),
    )
    return Deliver(
        deliveries=mounting.side.deliveries,
        health=health,
        gateways=mounting.desk.gateways,
        profiles=mounting.desk.profiles,
        limits=mounting.desk.limits,
        packer=packer,
        judgement=Judgement(policy_of(settings), lanes_of(settings), mounting.now_us, timing.chance),
        sleeper=timing.sleeper,
        may_start=mounting.may_start,
        wanted=host.wanted,
    )


class Observed:
    """Delivering, timed and traced: the span goes on from the one that was active where the mail was handed over."""

    def __init__(self, deliver: Delivering, mounting: Mounting) -> None:
        self._deliver = deliver
        self._meter = mounting.meter
        self._tracer = mounting.tracer
        self._monotonic_s = mounting.timing.clock.monotonic_s

    async def deliver(self, worker_id: UUID, errand: Errand, *, slot: Slots | None = None) -> Report:
        """As :meth:`Deliver.deliver`."""
        mail = errand.mail
        about = {"account": errand.account, "lane": mail.lane, "submission_id": str(mail.submission_id)}
        attributes = {f"ticketmail.{name}": value for name, value in about.items()}
        began_s = self._monotonic_s()
        with self._tracer.span("ticketmail.deliver", traceparent=mail.traceparent, attributes=attributes):
            report = await self._deliver.deliver(worker_id, errand, slot=slot)
        self._meter.observe("delivery_seconds", self._monotonic_s() - began_s, account=errand.account)
        return report
