"""The worker: a process that claims, sends, resolves and keeps house, and stops without losing anything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from ticketmail._version import __version__
from ticketmail.app.facade import TicketMail
from ticketmail.app.housekeeping import Housekeeping
from ticketmail.app.notify import Notifier
from ticketmail.app.observing import NullMeter, NullTracer, open_meter, open_tracer
from ticketmail.app.settings_outbound import lanes_of, limits_of, policy_of, routes_of
from ticketmail.app.supervising import supervise
from ticketmail.app.usecases.compile import Compiler
from ticketmail.app.usecases.deliver import Deliver, Errand, Report
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.outgoing import Packer
from ticketmail.app.usecases.pump import Pump
from ticketmail.app.usecases.resolve import Resolve
from ticketmail.app.usecases.submit import Submit
from ticketmail.app.web import serve_worker
from ticketmail.app.wiring.alerting import make_alerts
from ticketmail.app.wiring.rendering import LazyRenderer
from ticketmail.app.wiring.sending import open_gateways
from ticketmail.app.wiring.timing import LoopThreads
from ticketmail.domain.errors import SettingsError, SiteMismatch, SpoolError
from ticketmail.domain.ports.delivering import WorkerInfo, WorkerSide
from ticketmail.domain.ports.observing import Meter, Tracer
from ticketmail.domain.ports.sending import Gateway

_log = logging.getLogger("ticketmail.worker")
POLL_S = 0.1
#: Without a heartbeat for this long a worker starts no body: it may have been declared dead (seconds).
SILENT_S = 15.0
JUMP_US = 30_000_000
RENEWED_WITHIN_S = 30.0


class SpoolClock:
    """The spool's time between two beats: anchored at each, carried on by the monotonic clock."""

    def __init__(self) -> None:
        self._anchor_us, self._at_s = time.time_ns() // 1000, time.monotonic()

    def now_us(self) -> int:
        """UTC microseconds by the spool's clock."""
        return self._anchor_us + int((time.monotonic() - self._at_s) * 1_000_000)

    def anchor(self, now_us: int) -> int:
        """Set by a beat. Returns how far the spool's clock had moved against the monotonic one (microseconds)."""
        drift_us = now_us - self.now_us()
        self._anchor_us, self._at_s = now_us, time.monotonic()
        return drift_us


