"""Brokers by TLS: nothing is said before the server has proved its name, and a server without TLS is told as such."""

from __future__ import annotations

import asyncio
import ssl
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from adapters.kombu.servers import url_of
from ticketmail.adapters.kombu import create
from ticketmail.domain.errors import BrokerUnreachable
from ticketmail.domain.ports.queueing import BrokerOptions, Job

pytestmark = pytest.mark.timeout(60)


class TlsFront:
    """Speaks TLS on ``port`` of loopback, and plain with a server behind it. Its name is ``localhost``, and that alone."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._behind = urlsplit(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        start = partial(asyncio.start_server, self._joined, "127.0.0.1", 0, ssl=context)
        self._server = asyncio.run_coroutine_threadsafe(start(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        ours = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)

    async def _joined(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        await asyncio.gather(_passed(near, to_far), _passed(far, to_near))


async def _passed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(65_536):
            target.write(chunk)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


@dataclass(frozen=True)
class Place:
    """A server: its own port without TLS, and a port with it. ``host`` may be the certificate's, or another that leads there."""

    plain: str
    tls_port: int
    ca_file: str

    def url(self, host: str, port: int | None = None) -> str:
        parts = urlsplit(self.plain)
        login = f"{parts.username or ''}:{parts.password or ''}"
        return f"{parts.scheme}s://{login}@{host}:{port or self.tls_port}{parts.path}"

    def options(self, *, known: bool) -> BrokerOptions:
        extra = (("ca_file", self.ca_file),) if known else ()
        return BrokerOptions(prefix=f"tls{uuid.uuid4().hex}", connect_timeout_s=2.0, confirm_timeout_s=5.0, extra=extra)


@pytest.fixture(params=["RABBITMQ", "REDIS"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    plain = url_of(f"TICKETMAIL_TEST_{request.param}")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    front = TlsFront(plain, context)
    yield Place(plain, front.port, str(tmp_path / "ca.pem"))
    front.close()


@asynccontextmanager
async def _received(url: str, options: BrokerOptions) -> AsyncIterator[list[bytes]]:
    broker = create(url, options)
    async with broker.receive("submit", prefetch=50) as receiver:
        got = []
        while len(got) < 40:
            batch = await receiver.batch(50, 1.0)
            got += [one.job.body for one in batch]
            await receiver.ack(batch)
        yield got
    broker.close()


async def test_jobs_go_and_come_by_tls(place: Place) -> None:
    url, options = place.url("localhost"), place.options(known=True)
    bodies = [str(number).encode() * 5000 for number in range(40)]
    sender = create(url, options)
    await asyncio.to_thread(sender.publish, "submit", [Job(f"id-{place}", body) for place, body in enumerate(bodies)])
    await asyncio.to_thread(sender.close)
    async with asyncio.timeout(30), _received(url, options) as got:
        assert sorted(got) == sorted(bodies)


@pytest.mark.parametrize(
    ("host", "known", "says"), [("localhost", False, "CERTIFICATE_VERIFY_FAILED"), ("127.0.0.1", True, "IP address mismatch")]
)
def test_a_server_that_does_not_prove_its_name_gets_no_mail_and_no_password(
    place: Place, host: str, known: bool, says: str
) -> None:
    broker = create(place.url(host), place.options(known=known))
    with pytest.raises(BrokerUnreachable, match=says) as raised:
        broker.publish("submit", [Job("1", b"{}")])
    assert "ca_file" in str(raised.value.remedy)


def test_a_server_without_tls_is_told_as_such(place: Place) -> None:
    broker = create(place.url("localhost", urlsplit(place.plain).port), place.options(known=True))
    with pytest.raises(BrokerUnreachable, match=r"no TLS|does not answer") as raised:
        broker.publish("submit", [Job("1", b"{}")])
    assert "TLS" in str(raised.value.remedy)
