"""The broker, made of settings."""

from __future__ import annotations

from ticketmail.app.plugins import open_broker, open_outbox
from ticketmail.app.settings import Settings
from ticketmail.domain.ports.queueing import Broker, BrokerOptions
from ticketmail.domain.ports.relaying import HostOutbox, HostOutboxOptions


def broker_options(settings: Settings) -> BrokerOptions:
    """``[broker]`` as the adapter takes it."""
    broker = settings.broker
    return BrokerOptions(
        prefix=broker.prefix,
        connect_timeout_s=broker.connect_timeout,
        confirm_timeout_s=broker.confirm_timeout,
        lease_s=broker.lease,
        max_length=broker.max_length,
        allow_lossy=broker.allow_lossy,
        extra=tuple(broker.options.items()),
    )


def broker_of(settings: Settings, *, url: str = "") -> Broker:
    """The broker of ``[broker]``, or of ``url`` with its options. Nothing is opened.

    Raises SettingsError, UnknownScheme, MissingExtra, BrokerUnsafe.
    """
    return open_broker(url or settings.broker.url.get_secret_value(), broker_options(settings))


def outbox_of(settings: Settings) -> HostOutbox | None:
    """The host's outbox, or its bridge; None where neither is set. Nothing is opened. Raises as :func:`broker_of`."""
    outbox, bridge = settings.outbox, settings.bridge.get_secret_value()
    options = HostOutboxOptions(prefix=outbox.prefix, busy_timeout_s=outbox.busy_timeout, create=outbox.create)
    if bridge:
        return open_outbox(bridge, options, name="bridge")
    url = outbox.url.get_secret_value()
    return open_outbox(url, options, name="outbox.url") if url else None


def job_secrets(settings: Settings) -> tuple[bytes, ...]:
    """Keys that jobs are signed with, newest first; (): they are not."""
    return tuple(one.get_secret_value().encode() for one in settings.broker.secret)
