"""Adapters by entry point: the scheme of a URL is the entry point's name. Nothing is imported before it is named.

Ours register in the same groups as anyone's: ``ticketmail.gateways`` (``create(url, GatewayOptions)``),
``ticketmail.spools`` (``create(url, SpoolOptions)``), ``ticketmail.brokers`` (``create(url, BrokerOptions)``),
``ticketmail.outboxes`` (``create(url, HostOutboxOptions)``), ``ticketmail.blobs`` (``create(url)``) and
``ticketmail.profiles`` (a ``Profile``).
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from ticketmail.app.settings_values import scheme_of
from ticketmail.domain.errors import ContractBroken, MissingExtra, SettingsError, UnknownScheme
from ticketmail.domain.outbound.profile import Profile
from ticketmail.domain.ports.queueing import Broker, BrokerOptions
from ticketmail.domain.ports.receiving import Mailbox, MailboxOptions
from ticketmail.domain.ports.relaying import HostOutbox, HostOutboxOptions
from ticketmail.domain.ports.sending import Gateway, GatewayFactory, GatewayOptions
from ticketmail.domain.ports.sharing import SharedBlobs
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions

GATEWAYS = "ticketmail.gateways"
SPOOLS = "ticketmail.spools"
MAILBOXES = "ticketmail.mailboxes"
BROKERS = "ticketmail.brokers"
OUTBOXES = "ticketmail.outboxes"
BLOBS = "ticketmail.blobs"
PROFILES = "ticketmail.profiles"
_log = logging.getLogger("ticketmail.plugins")

#: Package that is missing -> extra that brings it. Third parties name their own package in the ImportError.
EXTRA_OF = {
    "aiosmtplib": "worker",
    "aiosmtpd": "lmtp",
    "imapclient": "imap",
    "httpx": "sendgrid",
    "rich": "worker",
    "structlog": "worker",
    "psycopg": "postgresql",
    "kombu": "rabbitmq",
    "amqp": "rabbitmq",
    "redis": "redis",
    "boto3": "sqs",
    "botocore": "sqs",
    "urllib3": "sqs",
    "confluent_kafka": "kafka",
    "dkim": "dkim",
    "dns": "dkim",
    "pymysql": "mariadb",
    "prometheus_client": "prometheus",
    "opentelemetry": "otel",
    "hypothesis": "testing",
    "pytest": "testing",
    "uvloop": "uvloop",
}
#: Schemes of adapters that are known and come with a package of their own, or are written another way.
_OTHER_WORDS = {
    "postgres": "postgresql",
    "pg": "postgresql",
    "postgresql+psycopg": "postgresql",
    "mysql": "mariadb",
    "mariadb+pymysql": "mariadb",
    "sqlite3": "sqlite",
    "smtp+tls": "smtp",
    "rabbitmq": "amqp",
    "pyamqp": "amqp",
    "kafka": "confluentkafka",
    "valkey": "redis",
}


def schemes(group: str) -> tuple[str, ...]:
    """The schemes that are installed for ``group``, sorted."""
    return tuple(sorted(_points(group)))


def open_spool(url: str, options: SpoolOptions) -> SpoolAdapter:
    """The spool adapter for ``url``; nothing is opened. Raises UnknownScheme, MissingExtra, SettingsError."""
    return cast(SpoolAdapter, _factory(SPOOLS, url, "spool.url")(url, options))


def open_gateway(url: str, options: GatewayOptions, *, name: str) -> Gateway:
    """The gateway for ``url``, which the setting ``name`` holds; nothing is opened. Raises as :func:`open_spool` does."""
    factory: GatewayFactory = _factory(GATEWAYS, url, name)
    return factory(url, options)


def open_broker(url: str, options: BrokerOptions) -> Broker:
    """The broker for ``url``; nothing is opened. Raises as :func:`open_spool` does, and BrokerUnsafe."""
    factory = _factory(BROKERS, url, "broker.url")
    try:
        return cast(Broker, factory(url, options))
    except ImportError as error:  # one module serves many technologies: what is missing shows when one is made
        raise missing_extra(error, f"{scheme_of(url)}://", name="broker.url") from error


def open_outbox(url: str, options: HostOutboxOptions, *, name: str) -> HostOutbox:
    """A host's outbox at ``url``, which the setting ``name`` holds; nothing is opened. Raises as :func:`open_spool` does."""
    return cast(HostOutbox, _factory(OUTBOXES, url, name)(url, options))


def open_blobs(url: str) -> SharedBlobs:
    """The store of large content at ``url``; nothing is opened. Raises as :func:`open_spool` does."""
    return cast(SharedBlobs, _factory(BLOBS, url, "broker.blobs")(url))


def open_mailbox(url: str, options: MailboxOptions, *, name: str) -> Mailbox:
    """The source for ``url``, which the setting ``name`` holds; nothing is opened. Raises as :func:`open_spool` does."""
    return cast(Mailbox, _factory(MAILBOXES, url, name)(url, options))


@cache
def profiles() -> Mapping[str, Profile]:
    """All profiles that are installed, by name. One that cannot be loaded is logged and left out."""
    found = {name: _profile(point) for name, point in sorted(_points(PROFILES).items())}
    return {name: one for name, one in found.items() if one is not None}


def _profile(point: EntryPoint) -> Profile | None:
    try:
        found = point.load()
    except Exception as error:  # a package of somebody's must not keep all settings from being read
        _log.warning("the profile %r does not load: %s", point.name, error)
        return None
    if isinstance(found, Profile) and found.name == point.name:
        return found
    _log.warning("the entry point %r of %s is not a Profile of that name", point.name, PROFILES)
    return None


def _factory(group: str, url: str, name: str) -> Any:
    scheme = scheme_of(url)
    points = _points(group)
    if group == BROKERS and scheme not in points:
        scheme = scheme.partition("+")[0]  # kombu's sqla+postgresql:// is the transport sqla
    if scheme not in points:
        raise _unknown(scheme, group, name)
    try:
        factory = points[scheme].load()
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "ticketmail":
            raise ContractBroken(f"The entry point {scheme!r} of {group} does not load: {error}.") from error
        raise missing_extra(error, f"{scheme}://", name=name) from error
    except AttributeError as error:
        raise ContractBroken(f"The entry point {scheme!r} of {group} names nothing: {error}.") from error
    if not callable(factory):
        raise ContractBroken(f"The entry point {scheme!r} of {group} is not callable.")
    return factory


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _unknown(scheme: str, group: str, name: str) -> UnknownScheme:
    known = schemes(group)
    near = [word for word in [_OTHER_WORDS.get(scheme, "")] if word in known] or difflib.get_close_matches(scheme, known, n=1)
    hint = f"Did you mean {near[0]}://? " if near else ""
    return UnknownScheme(
        f"No adapter for {scheme or 'a URL without a scheme'}{'://' if scheme else ''}.",
        name=name,
        remedy=f"{hint}Known: {', '.join(f'{one}://' for one in known) or 'none'}. Others come with a package of their own.",
    )


def missing_extra(error: ImportError, what: str, *, name: str = "") -> SettingsError:
    """The error for a dependency that is not installed: names the package and the extra that brings it."""
    package = (error.name or str(error)).partition(".")[0]
    extra = "s3" if what == "s3://" else EXTRA_OF.get(package)
    remedy = (
        f"pip install 'ticketmail[{extra}]'" if extra else f"pip install {package}" if error.name else "Reinstall its package."
    )
    return MissingExtra(f"{what} needs the package {package!r}, which is not installed.", name=name, remedy=remedy)
