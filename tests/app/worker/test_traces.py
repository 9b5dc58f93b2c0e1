"""One trace, end to end: begun in a host's process, gone on with by the worker's, which has a tracer provider of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ticketmail import DeliveryState, TicketMail
from ticketmail.adapters.otel import OtelTracer
from ticketmail.app.observing import NullMeter
from ticketmail.app.worker import Worker

#: A host: its own provider, set globally as a web framework's instrumentation does; ticketmail is told nothing of it.
HOST = """
import json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ticketmail import Message, TicketMail

spans, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
message = Message(sender="help@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
with TicketMail(settings=json.loads(sys.argv[1])) as mail:
    with trace.get_tracer("desk").start_as_current_span("POST /tickets/4711/reply"):
        mail.submit(message, lane="reply")
    mail.submit(message, lane="notice")  # outside of any span
[span] = spans.get_finished_spans()
print(json.dumps({"trace": span.context.trace_id, "span": span.context.span_id}))
"""


class Counts(NullMeter):
    """What was counted."""

    def __init__(self) -> None:
        self.total: dict[str, float] = {}

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.total[name] = self.total.get(name, 0) + amount


@contextlib.asynccontextmanager
async def working(mail: TicketMail) -> AsyncIterator[None]:
    worker = Worker(mail)
    task = asyncio.ensure_future(worker.run())
    try:
        yield
    finally:
        worker.drain()
        await asyncio.wait_for(task, 20)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    return {"spool": f"sqlite:///{tmp_path}/spool.db", "accounts": {"a": "null://"}}


async def test_the_hosts_span_is_the_parent_of_the_workers(settings: dict[str, object]) -> None:
    command = [sys.executable, "-c", HOST, json.dumps(settings)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=True)
    hosts = json.loads(done.stdout)
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    counts = Counts()

    with TicketMail(settings=settings, tracer=OtelTracer(provider), meter=counts) as mail:
        async with working(mail), asyncio.timeout(20):
            while mail.reading.overview().counts != {DeliveryState.SENT: 2}:
                await asyncio.sleep(0.02)

    by_lane = {(span.attributes or {})["ticketmail.lane"]: span for span in spans.get_finished_spans()}
    reply, notice = by_lane["reply"], by_lane["notice"]
    assert reply.name == "ticketmail.deliver"
    assert reply.parent is not None
    assert (reply.context.trace_id, reply.parent.span_id) == (hosts["trace"], hosts["span"])
    assert reply.parent.is_remote
    assert notice.parent is None
    assert notice.context.trace_id != hosts["trace"]
    assert counts.total["sent_total"] == 2
