"""Apache Kafka by confluent-kafka, named as kombu names it (``confluentkafka://``).

kombu's transport never looks at delivery errors, and its acknowledgement commits the consumer's position, which loses every
earlier job that is still in work. Here each job's delivery report is awaited, and what is committed is the lowest offset that is
not settled yet.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import confluent_kafka as kafka
from confluent_kafka.admin import AdminClient, NewTopic
from kombu.utils.url import parse_url

from ticketmail.adapters.kombu.errors import NETWORK, Table, translated
from ticketmail.adapters.kombu.offsets import Offsets
from ticketmail.domain.errors import BrokerError, BrokerRefused, BrokerUnreachable
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Received

_IDLE_S: Final = 0.05
#: How long a member may stay silent for want of room. A pause throws away what was fetched: 500 ms until it flows again.
_SILENT_S: Final = 3.0
_E: Final = kafka.KafkaError
_REFUSALS: Final = frozenset(
    {
        _E.UNKNOWN_TOPIC_OR_PART,
        _E._UNKNOWN_TOPIC,
        _E._UNKNOWN_PARTITION,
        _E.TOPIC_AUTHORIZATION_FAILED,
        _E.GROUP_AUTHORIZATION_FAILED,
        _E.CLUSTER_AUTHORIZATION_FAILED,
        _E.SASL_AUTHENTICATION_FAILED,
        _E._AUTHENTICATION,
        _E.MSG_SIZE_TOO_LARGE,
        _E.INVALID_CONFIG,
        _E._INVALID_ARG,
    }
)


class Kafka:
    """Kafka topics, one consumer group a queue."""

    #: Brokers take 1,048,588 bytes a batch unless told otherwise (``message.max.bytes``), headers and framing included.
    capabilities = BrokerCapabilities(
        at_least_once=True,
        survives_restart=True,
        max_job_bytes=999_000,
        redelivers_at_once=False,
        bounded=False,
        note="Keeps jobs for the topic's retention, taken or not: it must be longer than any outage of the mail service.",
    )

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self._options = options
        self._said: deque[Any] = deque(maxlen=1)
        parts = parse_url(url)
        config: dict[str, Any] = {
            "bootstrap.servers": f"{parts['hostname'] or 'localhost'}:{parts['port'] or 9092}",
            "socket.connection.setup.timeout.ms": max(1000, int(options.connect_timeout_s * 1000)),
            "log_level": 0,
            "error_cb": self._note,
        }
        if parts["userid"]:
            config |= {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "PLAIN",
                "sasl.username": parts["userid"],
                "sasl.password": parts["password"] or "",
            }
        self._config = config | dict(options.extra)

    def open_sender(self) -> KafkaSender:
        """A producer that waits for all in-sync replicas, of a cluster that answers."""
        with translated(TABLE):
            producer = kafka.Producer(
                {
                    **self._config,
                    "acks": "all",
                    "enable.idempotence": True,
                    "linger.ms": 2,
                    "message.timeout.ms": int(self._options.confirm_timeout_s * 1000),
                }
            )
            self._topics(producer)
        return KafkaSender(producer, self)

    def open_source(self, queue: str, prefetch: int) -> KafkaSource:
        """A member of the queue's group."""
        self.make(queue)
        with translated(TABLE):
            return KafkaSource(kafka.Consumer(self._consumer_config(queue)), queue)

    def depth(self, queue: str) -> int | None:
        """What the group has not committed."""
        with translated(TABLE):
            consumer = kafka.Consumer(self._consumer_config(queue))
            try:
                return self._lag(consumer, queue)
            finally:
                consumer.close()

    def ensure(self, queue: str) -> Sequence[str]:
        """The topic."""
        self.make(queue)
        return [f"{queue}: {self.depth(queue)} not taken"]

    def make(self, queue: str) -> None:
        """Make the topic if it is missing."""
        timeout_s = self._options.connect_timeout_s
        with translated(TABLE):
            admin = AdminClient(self._config)
            found = self._topics(admin, queue).get(queue)
            if found is not None and found.error is None:
                return  # it was there, or the cluster makes topics by itself
            made = admin.create_topics([NewTopic(queue, num_partitions=4)], operation_timeout=timeout_s)
            _await_topic(made[queue], timeout_s)

    def _note(self, error: Any) -> None:
        """What librdkafka says aside: why it cannot connect. It tries again and again, and then says that it could not."""
        if error.code() != _E._ALL_BROKERS_DOWN:
            self._said.append(error)

    def _topics(self, client: Any, queue: str | None = None) -> dict[str, Any]:
        """All, or that one. Raises KafkaException, with the reason where there is one."""
        self._said.clear()
        try:
            return dict(client.list_topics(queue, timeout=self._options.connect_timeout_s).topics)
        except kafka.KafkaException:
            client.poll(0)
            if not self._said:
                raise
            raise kafka.KafkaException(self._said[-1]) from None

    def _consumer_config(self, queue: str) -> dict[str, Any]:
        return {
            **self._config,
            "group.id": queue,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "session.timeout.ms": max(6000, int(self._options.lease_s * 1000)),
        }

    def _lag(self, consumer: Any, queue: str) -> int:
        timeout_s = self._options.connect_timeout_s
        topic = consumer.list_topics(queue, timeout=timeout_s).topics[queue]
        total = 0
        for number in topic.partitions:
            partition = kafka.TopicPartition(queue, number)
            low, high = consumer.get_watermark_offsets(partition, timeout=timeout_s)
            committed = consumer.committed([partition], timeout=timeout_s)[0].offset
            total += high - max(low, committed)
        return total


