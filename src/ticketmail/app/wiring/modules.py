"""injector Modules, one per port group. They make objects and open nothing; what opens is closed by the facade."""

from __future__ import annotations

import sys
from collections.abc import Callable

from injector import Module, provider, singleton

from ticketmail.adapters.alerting import LogSink
from ticketmail.app.observing import NullTracer, open_tracer
from ticketmail.app.plugins import open_spool
from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import lanes_of, route_sizes, routes_of
from ticketmail.app.usecases.compile import Compiler, SubmitRules
from ticketmail.app.usecases.eta import Foresight
from ticketmail.app.usecases.report import Facts
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.usecases.tell import Tell
from ticketmail.app.usecases.watch import Watch
from ticketmail.app.wiring.facts import facts_of
from ticketmail.app.wiring.pieces import HostPieces, Roads
from ticketmail.app.wiring.rendering import LazyRenderer
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.outbound.routing import Routes
from ticketmail.domain.ports.accepting import Blobs, Directory, Intake
from ticketmail.domain.ports.observing import Tracer
from ticketmail.domain.ports.reading import Administering, Operating, Reading
from ticketmail.domain.ports.receiving import Reader, SignatureCheck
from ticketmail.domain.ports.rendering import Renderer
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.domain.ports.telling import Outbox
from ticketmail.domain.ports.timing import Clock


class TimingModule(Module):
    """Time and chance. An override of ``Timing`` moves all parts at once."""

    @singleton
    @provider
    def timing(self) -> Timing:
        return Timing()

    @provider
    def clock(self, timing: Timing) -> Clock:
        return timing.clock


class SpoolModule(Module):
    """The spool, and its sides by role. An override may give other ``SpoolOptions``, or another spool."""

    @singleton
    @provider
    def options(self, settings: Settings, timing: Timing) -> SpoolOptions:
        spool = settings.spool
        return SpoolOptions(
            site=settings.site,
            prefix=spool.prefix,
            order_wait_s=spool.order_wait,
            busy_timeout_s=spool.busy_timeout,
            allow_lossy=spool.allow_lossy,
            listen_url=spool.listen_url.get_secret_value(),
            create=spool.create,
            pool_size=spool.pool_size,
            clock=timing.spool_clock,
        )

    @singleton
    @provider
    def spool(self, settings: Settings, options: SpoolOptions) -> SpoolAdapter:
        return open_spool(settings.spool.url.get_secret_value(), options)

    @singleton
    @provider
    def roads(self, spool: SpoolAdapter, foresight: Foresight, reader: Reader, check: SignatureCheck) -> Roads:
        return Roads(spool, (foresight.close, reader.close, check.close, spool.close))  # in this order: a look uses the spool

    @provider
    def intake(self, spool: SpoolAdapter) -> Intake:
        return spool.intake

    @provider
    def blobs(self, spool: SpoolAdapter) -> Blobs:
        return spool.blobs

    @provider
    def directory(self, spool: SpoolAdapter) -> Directory:
        return spool.directory

    @provider
    def outbox(self, spool: SpoolAdapter) -> Outbox:
        return spool.outbox

    @provider
    def reading(self, spool: SpoolAdapter) -> Reading:
        return spool.reading

    @provider
    def operating(self, spool: SpoolAdapter) -> Operating:
        return spool.operating

    @provider
    def administering(self, spool: SpoolAdapter) -> Administering:
        return spool.administering


class RenderingModule(Module):
    """MIME, loaded when it is first needed."""

    @singleton
    @provider
    def renderer(self) -> Renderer:
        return LazyRenderer()


class OutboundModule(Module):
    """The domain's values, made of settings."""

    @singleton
    @provider
    def routes(self, settings: Settings) -> Routes:
        return routes_of(settings)

    @singleton
    @provider
    def lanes(self, settings: Settings) -> Lanes:
        return lanes_of(settings)


class UseCaseModule(Module):
    """What the facade asks for."""

    @singleton
    @provider
    def compiler(
        self,
        settings: Settings,
        host: HostPieces,
        administering: Administering,
        renderer: Renderer,
        routes: Routes,
        lanes: Lanes,
        timing: Timing,
    ) -> Compiler:
        rules = SubmitRules(
            max_size_bytes=settings.max_size,
            message_id_domain=settings.message_id_domain,
            secrets=tuple(one.get_secret_value().encode() for one in settings.secret),
            route_sizes=route_sizes(settings),
        )
        return Compiler(
            renderer=renderer,
            administering=administering,
            routes=routes,
            lanes=lanes,
            clock=timing.clock,
            random_bytes=timing.random_bytes,
            rules=rules,
            traceparent=tracer_of(host).current,
        )

    @singleton
    @provider
    def foresight(self, settings: Settings, host: HostPieces, reading: Reading, clock: Clock) -> Foresight:
        return Foresight(reading, _facts_once(host.live or (lambda: settings)), clock)

    @singleton
    @provider
    def submit(self, compiler: Compiler, intake: Intake, blobs: Blobs, foresight: Foresight) -> Submit:
        return Submit(compiler, intake, blobs, foresight)

    @singleton
    @provider
    def tell(self, outbox: Outbox, clock: Clock) -> Tell:
        return Tell(outbox, monotonic_s=clock.monotonic_s)

    @singleton
    @provider
    def watch(self, settings: Settings, reading: Reading, clock: Clock) -> Watch:
        return Watch(reading, tell=LogSink().write, clock=clock, site=settings.site)


def _facts_once(live: Callable[[], Settings]) -> Callable[[], Facts]:
    """Facts of the settings in force, made anew only where these have changed: a look must not make gateways anew."""
    kept: list[tuple[Settings, Facts]] = []

    def facts() -> Facts:
        settings = live()
        if not kept or kept[0][0] is not settings:
            kept[:] = [(settings, facts_of(settings))]
        return kept[0][1]

    return facts


def tracer_of(host: HostPieces) -> Tracer:
    """The host's own; else OpenTelemetry's where the host has loaded it: its request's span goes on through the worker."""
    if host.tracer is not None:
        return host.tracer
    return open_tracer() if "opentelemetry" in sys.modules else NullTracer()


#: What every host needs, and what one with a spool does.
COMMON: tuple[type[Module], ...] = (TimingModule, RenderingModule, OutboundModule)
WITH_SPOOL: tuple[type[Module], ...] = (*COMMON, SpoolModule, UseCaseModule)
