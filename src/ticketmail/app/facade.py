"""TicketMail: what a host embeds."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from injector import Injector, Module

from ticketmail.app.settings import Settings
from ticketmail.app.settings_live import LiveSettings
from ticketmail.app.settings_outbound import route_sizes, routes_of
from ticketmail.app.settings_source import LoadedSettings, load
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.handover import Handover
from ticketmail.app.usecases.hear import Hear
from ticketmail.app.usecases.ingest import Inbound
from ticketmail.app.usecases.pack import end_us
from ticketmail.app.usecases.submit import Submit, submission_of
from ticketmail.app.usecases.tell import OnLoop, Stops, Tell
from ticketmail.app.usecases.watch import Watch
from ticketmail.app.wiring.pieces import HostPieces, Roads, no_spool
from ticketmail.domain.address import parse_address
from ticketmail.domain.envelope import Envelope
from ticketmail.domain.errors import InvalidSubmission, SettingsError, TicketmailError
from ticketmail.domain.events import MailEvent
from ticketmail.domain.job import CancelOrder, SuppressOrder
from ticketmail.domain.message import Message
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.alerting import AlertSink
from ticketmail.domain.ports.hosting import Accounts, AttachmentFetcher, Evidence, Tickets, WantedCheck
from ticketmail.domain.ports.observing import Meter, Tracer
from ticketmail.domain.ports.reading import Administering, Operating, Reading
from ticketmail.domain.ports.spooling import SpoolAdapter
from ticketmail.domain.ports.telling import TicketHandler
from ticketmail.domain.scope import Scope
from ticketmail.domain.submission import Receipt, Submission

if TYPE_CHECKING:
    from ticketmail.app.usecases.report import Answer, Status
    from ticketmail.app.wiring.oauth import TokenSource

T = TypeVar("T")


class TicketMail:
    """Hands mail over, and tells what became of it.

    With ``spool`` it goes there; with ``broker`` and no spool to the mail service behind it, by ``outbox`` or ``bridge`` if set.
    Settings come from code (these names, and any other setting by its name) > environment ``TICKETMAIL_*`` > a file
    (``settings=path``, ``$TICKETMAIL_SETTINGS`` or ``./ticketmail.toml``) > defaults. With ``settings={...}`` no file is read.

    ``accounts`` and ``mailboxes`` may be callables that give them from the host's own tables: see :class:`Accounts`. What they
    give is in force within half a minute, in workers too, without a restart.

    ``fetch`` gives attachments by reference to the worker; it asks ``evidence``, ``wanted`` and ``tickets``. ``tokens`` are
    OAuth2 token sources, ``alert_sinks`` more ways to administrators; ``tracer``, ``meter`` see all; ``overrides`` are Modules.

    Made once per process, used from any thread, and in children after a fork. Nothing is opened before the first use.
    :meth:`close` releases connections; the next use opens them again. Raises SettingsError at once if settings are wrong.
    """

    def __init__(
        self,
        *,
        spool: str | Mapping[str, Any] | None = None,
        accounts: Mapping[str, Any] | Accounts | None = None,
        mailboxes: Mapping[str, Any] | Accounts | None = None,
        settings: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None,
        fetch: AttachmentFetcher | None = None,
        evidence: Evidence | None = None,
        wanted: WantedCheck | None = None,
        tickets: Tickets | None = None,
        tokens: Mapping[str, TokenSource] | None = None,
        alert_sinks: Sequence[AlertSink] = (),
        tracer: Tracer | None = None,
        meter: Meter | None = None,
        overrides: Sequence[Module] = (),
        **names: Any,
    ) -> None:
        hosts = {name: one for name, one in (("accounts", accounts), ("mailboxes", mailboxes)) if callable(one)}
        code = {**names, "spool": spool, "accounts": accounts, "mailboxes": mailboxes}
        given = {name: value for name, value in code.items() if value is not None and name not in hosts}
        self._live = LiveSettings(load(settings, code=given, dynamic="accounts" in hosts), hosts)
        live = lambda: self._live.settings  # noqa: E731
        self._host = HostPieces(fetch, evidence, wanted, dict(tokens or {}), tuple(alert_sinks), tracer, meter, live, tickets)
        self._overrides = tuple(overrides)
        self._stack = ExitStack()
        self._injector: Injector | None = None
        self._cases: dict[type[Any], Any] = {}
        self._stops = Stops()
        self._lock, self._pid = threading.RLock(), os.getpid()

    def __repr__(self) -> str:
        return f"TicketMail(site={self._live.settings.site!r}, accounts={sorted(self._live.settings.accounts)})"

    # --- handing over -------------------------------------------------------------------------------------------------------

    def submit(
        self,
        message: Message | Submission,
        *,
        ticket: str | None = None,
        lane: str | None = None,
        key: str | None = None,
        tenant: str | None = None,
        not_before: datetime | None = None,
        deadline: datetime | None = None,
        supersedes: str | None = None,
        per_recipient: bool | None = None,
        envelope: Envelope | None = None,
        connection: object | None = None,
    ) -> Receipt:
        """Accept one mail: durable when this returns, or with the host's own commit where ``connection`` is given.

        The names are those of :class:`Submission`; given beside one, they replace its own. ``connection`` is a SQLAlchemy
        Connection or Session, a Django connection, or one of sqlite3 or psycopg: the rows join its transaction.

        Raises:
            InvalidSubmission: it cannot become a mail (the error names the field); nothing was stored.
            KeyReused: the key was used for other content.
            SpoolError, BrokerError: the spool or the broker cannot be used now; nothing was stored.
            SubmitInDoubt: the answer to the commit or the publish was lost; ``retry()`` is safe.
            HostTransactionMustBeImmediate: ``connection`` on SQLite is not a writer yet.
        """
        names = {
            "ticket": ticket,
            "lane": lane,
            "key": key,
            "tenant": tenant,
            "not_before": not_before,
            "deadline": deadline,
            "supersedes": supersedes,
            "per_recipient": per_recipient,
            "envelope": envelope,
        }
        if connection is None:  # the host's callable must not run within the host's transaction
            self._look()
        receipt = self._taker().one(submission_of(message, names), connection=connection)
        self._after_submit()
        return receipt

    async def asubmit(self, message: Message | Submission, **names: Any) -> Receipt:
        """:meth:`submit` in a thread, for hosts on asyncio. Takes its names but ``connection``, which belongs to a thread."""
        if names.get("connection") is not None:
            raise InvalidSubmission("belongs to the thread that opened it.", field="connection", remedy="Use submit() there.")
        return await asyncio.to_thread(self.submit, message, **names)

    def submit_many(
        self, submissions: Sequence[Message | Submission], *, connection: object | None = None
    ) -> list[Receipt | TicketmailError]:
        """Accept many, with a result each, in order: a receipt, or the error of that one. Bad ones do not stop good ones.

        Good ones go in transactions of a few hundred (one, with ``connection``). Raises only what concerns ``connection``.
        """
        if not submissions:
            return []
        if connection is None:
            self._look()
        results = self._taker().many([submission_of(one, {}) for one in submissions], connection=connection)
        self._after_submit()
        return results

    async def asubmit_many(self, submissions: Sequence[Message | Submission]) -> list[Receipt | TicketmailError]:
        """:meth:`submit_many` in a thread."""
        return await asyncio.to_thread(self.submit_many, submissions)

    def prepare(self) -> None:
        """Do now what the first submit would do: make tables or queues if need be, load adapter and token keys.

        Call it at the host's start, and before the first ``submit(connection=...)``: what opens a connection of its own is
        then done. Raises SpoolError, BrokerError kin.
        """
        self._look()
        self._taker().prepare()

    @contextmanager
    def gate(self) -> Iterator[None]:
        """The host's turn to write: on SQLite hold it around a short transaction of your own, from BEGIN to COMMIT, as all of
        ticketmail's writers do, and hand over with ``connection``; without it a busy worker makes you wait. Elsewhere nothing
        waits. Raises SpoolBusy if others do not let go, or this thread holds it already."""
        self.prepare()
        with nullcontext() if self._live.settings.by_broker else self.spool.gate():
            yield

    def cancel(self, scope: str | Scope, *, reason: str, actor: str = "host", connection: object | None = None) -> int | None:
        """Cancel what has not begun in ``scope`` (``ticket:4711``, ``id:...``, ``to:...``). How many deliveries changed; None
        where a broker takes it to the mail service, and events tell.

        Raises InvalidScope, SpoolError, BrokerError kin."""
        parsed = Scope.parse(scope)
        if not self.settings.by_broker:
            return self.operating.cancel(parsed, actor=actor, reason=reason, connection=connection)
        self._get(Handover).cancel(CancelOrder(parsed, actor, reason), connection=connection)
        return None

    def suppress(
        self, address: str, *, reason: str, actor: str = "host", tenant: str = "", until: datetime | None = None
    ) -> None:
        """Write no more to ``address``: for one tenant or (``''``) all, until then or until :meth:`unsuppress`.

        Raises InvalidAddress, NaiveTime, SpoolError, BrokerError kin."""
        order = SuppressOrder(parse_address(address).key, actor, reason, tenant, end_us(until))
        if self.settings.by_broker:
            return self._get(Handover).suppress(order)
        given = Suppression(order.address, "manual", reason, self.reading.now_us(), order.until_us, tenant)
        return self.operating.suppress(given, actor=actor, reason=reason)

    def unsuppress(self, address: str, *, reason: str, actor: str = "host", tenant: str = "") -> None:
        """Write to ``address`` again. Raises as :meth:`suppress`."""
        key = parse_address(address).key
        if self.settings.by_broker:
            return self._get(Handover).suppress(SuppressOrder(key, actor, reason, tenant, lift=True))
        self.operating.unsuppress(key, actor=actor, reason=reason, tenant=tenant)
        return None

    # --- being told ---------------------------------------------------------------------------------------------------------

    def listen(self, handler: TicketHandler, *, stop: threading.Event | None = None) -> None:
        """Call ``handler`` with each mail event, here, until ``stop`` is set or :meth:`close` is called.

        At least once, with a stable ``event_id``: see :meth:`first_time` for exactly once. A handler that raises gets the
        event again (5 s, 30 s, 2 min, 10 min, then hourly; dead after 20 tries). Sync handlers run in this thread. Where events
        travel on a broker they come from there, tries and dead events are kept by the mail service.

        Raises SettingsError where a webhook is told instead.
        """
        ending = stop or threading.Event()
        self._after_fork()
        with self._stops.among(ending):
            self._listener().listen(handler, stop=ending)

    async def alisten(self, handler: TicketHandler, *, stop: asyncio.Event | None = None) -> None:
        """:meth:`listen` on the running loop: async handlers are awaited on it, sync ones run in threads."""
        ending = stop or asyncio.Event()
        self._after_fork()
        with self._stops.among(OnLoop(ending)):
            await self._listener().alisten(handler, stop=ending)

    def _listener(self) -> Tell | Hear:
        """Events have one reader: this process, by the spool or by the broker. Raises SettingsError."""
        settings = self._live.settings
        if settings.events_by("webhook"):
            raise SettingsError("events go to the webhook, and have one reader.", name="webhook.url", remedy="Take it out.")
        by_broker = settings.broker.url.get_secret_value() and settings.events_by("broker")
        return self._get(Hear) if by_broker else self._get(Tell)

    def first_time(self, event: MailEvent | UUID, *, connection: object) -> bool:
        """In the host's own transaction: note the event and say whether it is new. What the handler does in that same
        transaction then happens exactly once. Raises SpoolError kin."""
        return self.spool.outbox.first_time(event if isinstance(event, UUID) else event.event_id, connection=connection)

    # --- looking ------------------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Is mail leaving? One screen of the spool; needs no worker alive. Raises SpoolError kin."""
        from ticketmail.app.usecases.report import status
        from ticketmail.app.wiring.facts import facts_of

        return status(self.reading, facts_of(self.settings))

    def why(self, what: str | Scope | UUID) -> list[Answer]:
        """What happened to each delivery of an id or scope (``ticket:4711``), what holds it, and when it should leave; newest
        first, at most 100. Raises InvalidScope, SpoolError kin."""
        from ticketmail.app.usecases.report import Times, surroundings, why
        from ticketmail.app.wiring.facts import facts_of

        scope = Scope.parse(f"id:{what}" if isinstance(what, UUID) else what)
        around = surroundings(self.reading, facts_of(self.settings))
        views = self.reading.find(scope)
        return [why(self.reading, view, around, Times(around.now_us)) for view in views]

    @property
    def settings(self) -> Settings:
        """The settings in force. Asks a host's callable for accounts if it has not been asked for half a minute."""
        self._look()
        return self._live.settings

    @property
    def loaded(self) -> LoadedSettings:
        """The settings with their sources: ``loaded.explain()``."""
        self._look()
        return self._live.loaded

    def may_change(self, kind: str) -> bool:
        """Whether a host's callable gives ``accounts`` or ``mailboxes`` while we run."""
        return self._live.brings(kind)

    def refresh_accounts(self) -> Mapping[str, str]:
        """Ask the host's callables now. Returns what is wrong: by account, by ``mailboxes.M``, under '' with the callable. Done
        by itself every half minute, and more often in a worker."""
        if self._live.refresh():
            self._rerouted()
        return self._live.trouble

    @property
    def host(self) -> HostPieces:
        """What was plugged in by code; the worker uses it."""
        return self._host

    @property
    def spool(self) -> SpoolAdapter:
        """The spool adapter: its ``worker_side()`` is the worker's. Raises NoSpool where mail is handed over to a broker."""
        if self._live.settings.by_broker or (found := self._get(Roads).spool) is None:
            raise no_spool()
        return found

    @property
    def inbound(self) -> Inbound:
        """Incoming mail: hand it in, say which ticket it became, fetch its files. Raises NoSpool as :attr:`spool` does."""
        if self._live.settings.by_broker:
            raise no_spool()
        return self._get(Inbound)

    @property
    def injector(self) -> Injector:
        """The parts, for those who build on them."""
        return self._parts()

    @property
    def reading(self) -> Reading:
        """Questions to the spool."""
        return self.spool.reading

    @property
    def operating(self) -> Operating:
        """Acts on the spool."""
        return self.spool.operating

    @property
    def administering(self) -> Administering:
        """Tables and ownership."""
        return self.spool.administering

    # --- life ---------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop listeners, release connections. Idempotent; the next use opens again."""
        with self._lock:
            stack, self._stack, self._injector, self._cases = self._stack, ExitStack(), None, {}
            self._stops.all()
        stack.close()

    def __enter__(self) -> TicketMail:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _get(self, case: type[T]) -> T:
        """A use case. Kept here, for each question to the injector takes its lock, which a fork might find shut."""
        self._after_fork()
        found = self._cases.get(case)
        if found is None:
            injector = self._parts()
            found = self._cases[case] = injector.get(case)
        return cast(T, found)

    def _parts(self) -> Injector:
        self._after_fork()
        with self._lock:
            if self._injector is None:
                # Imported here, for it brings the adapter's packages: a host that only checks its settings needs none.
                from ticketmail.app.wiring.build import build

                injector = build(self._live.settings, *self._overrides, host=self._host)
                for closer in reversed(injector.get(Roads).closers):
                    self._stack.callback(closer)
                self._injector = injector
            return self._injector

    def _taker(self) -> Submit | Handover:
        return self._get(Handover) if self._live.settings.by_broker else self._get(Submit)

    def _after_submit(self) -> None:
        if not self._live.settings.by_broker:
            self._get(Watch).after_submit()

    def _look(self) -> None:
        if self._live.stale():
            self.refresh_accounts()

    def _rerouted(self) -> None:
        injector, settings = self._injector, self._live.settings
        if injector is not None and not settings.by_broker:
            injector.get(Compiler).use(routes_of(settings), route_sizes(settings))

    def _after_fork(self) -> None:
        """In a child: locks that another thread of the parent held at the fork would never open. Adapters see to their own."""
        if self._pid != os.getpid():
            self._lock, self._pid = threading.RLock(), os.getpid()
            self._stops = Stops()
