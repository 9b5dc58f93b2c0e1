"""Amazon SQS: kombu for connection, credentials and queue names; jobs go in batches by its boto3 client.

kombu's own sending takes one job a call and encodes it twice in base64; its consumer pickles what it could not give back into a
file. Neither is used here. Leases are SQS's visibility time-outs; a living consumer renews them.
"""

from __future__ import annotations

import base64
import select
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from botocore import exceptions as aws
from kombu import Connection
from kombu.exceptions import KombuError

from ticketmail.adapters.kombu.errors import NETWORK, Table, short, translated
from ticketmail.adapters.kombu.parts import batches
from ticketmail.domain.errors import BrokerRefused, BrokerUnreachable, SettingsError
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Received

#: Entries of one call, and bytes of all its bodies and attributes together (SQS quotas of messages, 2025-08).
BATCH: Final = 10
BATCH_BYTES: Final = 1024 * 1024
_ATTRIBUTES_BYTES: Final = 512
_LONG_POLL_S: Final = 1
_NOT_NOW: Final = frozenset({"ServiceUnavailable", "InternalError", "InternalFailure", "ThrottlingException", "RequestThrottled"})

_NO_TLS: Final = 'A server without TLS, for tests: `options = {is_secure = "false"}`.'

TABLE: Final[Table] = (
    (aws.NoCredentialsError, lambda error: BrokerRefused(f"SQS needs credentials: {short(error)}.")),
    (aws.PartialCredentialsError, lambda error: BrokerRefused(f"SQS needs whole credentials: {short(error)}.")),
    (aws.ClientError, lambda error: BrokerRefused(f"SQS refuses it: {short(error)}.")),
    (aws.SSLError, lambda error: BrokerUnreachable(f"SQS cannot be reached: {short(error)}.", remedy=_NO_TLS)),
    (aws.BotoCoreError, lambda error: BrokerUnreachable(f"SQS cannot be reached: {short(error)}.")),
    (KombuError, lambda error: BrokerRefused(f"SQS cannot be used so: {short(error)}.")),
    *NETWORK,
)


class Sqs:
    """Amazon SQS, standard queues."""

    capabilities = BrokerCapabilities(
        at_least_once=True,
        survives_restart=True,
        max_job_bytes=BATCH_BYTES - _ATTRIBUTES_BYTES,
        redelivers_at_once=False,
        bounded=False,
        note="Keeps jobs for the queue's retention: 14 days at most.",
    )

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self._url = url
        self._options = options
        extra = options.extra_of("region", "is_secure")
        self._region = extra.get("region", "us-east-1")
        self._is_secure = _said_yes(extra.get("is_secure", "true"))

    def open_sender(self) -> SqsSender:
        """A client for publishing."""
        return SqsSender(*self._connect(tries=1))  # its caller's time is short, and it knows what to do

    def open_source(self, queue: str, prefetch: int) -> SqsSource:
        """A consumer."""
        connection, channel = self._connect()
        with translated(TABLE):
            return SqsSource(connection, channel.sqs(), channel._new_queue(queue), int(self._options.lease_s))

    def depth(self, queue: str) -> int | None:
        """About how many wait; SQS counts with a delay."""
        return self._counts(queue)[0]

    def ensure(self, queue: str) -> Sequence[str]:
        """The queue, with the longest retention there is."""
        waiting, held = self._counts(queue)
        return [f"{queue}: about {waiting} waiting, {held} held"]

    def _counts(self, queue: str) -> tuple[int, int]:
        connection, channel = self._connect()
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with translated(TABLE), connection:
            got = channel.sqs().get_queue_attributes(QueueUrl=channel._new_queue(queue), AttributeNames=names)
        return int(got["Attributes"][names[0]]), int(got["Attributes"][names[1]])

    def _connect(self, *, tries: int = 3) -> tuple[Connection, Any]:
        options: dict[str, Any] = {
            "region": self._region,
            "is_secure": self._is_secure,
            "visibility_timeout": int(self._options.lease_s),
            "sqs-creation-attributes": {"MessageRetentionPeriod": str(14 * 86_400)},
            "client-config": {
                "connect_timeout": self._options.connect_timeout_s,
                "read_timeout": self._options.confirm_timeout_s + (_LONG_POLL_S if tries > 1 else 0),
                "retries": {"total_max_attempts": tries},
            },
        }
        with translated(TABLE):
            connection = Connection(self._url, transport_options=options)
            return connection, connection.channel()


