"""Any other transport of kombu, as it comes: for hosts that have nothing else. It may lose jobs, so ``allow_lossy`` is needed.

What loses: kombu takes a job out of the broker when it is received (file system, tables), whatever becomes of its receiver.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any, Final

from kombu import Connection
from kombu.exceptions import KombuError

from ticketmail.adapters.kombu.errors import NETWORK, Table, short, translated
from ticketmail.domain.errors import BrokerRefused, BrokerUnreachable
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Received

_IDLE_S: Final = 0.05

TABLE: Final[Table] = (
    (
        ImportError,
        lambda error: BrokerRefused(
            f"A package of this transport is missing: {short(error)}.", remedy="Install what kombu's documentation names for it."
        ),
    ),
    (KombuError, lambda error: BrokerRefused(f"The broker cannot be used so: {short(error)}.")),
    *NETWORK,
    # Whatever library is below: its classes are unknown here, and its words may hold a password.
    (Exception, lambda error: BrokerUnreachable(f"The broker cannot be used ({type(error).__name__}).")),
)


class Other:
    """A transport of kombu that nobody has made safe."""

    capabilities = BrokerCapabilities(
        at_least_once=False,
        survives_restart=False,
        max_job_bytes=None,
        redelivers_at_once=False,
        bounded=False,
        note="kombu takes jobs out of it when they are received: a receiver that dies loses them.",
    )

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self._url = url
        self._options = options

    def open_sender(self) -> OtherSender:
        """A connection for publishing."""
        return OtherSender(*self._connect())

    def open_source(self, queue: str, prefetch: int) -> OtherSource:
        """A consumer that asks again and again."""
        connection, channel = self._connect()
        with translated(TABLE):
            _declare(channel, queue)
        return OtherSource(connection, channel, queue)

    def depth(self, queue: str) -> int | None:
        """What the transport says."""
        connection, channel = self._connect()
        with translated(TABLE), connection:
            return int(_declare(channel, queue).message_count)

    def ensure(self, queue: str) -> Sequence[str]:
        """The queue, with what the transport thinks right."""
        return [f"{queue}: {self.depth(queue)} waiting"]

    def _connect(self) -> tuple[Connection, Any]:
        with translated(TABLE):
            connection = Connection(
                self._url, connect_timeout=self._options.connect_timeout_s, transport_options=dict(self._options.extra)
            )
            channel = connection.channel()
        channel.do_restore = False  # kombu would pickle what it could not give back into a file
        return connection, channel


class OtherSender:
    """Publishes one after another. What no error says is taken for a confirm."""

    def __init__(self, connection: Connection, channel: Any) -> None:
        self._connection = connection
        self._channel = channel
        self._known: set[str] = set()

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """See ``Sender.send``. The transport's own time-outs hold."""
        with translated(TABLE):
            if queue not in self._known:
                _declare(self._channel, queue)
                self._known.add(queue)
            producer = self._connection.Producer(channel=self._channel)
            for job in jobs:
                producer.publish(
                    job.body,
                    exchange="",
                    routing_key=queue,
                    content_type="application/json",
                    content_encoding="binary",
                    message_id=job.job_id,
                )

    def close(self) -> None:
        """Never raises."""
        _release(self._connection)


class OtherSource:
    """One consumer. It cannot be woken: it asks every 50 ms."""

    def __init__(self, connection: Connection, channel: Any, queue: str) -> None:
        self._connection = connection
        self._channel = channel
        self._queue = queue
        self._held: set[object] = set()

    def poll(self, room: int, wait_s: float, wake_fd: int) -> Sequence[Received]:
        """See ``Source.poll``."""
        found: list[Received] = []
        with translated(TABLE):
            while len(found) < room and (message := self._channel.basic_get(self._queue, no_ack=False)) is not None:
                found.append(_received(message))
        self._held |= {one.token for one in found}
        if not found:
            select.select([wake_fd], [], [], min(wait_s, _IDLE_S))
        return found

    def ack(self, tokens: Sequence[object]) -> None:
        """The transport forgets them."""
        with translated(TABLE):
            for token in tokens:
                self._channel.basic_ack(token)
                self._held.discard(token)

    def give_back(self, tokens: Sequence[object]) -> None:
        """Put into the queue again."""
        with translated(TABLE):
            for token in tokens:
                self._channel.basic_reject(token, requeue=True)
                self._held.discard(token)

    def close(self) -> None:
        """What is held goes back, if the broker is there."""
        try:
            self.give_back(tuple(self._held))
        except Exception:  # noqa: S110 - this is what makes it lossy
            pass
        _release(self._connection)


def _declare(channel: Any, queue: str) -> Any:
    return channel.queue_declare(queue=queue, durable=True, auto_delete=False)


def _received(message: Any) -> Received:
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
    job = Job(str(message.properties.get("message_id", "")), body)
    return Received(job, message.delivery_tag, bool(message.delivery_info.get("redelivered", False)))


def _release(connection: Connection) -> None:
    try:
        connection.release()
    except Exception:  # a broken connection may not even say goodbye
        connection.collect()
