"""Alerts as an HTTP POST of JSON, signed as standardwebhooks.com says if a secret is set.

The body has ``text`` at its top, which chat tools show as it is, and the fields under ``data`` for programs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from ticketmail.adapters._http.signing import signed_headers, signing_key
from ticketmail.adapters.alerting.wording import headline, paragraphs, utc
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.alerting import Alert

TIMEOUT_S = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn POST into GET and take the URL's secret elsewhere: it is an error."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class WebhookSink:
    """Posts to ``url`` in a thread. ``secret`` '' means unsigned; ``whsec_`` secrets are base64, others are taken as text."""

    def __init__(self, url: str, *, secret: str = "", timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("Not an http or https URL.", name="alerts.webhook", remedy="Write https://host/path.")
        self._url = url
        self._host = parts.hostname
        self._keys = [signing_key(secret, name="alerts.webhook_secret")] if secret else []
        self._timeout_s = timeout_s
        # No proxy handler is named, so the environment's proxies hold, as the administrators expect.
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __repr__(self) -> str:
        return f"WebhookSink({self._host})"

    @property
    def via_accounts(self) -> tuple[str, ...]:
        """None: a webhook needs no mail server."""
        return ()

    async def send(self, alert: Alert) -> None:
        """As the port says; the error names the host only, for the URL may be a secret."""
        await asyncio.to_thread(self._post, _body(alert), _message_id(alert), alert.at_us // 1_000_000)

    def _post(self, body: bytes, message_id: str, at_s: int) -> None:
        headers = dict(signed_headers(self._keys, message_id, at_s, body))
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310 (checked above)
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                response.read(1024)
        except urllib.error.HTTPError as error:
            with error:
                raise ConnectionError(f"The alert webhook at {self._host} answered {error.code}.") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ConnectionError(f"The alert webhook at {self._host} cannot be reached: {reason}") from None


def _message_id(alert: Alert) -> str:
    """The same for the same telling, so that a repeated post can be told."""
    return "alert_" + hashlib.sha256(f"{alert.site}|{alert.fingerprint}|{alert.at_us}|{alert.resolved}".encode()).hexdigest()[:32]


def _body(alert: Alert) -> bytes:
    data = {
        "fingerprint": alert.fingerprint,
        "level": alert.level,
        "resolved": alert.resolved,
        "title": alert.title,
        "text": alert.text,
        "site": alert.site,
        "since": utc(alert.since_us),
        "count": alert.count,
        "accounts": list(alert.accounts),
    }
    kind = "ticketmail.alert.resolved" if alert.resolved else "ticketmail.alert.raised"
    text = f"{headline(alert)}\n{paragraphs(alert)}"
    return json.dumps({"type": kind, "timestamp": utc(alert.at_us), "text": text, "data": data}).encode()
