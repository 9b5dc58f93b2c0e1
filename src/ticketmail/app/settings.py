"""Settings: one model for every name, checked as a whole before anything is opened.

Names and meaning are those of ADR 0001. Durations are seconds as ``float``, sizes are bytes as ``int``; both may be written as
text with a unit (``30s``, ``14d``, ``25MiB``). Where values come from is :mod:`ticketmail.app.settings_source`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from ticketmail.app.settings_values import (
    Addresses,
    Days,
    Duration,
    Name,
    OneOrMany,
    OptionalAddress,
    Recipient,
    Schedule,
    SecretUrl,
    Size,
    Texts,
)
from ticketmail.domain.inbound.verdict import MailKind


class _Table(BaseModel):
    # hide_input_in_errors: pydantic would print the offending value, which may be a password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


def _long_enough(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    # RFC 2104 section 3: keys shorter than the hash's output weaken it; 16 bytes is the least that is not guessable.
    if any(len(one.get_secret_value().encode()) < 16 for one in value):
        raise ValueError(
            "each secret needs at least 16 bytes; make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return value


class SpoolSettings(_Table):
    """``[spool]``: where accepted mail lives. ``url`` alone may be written as ``spool = "sqlite:///ticketmail.db"``."""

    url: SecretUrl = SecretStr("sqlite:///ticketmail.db")
    prefix: str = Field(default="ticketmail_", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,30}$")
    order_wait: Duration = 600.0  #: how long a mail waits for its predecessor in the ticket
    busy_timeout: Duration = 30.0
    allow_lossy: bool = False  #: take a database that may lose what it confirmed
    listen_url: SecretUrl = SecretStr("")  #: PostgreSQL NOTIFY past a pooler such as pgbouncer
    create: bool = True  #: make or upgrade the tables at first use
    pool_size: int = Field(default=5, ge=1, le=100)


class BrokerSettings(_Table):
    """``[broker]``: the road between hosts and mail service. ``url`` alone may be written as ``broker = "amqp://host//"``.

    A host that names a broker and no spool hands its mail over to the broker. ``secret`` signs jobs: with one, the other side
    must have it too (several for rotation, newest first); it is not the ``secret`` of tokens. ``options`` are for settings
    that only this broker's adapter knows.
    """

    url: SecretUrl = SecretStr("")
    prefix: str = Field(default="ticketmail", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$")  #: begins each name on the broker
    secret: Annotated[tuple[SecretStr, ...], OneOrMany] = ()
    lease: Annotated[Duration, Field(ge=6, le=43_200)] = 60.0  #: how long a consumer that went silent keeps jobs to itself
    connect_timeout: Annotated[Duration, Field(ge=0.1, le=300)] = 5.0
    confirm_timeout: Annotated[Duration, Field(ge=0.1, le=300)] = 10.0  #: a broker that has not confirmed by then has failed
    blobs: SecretUrl = SecretStr("")
    keep_blobs: Annotated[Days, Field(ge=1)] = 30.0  #: how long content is kept there; longer than any outage
    max_length: int | None = Field(default=None, ge=1)  #: jobs in a queue above which it refuses, where the broker can
    allow_lossy: bool = False  #: take a broker that may lose what it confirmed
    events: bool | None = None  #: whether mail events travel back on it; None: unless a webhook takes them
    options: dict[str, str] = Field(default_factory=dict)

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        return _long_enough(value)


class OutboxSettings(_Table):
    """``[outbox]``: a host's own database, where its mail waits for ``ticketmail relay`` to bring it to the broker. ``url`` alone
    may be written as ``outbox = "postgresql://..."``."""

    url: SecretUrl = SecretStr("")
    prefix: str = Field(default="ticketmail_road_", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,30}$")
    confirm: Literal["broker", "spooled"] = "broker"  #: a job is forgotten after this word: the broker's, or the mail service's
    again: Annotated[Duration, Field(ge=1)] = 600.0  #: a job without the mail service's word is published again after this
    alarm_after: Duration = 60.0  #: a job that waits for longer is an alarm
    busy_timeout: Duration = 30.0
    create: bool = True  #: make the tables at first use


class WebhookSettings(_Table):
    """``[webhook]``: mail events as signed HTTP calls (standardwebhooks.com) from the workers, for hosts that are not Python.
    ``url`` alone may be written as ``webhook = "https://desk.example.com/mail"``. Several ``secret`` sign each call, each for
    itself: so one can be changed."""

    url: SecretUrl = SecretStr("")
    secret: Annotated[tuple[SecretStr, ...], OneOrMany] = ()  #: as text, or base64 after `whsec_`; newest first
    timeout: Annotated[Duration, Field(ge=0.1, le=300)] = 15.0  #: for connecting, and for each wait for bytes
    allow_private: bool = False  #: also to addresses that are not public (your own network)

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        return _long_enough(value)


class TokenSettings(_Table):
    """``[accounts.X.token]``: where OAuth2 access tokens come from (RFC 6749 section 6, or client credentials, 4.4).

    ``expires`` is the last day of the client secret or the consent, as the provider shows it; no token tells it.
    """

    url: str
    client_id: str
    client_secret: SecretStr = SecretStr("")
    refresh_token: SecretStr = SecretStr("")
    scope: str = ""
    expires: date | None = None  #: such as `2027-05-31`; `status` and an alarm say three weeks before that it ends


class AccountSettings(_Table):
    """``[accounts.X]``: the identity that limits apply to. ``url`` alone may be written as ``X = "smtp://..."``.

    Exactly one of ``url`` and ``gateway`` is set. ``user`` and ``password`` go into the URL if it has none; a password may
    be ``file:/run/secrets/name``. ``senders`` are the addresses and domains that the account may send as; none: any.
    ``options`` are for settings that only this gateway's adapter knows.
    """

    url: SecretUrl = SecretStr("")
    gateway: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    profile: str = ""
    auth: Literal["password", "oauth2", "none"] = "password"
    token: TokenSettings | None = None
    share: float = Field(default=1.0, gt=0, le=1)  #: the part of each limit that is ours
    limits: Texts = ()
    connections: int | None = Field(default=None, ge=1, le=1000)
    messages_per_connection: int | None = Field(default=None, ge=1)
    seconds_per_connection: Duration = 300.0
    max_size: Size | None = Field(default=None, ge=1)
    max_recipients: int | None = Field(default=None, ge=1)
    allow_plaintext: bool = False
    ca_file: str = ""
    helo: str = ""
    dsn: bool = False
    pipelining: bool = True
    timeouts: dict[str, Duration] = Field(default_factory=dict)
    reply_token: bool = False  #: Reply-To carries a token behind a plus: only where plus-addresses arrive
    bounce_to: OptionalAddress = None  #: each mail gets a return path of its own behind this address's plus (VERP)
    body_marker: bool = False  #: a line at the end of each mail, found again where an answer quotes it
    subject_tag: bool = False  #: `[#TICKET-XY]` at the end of the subject: for people, and a last resort
    senders: Annotated[tuple[Recipient, ...], OneOrMany] = ()
    options: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> AccountSettings:
        if bool(self.url.get_secret_value()) == bool(self.gateway):
            raise ValueError("set exactly one of url and gateway")
        return self


class GatewaySettings(_Table):
    """``[gateways.X]``: a server that several accounts share. ``connections`` and ``limits`` hold for all of them together; an
    account may have less of its own."""

    url: SecretUrl
    connections: int | None = Field(default=None, ge=1, le=1000)
    limits: Texts = ()


class MailboxSettings(_Table):
    """``[mailboxes.M]``: where mail comes in. ``url`` alone may be written as ``M = "imaps://..."``; without one, mail is only
    handed in (``ticketmail pipe``, ``ticketmail import``, a host's own code).

    ``addresses`` are the mailbox's own: the first one is where it is written to. ``trusted_servers`` are the authserv-ids (RFC
    8601) of the servers that hand mail to it: only their Authentication-Results are believed. ``check_signatures``: where none
    of them spoke, DKIM signatures are checked here (extra ``dkim``; asks DNS), and ARC seals of the domains in
    ``trusted_sealers``. ``processed`` is a folder that mail is moved to once it is safe; '': it stays, with the keyword
    ``$Ticketmail`` where the server keeps keywords. ``history`` is how far back is read at the first contact. ``strangers``,
    ``closed``, ``forwards``, ``topic``: whether mail joins a ticket when its author took no part in it, when the ticket is
    closed, when somebody who took no part passed it on, when its subject is new there and nobody wrote for ``topic_after``;
    ``link`` names the ticket as related. ``merged``: followed, or linked. ``same_subject`` is how long ago its author may have
    written under the same subject for a mail to join that ticket (0: never). ``partners`` are domains whose ticket numbers lead
    to ours for everybody proven to be of them. ``unknown`` is what becomes of mail whose author never took part in a ticket.
    ``options`` are for settings that only this source's adapter knows.
    """

    url: SecretUrl = SecretStr("")
    user: str = ""
    password: SecretStr = SecretStr("")
    auth: Literal["password", "oauth2"] = "password"
    token: TokenSettings | None = None
    tenant: str = Field(default="", max_length=64)
    addresses: Annotated[tuple[Recipient, ...], OneOrMany] = ()
    folders: Annotated[tuple[str, ...], OneOrMany, Field(min_length=1)] = ("INBOX",)
    processed: str = ""
    trusted_servers: Texts = ()
    check_signatures: bool = False
    trusted_sealers: Texts = ()
    history: Duration = 7 * 86_400.0
    poll: Annotated[Duration, Field(ge=1, le=86_400)] = 120.0  #: looks at least so often, whatever is announced
    idle: Annotated[Duration, Field(ge=1, le=1_740)] = 540.0  #: a longer wait is begun anew (RFC 2177 says 29 min at most)
    max_size: Size = 64 * 1024 * 1024  #: of what is larger only the header is fetched
    least: Literal["proven", "strong", "medium", "weak"] = "weak"  #: what a clue must be worth for a mail to join a ticket
    strangers: Literal["join", "link"] = "join"
    closed: Literal["join", "link", "refuse"] = "join"
    merged: Literal["follow", "link"] = "follow"
    forwards: Literal["join", "link"] = "link"
    topic: Literal["join", "link"] = "join"
    topic_after: Duration = 14 * 86_400.0
    same_subject: Duration = 0.0
    partners: Texts = ()
    unknown: Literal["open", "review", "refuse"] = "open"
    allow_plaintext: bool = False
    ca_file: str = ""
    options: dict[str, str] = Field(default_factory=dict)


class ReceiverSettings(_Table):
    """``[receiver]``: where a mail server hands mail to workers, as ``host:port``; '' for nowhere. Recipients are the
    ``addresses`` of mailboxes, with or without a plus; a domain there takes all of it. Nobody else is answered with yes."""

    lmtp: str = ""  #: RFC 2033, such as `127.0.0.1:2424`: for `lmtp:inet:127.0.0.1:2424` in Postfix
    smtp: str = ""  #: for servers that speak no LMTP; keep it where only they reach it
    max_size: Size = 64 * 1024 * 1024  #: larger mail is refused for good


class LaneSettings(_Table):
    """``[lanes.X]``: what differs from the shipped lane of that name, or a lane of the host's own. None: not set here."""

    weight: int | None = Field(default=None, ge=1, le=1000)
    deadline: Duration | None = None
    unknown: Literal["resend", "never", "hold"] | None = None
    ends_as: Literal["dead", "expired"] | None = None
    reserve: float | None = Field(default=None, ge=0, lt=1)  #: part of a day's quota kept for this lane


