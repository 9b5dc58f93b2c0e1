"""Watching the roads: how much waits at the broker and in the outbox, noted for `status` and metrics, with alarms."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ticketmail.app.usecases.alert import Alerts
from ticketmail.domain.errors import BrokerError
from ticketmail.domain.ports.delivering import Book, Change
from ticketmail.domain.ports.observing import Meter
from ticketmail.domain.ports.queueing import Broker
from ticketmail.domain.ports.reading import Overview
from ticketmail.domain.ports.timing import Threads

#: Documents with what waits in a queue, by its name.
KIND: Final = "queue"
#: A broker that is away for so long is an alarm, and so is a spool that refuses as long (seconds).
AWAY_S: Final = 120.0
#: Jobs and events that have been on their way for so long are late (seconds).
LATE_S: Final = 600.0

_log = logging.getLogger("ticketmail.intake")


@dataclass(frozen=True, slots=True)
class QueueLook:
    """What waited in a queue when a worker looked. ``waiting`` None: the broker cannot tell, or could not be asked."""

    queue: str
    waiting: int | None
    at_us: int
    trouble: str = ""


def look_from(name: str, content: bytes) -> QueueLook | None:
    """A document read back; None if it is not ours to read."""
    try:
        values = json.loads(content)
        return QueueLook(name, values["waiting"], int(values["at_us"]), str(values.get("trouble", "")))
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class RoadState:
    """How a worker's own ends of the roads are: seconds that the intake has stood still and why, its lag, events' trouble."""

    stands_s: float = 0.0
    why: str = ""
    lag_s: float = 0.0
    events: str = ""


class Roadwatch:
    """``queues`` are looked at on ``broker`` (None: there is none). Called every few seconds; raises SpoolError kin."""

    def __init__(
        self, *, broker: Broker | None, queues: Sequence[str], book: Book, alerts: Alerts, meter: Meter, threads: Threads
    ) -> None:
        self._broker = broker
        self._queues = queues
        self._book = book
        self._alerts = alerts
        self._meter = meter
        self._threads = threads
        self._waiting: dict[str, int] = {}

    async def look(self) -> None:
        """Note what waits at the broker."""
        for queue in self._queues:
            waiting, trouble = await self._threads.run(lambda queue=queue: self._depth(queue))  # type: ignore[misc]
            await self._book.change(KIND, queue, _noting(waiting, trouble))
            if waiting is not None:
                self._waiting[queue] = waiting
                self._meter.gauge("broker_jobs_waiting", waiting, queue=queue)

    async def alarm(self, overview: Overview, own: RoadState) -> None:
        """Raise what should be known, and say what is over."""
        self._meter.gauge("intake_up", 0 if own.why else 1)
        await self._tell(
            "intake-stands",
            own.stands_s > AWAY_S,
            level="page",
            title="No mail is taken in from the broker",
            text=f"For {own.stands_s / 60:.0f} minutes: {own.why}",
        )
        jobs = next(iter(self._waiting.values()), 0)
        await self._tell(
            "intake-late",
            own.lag_s > LATE_S and jobs > 0,
            title="Mail waits long at the broker",
            text=f"{jobs} jobs wait, the last that were taken in had waited {own.lag_s / 60:.0f} minutes. Start another worker.",
        )
        await self._tell(
            "jobs-parked",
            overview.jobs_parked > 0,
            title="Jobs could not be taken in",
            text=f"{overview.jobs_parked} jobs wait for a human: `ticketmail parked list` says why.",
        )
        oldest_us = overview.oldest_event_us
        late_s = 0.0 if oldest_us is None else (overview.now_us - oldest_us) / 1e6
        await self._tell(
            "events-late",
            late_s > LATE_S,
            title="The host is not told",
            text=f"{overview.events_waiting} events wait, the oldest for {late_s / 60:.0f} minutes. {own.events}".strip(),
        )
        await self._tell(
            "events-dead",
            overview.events_dead > 0,
            title="Events that the host would not take",
            text=f"{overview.events_dead} events were given up: `ticketmail events dead` says why.",
        )

    async def _tell(self, name: str, wrong: bool, *, title: str, text: str, level: Any = "warn") -> None:
        if wrong:
            await self._alerts.occurred(name, level=level, title=title, text=text)
        else:
            await self._alerts.over(name)

    def _depth(self, queue: str) -> tuple[int | None, str]:
        if self._broker is None:
            return None, ""
        try:
            return self._broker.depth(queue), ""
        except BrokerError as error:
            return None, str(error)


def _noting(waiting: int | None, trouble: str) -> Callable[[bytes | None, int], tuple[Change | None, None]]:
    def step(content: bytes | None, now_us: int) -> tuple[Change | None, None]:
        values = {"waiting": waiting, "at_us": now_us, "trouble": trouble}
        return Change(json.dumps(values).encode()), None

    return step
