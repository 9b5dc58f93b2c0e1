"""Metrics and traces, behind ports so that the base needs neither package."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol


class Meter(Protocol):
    """Counts and durations. Names are those of docs/reference/metrics.md. Thread-safe; never raises, never blocks."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...
    def gauge(self, name: str, value: float, **labels: str) -> None: ...
    def observe(self, name: str, seconds: float, **labels: str) -> None: ...


class Tracer(Protocol):
    """Spans. ``traceparent`` is W3C Trace Context, '' for none."""

    def span(self, name: str, *, traceparent: str = "", attributes: Mapping[str, str] = ...) -> AbstractContextManager[None]: ...

    def current(self) -> str:
        """The traceparent of the span that is active where this is called."""
        ...
