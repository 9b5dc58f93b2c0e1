"""Metrics and traces: with the extras where they are installed, else into nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.ports.observing import Meter, Tracer
from ticketmail.domain.ports.reading import Reading

#: Content type and body of a scrape. Blocks while the spool is read.
Exposition = Callable[[], tuple[str, bytes]]


class NullMeter:
    """Counts nothing."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """As the port says."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """As the port says."""

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """As the port says."""


class NullTracer:
    """Traces nothing."""

    def span(
        self, name: str, *, traceparent: str = "", attributes: Mapping[str, str] | None = None
    ) -> AbstractContextManager[None]:
        """As the port says."""
        return nullcontext()

    def current(self) -> str:
        """As the port says: no span is active."""
        return ""


def open_meter(
    reading: Reading | None = None, limits: Callable[[], Mapping[str, AccountLimits]] | None = None
) -> tuple[Meter, Exposition | None]:
    """Prometheus and its exposition, with gauges over ``reading``, and of accounts with ``limits``; without the extra
    ``prometheus`` nothing and None."""
    if importlib.util.find_spec("prometheus_client") is None:
        return NullMeter(), None
    from ticketmail.adapters.prometheus import LimitGauges, PrometheusMeter, SpoolGauges

    meter = PrometheusMeter()
    if reading is not None:
        meter.register(SpoolGauges(reading))
    if reading is not None and limits is not None:
        meter.register(LimitGauges(reading, limits))
    return meter, meter.exposition


def open_tracer(version: str = "") -> Tracer:
    """OpenTelemetry over the process's own provider; without the extra ``otel`` nothing."""
    if importlib.util.find_spec("opentelemetry") is None:
        return NullTracer()
    from ticketmail.adapters.otel import OtelTracer

    return OtelTracer(version=version)