class KafkaSender:
    """Publishes and awaits each delivery report."""

    def __init__(self, producer: Any, technology: Kafka) -> None:
        self._producer = producer
        self._technology = technology
        self._known: set[str] = set()

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """See ``Sender.send``."""
        if queue not in self._known:
            self._technology.make(queue)
            self._known.add(queue)
        errors: list[Any] = []
        reported: list[Any] = []

        def report(error: Any, _: Any) -> None:
            (errors if error is not None else reported).append(error)

        with translated(TABLE):
            for job in jobs:
                self._produce(queue, job, report, deadline_s)
            self._producer.flush(max(0.0, deadline_s - time.monotonic()))
            if errors:
                raise kafka.KafkaException(errors[0])
        if len(reported) != len(jobs):
            raise BrokerUnreachable(f"Kafka did not confirm {len(jobs) - len(reported)} of {len(jobs)} jobs in time.")

    def close(self) -> None:
        """What is still on its way is let go: it was reported as not confirmed."""
        self._producer.purge()

    def _produce(self, queue: str, job: Job, report: Any, deadline_s: float) -> None:
        while True:
            try:
                self._producer.produce(queue, value=job.body, key=job.job_id, on_delivery=report)
                self._producer.poll(0)
                return
            except BufferError:
                if time.monotonic() > deadline_s:
                    raise BrokerUnreachable("Kafka does not take jobs fast enough.") from None
                self._producer.poll(0.1)


class KafkaSource:
    """One member of a group. What is given back waits here: a log takes nothing back."""

    def __init__(self, consumer: Any, queue: str) -> None:
        self._consumer = consumer
        self._queue = queue
        self._offsets = Offsets()
        self._again: deque[Received] = deque()
        self._held: dict[object, Received] = {}
        self._asked_s = time.monotonic()
        consumer.subscribe([queue], on_revoke=self._revoked, on_lost=self._lost)

    def poll(self, room: int, wait_s: float, wake_fd: int) -> Sequence[Received]:
        """See ``Source.poll``. Asked now and then even without room: a member that does not poll is put out of the group."""
        rung = bool(select.select([wake_fd], [], [], 0)[0])
        with translated(TABLE):
            if room <= 0:
                self._look_in()
                select.select([wake_fd], [], [], min(wait_s, 1.0))
                return ()
            self._asked_s = time.monotonic()
            self._consumer.resume(self._consumer.assignment())
            if self._again:
                return [self._again.popleft() for _ in range(min(room, len(self._again)))]
            first = self._consumer.poll(0 if rung else _IDLE_S)
            messages = [] if first is None else [first, *self._consumer.consume(room - 1, timeout=0)]
            return [self._received(one) for one in messages if self._is_job(one)]

    def ack(self, tokens: Sequence[object]) -> None:
        """Commit as far as everything before is settled."""
        for token in tokens:
            if self._held.pop(token, None) is not None:
                self._offsets.settle(token)  # type: ignore[arg-type]
        self._commit()

    def give_back(self, tokens: Sequence[object]) -> None:
        """Again by this consumer: others only get them when it ends."""
        for token in tokens:
            one = self._held.get(token)
            if one is not None:
                self._again.append(Received(one.job, token, redelivered=True))

    def close(self) -> None:
        """What is not committed comes again."""
        try:
            self._commit()
            self._consumer.close()
        except Exception:  # noqa: S110 - the group notices by itself
            pass

    def _is_job(self, message: Any) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == _E._PARTITION_EOF:
            return False
        raise kafka.KafkaException(error)

    def _received(self, message: Any) -> Received:
        token = (message.partition(), message.offset())
        self._offsets.begin(token)
        received = Received(Job((message.key() or b"").decode(errors="replace"), message.value() or b""), token)
        self._held[token] = received
        return received

    def _look_in(self) -> None:
        """Without room for jobs."""
        if time.monotonic() - self._asked_s >= _SILENT_S:
            self._consumer.pause(self._consumer.assignment())
            self._seek_back(self._consumer.poll(0))

    def _seek_back(self, message: Any) -> None:
        """A paused consumer may have had one at hand already: it is read again later."""
        if message is not None and message.error() is None:
            self._consumer.seek(kafka.TopicPartition(message.topic(), message.partition(), message.offset()))

    def _commit(self) -> None:
        found = self._offsets.to_commit()
        if found:
            places = [kafka.TopicPartition(self._queue, number, offset) for number, offset in found.items()]
            with translated(TABLE):
                self._consumer.commit(offsets=places, asynchronous=False)
            self._offsets.committed(found)

    def _revoked(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Before others get them: commit what is settled, forget the rest."""
        try:
            self._commit()
        except BrokerError:
            pass  # they come again to whoever has them now
        self._lost(consumer, partitions)

    def _lost(self, _: Any, partitions: Sequence[Any]) -> None:
        numbers = {one.partition for one in partitions}
        self._offsets.forget(numbers)
        self._held = {token: one for token, one in self._held.items() if token[0] not in numbers}  # type: ignore[index]
        self._again = deque(one for one in self._again if one.token[0] not in numbers)  # type: ignore[index]


def _await_topic(future: Any, timeout_s: float) -> None:
    """Another process may have been quicker."""
    try:
        future.result(timeout_s)
    except kafka.KafkaException as error:
        if error.args[0].code() != _E.TOPIC_ALREADY_EXISTS:
            raise


def _said(error: Exception) -> BrokerError:
    first = error.args[0] if error.args else None
    text = first.str() if isinstance(first, kafka.KafkaError) else str(error)
    if isinstance(first, kafka.KafkaError) and first.code() in _REFUSALS:
        return BrokerRefused(f"Kafka refuses it: {text}.")
    return BrokerUnreachable(f"Kafka cannot be used: {text}.")


TABLE: Final[Table] = (
    (kafka.KafkaException, _said),
    *NETWORK,
)
