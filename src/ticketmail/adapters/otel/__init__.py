"""OpenTelemetry spans (extra ``otel``). The trace begins in the host's request and goes on in the worker: ``traceparent`` is
stored with the submission (W3C Trace Context)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType

from ticketmail.domain.errors import MissingExtra

__all__ = ["create"]

try:
    from opentelemetry import context as otel_context
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:  # pragma: no cover (the base install)
    raise MissingExtra("Traces need OpenTelemetry.", name="otel", remedy="pip install 'ticketmail[otel]'") from error

_HEADER = "traceparent"
_log = logging.getLogger("ticketmail.otel")


class _Guarded:
    """A span whose own faults reach nobody's mail."""

    def __init__(
        self, tracer: trace.Tracer, name: str, parent: otel_context.Context | None, attributes: Mapping[str, str]
    ) -> None:
        self._tracer, self._name, self._parent, self._attributes = tracer, name, parent, attributes
        self._span: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        try:
            span = self._tracer.start_as_current_span(self._name, context=self._parent, attributes=self._attributes)
            span.__enter__()
            self._span = span
        except Exception as error:
            _log.warning("the span %s cannot be begun: %s", self._name, type(error).__name__)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None) -> None:
        try:
            if self._span is not None:
                self._span.__exit__(kind, error, trail)
        except Exception as fault:
            _log.warning("the span %s cannot be ended: %s", self._name, type(fault).__name__)


class OtelTracer:
    """Spans of the tracer ``ticketmail``. ``provider`` None: the one that the host has set globally. Thread-safe; a fault of the
    tracing library is its own affair and never a mail's: spans that cannot be begun are left out."""

    def __init__(self, provider: trace.TracerProvider | None = None, *, version: str = "") -> None:
        self._tracer = trace.get_tracer("ticketmail", version or None, tracer_provider=provider)
        self._propagator = TraceContextTextMapPropagator()

    def span(
        self, name: str, *, traceparent: str = "", attributes: Mapping[str, str] | None = None
    ) -> AbstractContextManager[None]:
        """A span that is current within the ``with``. ``traceparent`` '' : a child of what is current there. An exception that
        leaves it is recorded and goes through."""
        parent = self._propagator.extract({_HEADER: traceparent}) if traceparent else None
        return _Guarded(self._tracer, name, parent, attributes or {})

    def current(self) -> str:
        """The active span's traceparent, '' if there is none."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(_HEADER, "")


def create(version: str = "") -> OtelTracer:
    """The tracer over the host's global provider."""
    return OtelTracer(version=version)
