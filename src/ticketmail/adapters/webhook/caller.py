"""Calls the host's URL with an event. Returning means that it answered 2xx; anything else is raised, and told again later.

The host's URL may be a tenant's wish: unless private addresses are allowed, names are resolved here, every address must be
public, and the connection goes to an address that was looked at, so that a name cannot lead elsewhere a moment later.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from ticketmail._version import __version__
from ticketmail.adapters._http.signing import signed_headers, signing_key
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.events import MailEvent

#: Calls at once. Each waits for the host, most of the time.
TOGETHER: Final = 8
_ANSWER_BYTES: Final = 4096
_MOST_RETRY_AFTER_S: Final = 3600.0


class WebhookRefused(ConnectionError):
    """The host did not answer 2xx. ``retry_after_s`` is what it asked for (Retry-After, RFC 9110 section 10.2.3), else 0."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class WebhookCaller:
    """A ``TicketHandler``. ``secrets``, newest first; () means unsigned. ``timeout_s`` holds for connecting and for each wait for
    bytes. ``now_s`` gives the time of the call (seconds): receivers refuse old ones. Any number of calls at once, ``TOGETHER``
    of them in threads of its own.

    Raises SettingsError: the URL is none, or a secret is no base64.
    """

    def __init__(
        self,
        url: str,
        *,
        secrets: Sequence[str] = (),
        timeout_s: float = 15.0,
        allow_private: bool = False,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise SettingsError("Not an http or https URL.", name="webhook.url", remedy="Write https://host/path.")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = parts.hostname, port or (443 if self._tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._keys = [signing_key(secret, name="webhook.secret") for secret in secrets]
        self._timeout_s = timeout_s
        self._allow_private = allow_private
        self._now_s = now_s
        self._pool = ThreadPoolExecutor(TOGETHER, thread_name_prefix="ticketmail-webhook")

    def __repr__(self) -> str:
        return f"WebhookCaller({self._host})"

    async def __call__(self, event: MailEvent) -> None:
        """Tell ``event``. Raises WebhookRefused, OSError; their text names the host only, for the URL may be a secret."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._post, event)

    def close(self) -> None:
        """End the threads. Idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _post(self, event: MailEvent) -> None:
        body = body_of(event)
        headers = signed_headers(self._keys, event.event_id.hex, int(self._now_s()), body)
        connection = _Connection(self._host, self._port, self._addresses(), self._tls, self._timeout_s)
        try:
            connection.request("POST", self._target, body, {**headers, "User-Agent": f"ticketmail/{__version__}"})
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(f"The webhook at {self._host} cannot be reached: {_short(error)}.") from None
        finally:
            connection.close()
        if not 200 <= answer.status < 300:  # a redirect too: it would take the event elsewhere
            wait_s = _seconds(answer.headers.get("Retry-After", ""))
            raise WebhookRefused(f"The webhook at {self._host} answered {answer.status}.", retry_after_s=wait_s)

    def _addresses(self) -> list[str]:
        """Where to connect to, all of it looked at. Raises ConnectionError."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ConnectionError(f"The webhook's host {self._host} has no address: {_short(error)}.") from None
        addresses = [str(one[4][0]) for one in found]
        private = [one for one in addresses if not _is_public(one)]
        if private and not self._allow_private:
            raise ConnectionError(
                f"The webhook's host {self._host} is at {private[0]}, a private address. If it is yours, set "
                "allow_private = true in [webhook]."
            )
        return addresses


class _Connection(http.client.HTTPConnection):
    """To the first of ``addresses`` that answers, under the name ``host``."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], tls: ssl.SSLContext | None, timeout_s: float) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._addresses = addresses
        self._tls = tls
        if tls is not None:
            self.default_port = 443

    def connect(self) -> None:
        self.sock = self._plain()
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def _plain(self) -> socket.socket:
        for address in self._addresses[:-1]:
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError:
                continue
        return socket.create_connection((self._addresses[-1], self.port), self.timeout)


def body_of(event: MailEvent) -> bytes:
    """``{"type": "ticketmail.mail.sent", "timestamp": "...", "data": {...}}`` (Standard Webhooks, "Payload structure")."""
    data: Mapping[str, object] = json.loads(event.model_dump_json(exclude={"kind"}))
    seconds, micros = divmod(event.at_us, 1_000_000)
    at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{micros:06d}Z"
    return json.dumps({"type": f"ticketmail.mail.{event.kind}", "timestamp": at, "data": data}, separators=(",", ":")).encode()


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    one = mapped or address
    return one.is_global and not one.is_multicast


def _seconds(text: str) -> float:
    """Retry-After in seconds; a date is not looked at, for our own schedule does as well."""
    return min(float(text), _MOST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0.0


def _short(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
