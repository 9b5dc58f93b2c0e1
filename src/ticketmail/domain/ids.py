"""Ids: minted from a time and random bytes that the caller brings, or derived from names. Pure."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

_RANDOM_BYTES = 10


def uuid7(now_us: int, random: bytes) -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7) of ``now_us`` (UTC microseconds) and at least 10 ``random`` bytes.

    The 12 bits behind the millisecond hold the fraction of it (RFC 9562 section 6.2, method 3), so that ids of one clock sort
    by time within about 0.25 microseconds.

    Raises:
        ValueError: fewer than 10 random bytes, or a time before 1970.
    """
    if len(random) < _RANDOM_BYTES or now_us < 0:
        raise ValueError("uuid7 needs a time after 1970 and at least 10 random bytes")
    ms, rest_us = divmod(now_us, 1000)
    fraction = rest_us * 4096 // 1000
    tail = int.from_bytes(random[2:_RANDOM_BYTES], "big") & ((1 << 62) - 1)
    return UUID(int=(ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail)


def event_id(submission_id: UUID, number: int, kind: str, fence: int) -> UUID:
    """The id of a mail event: the same whoever writes it, and however often (UUIDv5, RFC 9562 section 5.5)."""
    return uuid5(submission_id, f"{number}:{kind}:{fence}")


def blob_key(content: bytes) -> str:
    """What large content is known by (``Blobs.put``)."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
