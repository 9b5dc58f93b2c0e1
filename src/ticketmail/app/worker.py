"""The worker: a process that claims, sends, resolves and keeps house, and stops without losing anything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from uuid import UUID

from ticketmail._version import __version__
from ticketmail.app.engine import Mounting, SpoolClock, equip
from ticketmail.app.facade import TicketMail
from ticketmail.app.notify import Notifier
from ticketmail.app.observing import NullMeter, NullTracer, open_meter, open_tracer
from ticketmail.app.reception import Reception
from ticketmail.app.refreshing import EVERY_S, Desk, desk_of
from ticketmail.app.roadside import LOOK_S, Beside, RoadEnds
from ticketmail.app.settings import Settings
from ticketmail.app.settings_limits import limits_by_account
from ticketmail.app.supervising import supervise
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.deliver import Errand, Report
from ticketmail.app.usecases.quota_calls import EVERY_S as ASK_EVERY_S
from ticketmail.app.web import serve_worker
from ticketmail.app.wiring.sending import guarded, open_account, open_gateways
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.errors import SettingsError, SiteMismatch, SpoolError
from ticketmail.domain.outbound.causes import cause_of
from ticketmail.domain.ports.delivering import WorkerInfo, WorkerSide
from ticketmail.domain.ports.observing import Meter, Tracer
from ticketmail.domain.ports.sending import Gateway

_log = logging.getLogger("ticketmail.worker")
POLL_S = 0.1
#: Without a heartbeat for this long a worker starts no body: it may have been declared dead (seconds).
SILENT_S = 15.0
#: A clock that moves by more than this against the steady one has jumped (microseconds): no mail is claimed for a beat.
JUMP_US = 30_000_000
RENEWED_WITHIN_S = 30.0
#: How long a stopping worker waits for the batch that it is taking in.
ROADS_END_S = 15.0


class Worker:
    """One worker of one process. ``run`` ends after ``drain`` was called (or a signal came) and what is in flight is done.

    ``gateways`` by account replace those of the settings (the modes still apply; they are closed at the end). Time, threads
    and chance are the injector's ``Timing``. ``poll_s``: how long it waits, at most, for something to ring. ``intake_url`` names
    a broker to take mail in from, in place of the settings'.
    """

    def __init__(
        self,
        mail: TicketMail,
        *,
        notifier: Notifier | None = None,
        meter: Meter | None = None,
        tracer: Tracer | None = None,
        gateways: Mapping[str, Gateway] | None = None,
        poll_s: float = POLL_S,
        intake_url: str = "",
    ) -> None:
        self._mail = mail
        self._meter = meter or mail.host.meter or NullMeter()
        self._tracer = tracer or mail.host.tracer or NullTracer()
        self._settings = mail.settings
        self._notifier = notifier or Notifier({})
        self._gateways = gateways
        self._poll_s = poll_s
        self._timing = mail.injector.get(Timing)
        self._monotonic_s = self._timing.clock.monotonic_s
        self._clock = SpoolClock(self._timing.clock)
        self._beat_at_s = self._monotonic_s()
        self._worker_id: UUID | None = None
        self._intake_url = intake_url
        self._stopping = asyncio.Event()
        self._abrupt = asyncio.Event()
        self._sick = ""
        self._renew_by_s: float | None = None
        self._jumped = False
        self._sent = 0

    def drain(self) -> None:
        """Stop claiming; a second call stops at once."""
        if self._stopping.is_set():
            self._abrupt.set()
        self._stopping.set()

    async def run(self) -> None:
        """Until drained. Raises SettingsError, SiteMismatch, SchemaMismatch, SpoolUnsafe at the start, nothing later."""
        settings = self._settings
        comes = self._mail.may_change("accounts") or self._mail.may_change("mailboxes")
        if not (settings.accounts or settings.mailboxes or comes):
            raise SettingsError("there is no account to send by.", name="accounts", remedy="Add [accounts.X] with a url.")
        await self._timing.threads.run(self._mail.injector.get(Compiler).keys)
        side = self._mail.spool.worker_side()
        desk = desk_of(settings, self._open_gateways())
        try:
            self._equip(side, desk)
            await self._register(side)
            await self._health.refresh()
            await self._work(side)
        finally:
            for gateway in desk.gateways.values():
                with contextlib.suppress(Exception):
                    await gateway.aclose()
            await side.aclose()

    def _open_gateways(self) -> dict[str, Gateway]:
        if self._gateways is None:
            return open_gateways(self._settings, tokens=self._mail.host.tokens)
        return {name: guarded(self._settings, gateway) for name, gateway in self._gateways.items()}

    def _open_gateway(self, settings: Settings, name: str) -> Gateway:
        """An account's, when it changes while we run. Ready gateways stay what they are."""
        if self._gateways is not None and name in self._gateways:
            return guarded(settings, self._gateways[name])
        return guarded(settings, open_account(settings, name, self._mail.host.tokens))

    def _equip(self, side: WorkerSide, desk: Desk) -> None:
        engine = equip(
            self._mail,
            Mounting(
                side=side,
                desk=desk,
                timing=self._timing,
                meter=self._meter,
                tracer=self._tracer,
                now_us=self._clock.now_us,
                may_start=self._may_start,
                report=self._reported,
                open_gateway=self._open_gateway,
            ),
        )
        self._health, self._pump, self._resolve = engine.health, engine.pump, engine.resolve
        self._house, self._alerts, self._refreshing = engine.house, engine.alerts, engine.refreshing
        self._quota_calls = engine.quota_calls
        beside = Beside(self._timing, self._meter, side.book, engine.alerts, lambda: engine.house.full)
        self._roads = RoadEnds(self._mail, beside, intake_url=self._intake_url)
        outside = self._gateways is None  # with ready gateways it is a test: no real mailbox is read either
        self._reception = Reception(
            self._mail, book=side.book, alerts=engine.alerts, meter=self._meter, timing=self._timing, outside=outside
        )

    async def _register(self, side: WorkerSide) -> None:
        info = WorkerInfo(host=socket.gethostname(), pid=os.getpid(), version=__version__, site=self._settings.site)
        registration = await side.workers.register(info)
        self._worker_id = registration.worker_id
        self._clock.anchor(registration.now_us)
        self._beat_at_s = self._monotonic_s()

    async def _work(self, side: WorkerSide) -> None:
        beat = self._settings.worker.beat
        loops = [
            asyncio.ensure_future(self._every(beat, "beat", partial(self._beat, side))),
            asyncio.ensure_future(self._every(self._notifier.watchdog_s or beat, "watchdog", self._feed_watchdog)),
            asyncio.ensure_future(self._every(min(beat, 5.0), "reap", partial(self._reap, side))),
            asyncio.ensure_future(self._every(1.0, "resolve", self._resolve_due)),
            asyncio.ensure_future(self._every(1.0, "accounts", self._health.refresh)),
            asyncio.ensure_future(self._every(EVERY_S, "accounts of the host", self._refreshing.turn)),
            asyncio.ensure_future(self._every(ASK_EVERY_S, "quota calls", self._quota_calls.turn)),
            asyncio.ensure_future(self._every(5.0, "housekeeping", self._house.turn)),
            asyncio.ensure_future(self._every(3600.0, "idle tenants", self._health.tenants.forget_idle)),
        ]
        roads = asyncio.ensure_future(self._roads.run())
        if self._roads.any:
            loops.append(asyncio.ensure_future(self._every(LOOK_S, "roads", self._roads.look)))
        if self._reception.wanted:
            loops.append(asyncio.ensure_future(self._every(1.0, "incoming mail", self._reception.run)))
        self._notifier.ready(f"worker {self._id}")
        try:
            await self._pump_on(side)
            self._roads.stop()
            await self._drained(side)
            async with asyncio.timeout(ROADS_END_S):
                await roads
        except TimeoutError:
            _log.warning("the roads do not end in time; what they held comes again")
        finally:
            loops.append(roads)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _pump_on(self, side: WorkerSide) -> None:
        """Rounds, as long as there is room and mail; else until something rings, or the poll is due."""
        wait_s = self._poll_s
        while not self._stopping.is_set():
            try:
                busy = await self._turn(side)
                wait_s = self._poll_s
            except SpoolError as error:
                busy, wait_s = False, min(wait_s * 2, 5.0)
                self._ill(error)
            if not busy:
                await self._idle(side, wait_s)
            await asyncio.sleep(0)

    async def _turn(self, side: WorkerSide) -> bool:
        """One round, if we may claim. True if anything was set going. Only a spool that was asked is known to be well."""
        if self._pump.left_behind and self._renew_by_s is None:
            self._renew_by_s = self._monotonic_s() + RENEWED_WITHIN_S
        if not self._may_claim():
            self._pump.freed.clear()  # else waiting would end at once, again and again
            await self._renewed(side)
            return False
        asks = not self._pump.full
        busy = await self._pump.round(self._id)
        if asks:
            self._well()
        await self._renewed(side)
        return busy

    async def _idle(self, side: WorkerSide, wait_s: float) -> None:
        waits: list[Awaitable[object]] = [self._pump.freed.wait(), self._stopping.wait()]
        if not self._pump.full:  # else nobody could take what has come
            waits.append(self._rung(side, wait_s))
        waiting = [asyncio.ensure_future(one) for one in waits]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=wait_s)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _rung(self, side: WorkerSide, wait_s: float) -> None:
        """A doorbell that is broken must not turn waiting into a busy loop."""
        try:
            await side.deliveries.wait(wait_s)
        except SpoolError:
            await self._timing.sleeper.sleep(wait_s)

    async def _drained(self, side: WorkerSide) -> None:
        """Let what is in flight end, then give everything back."""
        self._notifier.stopping()
        with contextlib.suppress(SpoolError):
            await self._pump.release_lone(self._id)
        abrupt = asyncio.ensure_future(self._abrupt.wait())
        deadline_s = self._monotonic_s() + self._settings.worker.drain
        while self._pump.tasks and not abrupt.done() and self._monotonic_s() < deadline_s:
            await asyncio.wait({*self._pump.tasks, abrupt}, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
        abrupt.cancel()
        for task in tuple(self._pump.tasks):
            task.cancel()
        if self._pump.tasks:
            await asyncio.wait(set(self._pump.tasks), timeout=5.0)
        try:
            await self._health.drop(self._id.hex)
            await side.workers.retire(self._id)
        except SpoolError as error:
            _log.warning("the worker's row stays open, others will take its leases: %s", error)

    @property
    def _id(self) -> UUID:
        if self._worker_id is None:
            raise RuntimeError("not registered")
        return self._worker_id

    def _may_start(self) -> bool:
        return self._monotonic_s() - self._beat_at_s < SILENT_S

    async def _feed_watchdog(self) -> None:
        """As long as the loop turns, whether or not the spool answers: outcomes that wait in memory must not be killed."""
        self._notifier.alive()

    async def _beat(self, side: WorkerSide) -> None:
        stats = {"in_flight": self._pump.in_flight, "sent": self._sent, "sick": self._sick, **self._roads.stats}
        beat = await side.workers.beat(self._id, stats)
        drift_us = self._clock.anchor(beat.now_us)
        if not beat.alive:
            _log.error("this worker was declared dead; it registers anew")
            await self._register(side)
        self._beat_at_s = self._monotonic_s()
        self._notifier.status(f"sent {self._sent}, in flight {self._pump.in_flight}")
        self._jumped = abs(drift_us) > JUMP_US
        if self._jumped:
            text = f"The spool's clock moved by {drift_us / 1e6:.0f} s against this machine's steady clock."
            await self._alerts.occurred("clock-jump", level="warn", title="The clock jumped", text=text)

    async def _reap(self, side: WorkerSide) -> None:
        for one in await side.workers.reap():
            _log.warning("worker %s is dead: %s back, %s unknown, %s dead", one.worker_id, one.requeued, one.unknown, one.dead)
            await self._health.drop(one.worker_id.hex)

    async def _resolve_due(self) -> None:
        for one in await self._resolve.due():
            if one.decision.alarm:
                text = f"{one.unresolved.mail.submission_id}: {one.decision.reason}"
                await self._alerts.occurred("unknown-held", level="warn", title="Mail waits for a human's word", text=text)

    def _reported(self, errand: Errand, report: Report) -> None:
        self._sent += report.taken
        account = errand.account
        if report.taken:
            self._meter.count("sent_total", report.taken, account=account, lane=errand.mail.lane)
        for fault in report.faults:
            self._meter.count("faults_total", account=account, cause=fault.cause)
            if fault.cause == "quota":
                self._house.hurry()  # it tells how many are stranded, and until when
            elif fault.alarm:
                title, meant = f"Account {account}: {fault.cause}", cause_of(fault.cause)
                text = f"{fault.text}\n{meant.sentence} {meant.remedy}".strip()
                telling = self._alerts.occurred(
                    f"account:{account}:{fault.cause}", level="page", title=title, text=text, accounts=(account,)
                )
                self._pump.later(_told(telling))
                self._house.troubled(account, fault.cause)
        if report.taken:
            for cause in self._house.well(account):
                self._pump.later(_told(self._alerts.over(f"account:{account}:{cause}")))

    def _may_claim(self) -> bool:
        """Not after an outage, until what was in flight has ended (or half a minute has passed): see ``_renewed``."""
        if self._renew_by_s is not None and self._monotonic_s() < self._renew_by_s:
            return False
        return self._may_start() and not self._house.full and not self._jumped

    async def _renewed(self, side: WorkerSide) -> None:
        """After an outage, with nothing in flight: a new row. The old one may hold claims whose answers were lost; retiring it
        gives them back."""
        if self._renew_by_s is None or self._pump.in_flight or self._pump.waits_alone:
            return
        await self._health.drop(self._id.hex)  # else its connections would stay taken until their lease ends
        await side.workers.retire(self._id)
        await self._register(side)
        self._renew_by_s, self._pump.left_behind = None, False

    def _ill(self, error: SpoolError) -> None:
        if not self._sick:
            _log.error("sending pauses, the spool is sick: %s", error)
        self._sick = str(error)

    def _well(self) -> None:
        if self._sick:
            _log.warning("the spool is well again, sending goes on")
            self._renew_by_s = self._monotonic_s() + RENEWED_WITHIN_S
        self._sick = ""

    async def _every(self, seconds: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await call()
            except SiteMismatch as error:
                _log.error("%s: %s", name, error)
                self.drain()
            except SpoolError as error:
                _log.warning("%s: %s", name, error)
            except Exception:
                _log.exception("%s failed", name)
            await self._timing.sleeper.sleep(seconds)


async def _told(telling: Awaitable[bool]) -> None:
    await telling


def run_worker(mail: TicketMail, *, processes: int = 1, intake_url: str = "") -> int:
    """Run until SIGTERM or SIGINT (a second one stops at once). Returns the exit code.

    Raises:
        SettingsError: ``processes`` above 1 on a spool that has one writer (SQLite).
        SpoolError: the spool cannot be used at the start.
    """
    if processes > 1:
        return supervise(mail, processes)
    return asyncio.run(_run_one(mail, intake_url))


async def _run_one(mail: TicketMail, intake_url: str) -> int:
    meter, exposition = open_meter(mail.reading, lambda: limits_by_account(mail.settings))
    meter, tracer = mail.host.meter or meter, mail.host.tracer or open_tracer(__version__)
    worker = Worker(mail, notifier=Notifier(), meter=meter, tracer=tracer, intake_url=intake_url)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.drain)
    close = await serve_worker(mail, metrics=exposition) if mail.settings.worker.http else None
    try:
        await worker.run()
    finally:
        if close is not None:
            await close()
    return 0
