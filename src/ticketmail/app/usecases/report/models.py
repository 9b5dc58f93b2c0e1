"""What reports are made of. Names that end in ``_us`` are UTC microseconds, in ``_s`` seconds, in ``_bytes`` bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.routing import Groups
from ticketmail.domain.outbound.server import Server


class Level(StrEnum):
    """How it is. ``exit_code`` is 0, 1 or 2, for cron and monitoring."""

    OK = "ok"
    WARN = "warn"  #: works, but somebody should look today
    BAD = "bad"  #: mail does not leave as it should: look now

    @property
    def exit_code(self) -> int:
        """0, 1, 2."""
        return list(Level).index(self)


def worst(levels: Iterable[Level]) -> Level:
    """The worst of ``levels``; OK if there are none."""
    return max(levels, key=lambda level: level.exit_code, default=Level.OK)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``remedy`` is the next step, '' where none is needed."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


class HoldKind(StrEnum):
    """Why a delivery that waits does not run."""

    SCHEDULED = "scheduled"  #: the host said not before
    DEFERRED = "deferred"  #: a temporary failure: its next try has a time
    ORDER = "order"  #: waits for an earlier mail of its ticket
    PAUSE = "pause"  #: a human's decision
    RATE = "rate"  #: the account's own limit, of less than an hour
    QUOTA = "quota"  #: the account's limit of an hour or more, ours or the provider's
    THROTTLE = "throttle"  #: the server wants fewer mails for now
    BREAKER = "breaker"  #: the account or its server is not well
    CONNECTIONS = "connections"  #: other workers use all connections
    ACCOUNT = "account"  #: its shared state cannot be read
    NO_ROUTE = "no-route"
    NO_WORKER = "no-worker"
    SPOOL = "spool"  #: no room: what cannot be recorded is not sent
    EVIDENCE = "evidence"  #: it may have been taken; proof is being looked for
    DECISION = "decision"  #: ended, or waits for a human


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason to wait. Every hold has an end: ``until_us``, or a named human ``decision``.

    ``scope`` is what it holds (``account:support``); ``text`` a clause for people.
    """

    kind: HoldKind
    scope: str
    text: str
    until_us: int | None = None
    decision: str = ""
    since_us: int | None = None

    def __post_init__(self) -> None:
        if self.until_us is None and not self.decision:
            raise ValueError(f"the hold {self.kind.value} of {self.scope} has no end")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something that happened or is so, and when (``at_us``)."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Why one delivery is where it is. ``eta_us`` None: no time can be given, and the last sentence says who decides."""

    submission_id: UUID
    number: int
    recipient: str
    state: DeliveryState
    ticket: str | None
    sentences: tuple[Sentence, ...]
    holds: tuple[Hold, ...] = ()
    eta_us: int | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What settings say of an account. ``network`` False: it mails nobody. ``server`` '' if it has none of its own.

    ``sources`` say who named each figure of ``limits``: ``settings``, ``profile X``, ``default``; by the field's name, windows as
    ``windows.30/min``."""

    network: bool = True
    server: str = ""
    limits: AccountLimits = field(default_factory=AccountLimits)
    sources: Mapping[str, str] = field(default_factory=dict)
    shares: Server | None = None  #: the server that it shares with other accounts, if that is limited

    @property
    def counts_bytes(self) -> bool:
        """One of the windows that its mail goes through does."""
        shared = self.shares.limits.windows if self.shares is not None else ()
        return any(one.unit == "bytes" for one in (*self.limits.windows, *shared))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the settings say, as far as reports need it. ``routes`` are accounts in order by route, ``groups`` the same by those
    that share its mail. ``modes`` are sentences on ways in which nobody, or not everybody, is mailed. ``lanes`` are deadlines in
    seconds, ``weights`` the lanes' parts when they compete, ``reserves`` the parts of a day's quota that a lane leaves to others.
    ``missing`` are accounts that a route names and may not use."""

    site: str = "default"
    accounts: Mapping[str, AccountFacts] = field(default_factory=dict)
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    modes: tuple[str, ...] = ()
    lanes: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    reserves: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mailboxes: tuple[str, ...] = ()  #: those that are watched
    grants: Mapping[str, int] = field(default_factory=dict)  #: whose OAuth2 grant ends when (UTC microseconds)
    groups: Mapping[str, Groups] = field(default_factory=dict)

    def equals_of(self, route: str, account: str) -> tuple[str, ...]:
        """The accounts that share the route's mail with ``account``, itself among them."""
        return next((group for group in self.groups.get(route, ()) if account in group), (account,))

    def groups_of(self, route: str) -> Groups:
        """The accounts of a route, in order, by those that share its mail."""
        return self.groups.get(route) or tuple((name,) for name in self.accounts_of(route))

    def accounts_of(self, route: str) -> tuple[str, ...]:
        """The accounts of a route, in order; () if it has none."""
        return self.routes.get(route, ())


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What waits in a lane, over all routes."""

    lane: str
    queued: int
    due: int
    oldest_due_us: int | None
    oldest_due_s: float | None
    level: Level


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account as the workers share it. ``state`` is one word for people; ``used`` sums up its windows."""

    name: str
    level: Level
    state: str
    network: bool = True
    holds: tuple[Hold, ...] = ()
    used: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker that lives, or that died without an orderly end not long ago."""

    worker_id: UUID
    host: str
    pid: int
    version: str
    alive: bool
    started_us: int
    beat_us: int
    stats: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """The spool itself. None: cannot be known (a server)."""

    schema_version: int
    site: str
    free_bytes: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class RoadStatus:
    """A queue at the broker as a worker last saw it, at ``at_us``. ``waiting`` None: it could not be told."""

    queue: str
    waiting: int | None
    at_us: int
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """A watched mailbox as its worker last saw it; ``worker`` '' if none has it. ``lag_s``: since it was last looked at without
    trouble. ``places``: how far each folder was read (IMAP: ``UIDVALIDITY:UID``)."""

    name: str
    level: Level
    state: str
    worker: str
    host: str
    connected: bool
    well_us: int | None
    lag_s: float | None
    last_mail_us: int | None
    trouble: str
    since_us: int | None
    places: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """One screen. ``headline`` answers "is mail leaving?" in a sentence."""

    at_us: int
    level: Level
    headline: str
    findings: tuple[Finding, ...]
    modes: tuple[str, ...]
    lanes: tuple[LaneStatus, ...]
    holds: tuple[Hold, ...]
    accounts: tuple[AccountStatus, ...]
    workers: tuple[WorkerStatus, ...]
    counts: Mapping[str, int]
    spool: SpoolStatus
    last_sent_us: int | None
    events_waiting: int
    events_dead: int
    oldest_event_us: int | None
    roads: tuple[RoadStatus, ...] = ()
    jobs_parked: int = 0
    mailboxes: tuple[MailboxStatus, ...] = ()
