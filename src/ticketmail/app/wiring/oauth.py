"""OAuth2 access tokens for accounts with ``auth = "oauth2"``: fetched when needed, kept until shortly before they expire."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ticketmail.app.settings import TokenSettings
from ticketmail.app.settings_values import host_of
from ticketmail.domain.errors import SettingsError

EARLY_S = 300.0  #: a token is renewed this long before it expires
TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024
#: What gives access tokens: a host's own coroutine function, or :class:`RefreshingToken`. True: the last one was refused.
TokenSource = Callable[[bool], Awaitable[str]]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class _Token:
    text: str
    renew_at_s: float


class RefreshingToken:
    """A token source: ``await source(force)`` gives an access token. ``force``: the last one was refused, get another.

    Uses the refresh-token grant (RFC 6749 section 6), or client credentials (section 4.4) where there is no refresh token.
    Many callers at once cause one request. A rotated refresh token is kept in memory.

    Raises:
        PermissionError: the server refused (``invalid_grant`` and its kin); its error code is in the message.
        OSError: it could not be reached, or did not answer as RFC 6749 section 5.1 says.
    """

    def __init__(self, settings: TokenSettings, *, name: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        if not settings.url.startswith("https://") and host_of(settings.url) not in _LOOPBACK:
            raise SettingsError("A token URL is https.", name=f"accounts.{name}.token.url", remedy="Use https://.")
        self._settings = settings
        self._refresh_token = settings.refresh_token.get_secret_value()
        self._monotonic_s = monotonic_s
        self._token: _Token | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, force: bool = False) -> str:
        """The access token. ``force`` renews it, unless another caller has just done so."""
        seen = self._token
        async with self._lock:
            current = self._token
            renewed = current is not seen
            if current is not None and (renewed or not force) and self._monotonic_s() < current.renew_at_s:
                return current.text
            self._token = await asyncio.to_thread(self._fetch)
            return self._token.text

    def _fetch(self) -> _Token:
        form = self._form()
        answer = _post(self._settings.url, form)
        text = answer.get("access_token")
        if not isinstance(text, str) or not text or not text.isprintable():
            raise OSError(f"{host_of(self._settings.url)} answered without an access_token.")
        rotated = answer.get("refresh_token")
        if isinstance(rotated, str) and rotated:
            self._refresh_token = rotated
        lifetime_s = _number(answer.get("expires_in"), 3600.0)
        # A token that lives shorter than twice our margin is renewed at half its life, or each use would renew it.
        return _Token(text, self._monotonic_s() + max(lifetime_s - EARLY_S, lifetime_s / 2))

    def _form(self) -> dict[str, str]:
        grant = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        form = grant if self._refresh_token else {"grant_type": "client_credentials"}
        form |= {"client_id": self._settings.client_id, "client_secret": self._settings.client_secret.get_secret_value()}
        return {key: value for key, value in (form | {"scope": self._settings.scope}).items() if value}


def _number(value: Any, default: float) -> float:
    try:
        return max(float(value), 1.0)
    except (TypeError, ValueError):
        return default


def _post(url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
    data = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(url, data=data, headers={"Accept": "application/json"}, method="POST")  # noqa: S310 (https, checked)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            return _json(response.read(MAX_ANSWER_BYTES), url)
    except urllib.error.HTTPError as error:
        with error:
            words = _without(_error_code(error), form)
            raise PermissionError(f"{host_of(url)} refused a token: {error.code} {words}".strip()) from None
    except urllib.error.URLError as error:
        raise ConnectionError(f"{host_of(url)} cannot be reached for a token: {error.reason}") from None


def _json(content: bytes, url: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise OSError(f"{host_of(url)} did not answer with a JSON object.")
    return answer


def _error_code(error: urllib.error.HTTPError) -> str:
    """RFC 6749 section 5.2: the ``error`` code and its description; nothing else of the body, which might echo the request."""
    try:
        answer = _json(error.read(MAX_ANSWER_BYTES), error.url)
    except OSError:
        return ""
    return f"{answer.get('error', '')}: {answer.get('error_description', '')}"[:300].strip(": ")


def _without(text: str, form: Mapping[str, str]) -> str:
    """``text`` without the secrets that were sent, should the server repeat them."""
    for key in ("refresh_token", "client_secret"):
        if form.get(key):
            text = text.replace(form[key], "***")
    return text
