"""What a worker does beside sending: takes jobs in from the broker, tells events by broker or webhook, watches both roads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ticketmail.adapters.webhook import TOGETHER, WebhookCaller
from ticketmail.app.facade import TicketMail
from ticketmail.app.settings import Settings
from ticketmail.app.settings_values import DAY_S
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.usecases.consume import Consume, Means
from ticketmail.app.usecases.publish import Mailbag, Publish
from ticketmail.app.usecases.roadwatch import RoadState, Roadwatch
from ticketmail.app.usecases.tell import Tell
from ticketmail.app.wiring.brokering import blobs_of, broker_of, job_secrets
from ticketmail.app.wiring.intaking import take_in_of
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.errors import BrokerError
from ticketmail.domain.ports.delivering import Book
from ticketmail.domain.ports.observing import Meter
from ticketmail.domain.ports.queueing import EVENTS, SUBMIT, Broker
from ticketmail.domain.ports.sharing import SharedBlobs

_log = logging.getLogger("ticketmail.worker")
LOOK_S = 15.0
FAILED_S = 5.0
ALARM_EVERY = 4  #: looks
SWEEP_EVERY = 240  #: looks


@dataclass(frozen=True)
class Beside:
    """What the roads share with the worker that they run in. ``full`` says whether nothing may be stored now."""

    timing: Timing
    meter: Meter
    book: Book
    alerts: Alerts
    full: Callable[[], bool]


class RoadEnds:
    """The ends of the roads in one worker. None of them, if neither a broker nor a webhook is set."""

    def __init__(self, mail: TicketMail, beside: Beside, *, intake_url: str = "") -> None:
        settings = mail.settings
        self._mail, self._beside = mail, beside
        self._stopping = asyncio.Event()
        self._looks = 0
        url = intake_url or settings.broker.url.get_secret_value()
        self._broker = broker_of(settings, url=url) if url else None
        self._shared = blobs_of(settings)
        self._consume = self._consumer(self._broker) if self._broker is not None else None
        by_broker = self._broker is not None and settings.events_by("broker")
        self._publish = self._publisher(self._broker) if self._broker is not None and by_broker else None
        self._webhook = webhook_of(settings) if settings.events_by("webhook") else None
        queues = [SUBMIT, *([EVENTS] if self._publish is not None else [])] if self._broker is not None else []
        self._watch = Roadwatch(
            broker=self._broker,
            queues=queues,
            book=beside.book,
            alerts=beside.alerts,
            meter=beside.meter,
            threads=beside.timing.threads,
        )

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return self._broker is not None or self._webhook is not None

    @property
    def stats(self) -> Mapping[str, object]:
        """For the worker's row."""
        if self._consume is None:
            return {}
        state = self._consume.state
        return {
            "intake": {
                "taken": state.taken,
                "parked": state.parked,
                "trouble": state.sick or state.away,
                "lag_s": round(state.lag_s, 1),
            }
        }

    def stop(self) -> None:
        """Take nothing further; what is in hand is ended."""
        self._stopping.set()
        for one in (self._consume, self._publish):
            if one is not None:
                one.stop()

    async def run(self) -> None:
        """Until :meth:`stop`."""
        parts = [one.run for one in (self._consume, self._publish) if one is not None]
        if self._webhook is not None:
            tell = self._mail.injector.get(Tell)
            parts.append(partial(tell.alisten, self._webhook, stop=self._stopping, together=TOGETHER))
        try:
            await asyncio.gather(*(self._lasting(run) for run in parts))
        finally:
            self._close()

    async def _lasting(self, run: Callable[[], Awaitable[None]]) -> None:
        """A fault of ours must not end a road for good."""
        while not self._stopping.is_set():
            try:
                await run()
            except Exception:
                _log.exception("a road failed, it is opened again")
                await self._beside.timing.sleeper.sleep(FAILED_S)

    async def look(self) -> None:
        """Every ``LOOK_S``. Raises SpoolError kin."""
        await self._watch.look()
        self._looks += 1
        if self._looks % ALARM_EVERY == 1:
            overview = await self._beside.timing.threads.run(self._mail.reading.overview)
            await self._watch.alarm(overview, self._own())
        if self._shared is not None and self._looks % SWEEP_EVERY == 1:
            await self._beside.timing.threads.run(partial(_sweep, self._shared, self._mail.settings.broker.keep_blobs))

    def _own(self) -> RoadState:
        events = self._publish.trouble if self._publish is not None else ""
        if self._consume is None:
            return RoadState(events=events)
        state = self._consume.state
        why = state.sick or state.away
        stands_s = self._beside.timing.clock.monotonic_s() - state.since_s if why else 0.0
        return RoadState(stands_s, why, state.lag_s, events)

    def _close(self) -> None:
        if self._broker is not None:
            self._broker.close()
        for one in (self._webhook, self._shared):
            if one is not None:
                one.close()

    def _consumer(self, broker: Broker) -> Consume:
        mail, timing = self._mail, self._beside.timing
        taking = take_in_of(mail.settings, mail.injector, mail.spool, shared=self._shared)
        return Consume(
            Means(
                broker=broker,
                taking=taking,
                tell_safe=self._mailbag(broker).tell_safe,
                paused=lambda: "its disk is nearly full" if self._beside.full() else "",
                meter=self._beside.meter,
                threads=timing.threads,
                sleeper=timing.sleeper,
                monotonic_s=timing.clock.monotonic_s,
                now_us=timing.clock.now_us,
                jitter=timing.chance,
            )
        )

    def _publisher(self, broker: Broker) -> Publish:
        timing = self._beside.timing
        return Publish(
            self._mail.spool.outbox,
            self._mailbag(broker),
            threads=timing.threads,
            sleeper=timing.sleeper,
            jitter=timing.chance,
        )

    def _mailbag(self, broker: Broker) -> Mailbag:
        secret = next(iter(job_secrets(self._mail.settings)), None)
        return Mailbag(broker, secret=secret, now_us=self._beside.timing.clock.now_us)


def _sweep(shared: SharedBlobs, keep_days: float) -> None:
    """Large content on its way that nobody has put for long: its mail has been taken in, or never came."""
    try:
        if count := shared.sweep(keep_days * DAY_S):
            _log.info("%d blobs of the shared store were old, and are gone", count)
    except BrokerError as error:
        _log.warning("the shared store is not swept: %s", error)


def webhook_of(settings: Settings) -> WebhookCaller:
    """The caller of ``[webhook]``. Raises SettingsError."""
    webhook = settings.webhook
    return WebhookCaller(
        webhook.url.get_secret_value(),
        secrets=[one.get_secret_value() for one in webhook.secret],
        timeout_s=webhook.timeout,
        allow_private=webhook.allow_private,
    )
