"""The broker, made of settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ticketmail.app.plugins import open_blobs, open_broker, open_outbox
from ticketmail.app.settings import Settings
from ticketmail.app.usecases.large import made_whole
from ticketmail.domain.errors import BlobCorrupt, InvalidMessage
from ticketmail.domain.job import SubmitOrder
from ticketmail.domain.ports.queueing import Broker, BrokerOptions
from ticketmail.domain.ports.relaying import HostOutbox, HostOutboxOptions
from ticketmail.domain.ports.sharing import SharedBlobs

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


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


def blobs_of(settings: Settings) -> SharedBlobs | None:
    """The store of large content that host and mail service share; None where none is set. Nothing is opened."""
    url = settings.broker.blobs.get_secret_value()
    return open_blobs(url) if url else None


def whole_of(shared: SharedBlobs | None) -> Callable[[SubmitOrder], SubmitOrder]:
    """Puts large content that travelled beside its job back into it. The function raises InvalidMessage if it is gone, or if
    there is no such store here; BlobStoreError if the store cannot be used."""

    def whole(order: SubmitOrder) -> SubmitOrder:
        submission = order.submission
        try:
            message = made_whole(submission.message, partial(_content, shared, submission.tenant))
        except BlobCorrupt as error:
            raise InvalidMessage(str(error), field="message", remedy="Submit it again under another key.") from None
        except KeyError:
            raise InvalidMessage(
                "its content is not in the shared store any more." if shared is not None else "it came beside its job.",
                field="message",
                remedy="Give host and mail service the same [broker] blobs; submit it again under another key.",
            ) from None
        return replace(order, submission=submission.model_copy(update={"message": message}))

    return whole


def _content(shared: SharedBlobs | None, tenant: str, digest: str) -> bytes:
    if shared is None or not _DIGEST.fullmatch(digest):  # a job's word: it may be anything
        raise KeyError(digest)
    return shared.get(tenant, digest)


def job_secrets(settings: Settings) -> tuple[bytes, ...]:
    """Keys that jobs are signed with, newest first; (): they are not."""
    return tuple(one.get_secret_value().encode() for one in settings.broker.secret)
