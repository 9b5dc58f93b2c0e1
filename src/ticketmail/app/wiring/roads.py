"""What a host needs that hands its mail over to a broker."""

from __future__ import annotations

from injector import Module, provider, singleton

from ticketmail.app.settings import Settings
from ticketmail.app.usecases.handover import BrokerRoad, Handover, Road
from ticketmail.app.usecases.pack import Packer, PackRules
from ticketmail.app.wiring.brokering import broker_of, job_secrets
from ticketmail.app.wiring.modules import COMMON, tracer_of
from ticketmail.app.wiring.pieces import HostPieces, Roads
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.ports.queueing import Broker
from ticketmail.domain.ports.rendering import Renderer


class BrokerModule(Module):
    """The broker, and the road to it. An override may give another broker."""

    @singleton
    @provider
    def broker(self, settings: Settings) -> Broker:
        return broker_of(settings)

    @singleton
    @provider
    def road(self, broker: Broker) -> Road:
        return BrokerRoad(broker)

    @singleton
    @provider
    def packer(
        self, settings: Settings, host: HostPieces, broker: Broker, renderer: Renderer, lanes: Lanes, timing: Timing
    ) -> Packer:
        rules = PackRules(
            max_size_bytes=settings.max_size,
            message_id_domain=settings.message_id_domain,
            token_secrets=tuple(one.get_secret_value().encode() for one in settings.secret),
            job_secret=next(iter(job_secrets(settings)), None),
            max_job_bytes=broker.capabilities.max_job_bytes,
        )
        return Packer(
            renderer=renderer,
            lanes=lanes,
            clock=timing.clock,
            random_bytes=timing.random_bytes,
            rules=rules,
            traceparent=tracer_of(host).current,
        )

    @singleton
    @provider
    def handover(self, packer: Packer, road: Road) -> Handover:
        return Handover(packer, road)

    @singleton
    @provider
    def roads(self, road: Road, broker: Broker) -> Roads:
        return Roads(None, (road.close, broker.close))


BY_BROKER: tuple[type[Module], ...] = (*COMMON, BrokerModule)
