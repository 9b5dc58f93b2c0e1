"""Redis: kombu's transport with its consuming replaced, for BRPOP loses what a consumer had just been sent when it died.

A queue is a list of waiting jobs, a hash of those under a lease, and their leases by end. Each step is one Lua script, so a crash
leaves each job in exactly one place. Leases follow Redis's own clock; a living consumer renews them.
"""

from __future__ import annotations

import select
import ssl
import time
from collections.abc import Sequence
from typing import Any, Final

import redis
from kombu import Connection
from kombu.exceptions import KombuError
from kombu.transport import redis as transport

from ticketmail.adapters.kombu.errors import NETWORK, Table, no_tls, short, translated
from ticketmail.adapters.kombu.parts import batches, ca_file_of
from ticketmail.domain.errors import (
    BrokerBlocked,
    BrokerFull,
    BrokerRefused,
    BrokerUnreachable,
    BrokerUnsafe,
    SettingsError,
)
from ticketmail.domain.ports.queueing import BrokerCapabilities, BrokerOptions, Job, Received

#: Jobs per script: each stops the server while it runs.
CHUNK: Final = 100
CHUNK_BYTES: Final = 1024 * 1024
#: How often leases that have ended are looked for while nobody rings.
_IDLE_S: Final = 0.5
#: What the URL does not say otherwise (``?ssl_cert_reqs=``).
_TLS: Final = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}

_SILENT: Final = "Check its URL, the network and the server: one without TLS is silent to rediss://, one with TLS to redis://."

TABLE: Final[Table] = (
    (redis.exceptions.AuthenticationError, lambda error: BrokerRefused(f"Redis refuses the login: {short(error)}.")),
    (redis.exceptions.BusyLoadingError, lambda error: BrokerUnreachable("Redis is still loading its data.")),
    (redis.exceptions.TimeoutError, lambda error: BrokerUnreachable("Redis does not answer.", remedy=_SILENT)),
    (redis.exceptions.ConnectionError, lambda error: _lost(error)),
    (redis.exceptions.OutOfMemoryError, lambda error: BrokerBlocked("Redis is at its maxmemory and takes nothing now.")),
    (redis.exceptions.ReadOnlyError, lambda error: BrokerBlocked("This Redis is a replica; it takes nothing.")),
    (redis.exceptions.NoPermissionError, lambda error: BrokerRefused(f"Redis does not allow it: {short(error)}.")),
    (redis.exceptions.ResponseError, lambda error: _said(short(error))),
    (redis.exceptions.CrossSlotTransactionError, lambda error: BrokerRefused(f"Redis refuses it: {short(error)}.")),
    (redis.exceptions.RedisClusterException, lambda error: BrokerUnreachable(f"The cluster cannot be used: {short(error)}.")),
    (redis.exceptions.RedisError, lambda error: BrokerUnreachable(f"Redis cannot be used: {short(error)}.")),
    (KombuError, lambda error: BrokerRefused(f"Redis cannot be used so: {short(error)}.")),
    *NETWORK,
)

_PUT: Final = """
local most = tonumber(ARGV[1])
if most > 0 and redis.call('LLEN', KEYS[1]) + #ARGV - 1 > most then return 0 end
for i = 2, #ARGV do redis.call('LPUSH', KEYS[1], ARGV[i]) end
redis.call('PUBLISH', KEYS[1], '')
return #ARGV - 1
"""
#: First what others' ended leases set free, then from the waiting. A value begins with 0, or 1 once it was held before.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
  local job = redis.call('HGET', KEYS[2], token)
  if job then redis.call('RPUSH', KEYS[1], '1' .. string.sub(job, 2)) end
  redis.call('HDEL', KEYS[2], token)
  redis.call('ZREM', KEYS[3], token)
