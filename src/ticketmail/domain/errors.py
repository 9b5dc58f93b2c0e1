"""Every error that ticketmail raises on purpose.

::

    TicketmailError
    ├── InvalidSubmission (ValueError)   what was handed over cannot become a mail; nothing was stored
    │   ├── InvalidAddress
    │   ├── InvalidHeader
    │   ├── InvalidMessage
    │   ├── TooLarge
    │   │   └── JobTooLarge              larger than the broker takes
    │   ├── NaiveTime
    │   ├── InvalidScope
    │   └── KeyReused                    the same key with other content
    ├── SubmitInDoubt                    it may have been accepted; ``retry()`` sends the same id again
    ├── SpoolError (OSError)             the spool cannot be used now
    │   ├── SpoolBusy                    another writer holds it; try again
    │   ├── SpoolUnreachable             the server or the file is not there
    │   ├── SpoolFull                    no room left on the disk
    │   ├── SpoolUnsafe                  its durability is switched off
    │   ├── SchemaMismatch               the tables are of another release
    │   └── SiteMismatch                 the spool belongs to another site
    ├── BrokerError (OSError)            the broker did not confirm
    │   ├── BrokerUnreachable            no connection, or it was cut
    │   ├── BrokerBlocked                it takes nothing now (an alarm of memory or disk)
    │   ├── BrokerFull                   the queue refuses more
    │   ├── BrokerRefused                unroutable, no right, another topology
    │   ├── BrokerUnsafe                 it may lose what it confirmed
    │   └── BlobStoreError               the store of large content that host and mail service share
    │       └── BlobCorrupt              what it holds is not what was put there
    ├── MailboxError (OSError)           a source of incoming mail cannot be read now
    │   ├── MailboxUnreachable           no connection, or it was cut
    │   ├── MailboxRefused               it does not let us in
    │   └── MailboxFolderError           one folder fails, the others are read
    │       └── MailboxFolderRefused     it is not there, or closed to us
    ├── InvalidJob (ValueError)          what came from a broker cannot be understood; it is parked
    ├── HostTransactionMustBeImmediate   a SQLite transaction that is not a writer yet
    ├── SettingsError (ValueError)       a setting is missing or wrong
    │   ├── UnknownScheme
    │   ├── NoSpool                      this host hands over to a broker
    │   └── MissingExtra (ImportError)
    └── ContractBroken                   an adapter did not keep a port's contract

Each class has a ``code`` that never changes; ``docs/reference/errors.md`` lists code, cause and remedy.
No message ever contains a password, a token or a mail's text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class TicketmailError(Exception):
    """The root of all errors raised on purpose."""

    code: ClassVar[str] = "ticketmail"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip() if remedy else message)
        self.remedy = remedy


class InvalidSubmission(TicketmailError, ValueError):
    """What was handed over cannot become a mail. Nothing was stored. ``field`` names the culprit."""

    code = "invalid-submission"

    def __init__(self, message: str, *, field: str, remedy: str = "") -> None:
        super().__init__(f"{field}: {message}", remedy=remedy)
        self.field = field


class InvalidAddress(InvalidSubmission):
    """Not an address that mail can be sent to (RFC 5321 section 4.1.2, RFC 6531 for non-ASCII)."""

    code = "invalid-address"


class InvalidHeader(InvalidSubmission):
    """A header name or value that would break or forge the header block (line break, NUL, reserved name)."""

    code = "invalid-header"


class InvalidMessage(InvalidSubmission):
    """A message without a recipient, without content, or with parts that contradict one another."""

    code = "invalid-message"


class TooLarge(InvalidSubmission):
    """Larger than the settings or every account of the route allow. Sizes are bytes."""

    code = "too-large"


class JobTooLarge(TooLarge):
    """Larger than the broker takes, and there is no blob store that host and mail service share. Sizes are bytes."""

    code = "job-too-large"


class NaiveTime(InvalidSubmission):
    """A time without an offset. Pass an aware ``datetime``."""

    code = "naive-time"


class InvalidScope(InvalidSubmission):
    """Not a scope: ``all``, ``id:UUID``, ``id:UUID/N``, ``account:X``, ``lane:X``,
    ``tenant:X``, ``ticket:X``, ``to:ADDR``, ``domain:X``, ``cause:X``.
    """

    code = "invalid-scope"


class KeyReused(InvalidSubmission):
    """The idempotency key was used before for other content. The first submission stands, this one was not stored."""

    code = "key-reused"


class SubmitInDoubt(TicketmailError):
    """The answer to the commit was lost: the submission may or may not be stored. ``retry()`` is safe: same id, one mail."""

    code = "submit-in-doubt"

    def __init__(self, message: str, *, retry: Callable[[], Any], remedy: str = "Call retry() on this error.") -> None:
        super().__init__(message, remedy=remedy)
        self.retry = retry


class SpoolError(TicketmailError, OSError):
    """The spool cannot be used now. What was accepted before is safe."""

    code = "spool"

    def __str__(self) -> str:
        return str(self.args[0])


class SpoolBusy(SpoolError):
    """Another writer held the spool for longer than the time-out. Nothing was stored; try again."""

    code = "spool-busy"


class SpoolUnreachable(SpoolError):
    """The database server or file cannot be reached."""

    code = "spool-unreachable"


class SpoolFull(SpoolError):
    """No room left on the disk of the spool. Intake refuses, sending pauses, nothing is lost."""

    code = "spool-full"


class SpoolUnsafe(SpoolError):
    """The database does not keep what it confirms (``fsync=off``, a network file system), or not all characters."""

    code = "spool-unsafe"


class SchemaMismatch(SpoolError):
    """The spool's tables are missing or of a release that this one cannot read."""

    code = "schema-mismatch"


