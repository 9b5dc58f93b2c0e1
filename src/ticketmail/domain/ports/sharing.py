"""Large content on its way: a store that host and mail service both reach, so that jobs stay small."""

from __future__ import annotations

from typing import Protocol


class SharedBlobs(Protocol):
    """Content by its hash, apart per tenant. ``create(url) -> SharedBlobs``. Nothing is opened before it is used.

    Thread-safe, safe after a fork, synchronous. Whoever puts says nothing about when it is fetched: content lives until a sweep
    finds it untouched for long.
    """

    def put(self, tenant: str, content: bytes) -> str:
        """Store ``content`` durably if it is not there, and say its name (``sha256:hex``). Content that is there is touched:
        its age begins anew. Raises BlobStoreError."""
        ...

    def get(self, tenant: str, digest: str) -> bytes:
        """The content. Raises KeyError if it is not there, BlobCorrupt if its hash does not fit, other
        BlobStoreError if it cannot be read."""
        ...

    def sweep(self, older_than_s: float) -> int:
        """Delete what was not touched for so long. How many. Raises BlobStoreError."""
        ...

    def close(self) -> None:
        """Release connections. Idempotent; the next use opens again."""
        ...
