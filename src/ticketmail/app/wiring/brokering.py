"""The broker, made of settings."""

from __future__ import annotations

from ticketmail.app.plugins import open_broker
from ticketmail.app.settings import Settings
from ticketmail.domain.ports.queueing import Broker, BrokerOptions


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


def job_secrets(settings: Settings) -> tuple[bytes, ...]:
    """Keys that jobs are signed with, newest first; (): they are not."""
    return tuple(one.get_secret_value().encode() for one in settings.broker.secret)
