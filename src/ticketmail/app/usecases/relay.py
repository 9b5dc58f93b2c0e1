"""From a host's database to the broker: published with confirm, forgotten after it. Killed anywhere, it publishes again what it
had not noted; the mail service knows each job by its id."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.errors import BrokerError, SpoolError
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.ports.observing import Meter
from ticketmail.domain.ports.queueing import SUBMIT, Broker
from ticketmail.domain.ports.relaying import Backlog, HostOutbox, OutboxRow
from ticketmail.domain.ports.timing import Clock

FINGERPRINT: Final = "relay-behind"
BATCH: Final = 200
#: How often the database is asked for new jobs while there are none.
LOOK_S: Final = 0.2
PAUSE_S: Final = (0.5, 15.0)
#: How often the backlog is counted, and an alarm that holds on is told again.
COUNT_S: Final = 10.0
REMIND_S: Final = 3600.0
#: A job that is too large for the broker is tried again after this: its limit may have been raised.
STUCK_S: Final = 3600.0

_log = logging.getLogger("ticketmail.relay")


@dataclass(frozen=True, slots=True)
class RelayRules:
    """``lease_s``: longer than any publish may take; what a relay that died held is published again after this. ``word_s``: how
    long the service's word is awaited before a job is published again (None: it is not awaited). ``in_order``: one relay at a
    time. ``alarm_after_s``: a job that waits for longer is an alarm. ``name``: what is relayed, for people."""

    lease_s: float = 120.0
    word_s: float | None = None
    in_order: bool = False
    alarm_after_s: float = 60.0
    site: str = "default"
    name: str = "outbox"


class Relay:
    """One relay; several may run on one outbox. ``tell`` takes alarms and must not raise; ``chance`` gives floats in [0, 1)."""

    def __init__(
        self,
        outbox: HostOutbox,
        broker: Broker,
        *,
        rules: RelayRules,
        clock: Clock,
        tell: Callable[[Alert], None],
        meter: Meter,
        chance: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._broker = broker
        self._rules = rules
        self._clock = clock
        self._meter = meter
        self._chance = chance
        self._watch = BacklogWatch(outbox, rules, clock, tell, meter)
        self.trouble = ""  #: why nothing is published now

    def run(self, stop: threading.Event, *, until_empty: bool = False) -> None:
        """Publish what waits until ``stop`` is set; with ``until_empty`` at most until nothing waits. Never raises for what a
        database or a broker does: it waits, and says so."""
        pause_s = 0.0
        while not stop.is_set():
            self._watch.look(self.trouble)
            try:
                found = self.once()
                if not found and until_empty and self._outbox.is_empty():
                    return self._watch.over()
                self.trouble, pause_s = "", 0.0
            except (BrokerError, SpoolError) as error:
                pause_s = min(max(pause_s * 2, PAUSE_S[0]), PAUSE_S[1])
                if not self.trouble:
                    _log.error("nothing is relayed, jobs wait in the %s: %s", self._rules.name, error)
                self.trouble, found = str(error), 0
            if not found:
                stop.wait(pause_s * (0.7 + 0.6 * self._chance()) if pause_s else LOOK_S)
        return None

    def once(self) -> int:
        """Publish a batch and note it; how many were taken. Raises BrokerError, SpoolError kin: they wait for the next one."""
        rows = self._outbox.take(BATCH, self._rules.lease_s, in_order=self._rules.in_order)
        good = self._fitting(rows)
        if good:
            self._publish(good)
        return len(rows)

    def _publish(self, rows: Sequence[OutboxRow]) -> None:
        try:
            self._broker.publish(SUBMIT, [row.job for row in rows])
        except BrokerError:
            self._outbox.failed(rows, "", again_s=0.0)
            raise
        self._outbox.published(rows, again_s=self._rules.word_s)
        self._meter.count("relay_published", len(rows))

    def _fitting(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Without those that the broker would never take: they are told, and hold nobody up."""
        most = self._broker.capabilities.max_job_bytes
        good = [row for row in rows if most is None or len(row.job.body) <= most]
        for row in rows:
            if most is not None and len(row.job.body) > most:
                error = f"{len(row.job.body)} bytes, more than the {most} that the broker takes."
                _log.error("the job %s cannot be relayed: %s", row.job.job_id, error)
                self._outbox.failed([row], error, again_s=STUCK_S)
        return good


class BacklogWatch:
    """Counts what waits, now and then; tells once that it waits for too long, and once that it is over."""

    def __init__(self, outbox: HostOutbox, rules: RelayRules, clock: Clock, tell: Callable[[Alert], None], meter: Meter) -> None:
        self._outbox = outbox
        self._rules = rules
        self._clock = clock
        self._tell = tell
        self._meter = meter
        self._next_s = 0.0
        self._told_s: float | None = None
        self._since_us = 0

    def look(self, trouble: str) -> None:
        """Count if it is time to. Never raises."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + COUNT_S
        try:
            found = self._outbox.backlog()
        except SpoolError as error:
            _log.debug("no count: %s", error)
            return None
        self._meter.gauge("relay_waiting", found.waiting)
        self._meter.gauge("relay_awaited", found.awaited)
        age_s = age_of(found)
        self._meter.gauge("relay_oldest_seconds", age_s)
        if age_s <= self._rules.alarm_after_s:
            return self.over()
        if self._told_s is None or now_s - self._told_s >= REMIND_S:
            self._told_s, self._since_us = now_s, found.oldest_us or found.now_us
            self._tell(self._alert(found, trouble))
        return None

    def over(self) -> None:
        """Nothing waits for too long any more."""
        if self._told_s is None:
            return
        self._told_s = None
        now_us = self._clock.now_us()
        title = f"Mail is handed over to the broker again (the {self._rules.name} was behind)"
        self._tell(Alert(FINGERPRINT, "info", title, "", self._rules.site, now_us, self._since_us, resolved=True))

    def _alert(self, found: Backlog, trouble: str) -> Alert:
        cause = trouble or (f"Refused: {found.error}" if found.stuck else "It is behind.")
        title = (
            f"{found.waiting} mails wait in the host's {self._rules.name} for the broker, the oldest for {age_of(found):.0f} s"
        )
        text = f"{cause} Nothing is lost: they are published as soon as the broker takes them."
        return Alert(FINGERPRINT, "page", title, text, self._rules.site, self._clock.now_us(), self._since_us)


def age_of(found: Backlog) -> float:
    """Seconds that the oldest has waited; 0 if none does."""
    return 0.0 if found.oldest_us is None else max(0, found.now_us - found.oldest_us) / 1_000_000
