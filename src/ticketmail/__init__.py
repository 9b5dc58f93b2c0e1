"""ticketmail: mail a ticketing system can trust.

Everything public is here; modules below are not API, but ``ticketmail.testing``, ``ticketmail.domain.ports`` and the entry-point
groups are, for those who write adapters. Names load on first use: ``import ticketmail`` itself imports no other package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ticketmail._version import __version__

if TYPE_CHECKING:
    from ticketmail.app.attachments import attach
    from ticketmail.app.facade import TicketMail
    from ticketmail.domain.address import Address
    from ticketmail.domain.envelope import Envelope
    from ticketmail.domain.errors import (
        BlobCorrupt,
        BlobStoreError,
        BrokerBlocked,
        BrokerError,
        BrokerFull,
        BrokerRefused,
        BrokerUnreachable,
        BrokerUnsafe,
        ContractBroken,
        HostTransactionMustBeImmediate,
        InvalidAddress,
        InvalidHeader,
        InvalidJob,
        InvalidMessage,
        InvalidScope,
        InvalidSubmission,
        JobTooLarge,
        KeyReused,
        MailboxError,
        MailboxFolderError,
        MailboxFolderRefused,
        MailboxRefused,
        MailboxUnreachable,
        MissingExtra,
        NaiveTime,
        NoSpool,
        SchemaMismatch,
        SettingsError,
        SiteMismatch,
        SpoolBusy,
        SpoolError,
        SpoolFull,
        SpoolUnreachable,
        SpoolUnsafe,
        SubmitInDoubt,
        TicketmailError,
        TooLarge,
        UnknownScheme,
    )
    from ticketmail.domain.events import (
        MailBounced,
        MailCancelled,
        MailComplained,
        MailDeadLettered,
        MailDelayed,
        MailEvent,
        MailExpired,
        MailFailed,
        MailReceived,
        MailRefused,
        MailSent,
        MailSuppressed,
        MailUnknown,
        event_from_json,
    )
    from ticketmail.domain.message import Attachment, Message
    from ticketmail.domain.outbound.delivery import DeliveryState
    from ticketmail.domain.ports.alerting import Alert, AlertSink
    from ticketmail.domain.ports.hosting import AttachmentFetcher, Evidence, Verdict, WantedCheck
    from ticketmail.domain.ports.reading import Pause
    from ticketmail.domain.ports.telling import TicketHandler
    from ticketmail.domain.scope import Scope
    from ticketmail.domain.submission import Receipt, Submission

_WHERE = {
    "app.attachments": ("attach",),
    "app.facade": ("TicketMail",),
    "domain.address": ("Address",),
    "domain.envelope": ("Envelope",),
    "domain.errors": (
        "BlobCorrupt",
        "BlobCorrupt",
        "BlobStoreError",
        "BrokerBlocked",
        "BrokerError",
        "BrokerFull",
        "BrokerRefused",
        "BrokerUnreachable",
        "BrokerUnsafe",
        "ContractBroken",
        "HostTransactionMustBeImmediate",
        "InvalidAddress",
        "InvalidHeader",
        "InvalidJob",
        "InvalidMessage",
        "InvalidScope",
        "InvalidSubmission",
        "JobTooLarge",
        "KeyReused",
        "MailboxError",
        "MailboxFolderError",
        "MailboxFolderRefused",
        "MailboxRefused",
        "MailboxUnreachable",
        "MissingExtra",
        "NaiveTime",
        "NoSpool",
        "SchemaMismatch",
        "SettingsError",
        "SiteMismatch",
        "SpoolBusy",
        "SpoolError",
        "SpoolFull",
        "SpoolUnreachable",
        "SpoolUnsafe",
        "SubmitInDoubt",
        "TicketmailError",
        "TooLarge",
        "UnknownScheme",
    ),
    "domain.events": (
        "MailBounced",
        "MailCancelled",
        "MailComplained",
        "MailDeadLettered",
        "MailDelayed",
        "MailEvent",
        "MailExpired",
        "MailFailed",
        "MailReceived",
        "MailRefused",
        "MailSent",
        "MailSuppressed",
        "MailUnknown",
        "event_from_json",
    ),
    "domain.message": ("Attachment", "Message"),
    "domain.outbound.delivery": ("DeliveryState",),
    "domain.ports.alerting": ("Alert", "AlertSink"),
    "domain.ports.hosting": ("AttachmentFetcher", "Evidence", "Verdict", "WantedCheck"),
    "domain.ports.reading": ("Pause",),
    "domain.ports.telling": ("TicketHandler",),
    "domain.scope": ("Scope",),
    "domain.submission": ("Receipt", "Submission"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Address",
    "Alert",
    "AlertSink",
    "Attachment",
    "AttachmentFetcher",
    "BlobCorrupt",
    "BlobStoreError",
    "BrokerBlocked",
    "BrokerError",
    "BrokerFull",
    "BrokerRefused",
    "BrokerUnreachable",
    "BrokerUnsafe",
    "ContractBroken",
    "DeliveryState",
    "Envelope",
    "Evidence",
    "HostTransactionMustBeImmediate",
    "InvalidAddress",
    "InvalidHeader",
    "InvalidJob",
    "InvalidMessage",
    "InvalidScope",
    "InvalidSubmission",
    "JobTooLarge",
    "KeyReused",
    "MailBounced",
    "MailCancelled",
    "MailComplained",
    "MailDeadLettered",
    "MailDelayed",
    "MailEvent",
    "MailExpired",
    "MailFailed",
    "MailReceived",
    "MailRefused",
    "MailSent",
    "MailSuppressed",
    "MailUnknown",
    "MailboxError",
    "MailboxFolderError",
    "MailboxFolderRefused",
    "MailboxRefused",
    "MailboxUnreachable",
    "Message",
    "MissingExtra",
    "NaiveTime",
    "NoSpool",
    "Pause",
    "Receipt",
    "SchemaMismatch",
    "Scope",
    "SettingsError",
    "SiteMismatch",
    "SpoolBusy",
    "SpoolError",
    "SpoolFull",
    "SpoolUnreachable",
    "SpoolUnsafe",
    "Submission",
    "SubmitInDoubt",
    "TicketHandler",
    "TicketMail",
    "TicketmailError",
    "TooLarge",
    "UnknownScheme",
    "Verdict",
    "WantedCheck",
    "__version__",
    "attach",
    "event_from_json",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"ticketmail.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
