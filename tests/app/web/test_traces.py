"""Spans carry the host's trace into the worker; without the extra nothing happens."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult

from ticketmail import Message, TicketMail
from ticketmail.adapters.otel import OtelTracer
from ticketmail.app.observing import NullMeter, NullTracer, open_meter, open_tracer
from ticketmail.app.worker import Worker
from ticketmail.testing.smtpd import SmtpServer

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> OtelTracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return OtelTracer(provider)


def test_a_stored_traceparent_is_the_parent(tracer: OtelTracer, spans: InMemorySpanExporter) -> None:
    with tracer.span("ticketmail.send", traceparent=PARENT, attributes={"ticketmail.lane": "reply"}):
        inside = tracer.current()
    [span] = spans.get_finished_spans()
    assert format(span.context.trace_id, "032x") == "0af7651916cd43dd8448eb211c80319c"
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == "b7ad6b7169203331"
    assert dict(span.attributes or {}) == {"ticketmail.lane": "reply"}
    assert inside == f"00-0af7651916cd43dd8448eb211c80319c-{span.context.span_id:016x}-01"


def test_without_one_a_span_is_a_child_of_what_is_current(tracer: OtelTracer, spans: InMemorySpanExporter) -> None:
    with tracer.span("host.request"), tracer.span("ticketmail.submit"):
        pass
    inner, outer = spans.get_finished_spans()
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id


def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(tracer: OtelTracer, spans: InMemorySpanExporter) -> None:
    with tracer.span("ticketmail.send", traceparent="not a traceparent"):
        pass
    [span] = spans.get_finished_spans()
    assert span.parent is None


def test_an_exception_is_recorded_and_goes_through(tracer: OtelTracer, spans: InMemorySpanExporter) -> None:
    with pytest.raises(KeyError), tracer.span("ticketmail.send"):
        raise KeyError("x")
    [span] = spans.get_finished_spans()
    assert span.status.is_ok is False


class _Broken(Sampler):
    def should_sample(self, *args: object, **names: object) -> SamplingResult:
        raise RuntimeError("the sampler's own fault")

    def get_description(self) -> str:
        return "broken"


def test_a_fault_of_the_tracing_library_reaches_no_mail(caplog: pytest.LogCaptureFixture) -> None:
    tracer = OtelTracer(TracerProvider(sampler=_Broken()))
    with caplog.at_level(logging.WARNING), tracer.span("ticketmail.deliver"):
        done = True
    assert done
    assert "ticketmail.deliver cannot be begun: RuntimeError" in caplog.text


async def test_the_trace_of_the_hosts_request_goes_on_in_the_worker(
    tracer: OtelTracer, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    letter = Message(sender="help@example.com", to="ann@example.net", subject="A broken printer", text="On its way.")
    async with SmtpServer() as server:
        settings = {"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": {"desk": {"url": f"smtp://127.0.0.1:{server.port}"}}}
        with TicketMail(settings=settings, tracer=tracer) as mail:
            with tracer.span("host.request"):
                receipt = await mail.asubmit(letter, ticket="desk-4711")
            worker = Worker(mail)
            running = asyncio.ensure_future(worker.run())
            async with asyncio.timeout(20):
                while len(spans.get_finished_spans()) < 2:
                    await asyncio.sleep(0.01)
                worker.drain()
                await running
    request, deliver = spans.get_finished_spans()
    assert (request.name, deliver.name) == ("host.request", "ticketmail.deliver")
    assert deliver.parent is not None
    assert (deliver.parent.trace_id, deliver.parent.span_id) == (request.context.trace_id, request.context.span_id)
    whole = deliver.to_json()
    assert str(receipt.submission_id) in whole
    assert [word for word in ("ann@", "help@", "printer", "desk-4711", "127.0.0.1") if word in whole] == []


def test_outside_a_span_there_is_no_traceparent(tracer: OtelTracer) -> None:
    assert tracer.current() == ""


def test_without_the_extras_nothing_is_counted_or_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    meter, exposition = open_meter()
    assert isinstance(meter, NullMeter)
    assert exposition is None
    meter.count("a")
    meter.gauge("b", 1)
    meter.observe("c", 1)
    tracer = open_tracer()
    assert isinstance(tracer, NullTracer)
    with tracer.span("x"):
        assert tracer.current() == ""


def test_with_the_extras_they_are_used() -> None:
    meter, exposition = open_meter()
    assert exposition is not None
    meter.count("sent_total")
    assert b"ticketmail_sent_total 1.0" in exposition()[1]
    assert isinstance(open_tracer(), OtelTracer)
