"""Who logs in to the local SMTP server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable

from ticketmail.testing.smtpd.features import Features


class Login:
    """One AUTH, on the ``connection`` of that number. ``ask`` says a challenge and gives the client's answer, both in Base64."""

    def __init__(self, features: Features, ask: Callable[[str], Awaitable[str]], connection: int) -> None:
        self._features = features
        self._ask = ask
        self._connection = connection

    async def user(self, method: str, initial: str) -> str:
        """Who it is by ``method`` (PLAIN, LOGIN, CRAM-MD5, XOAUTH2); '' for nobody. ``initial``: what came with the command."""
        ways = {"PLAIN": self._plain, "LOGIN": self._login, "CRAM-MD5": self._cram, "XOAUTH2": self._xoauth2}
        return await ways[method](initial)

    async def _plain(self, initial: str) -> str:
        parts = _decoded(initial or await self._challenge("")).split("\0")
        return self._checked(parts[1], parts[2]) if len(parts) == 3 else ""

    async def _login(self, initial: str) -> str:
        user = _decoded(initial or await self._challenge("Username:"))
        return self._checked(user, _decoded(await self._challenge("Password:")))

    async def _cram(self, _: str) -> str:
        challenge = f"<{self._connection}.1@ticketmail.testing>"
        user, _, digest = _decoded(await self._challenge(challenge)).rpartition(" ")
        password = self._features.users.get(user)
        if password is None:
            return ""
        expected = hmac.new(password.encode(), challenge.encode(), hashlib.md5).hexdigest()
        return user if hmac.compare_digest(expected, digest) else ""

    async def _xoauth2(self, initial: str) -> str:
        fields = dict(pair.partition("=")[::2] for pair in _decoded(initial).split("\x01") if pair)
        if fields.get("auth", "").removeprefix("Bearer ") in self._features.tokens:
            return fields.get("user", "")
        await self._challenge('{"status":"401"}')
        return ""

    def _checked(self, user: str, password: str) -> str:
        return user if self._features.users.get(user) == password else ""

    async def _challenge(self, text: str) -> str:
        return await self._ask(base64.b64encode(text.encode()).decode())


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
