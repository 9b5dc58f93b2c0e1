"""What a host needs that is told over a broker, whether or not it has a spool of its own."""

from __future__ import annotations

from injector import Module, provider, singleton

from ticketmail.app.settings import Settings
from ticketmail.app.usecases.hear import Hear
from ticketmail.app.wiring.brokering import broker_of, job_secrets
from ticketmail.app.wiring.timing import Timing


class HearingModule(Module):
    """The host's end of the events' road, made when somebody listens."""

    @singleton
    @provider
    def hear(self, settings: Settings, timing: Timing) -> Hear:
        return Hear(broker_of(settings), secrets=job_secrets(settings), now_us=timing.clock.now_us)