class SqsSender:
    """Publishes ten at a time; each entry has its own answer."""

    def __init__(self, connection: Connection, channel: Any) -> None:
        self._connection = connection
        self._channel = channel

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """See ``Sender.send``."""
        with translated(TABLE):
            url, client = self._channel._new_queue(queue), self._channel.sqs()
            for batch in batches(jobs, BATCH, BATCH_BYTES, _cost):
                self._send_batch(client, url, batch, deadline_s)

    def close(self) -> None:
        """Never raises."""
        self._connection.collect()

    def _send_batch(self, client: Any, url: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """Again what SQS says it could not take just now, until the deadline."""
        left = {str(place): job for place, job in enumerate(jobs)}
        while True:
            entries = [{"Id": ident, **_packed(job)} for ident, job in left.items()]
            answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            failed = {one["Id"]: one for one in answer.get("Failed", ())}
            if not failed:
                return
            wrong = next((one for one in failed.values() if one.get("SenderFault") and one["Code"] not in _NOT_NOW), None)
            if wrong is not None:
                raise BrokerRefused(f"SQS refuses it: {wrong['Code']} {wrong.get('Message', '')}".strip())
            if time.monotonic() > deadline_s:
                raise BrokerUnreachable(f"SQS did not take {len(failed)} jobs in time.")
            left = {ident: left[ident] for ident in failed}
            time.sleep(0.2)


class SqsSource:
    """One consumer. SQS cannot be woken: it is asked for at most a second at a time."""

    def __init__(self, connection: Connection, client: Any, url: str, lease_s: int) -> None:
        self._connection = connection
        self._client = client
        self._url = url
        self._lease_s = lease_s
        self._held: set[str] = set()
        self._renew_at_s = time.monotonic() + lease_s / 3

    def poll(self, room: int, wait_s: float, wake_fd: int) -> Sequence[Received]:
        """See ``Source.poll``."""
        with translated(TABLE):
            self._renew()
            if room <= 0:
                select.select([wake_fd], [], [], min(wait_s, self._lease_s / 3))
                return ()
            rung = bool(select.select([wake_fd], [], [], 0)[0])
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(room, BATCH),
                WaitTimeSeconds=0 if rung or self._held else _LONG_POLL_S,
                MessageAttributeNames=["All"],
                AttributeNames=["ApproximateReceiveCount"],
            )
        found = [_unpacked(one) for one in answer.get("Messages", ())]
        self._held |= {str(one.token) for one in found}
        if not found and self._held:
            select.select([wake_fd], [], [], 0.05)
        return found

    def ack(self, tokens: Sequence[object]) -> None:
        """Deleted."""
        for chunk in _tens(tokens):
            with translated(TABLE):
                entries = [{"Id": str(place), "ReceiptHandle": one} for place, one in enumerate(chunk)]
                self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            self._held -= set(chunk)

    def give_back(self, tokens: Sequence[object]) -> None:
        """Visible at once."""
        self._visible(tokens, 0)
        self._held -= {str(one) for one in tokens}

    def close(self) -> None:
        """What is held goes back."""
        try:
            self._visible(tuple(self._held), 0)
        except Exception:  # noqa: S110 - it comes back when its lease ends
            pass
        self._connection.collect()

    def _visible(self, tokens: Sequence[object], seconds: int) -> None:
        for chunk in _tens(tokens):
            with translated(TABLE):
                entries = [
                    {"Id": str(place), "ReceiptHandle": one, "VisibilityTimeout": seconds} for place, one in enumerate(chunk)
                ]
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def _renew(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._renew_at_s:
            self._renew_at_s = now_s + self._lease_s / 3
            self._visible(tuple(self._held), self._lease_s)


def _said_yes(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise SettingsError("This is neither true nor false.", name="broker.options.is_secure", remedy=_NO_TLS)
    return word.lower() == "true"


def _cost(job: Job) -> int:
    """Bytes as SQS counts them."""
    return len(job.body) * (1 if _is_text(job.body) else 2) + _ATTRIBUTES_BYTES


def _packed(job: Job) -> dict[str, Any]:
    """SQS takes text only; jobs are ASCII by their making, anything else goes as base64."""
    text = _is_text(job.body)
    body = job.body.decode() if text else base64.b64encode(job.body).decode()
    attributes = {"job": job.job_id, "as": "text" if text else "base64"}
    return {
        "MessageBody": body,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value},
    }


def _unpacked(message: dict[str, Any]) -> Received:
    attributes = {name: one.get("StringValue", "") for name, one in message.get("MessageAttributes", {}).items()}
    body = message["Body"].encode()
    if attributes.get("as") == "base64":
        body = base64.b64decode(body)
    count = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
    return Received(Job(attributes.get("job", ""), body), message["ReceiptHandle"], count > 1)


def _is_text(body: bytes) -> bool:
    """Bytes that SQS takes as they are (its character set, here without what is not ASCII), and not empty."""
    return bool(body) and body.isascii() and not body.translate(None, _TEXT)


_TEXT: Final = bytes((9, 10, 13, *range(32, 127)))


def _tens(tokens: Sequence[object]) -> Iterator[list[str]]:
    for start in range(0, len(tokens), BATCH):
        yield [str(one) for one in tokens[start : start + BATCH]]
