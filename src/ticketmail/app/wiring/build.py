"""All parts, put together and checked at once: a missing binding shows here, not at the first mail."""

from __future__ import annotations

from injector import Binder, CallError, Injector, InstanceProvider, Module, UnsatisfiedRequirement, singleton

from ticketmail.app.settings import Settings
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.usecases.tell import Tell
from ticketmail.app.usecases.watch import Watch
from ticketmail.app.wiring.modules import MODULES
from ticketmail.app.wiring.pieces import HostPieces
from ticketmail.domain.errors import SettingsError

#: Use cases that must be makeable.
CHECKED = (Submit, Tell, Watch)


def build(settings: Settings, *overrides: Module, host: HostPieces | None = None) -> Injector:
    """An injector over ``settings``; ``overrides`` are Modules that win. Opens no connection; imports the spool's adapter.

    Ask it for use cases (``injector.get(Submit)``), never for Protocols.

    Raises:
        SettingsError, UnknownScheme, MissingExtra: the spool cannot be made of the settings, or a binding is missing.
    """

    def given(binder: Binder) -> None:
        binder.bind(Settings, to=InstanceProvider(settings), scope=singleton)
        binder.bind(HostPieces, to=InstanceProvider(host or HostPieces()), scope=singleton)

    injector = Injector([given, *(module() for module in MODULES), *overrides], auto_bind=False)
    try:
        for case in CHECKED:
            injector.get(case)
    except (UnsatisfiedRequirement, CallError) as error:
        raise SettingsError(f"The parts do not fit together: {error}", remedy="Check the override modules.") from error
    return injector