class SiteMismatch(SpoolError):
    """The spool belongs to another site: a copy or a restore, perhaps. ``ticketmail adopt --hold`` takes it over."""

    code = "site-mismatch"


class BrokerError(TicketmailError, OSError):
    """The broker has not confirmed. What it confirmed before is safe; publish again what this call held: same id, one mail.
    ``in_doubt``: it may have stored some of it nevertheless."""

    code = "broker"
    in_doubt = False
    usual_remedy: ClassVar[str] = "`ticketmail doctor` looks at it."

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy or self.usual_remedy)

    def __str__(self) -> str:
        return str(self.args[0])


class BrokerUnreachable(BrokerError):
    """No connection to the broker, or it was cut before the confirm."""

    code = "broker-unreachable"
    usual_remedy = "Check its URL, the network and the server."


class BrokerBlocked(BrokerError):
    """The broker takes nothing for now: an alarm of memory or disk on its side. Mend it there."""

    code = "broker-blocked"
    usual_remedy = "Mend that at the broker; the same again is safe."


class BrokerFull(BrokerError):
    """The queue has reached its limit and refuses more: the mail service does not take jobs, or not fast enough."""

    code = "broker-full"
    usual_remedy = "Let a worker take jobs (`ticketmail status` at the mail service), or raise `max_length`."


class BrokerRefused(BrokerError):
    """The broker will not have it: no such queue, no right, or a queue of other properties. ``ticketmail broker ensure``."""

    code = "broker-refused"
    usual_remedy = "Check login, rights and names; `ticketmail broker ensure` makes queues."


class BrokerUnsafe(BrokerError):
    """The broker may lose what it confirmed, and ``allow_lossy`` is not set."""

    code = "broker-unsafe"


class BlobStoreError(BrokerError):
    """The store that host and mail service share for large content cannot be used."""

    code = "blob-store"
    usual_remedy = "Check the store of `[broker] blobs` and the rights on it."


class BlobCorrupt(BlobStoreError):
    """What the shared store holds under a name is not what was put there: its hash does not fit."""

    code = "blob-corrupt"
    usual_remedy = "Check the store's disk; hand the mail over again under another key."


class InvalidJob(TicketmailError, ValueError):
    """A job that cannot be understood: not JSON, an unknown version, a wrong signature. It is parked with its bytes."""

    code = "invalid-job"


class MailboxError(TicketmailError, OSError):
    """A source of incoming mail cannot be read now. It is tried again; what it holds stays there."""

    code = "mailbox"


class MailboxUnreachable(MailboxError):
    """It cannot be reached, or the connection broke."""

    code = "mailbox-unreachable"


class MailboxRefused(MailboxError):
    """It does not let us in: a login or token that a human must mend."""

    code = "mailbox-refused"


class MailboxFolderError(MailboxError):
    """In one of its folders mail that is safe cannot be marked or moved. Nothing is lost, the other folders are read. ``came``:
    how many mails were stored all the same."""

    code = "mailbox-folder"
    came = 0


class MailboxFolderRefused(MailboxFolderError, MailboxRefused):
    """One of its folders is not there, or may not be opened. The others are read."""

    code = "mailbox-folder-refused"


class HostTransactionMustBeImmediate(TicketmailError):
    """On SQLite ``connection=`` needs a transaction that is a writer already (``BEGIN IMMEDIATE``, or after a write)."""

    code = "host-transaction-must-be-immediate"


class SettingsError(TicketmailError, ValueError):
    """A setting is missing, unknown or wrong. ``name`` is its dotted name, such as ``accounts.support.url``."""

    code = "settings"

    def __init__(self, message: str, *, name: str = "", remedy: str = "") -> None:
        super().__init__(f"{name}: {message}" if name else message, remedy=remedy)
        self.name: str | None = name  # ImportError, of which MissingExtra is one too, has it so


class UnknownScheme(SettingsError):
    """No adapter is registered for the scheme of a URL."""

    code = "unknown-scheme"


class NoSpool(SettingsError):
    """This host hands its mail over to a broker: it has no spool to look into or act on. The mail service has."""

    code = "no-spool"


class MissingExtra(SettingsError, ImportError):
    """The adapter is there, the package it needs is not. The message names the extra to install."""

    code = "missing-extra"


class ContractBroken(TicketmailError):
    """An adapter broke a port's contract (a wrong number of outcomes, say). The mail is kept."""

    code = "contract-broken"