end
local found = {}
for _ = 1, tonumber(ARGV[1]) do
  local job = redis.call('RPOP', KEYS[1])
  if not job then break end
  local token = redis.call('INCR', KEYS[4])
  redis.call('HSET', KEYS[2], token, job)
  redis.call('ZADD', KEYS[3], now + ARGV[2], token)
  found[#found + 1] = token
  found[#found + 1] = job
end
return found
"""
_SETTLE: Final = """
for i = 2, #ARGV do
  local job = ARGV[1] == 'give_back' and redis.call('HGET', KEYS[2], ARGV[i])
  if job then redis.call('RPUSH', KEYS[1], '1' .. string.sub(job, 2)) end
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
end
if ARGV[1] == 'give_back' then redis.call('PUBLISH', KEYS[1], '') end
"""
_RENEW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[3], 'XX', now + ARGV[1], ARGV[i]) end
"""


class _Whole:
    """A command is one write: redis-py gives each of its pieces the whole time-out, and on a slow link they add up."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        super().send_packed_command([b"".join(command)], check_health)  # type: ignore[misc]


class _Plain(_Whole, redis.Connection):
    """Without TLS."""


class _Tls(_Whole, redis.SSLConnection):
    """With it."""


class SafeChannel(transport.Channel):  # type: ignore[misc]
    """kombu's channel, for its settings; jobs travel by our scripts, over connections that keep to the time-out."""

    connection_class = _Plain
    connection_class_ssl = _Tls

    def keys_of(self, queue: str) -> list[str]:
        """Waiting, held, leases, counter. One hash slot, for a cluster."""
        return [f"{{{queue}}}", f"{{{queue}}}:held", f"{{{queue}}}:leases", f"{{{queue}}}:tokens"]

    def run(self, script: str, queue: str, *args: object) -> Any:
        """One script, atomically."""
        return self.client.register_script(script)(keys=self.keys_of(queue), args=args)


class SafeTransport(transport.Transport):  # type: ignore[misc]
    """kombu's transport with our channel."""

    Channel = SafeChannel


class Redis:
    """Redis, with an append-only file."""

    capabilities = BrokerCapabilities(
        at_least_once=True,
        survives_restart=True,
        max_job_bytes=64 * 1024 * 1024,
        redelivers_at_once=False,
        bounded=True,
        note="As durable as its append-only file: a failover to a replica may lose the last moment.",
    )

    def __init__(self, url: str, options: BrokerOptions) -> None:
        self._url = url
        self._options = options
        _check_database(url)
        self._ca_file = ca_file_of(options)

    def open_sender(self) -> RedisSender:
        """A publishing connection to a Redis that keeps what it confirms."""
        connection, channel = self._connect()
        return RedisSender(connection, channel, self._options)

    def open_source(self, queue: str, prefetch: int) -> RedisSource:
        """A consumer."""
        connection, channel = self._connect()
        with translated(TABLE):
            return RedisSource(connection, channel, queue, self._options.lease_s)

    def depth(self, queue: str) -> int | None:
        """Jobs that wait."""
        connection, channel = self._connect()
        with translated(TABLE), connection:
            return int(channel.client.llen(channel.keys_of(queue)[0]))

    def ensure(self, queue: str) -> Sequence[str]:
        """Nothing need be made."""
        connection, channel = self._connect()
        with translated(TABLE), connection:
            waiting, held = channel.keys_of(queue)[:2]
            return [f"{queue}: {channel.client.llen(waiting)} waiting, {channel.client.hlen(held)} held"]

    def _connect(self) -> tuple[Connection, SafeChannel]:
        timeouts = {
            "socket_timeout": self._options.confirm_timeout_s,
            "socket_connect_timeout": self._options.connect_timeout_s,
            "retry_on_timeout": False,
        }
        with translated(TABLE):
            connection = Connection(self._url, transport=SafeTransport, transport_options=timeouts)
            if self._url.lower().startswith("rediss:"):  # kombu knows its own transport by that scheme, and not ours
                connection.ssl = {**_TLS, "ssl_ca_certs": self._ca_file, **(connection.ssl or {})}
            channel = connection.channel()
            self._check(channel.client.info("persistence"), channel.client.info("memory"))
        return connection, channel

    def _check(self, persistence: dict[str, Any], memory: dict[str, Any]) -> None:
        if self._options.allow_lossy:
            return
        if not persistence.get("aof_enabled"):
            raise BrokerUnsafe(
                "This Redis has no append-only file: a restart loses what it confirmed.",
                remedy="Set appendonly yes there (and appendfsync always against power cuts), or allow_lossy = true here.",
            )
        if memory.get("maxmemory_policy", "noeviction") != "noeviction":
            raise BrokerUnsafe(
                f"This Redis may evict jobs (maxmemory-policy {memory['maxmemory_policy']}).",
                remedy="Set maxmemory-policy noeviction there, or allow_lossy = true here.",
            )


class RedisSender:
    """Publishes: a script's answer is the confirm."""

    def __init__(self, connection: Connection, channel: SafeChannel, options: BrokerOptions) -> None:
        self._connection = connection
        self._channel = channel
        self._most = options.max_length or 0

    def send(self, queue: str, jobs: Sequence[Job], deadline_s: float) -> None:
        """See ``Sender.send``."""
        for chunk in batches(jobs, CHUNK, CHUNK_BYTES, lambda job: len(job.body)):
            if time.monotonic() > deadline_s:
                raise BrokerUnreachable("Redis did not confirm in time.")
            with translated(TABLE):
                stored = self._channel.run(_PUT, queue, self._most, *(_packed(job) for job in chunk))
            if not stored:
                raise BrokerFull(f"The queue {queue!r} holds {self._most} jobs and refuses more.")

    def close(self) -> None:
        """Never raises."""
        _release(self._connection)


class RedisSource:
    """One consumer, woken by a channel of Redis that senders ring."""

    def __init__(self, connection: Connection, channel: SafeChannel, queue: str, lease_s: float) -> None:
        self._connection = connection
        self._channel = channel
        self._queue = queue
        self._lease_ms = int(lease_s * 1000)
        self._held: set[bytes] = set()
        self._renew_at_s = 0.0
        self._bell = channel.client.pubsub(ignore_subscribe_messages=True)
        self._bell.subscribe(channel.keys_of(queue)[0])

    def poll(self, room: int, wait_s: float, wake_fd: int) -> Sequence[Received]:
        """See ``Source.poll``."""
        with translated(TABLE):
            self._renew()
            found = self._take(room)
            if found:
                return found
            if room <= 0:
                select.select([wake_fd], [], [], min(wait_s, self._lease_ms / 3000))
            else:
                self._await_bell(min(wait_s, _IDLE_S), wake_fd)
            return self._take(room)

    def ack(self, tokens: Sequence[object]) -> None:
        """Forgotten by Redis."""
        self._settle("ack", tokens)

    def give_back(self, tokens: Sequence[object]) -> None:
        """To the head of the queue."""
        self._settle("give_back", tokens)

    def close(self) -> None:
        """What is held goes back at once, if Redis is there; else when its lease ends."""
        try:
            self._settle("give_back", tuple(self._held))
            self._bell.close()
        except Exception:  # noqa: S110 - the lease ends by itself
            pass
        _release(self._connection)

    def _await_bell(self, wait_s: float, wake_fd: int) -> None:
        """Until a sender rings, or our own side does: a settlement must not wait for the next job."""
        sock = getattr(self._bell.connection, "_sock", None)  # redis-py has no public name for it
        select.select([wake_fd] if sock is None else [wake_fd, sock], [], [], wait_s)
        while self._bell.get_message() is not None:
            pass

    def _take(self, room: int) -> list[Received]:
        if room <= 0:
            return []
        flat = self._channel.run(_TAKE, self._queue, min(room, CHUNK), self._lease_ms)
        found = [_unpacked(job, token) for token, job in zip(flat[::2], flat[1::2], strict=True)]
        self._held |= {one.token for one in found}  # type: ignore[misc]
        return found

    def _settle(self, how: str, tokens: Sequence[object]) -> None:
        with translated(TABLE):
            for start in range(0, len(tokens), CHUNK):
                self._channel.run(_SETTLE, self._queue, how, *tokens[start : start + CHUNK])
        self._held -= set(tokens)

    def _renew(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._renew_at_s:
            self._renew_at_s = now_s + self._lease_ms / 3000
            if self._held:
                self._channel.run(_RENEW, self._queue, self._lease_ms, *self._held)


def _packed(job: Job) -> bytes:
    return b"0" + job.job_id.encode() + b"\n" + job.body


def _unpacked(value: bytes, token: object) -> Received:
    job_id, _, body = value[1:].partition(b"\n")
    return Received(Job(job_id.decode(errors="replace"), body), token, value[:1] == b"1")


def _release(connection: Connection) -> None:
    try:
        connection.release()
    except Exception:  # a broken connection may not even say goodbye
        connection.collect()


def _said(text: str) -> BrokerBlocked | BrokerRefused:
    """Redis tells some states by the first word of an error alone."""
    if text.startswith(("MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN")):
        return BrokerBlocked(f"Redis takes nothing now: {text}.")
    return BrokerRefused(f"Redis refuses it: {text}.")


def _lost(error: Exception) -> BrokerUnreachable:
    if isinstance(error.__context__, ssl.SSLError):
        return no_tls(error.__context__)
    return BrokerUnreachable(f"Redis cannot be reached: {short(error)}.")


def _check_database(url: str) -> None:
    """kombu's own error for it is no broker's."""
    path = url.partition("://")[2].partition("?")[0].partition("/")[2]
    if path and not path.isdecimal():
        raise SettingsError(f"{path!r} is no number of a database.", name="broker.url", remedy="Write redis://host:6379/0.")