class UnknownSettings(_Table):
    """``[unknown]``: when evidence is looked for after a body without a final reply."""

    evidence_after: Annotated[tuple[Duration, ...], OneOrMany, Field(min_length=1)] = (60.0, 300.0, 900.0)
    second: Literal["hold", "resend", "dead"] = "hold"  #: what a second UNKNOWN of the same delivery leads to


class RetentionSettings(_Table):
    """``[retention]``: how long things are kept, in days (a bare number is days here)."""

    sent_body: Days = 14.0
    dead_body: Days = 30.0  #: after a human dismissed it
    history: Days = 400.0
    events: Days = 30.0
    keys: Days = 90.0
    blobs: Days = 7.0  #: without a reference
    inbound: Days = 90.0  #: the bytes of incoming mail that became an event
    inbound_by: dict[MailKind, Days] = Field(default_factory=dict)  #: the same by category: `{ bounce = 30, bulk = 7 }`


class AlertSettings(_Table):
    """``[alerts]``: ways to administrators, beside the log. ``cool_down`` is the wait before the second telling."""

    webhook: SecretUrl = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")
    mail_to: Addresses = ()
    mail_account: str = ""
    mail_from: OptionalAddress = None
    cool_down: Duration = 3600.0


class WorkerSettings(_Table):
    """``[worker]``: ``drain`` is how long a stopping worker lets what is in flight end; ``http`` is ``host:port`` for
    health and metrics, '' for none; ``beat`` is the heartbeat."""

    drain: Duration = 60.0
    http: str = ""
    beat: Annotated[Duration, Field(ge=0.05, le=10)] = 5.0


