"""RabbitMQ by py-amqp: quorum queues, pipelined publisher confirms, one thread per consumer.

Topology: a quorum queue ``PREFIX.QUEUE`` that refuses what it cannot take (``reject-publish``), and ``PREFIX.QUEUE.dead`` behind
its dead-letter exchange (at least once). Delivery limit 50: jobs that were only prefetched count too when a consumer dies.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import amqp
from amqp import spec
from kombu import Connection
from kombu.exceptions import KombuError, OperationalError

from ticketmail.adapters.kombu.errors import NETWORK, Table, short, translated
from ticketmail.adapters.kombu.parts import ca_file_of
from ticketmail.domain.errors import BrokerBlocked, BrokerError, BrokerFull, BrokerRefused, BrokerUnreachable
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Received

#: Publishes on their way at once; more brings nothing (measured: 100 to 500 are alike), and bounds memory.
WINDOW: Final = 200
DELIVERY_LIMIT: Final = 50
_HEARTBEAT_S: Final = 20
_GOODBYE_S: Final = 0.5
#: A quorum queue that was just made has no leader for a moment, and refuses as a full one does (seconds between tries).
_LEADER_WAITS_S: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
_DEAD: Final = ".dead"
_ENSURE: Final = "Look at it with `ticketmail broker ensure`."

TABLE: Final[Table] = (
    (amqp.exceptions.MessageNacked, lambda error: BrokerFull("The queue refuses more.")),
    (amqp.exceptions.AccessRefused, lambda error: BrokerRefused(f"The broker refuses the login or a right: {short(error)}.")),
    (amqp.exceptions.NotAllowed, lambda error: BrokerRefused(f"The broker does not allow it: {short(error)}.")),
    (amqp.exceptions.NotFound, lambda error: BrokerRefused(f"The broker does not know it: {short(error)}.")),
    (
        amqp.exceptions.PreconditionFailed,
        lambda error: BrokerRefused(
            f"A queue of that name has other properties: {short(error)}.", remedy="Delete it, or set a prefix."
        ),
    ),
    (amqp.exceptions.ResourceLocked, lambda error: BrokerRefused(f"Another connection has it for itself: {short(error)}.")),
    (amqp.exceptions.ResourceError, lambda error: BrokerBlocked(f"The broker lacks resources: {short(error)}.")),
    (amqp.exceptions.ConsumerCancelled, lambda error: BrokerUnreachable(f"The queue is gone: {short(error)}.")),
    (amqp.exceptions.AMQPError, lambda error: BrokerUnreachable(f"The broker ended it: {short(error)}.")),
    (OperationalError, lambda error: BrokerUnreachable(f"The broker cannot be used: {short(error)}.")),
    (KombuError, lambda error: BrokerRefused(f"The broker cannot be used so: {short(error)}.")),
    *NETWORK,
)


class Amqp:
    """RabbitMQ."""

    #: 16 MiB is the largest message that RabbitMQ 4 takes by default (``max_message_size``); 3.x takes 128 MiB.
    capabilities = BrokerCapabilities(
        at_least_once=True, survives_restart=True, max_job_bytes=15 * 1024 * 1024, redelivers_at_once=True, bounded=True
    )

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self._url = url
        self._options = options
        self._tls = {"ca_certs": ca_file_of(options)}

    def open_sender(self) -> AmqpSender:
        """A publishing connection. No heartbeat: nobody would serve it between two publishes."""
        return AmqpSender(self._connect(heartbeat=0), self._options)

    def open_source(self, queue: str, prefetch: int) -> AmqpSource:
        """A consumer; makes its queue if need be."""
        connection = self._connect(heartbeat=_HEARTBEAT_S)
        with translated(TABLE, connection):
            return AmqpSource(connection, queue, prefetch, self._options)

    def depth(self, queue: str) -> int | None:
        """Ready jobs."""
        with self._asking() as connection:
            return int(connection.default_channel.queue_declare(queue, passive=True).message_count)

    def ensure(self, queue: str) -> Sequence[str]:
        """The queue and its dead letters."""
        with self._asking() as connection:
            channel = connection.default_channel
            declare(channel, queue, self._options)
            counts = {name: channel.queue_declare(name, passive=True) for name in (queue, queue + _DEAD)}
        return [f"{name}: {one.message_count} waiting, {one.consumer_count} consumers" for name, one in counts.items()]

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        """A connection for one question."""
        connection = self._connect(heartbeat=0)
        try:
            with translated(TABLE, connection):
                yield connection
        finally:
            hang_up(connection)

    def _connect(self, *, heartbeat: int) -> Connection:
        blocked: list[str] = []
        connection = Connection(
            self._url,
            heartbeat=heartbeat,
            connect_timeout=self._options.connect_timeout_s,
            transport_options={
                "on_blocked": blocked.append,
                "on_unblocked": blocked.clear,
                # py-amqp gives up after a second without an answer (TCP_USER_TIMEOUT); a busy broker needs longer.
                "socket_settings": {socket.TCP_USER_TIMEOUT: int(self._options.confirm_timeout_s * 1000)},
                # Of each wait for an answer that has no time-out of its own.
                "read_timeout": self._options.confirm_timeout_s,
                "write_timeout": self._options.confirm_timeout_s,
                "client_properties": {"product": "ticketmail", "capabilities": _CAPABILITIES},
            },
        )
        if connection.transport_cls == "amqps":  # by itself py-amqp takes any name that a known CA has signed
            connection.ssl = {**self._tls, "server_hostname": connection.hostname}
        connection.ticketmail_alarms = blocked
        with translated(TABLE, connection):
            connection.connect()
        return connection


def hang_up(connection: Connection) -> None:
    """Say goodbye, and go without an answer: a network that swallows everything must hold nobody up. Never raises."""
    wire = connection._connection  # its public name would connect anew
    if wire is None:
        return
    with suppress(Exception):
        wire.transport.sock.settimeout(_GOODBYE_S)
        connection.release()
    with suppress(Exception):
        wire.collect()


_CAPABILITIES: Final = {"consumer_cancel_notify": True, "connection.blocked": True, "authentication_failure_close": True}


def declare(channel: Any, queue: str, options: BrokerOptions) -> None:
    """The topology, idempotent. Raises what py-amqp does if a queue of that name has other properties."""
    dead = queue + _DEAD
    channel.exchange_declare(dead, "fanout", durable=True, auto_delete=False)
    channel.queue_declare(dead, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(dead, exchange=dead)
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": dead,
        "x-dead-letter-strategy": "at-least-once",
        "x-delivery-limit": DELIVERY_LIMIT,
    }
    if options.max_length is not None:
        arguments["x-max-length"] = options.max_length
    channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)


def _left_s(deadline_s: float) -> float:
    """Raises TimeoutError when nothing is left."""
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


class AmqpSender:
    """Publishes with pipelined confirms. Answers are matched by our own count of what this channel published."""

    def __init__(self, connection: Connection, options: BrokerOptions) -> None:
        self._connection = connection
        self._options = options
        self._known: set[str] = set()
        self._sent = 0
        self._open: set[int] = set()
        self._refused: set[int] = set()
        self._returned: list[str] = []
        with translated(TABLE, connection):
            self._channel: Any = connection.channel()
            self._channel.confirm_select()
            self._channel.events["basic_ack"].add(self._acked)
            self._channel.events["basic_nack"].add(self._nacked)
            self._channel.events["basic_return"].add(self._came_back)

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """See ``Sender.send``."""
        self._refused.clear()
        with translated(TABLE, self._connection):
            try:
                with self._connection.connection.transport.having_timeout(_left_s(deadline_s)):
                    self._send(queue, jobs, deadline_s)
            except TimeoutError:
                raise self._unanswered() from None
        if self._returned:
            self._known.discard(queue)
            raise BrokerRefused(f"The broker has no queue {queue!r}.")
        if self._refused:
            raise BrokerFull(f"The queue {queue!r} refuses more: it is full, or has no leader (a cluster without a majority).")

    def close(self) -> None:
        """Never raises."""
        hang_up(self._connection)

    def _send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        if queue not in self._known:
            declare(self._channel, queue, self._options)
            self._known.add(queue)
            self._introduce(queue, jobs[0], deadline_s)
            jobs = () if self._refused else jobs[1:]
        self._publish_all(queue, jobs, deadline_s)

    def _introduce(self, queue: str, job: Job, deadline_s: float) -> None:
        """A channel's first job for a queue, alone: only that one is refused by a queue without a leader (the server's
        ``rabbit_fifo_client`` enlists the channel with it). What is refused was not taken, so it may be sent again."""
        self._publish_all(queue, [job], deadline_s)
        for wait_s in _LEADER_WAITS_S:
            if not self._refused:
                return
            time.sleep(min(wait_s, _left_s(deadline_s)))
            self._refused.clear()
            self._publish_all(queue, [job], deadline_s)

    def _publish_all(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """Until each has an answer."""
        for job in jobs:
            self._drain(deadline_s, WINDOW)
            self._hurry(deadline_s)
            self._publish(queue, job)
        self._drain(deadline_s, 1)

    def _publish(self, queue: str, job: Job) -> None:
        """py-amqp's own ``basic_publish`` asks the socket for news and sets its time-out there and back, each time: a tenth of
        the cost."""
        message = amqp.Message(
            job.body, content_type="application/json", content_encoding="utf-8", delivery_mode=2, message_id=job.job_id
        )
        self._sent += 1
        self._open.add(self._sent)
        self._channel.send_method(spec.Basic.Publish, "Bssbb", (0, "", queue, True, False), message)

    def _drain(self, deadline_s: float, most: int) -> None:
        """Until fewer than ``most`` answers are due. Raises TimeoutError."""
        while len(self._open) >= most:
            self._hurry(deadline_s)
            self._connection.connection.drain_events()

    def _hurry(self, deadline_s: float) -> None:
        """What comes next has the time that is left, and no more: many short waits must not add up. Raises TimeoutError."""
        self._connection.connection.sock.settimeout(_left_s(deadline_s))

    def _unanswered(self) -> BrokerError:
        with suppress(Exception):  # the news of an alarm may have come while we wrote
            while True:
                self._connection.connection.drain_events(timeout=0)
        blocked = self._connection.ticketmail_alarms
        if blocked:
            return BrokerBlocked(f"The broker takes nothing now: {blocked[-1]}.")
        return BrokerUnreachable("The broker did not confirm in time.")

    def _acked(self, tag: int, multiple: bool) -> None:
        self._open -= {one for one in self._open if one <= tag} if multiple else {tag}

    def _nacked(self, tag: int, multiple: bool) -> None:
        refused = {one for one in self._open if one <= tag} if multiple else {tag}
        self._refused |= refused
        self._open -= refused

    def _came_back(self, error: object, exchange: str, routing_key: str, message: object) -> None:
        self._returned.append(routing_key)


class AmqpSource:
    """One consumer: waits on its socket and the bridge's bell, takes what has come, acknowledges in runs."""

    def __init__(self, connection: Connection, queue: str, prefetch: int, options: BrokerOptions) -> None:
        self._connection = connection
        self._channel: Any = connection.channel()
        declare(self._channel, queue, options)
        self._arrived: deque[Received] = deque()
        self._unsettled: set[int] = set()
        self._channel.basic_qos(0, prefetch, False)
        self._tag = self._channel.basic_consume(queue, callback=self._delivered, on_cancel=self._cancelled)
        self._checked_s = time.monotonic()

    def poll(self, room: int, wait_s: float, wake_fd: int) -> Sequence[Received]:
        """See ``Source.poll``. The broker keeps to the prefetch; ``room`` is not needed."""
        with translated(TABLE, self._connection):
            if not self._readable(0.0, wake_fd):
                self._readable(wait_s, wake_fd)
            self._take()
            if time.monotonic() - self._checked_s > _HEARTBEAT_S / 4:
                self._checked_s = time.monotonic()
                self._connection.heartbeat_check()
        found, self._arrived = list(self._arrived), deque()
        return found

    def ack(self, tokens: Sequence[object]) -> None:
        """One frame for the run of tags below which nothing is open, single ones for the rest."""
        tags = sorted(tag for tag in tokens if isinstance(tag, int))
        self._unsettled -= set(tags)
        lowest = min(self._unsettled, default=tags[-1] + 1)
        run = [tag for tag in tags if tag < lowest]
        with translated(TABLE, self._connection):
            if run:
                self._channel.basic_ack(run[-1], multiple=True)
            for tag in tags[len(run) :]:
                self._channel.basic_ack(tag)

    def give_back(self, tokens: Sequence[object]) -> None:
        """Requeued at once."""
        with translated(TABLE, self._connection):
            for tag in tokens:
                self._unsettled.discard(tag)
                self._channel.basic_reject(tag, requeue=True)

    def close(self) -> None:
        """Cancel and close the channel first: acknowledgements that are followed by a bare close get lost."""
        try:
            with translated(TABLE, self._connection):
                self._channel.basic_cancel(self._tag)
                self._channel.close()
        except Exception:  # noqa: S110 - the broker notices by itself
            pass
        hang_up(self._connection)

    def _readable(self, wait_s: float, wake_fd: int) -> bool:
        sock = self._connection.connection.sock
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        return sock in select.select([sock, wake_fd], [], [], wait_s)[0]

    def _take(self) -> None:
        """All that has come, without waiting."""
        while True:
            try:
                self._connection.connection.drain_events(timeout=0)
            except (TimeoutError, BlockingIOError):
                return

    def _delivered(self, message: Any) -> None:
        tag = message.delivery_info["delivery_tag"]
        self._unsettled.add(tag)
        body = message.body if isinstance(message.body, bytes) else message.body.encode()
        job = Job(str(message.properties.get("message_id", "")), body)
        self._arrived.append(Received(job, tag, bool(message.delivery_info["redelivered"])))

    def _cancelled(self, consumer_tag: str) -> None:
        raise amqp.exceptions.ConsumerCancelled(f"the broker cancelled the consumer {consumer_tag}")
