"""``Meter`` on prometheus-client."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

M = TypeVar("M", bound=MetricWrapperBase)

PREFIX = "ticketmail_"
#: Seconds. A commit takes a millisecond, a slow server's final reply minutes (RFC 5321 section 4.5.3.2.6: 10 minutes).
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
#: A name that gives more combinations of labels than this has a label without bound (a recipient, say): it stops growing.
MOST_SERIES = 1000
_NAME = re.compile(r"[^a-zA-Z0-9_:]")

_log = logging.getLogger("ticketmail.prometheus")


class PrometheusMeter:
    """Counts into a registry of its own. Thread-safe. Never raises: a metric that does not fit is left out and logged once.

    ``count("sent_total")`` and ``count("sent")`` are both ``ticketmail_sent_total``; durations end in ``_seconds``.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry(auto_describe=False)
        self._lock = threading.Lock()
        self._made: dict[str, MetricWrapperBase] = {}
        self._series: dict[str, set[tuple[str, ...]]] = {}
        self._told: set[str] = set()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """As the port says."""
        with self._safely(name):
            self._series_of(name, labels, Counter).inc(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """As the port says."""
        with self._safely(name):
            self._series_of(name, labels, Gauge).set(value)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """As the port says."""
        with self._safely(name):
            self._series_of(name, labels, Histogram).observe(seconds)

    def register(self, collector: Collector) -> None:
        """Also collect ``collector`` at each scrape."""
        self.registry.register(collector)

    def exposition(self) -> tuple[str, bytes]:
        """Content type and body of a scrape."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    @contextmanager
    def _safely(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # the library raises several types for what does not fit; none may stop a mail
            if name not in self._told:
                self._told.add(name)
                _log.warning("the metric %s is left out: %s", name, error)

    def _series_of(self, name: str, labels: dict[str, str], kind: type[M]) -> M:
        with self._lock:
            metric = self._made.get(name) or self._make(name, labels, kind)
            if not isinstance(metric, kind):
                raise ValueError(f"it is a {type(metric).__name__.lower()} already")
            if not labels:
                return metric
            values, known = tuple(str(labels[key]) for key in sorted(labels)), self._series[name]
            if values not in known and len(known) >= MOST_SERIES:
                raise ValueError(f"more than {MOST_SERIES} combinations of labels")
            found = metric.labels(**labels)
            known.add(values)
            return found

    def _make(self, name: str, labels: dict[str, str], kind: type[M]) -> M:
        full = PREFIX + _NAME.sub("_", name.removeprefix(PREFIX))
        text = f"{name.removesuffix('_total').replace('_', ' ')}; see docs/reference/metrics.md"
        more: dict[str, Any] = {"buckets": BUCKETS} if issubclass(kind, Histogram) else {}
        made = kind(full, text, sorted(labels), registry=self.registry, **more)
        self._made[name], self._series[name] = made, set()
        return made