class Settings(_Table):
    """All settings of one site. Secrets are SecretStr, URLs too, for they may hold a password."""

    site: Name = "default"
    spool: SpoolSettings = SpoolSettings()
    broker: BrokerSettings = BrokerSettings()
    outbox: OutboxSettings = OutboxSettings()
    bridge: SecretUrl = SecretStr("")  #: where mail is kept while the broker is away: `sqlite:///bridge.db`
    webhook: WebhookSettings = WebhookSettings()
    secret: Annotated[tuple[SecretStr, ...], OneOrMany] = ()  #: token keys, newest first; (): the spool's own
    mode: Literal["live", "shadow"] = "live"
    redirect_to: OptionalAddress = None
    only_to: Annotated[tuple[Recipient, ...], OneOrMany] = ()
    message_id_domain: str = Field(default="", pattern=r"^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)?$")
    max_size: Size = 25 * 1024 * 1024
    accounts: dict[Name, AccountSettings] = Field(default_factory=dict)
    gateways: dict[Name, GatewaySettings] = Field(default_factory=dict)
    mailboxes: dict[Name, MailboxSettings] = Field(default_factory=dict)
    receiver: ReceiverSettings = ReceiverSettings()
    routes: dict[str, Annotated[tuple[str | tuple[str, ...], ...], OneOrMany]] = Field(default_factory=dict)
    lanes: dict[Name, LaneSettings] = Field(default_factory=dict)
    retry: dict[str, Schedule] = Field(default_factory=dict)
    unknown: UnknownSettings = UnknownSettings()
    retention: RetentionSettings = RetentionSettings()
    alerts: AlertSettings = AlertSettings()
    worker: WorkerSettings = WorkerSettings()

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        return _long_enough(value)

    def events_by(self, road: Literal["broker", "webhook", "listener"]) -> bool:
        """Whether mail events leave the spool by ``road``: they have one reader. A listener is the host's own process."""
        if self.webhook.url.get_secret_value():
            return road == "webhook"
        return road == ("listener" if self.broker.events is False else "broker")

    @property
    def by_broker(self) -> bool:
        """Whether mail is handed over to a broker: one is named, and no spool of our own."""
        return bool(self.broker.url.get_secret_value()) and "spool" not in self.model_fields_set

    @field_validator("routes", mode="before")
    @classmethod
    def _lower_keys(cls, value: Any) -> Any:
        return {str(key).lower(): accounts for key, accounts in value.items()} if isinstance(value, dict) else value
