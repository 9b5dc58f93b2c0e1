"""The spool as gauges, read when somebody scrapes, and kept for some seconds: many scrapers cost no more than one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.ports.reading import LaneLoad, Overview, Reading, WorkerView

KEEP_S = 5.0

_log = logging.getLogger("ticketmail.prometheus")


class KeptGauges(Collector):
    """Gauges that are read when somebody scrapes. Thread-safe. While the spool cannot be read nothing is told but
    ``unread()``: old numbers would look like news."""

    def __init__(self, *, keep_s: float = KEEP_S, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._kept: tuple[float, list[GaugeMetricFamily]] | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing is read at registration."""
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The families of now, or of at most ``keep_s`` ago."""
        with self._lock:
            now_s = self._monotonic_s()
            if self._kept is None or now_s - self._kept[0] >= self._keep_s:
                self._kept = (now_s, self._read())
            return list(self._kept[1])

    def read(self) -> list[GaugeMetricFamily]:
        """The families of now. Raises SpoolError kin."""
        raise NotImplementedError

    def unread(self) -> list[GaugeMetricFamily]:
        """What is told while the spool cannot be read."""
        return []

    def _read(self) -> list[GaugeMetricFamily]:
        try:
            return self.read()
        except TicketmailError as error:
            _log.warning("the spool cannot be read for metrics: %s", error)
            return self.unread()


class SpoolGauges(KeptGauges):
    """Queued and due by lane, age of the oldest due, states, events, workers, room. While the spool cannot be read only
    ``ticketmail_spool_up 0`` is told."""

    def __init__(self, reading: Reading, *, keep_s: float = KEEP_S, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(keep_s=keep_s, monotonic_s=monotonic_s)
        self._reading = reading

    def read(self) -> list[GaugeMetricFamily]:
        """As :meth:`KeptGauges.read` says."""
        overview, workers = self._reading.overview(), self._reading.workers()
        return [_one("spool_up", "1 if the spool can be read", 1), *_of_overview(overview), *_of_workers(overview, workers)]

    def unread(self) -> list[GaugeMetricFamily]:
        """As :meth:`KeptGauges.unread` says."""
        return [_one("spool_up", "1 if the spool can be read", 0)]


def _of_overview(overview: Overview) -> Iterable[GaugeMetricFamily]:
    yield _by("queued", "mail that waits", "lane", _lanes(overview.lanes, lambda load: load.queued))
    yield _by("due", "mail that waits and is due", "lane", _lanes(overview.lanes, lambda load: load.due))
    oldest: dict[str, float] = {}
    for load in overview.lanes:
        age_s = 0.0 if load.oldest_due_us is None else max(0.0, (overview.now_us - load.oldest_due_us) / 1_000_000)
        oldest[load.lane] = max(oldest.get(load.lane, 0.0), age_s)
    yield _by("oldest_due_seconds", "age of the oldest due mail", "lane", oldest)
    yield _by(
        "deliveries",
        "mail by state; of what has ended, that of the last day",
        "state",
        {state.value: count for state, count in overview.counts.items()},
    )
    yield _one("events_waiting", "events that the host has not taken", overview.events_waiting)
    yield _one("events_dead", "events that the host would not take", overview.events_dead)
    yield _one("jobs_parked", "jobs from a broker that could not be taken in", overview.jobs_parked)
    age_s = 0.0 if overview.oldest_event_us is None else (overview.now_us - overview.oldest_event_us) / 1_000_000
    yield _one("oldest_event_seconds", "age of the oldest event", max(0.0, age_s))
    if overview.last_sent_us is not None:
        yield _one("last_sent_timestamp_seconds", "when a mail was last taken", overview.last_sent_us / 1_000_000)
    if overview.free_bytes is not None:
        yield _one("spool_free_bytes", "room where the spool lives", overview.free_bytes)
    if overview.size_bytes is not None:
        yield _one("spool_size_bytes", "size of the spool", overview.size_bytes)


def _of_workers(overview: Overview, workers: Sequence[WorkerView]) -> Iterable[GaugeMetricFamily]:
    alive = [one for one in workers if one.alive and one.retired_us is None]
    yield _one("workers_alive", "workers that live", len(alive))


def _lanes(loads: Sequence[LaneLoad], what: Callable[[LaneLoad], int]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for load in loads:
        sums[load.lane] = sums.get(load.lane, 0) + what(load)
    return sums


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ticketmail_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ticketmail_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