class Worker:
    """One worker of one process. ``run`` ends after ``drain`` was called (or a signal came) and what is in flight is done."""

    def __init__(
        self, mail: TicketMail, *, notifier: Notifier | None = None, meter: Meter | None = None, tracer: Tracer | None = None
    ) -> None:
        self._mail = mail
        self._meter = meter or NullMeter()
        self._tracer = tracer or NullTracer()
        self._settings = mail.settings
        self._notifier = notifier or Notifier({})
        self._clock = SpoolClock()
        self._beat_at_s = time.monotonic()
        self._worker_id: UUID | None = None
        self._stopping = asyncio.Event()
        self._abrupt = asyncio.Event()
        self._sick = ""
        self._renew_by_s: float | None = None
        self._sent = 0

    def drain(self) -> None:
        """Stop claiming; a second call stops at once."""
        if self._stopping.is_set():
            self._abrupt.set()
        self._stopping.set()

    async def run(self) -> None:
        """Until drained. Raises SettingsError, SiteMismatch, SchemaMismatch, SpoolUnsafe at the start, nothing later."""
        settings = self._settings
        if not settings.accounts:
            raise SettingsError("there is no account to send by.", name="accounts", remedy="Add [accounts.X] with a url.")
        injector = self._mail.injector
        compiler = injector.get(Compiler)
        await asyncio.to_thread(compiler.keys)
        side = self._mail.spool.worker_side()
        gateways = open_gateways(settings, tokens=self._mail.host.tokens)
        try:
            self._wire(side, compiler, dict(gateways), injector.get(Submit))
            await self._register(side)
            await self._health.refresh()
            await self._work(side)
        finally:
            for gateway in gateways.values():
                with contextlib.suppress(Exception):
                    await gateway.aclose()
            await side.aclose()

    def _wire(self, side: WorkerSide, compiler: Compiler, gateways: dict[str, Gateway], submit: Submit) -> None:
        settings, host, now_us = self._settings, self._mail.host, self._clock.now_us
        limits = {name: limits_of(settings, name) for name in settings.accounts}
        policy = policy_of(settings)
        lanes = lanes_of(settings)
        self._health = AccountHealth(
            side.book,
            limits,
            pauses=lambda: asyncio.to_thread(self._mail.reading.pauses),
            now_us=now_us,
            jitter=random.random,
        )
        packer = Packer(
            renderer=LazyRenderer(), blobs=self._mail.spool.blobs, keys=compiler.keys, threads=LoopThreads(), fetch=host.fetch
        )
        deliver = Deliver(
            deliveries=side.deliveries,
            health=self._health,
            gateways=gateways,
            profiles={name: account.profile for name, account in settings.accounts.items()},
            packer=packer,
            lanes=lanes,
            policy=policy,
            now_us=now_us,
            jitter=random.random,
            may_start=self._may_start,
            wanted=host.wanted,
        )
        self._alerts = make_alerts(settings, side.book, submit, sinks=host.alert_sinks)
        self._pump = Pump(
            deliveries=side.deliveries,
            health=self._health,
            deliver=Observed(deliver, self._meter, self._tracer),
            routes=routes_of(settings),
            lanes=lanes,
            limits=limits,
            now_us=now_us,
            monotonic_s=time.monotonic,
            report=self._reported,
        )
        self._resolve = Resolve(side.deliveries, lanes=lanes, policy=policy, now_us=now_us, evidence=host.evidence)
        self._house = Housekeeping(
            side.upkeep, settings, routes=routes_of(settings), alerts=self._alerts, reading=self._mail.reading
        )

    async def _register(self, side: WorkerSide) -> None:
        info = WorkerInfo(host=socket.gethostname(), pid=os.getpid(), version=__version__, site=self._settings.site)
        registration = await side.workers.register(info)
        self._worker_id = registration.worker_id
        self._clock.anchor(registration.now_us)
        self._beat_at_s = time.monotonic()

    async def _work(self, side: WorkerSide) -> None:
        beat = self._settings.worker.beat
        loops = [
            asyncio.ensure_future(self._every(beat, "beat", partial(self._beat, side))),
            asyncio.ensure_future(self._every(self._notifier.watchdog_s or beat, "watchdog", self._feed_watchdog)),
            asyncio.ensure_future(self._every(min(beat, 5.0), "reap", partial(self._reap, side))),
            asyncio.ensure_future(self._every(1.0, "resolve", self._resolve_due)),
            asyncio.ensure_future(self._every(1.0, "accounts", self._health.refresh)),
            asyncio.ensure_future(self._every(5.0, "housekeeping", self._house.turn)),
        ]
        self._notifier.ready(f"worker {self._id}")
        try:
            await self._pump_on(side)
            await self._drained(side)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _pump_on(self, side: WorkerSide) -> None:
        """Rounds, as long as there is room and mail; else until something rings, or the poll is due."""
        wait_s = POLL_S
        while not self._stopping.is_set():
            try:
                busy = await self._turn(side)
                wait_s = POLL_S
            except SpoolError as error:
                busy, wait_s = False, min(wait_s * 2, 5.0)
                self._ill(error)
            if not busy:
                await self._idle(side, wait_s)
            await asyncio.sleep(0)

    async def _turn(self, side: WorkerSide) -> bool:
        """One round, if we may claim. True if anything was set going. Only a spool that was asked is known to be well."""
        if not self._may_claim():
            await self._renewed(side)
            return False
        busy = await self._pump.round(self._id)
        self._well()
        await self._renewed(side)
        return busy

    async def _idle(self, side: WorkerSide, wait_s: float) -> None:
        freed = asyncio.ensure_future(self._pump.freed.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        rung = asyncio.ensure_future(_quiet(side.deliveries.wait(wait_s), wait_s))
        await asyncio.wait({freed, stopping, rung}, return_when=asyncio.FIRST_COMPLETED, timeout=wait_s)
        for one in (freed, stopping, rung):
            one.cancel()
        await asyncio.gather(freed, stopping, rung, return_exceptions=True)

    async def _drained(self, side: WorkerSide) -> None:
        """Let what is in flight end, then give everything back."""
        self._notifier.stopping()
        with contextlib.suppress(SpoolError):
            await self._pump.release_lone(self._id)
        abrupt = asyncio.ensure_future(self._abrupt.wait())
        deadline_s = time.monotonic() + self._settings.worker.drain
        while self._pump.tasks and not abrupt.done() and time.monotonic() < deadline_s:
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
        return time.monotonic() - self._beat_at_s < SILENT_S

    async def _feed_watchdog(self) -> None:
        """As long as the loop turns, whether or not the spool answers: outcomes that wait in memory must not be killed."""
        self._notifier.alive()

    async def _beat(self, side: WorkerSide) -> None:
        stats = {"in_flight": self._pump.in_flight, "sent": self._sent, "sick": self._sick}
        beat = await side.workers.beat(self._id, stats)
        drift_us = self._clock.anchor(beat.now_us)
        if not beat.alive:
            _log.error("this worker was declared dead; it registers anew")
            await self._register(side)
        self._beat_at_s = time.monotonic()
        self._notifier.status(f"sent {self._sent}, in flight {self._pump.in_flight}")
        if abs(drift_us) > JUMP_US:
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
            if fault.alarm or fault.cause == "quota":
                title = f"Account {account}: {fault.cause}"
                telling = self._alerts.occurred(
                    f"account:{account}:{fault.cause}", level="page", title=title, text=fault.text, accounts=(account,)
                )
                self._pump.later(_told(telling))
                self._house.troubled(account, fault.cause)
        if report.taken:
            for cause in self._house.well(account):
                self._pump.later(_told(self._alerts.over(f"account:{account}:{cause}")))

    def _may_claim(self) -> bool:
        """Not after an outage, until what was in flight has ended (or half a minute has passed): see ``_renewed``."""
        if self._renew_by_s is not None and time.monotonic() < self._renew_by_s:
            return False
        return self._may_start() and not self._house.full

    async def _renewed(self, side: WorkerSide) -> None:
        """After an outage, with nothing in flight: a new row. The old one may hold claims whose answers were lost; retiring it
        gives them back."""
        if self._renew_by_s is None or self._pump.in_flight or self._pump.waits_alone:
            return
        await side.workers.retire(self._id)
        await self._register(side)
        self._renew_by_s = None

    def _ill(self, error: SpoolError) -> None:
        if not self._sick:
            _log.error("sending pauses, the spool is sick: %s", error)
        self._sick = str(error)

    def _well(self) -> None:
        if self._sick:
            _log.warning("the spool is well again, sending goes on")
            self._renew_by_s = time.monotonic() + RENEWED_WITHIN_S
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
            await asyncio.sleep(seconds)


class Observed:
    """Delivering, timed and traced: the span goes on from the one that was active where the mail was handed over."""

    def __init__(self, deliver: Deliver, meter: Meter, tracer: Tracer) -> None:
        self._deliver = deliver
        self._meter = meter
        self._tracer = tracer

    async def deliver(self, worker_id: UUID, errand: Errand, *, slot: asyncio.Semaphore | None = None) -> Report:
        """As :meth:`Deliver.deliver`."""
        attributes = {"ticketmail.account": errand.account, "ticketmail.lane": errand.mail.lane}
        began_s = time.monotonic()
        with self._tracer.span("ticketmail.deliver", traceparent=errand.mail.traceparent, attributes=attributes):
            report = await self._deliver.deliver(worker_id, errand, slot=slot)
        self._meter.observe("delivery_seconds", time.monotonic() - began_s, account=errand.account)
        return report


async def _told(telling: Awaitable[bool]) -> None:
    await telling


async def _quiet(waiting: Awaitable[bool], wait_s: float) -> None:
    """A doorbell that is broken must not turn waiting into a busy loop."""
    try:
        await waiting
    except SpoolError:
        await asyncio.sleep(wait_s)


def run_worker(mail: TicketMail, *, processes: int = 1) -> int:
    """Run until SIGTERM or SIGINT (a second one stops at once). Returns the exit code.

    Raises:
        SettingsError: ``processes`` above 1 on a spool that has one writer (SQLite).
        SpoolError: the spool cannot be used at the start.
    """
    if processes > 1:
        return supervise(mail, processes)
    return asyncio.run(_run_one(mail))


async def _run_one(mail: TicketMail) -> int:
    meter, exposition = open_meter(mail.reading)
    worker = Worker(mail, notifier=Notifier(), meter=meter, tracer=open_tracer(__version__))
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
