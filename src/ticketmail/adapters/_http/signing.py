"""Signatures as standardwebhooks.com says: HMAC-SHA256 over ``id.timestamp.body``, one for each secret in force."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from ticketmail.domain.errors import SettingsError

_PREFIX = "whsec_"


def signing_key(secret: str, *, name: str) -> bytes:
    """The key of a secret: base64 after ``whsec_``, else its text. Raises SettingsError naming the setting ``name``."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise SettingsError("After whsec_ comes base64.", name=name) from None


def signature(key: bytes, message_id: str, at_s: int, body: bytes) -> str:
    """``v1,`` and the base64 HMAC-SHA256 of ``id.timestamp.body`` (Standard Webhooks, "Signature scheme")."""
    signed = f"{message_id}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(keys: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """The headers of a call. Several keys give several signatures, so that a secret may be changed on one side first."""
    headers = {"Content-Type": "application/json", "webhook-id": message_id, "webhook-timestamp": str(at_s)}
    if keys:
        headers["webhook-signature"] = " ".join(signature(key, message_id, at_s, body) for key in keys)
    return headers
