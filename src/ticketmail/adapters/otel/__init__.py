"""OpenTelemetry spans (extra ``otel``). The trace begins in the host's request and goes on in the worker: ``traceparent`` is
stored with the submission (W3C Trace Context)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from ticketmail.domain.errors import MissingExtra

__all__ = ["create"]

try:
    from opentelemetry import context as otel_context
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:  # pragma: no cover (the base install)
    raise MissingExtra("Traces need OpenTelemetry.", name="otel", remedy="pip install 'ticketmail[otel]'") from error

_HEADER = "traceparent"


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
        return self._span(name, traceparent, dict(attributes or {}))

    def current(self) -> str:
        """The active span's traceparent, '' if there is none."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(_HEADER, "")

    @contextmanager
    def _span(self, name: str, traceparent: str, attributes: dict[str, str]) -> Iterator[None]:
        parent = self._propagator.extract({_HEADER: traceparent}) if traceparent else otel_context.get_current()
        with self._tracer.start_as_current_span(name, context=parent, attributes=attributes):
            yield


def create(version: str = "") -> OtelTracer:
    """The tracer over the host's global provider."""
    return OtelTracer(version=version)
