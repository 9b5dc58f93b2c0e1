"""All parts, put together and checked at once: a missing binding shows here, not at the first mail."""

from __future__ import annotations

from injector import Binder, CallError, Injector, InstanceProvider, Module, UnsatisfiedRequirement, singleton

from ticketmail.app.settings import Settings
from ticketmail.app.usecases.handover import Handover
from ticketmail.app.usecases.ingest import Inbound
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.usecases.tell import Tell
from ticketmail.app.usecases.watch import Watch
from ticketmail.app.wiring.hearing import HearingModule
from ticketmail.app.wiring.modules import WITH_SPOOL
from ticketmail.app.wiring.pieces import HostPieces
from ticketmail.app.wiring.receiving import ReceivingModule
from ticketmail.app.wiring.roads import BY_BROKER
from ticketmail.domain.errors import SettingsError

#: Use cases that must be makeable: with a spool, and with a broker alone.
CHECKED = (Submit, Tell, Watch, Inbound)
CHECKED_BY_BROKER = (Handover,)


def build(settings: Settings, *overrides: Module, host: HostPieces | None = None) -> Injector:
    """An injector over ``settings``; ``overrides`` are Modules that win. Opens no connection; imports the
    adapter of the spool or the broker.

    Ask it for use cases (``injector.get(Submit)``), never for Protocols.

    Raises:
        SettingsError, UnknownScheme, MissingExtra: the parts cannot be made of the settings, or a binding is missing.
    """

    def given(binder: Binder) -> None:
        binder.bind(Settings, to=InstanceProvider(settings), scope=singleton)
        binder.bind(HostPieces, to=InstanceProvider(host or HostPieces()), scope=singleton)

    modules = BY_BROKER if settings.by_broker else (*WITH_SPOOL, ReceivingModule)
    injector = Injector([given, *(module() for module in modules), HearingModule(), *overrides], auto_bind=False)
    try:
        for case in CHECKED_BY_BROKER if settings.by_broker else CHECKED:
            injector.get(case)
    except (UnsatisfiedRequirement, CallError) as error:
        raise SettingsError(f"The parts do not fit together: {error}", remedy="Check the override modules.") from error
    return injector
