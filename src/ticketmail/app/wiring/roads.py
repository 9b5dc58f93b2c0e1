"""What a host needs that hands its mail over to a broker: the road, and what drains its outbox or bridge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from injector import Module, provider, singleton

from ticketmail.app.observing import NullMeter
from ticketmail.app.settings import Settings
from ticketmail.app.usecases.bridge import BridgedRoad, OutboxRoad
from ticketmail.app.usecases.handover import BrokerRoad, Handover, Road
from ticketmail.app.usecases.pack import Packer, PackRules
from ticketmail.app.usecases.relay import BacklogWatch, Relay, RelayRules
from ticketmail.app.usecases.word import AwaitWord
from ticketmail.app.wiring.alerting import teller
from ticketmail.app.wiring.brokering import blobs_of, broker_of, job_secrets, outbox_of
from ticketmail.app.wiring.modules import COMMON, tracer_of
from ticketmail.app.wiring.pieces import HostPieces, Roads
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.ports.observing import Meter
from ticketmail.domain.ports.queueing import Broker
from ticketmail.domain.ports.relaying import HostOutbox
from ticketmail.domain.ports.rendering import Renderer
from ticketmail.domain.ports.sharing import SharedBlobs

#: A publish takes at most its two time-outs, and one more time to connect where a connection was dead.
_LEASE_MORE_S: Final = 5.0
#: What a host says of an outbox that is not drained: it sees no relay, alive or dead.
UNRELAYED: Final = "No relay brings them there, or it is behind: see `ticketmail relay`."


@dataclass(frozen=True)
class Relaying:
    """What a host's relay works with. A class, for an injector is not asked for Protocols. ``outbox`` None: neither an outbox
    nor a bridge is set; ``shared`` None: all content travels in the jobs."""

    settings: Settings
    host: HostPieces
    timing: Timing
    broker: Broker
    outbox: HostOutbox | None
    shared: SharedBlobs | None

    def relay(self, meter: Meter | None = None) -> Relay:
        """A relay of this host's. Raises SettingsError if there is nothing to relay."""
        return Relay(
            self.required_outbox,
            self.broker,
            rules=self._rules,
            clock=self.timing.clock,
            tell=teller(self.settings, self.host.alert_sinks),
            meter=meter or self.host.meter or NullMeter(),
            chance=self.timing.chance,
        )

    def word(self) -> AwaitWord | None:
        """What hears the mail service's word; None where it is not awaited."""
        if not self._awaits_word:
            return None
        return AwaitWord(
            self.required_outbox,
            self.broker,
            secrets=job_secrets(self.settings),
            threads=self.timing.threads,
            sleeper=self.timing.sleeper,
        )

    def road(self) -> Road:
        """The road that this host's mail takes."""
        direct = BrokerRoad(self.broker)
        if self.outbox is None:
            return direct
        if not self.settings.bridge.get_secret_value():
            return OutboxRoad(self.outbox, look=self._look_of(self.outbox), monotonic_s=self.timing.clock.monotonic_s)
        return BridgedRoad(direct, self.outbox, lambda stop: self.relay().run(stop, until_empty=True))

    @property
    def required_outbox(self) -> HostOutbox:
        """Raises SettingsError."""
        if self.outbox is None:
            raise SettingsError(
                "There is nothing to relay: mail goes straight to the broker.",
                name="outbox",
                remedy="Set outbox to the host's database, or bridge to a file.",
            )
        return self.outbox

    def _look_of(self, outbox: HostOutbox) -> Callable[[], None]:
        meter = self.host.meter or NullMeter()
        tell = teller(self.settings, self.host.alert_sinks)
        return partial(BacklogWatch(outbox, self._rules, self.timing.clock, tell, meter).look, UNRELAYED)

    @property
    def _rules(self) -> RelayRules:
        bridged = bool(self.settings.bridge.get_secret_value())
        broker = self.settings.broker
        return RelayRules(
            lease_s=2 * (broker.connect_timeout + broker.confirm_timeout) + _LEASE_MORE_S,
            word_s=self.settings.outbox.again if self._awaits_word else None,
            in_order=bridged,
            alarm_after_s=self.settings.outbox.alarm_after,
            site=self.settings.site,
            name="bridge" if bridged else "outbox",
        )

    @property
    def _awaits_word(self) -> bool:
        return self.settings.outbox.confirm == "spooled" and not self.settings.bridge.get_secret_value()


class BrokerModule(Module):
    """The broker, and the road to it. An override may give another broker."""

    @singleton
    @provider
    def broker(self, settings: Settings) -> Broker:
        return broker_of(settings)

    @singleton
    @provider
    def relaying(self, settings: Settings, host: HostPieces, timing: Timing, broker: Broker) -> Relaying:
        return Relaying(settings, host, timing, broker, outbox_of(settings), blobs_of(settings))

    @singleton
    @provider
    def road(self, relaying: Relaying) -> Road:
        return relaying.road()

    @singleton
    @provider
    def packer(
        self, settings: Settings, host: HostPieces, relaying: Relaying, renderer: Renderer, lanes: Lanes, timing: Timing
    ) -> Packer:
        rules = PackRules(
            max_size_bytes=settings.max_size,
            message_id_domain=settings.message_id_domain,
            token_secrets=tuple(one.get_secret_value().encode() for one in settings.secret),
            job_secret=next(iter(job_secrets(settings)), None),
            max_job_bytes=relaying.broker.capabilities.max_job_bytes,
            confirm=bool(settings.outbox.url.get_secret_value()) and settings.outbox.confirm == "spooled",
        )
        return Packer(
            renderer=renderer,
            lanes=lanes,
            clock=timing.clock,
            random_bytes=timing.random_bytes,
            rules=rules,
            shared=relaying.shared,
            traceparent=tracer_of(host).current,
        )

    @singleton
    @provider
    def handover(self, packer: Packer, road: Road) -> Handover:
        return Handover(packer, road)

    @singleton
    @provider
    def roads(self, road: Road, relaying: Relaying) -> Roads:
        stores = [store for store in (relaying.outbox, relaying.shared) if store is not None]
        return Roads(None, (road.close, relaying.broker.close, *(store.close for store in stores)))


BY_BROKER: tuple[type[Module], ...] = (*COMMON, BrokerModule)
