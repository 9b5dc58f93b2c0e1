"""``file:///srv/blobs`` as the store of large content that host and mail service share: a folder that both can write to.

``TENANT/DIGEST``, where TENANT is the hash of its name. The age of a file is the time of its last put.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from ticketmail.domain.errors import BlobCorrupt, BlobStoreError, SettingsError
from ticketmail.domain.ports.sharing import SharedBlobs

#: A file that a sweep looks at once more, and that is still found meanwhile.
_SWEPT: Final = ".swept"
_WRITTEN: Final = ".new"
_PREFIX: Final = "sha256:"


class FolderBlobs:
    """Files, written whole or not at all: temporary name, fsync, rename."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"FolderBlobs({str(self._directory)!r})"

    def put(self, tenant: str, content: bytes) -> str:
        """See ``SharedBlobs.put``."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(tenant, digest)
        with _translated():
            try:
                os.utime(path)  # a sweep that has it in hand sees that it is young again
            except FileNotFoundError:
                _write(path, content)
        return _PREFIX + digest

    def get(self, tenant: str, digest: str) -> bytes:
        """See ``SharedBlobs.get``."""
        path = self._path(tenant, digest.removeprefix(_PREFIX))
        for found in (path, path.with_suffix(_SWEPT), path):
            with _translated(), contextlib.suppress(FileNotFoundError):
                content = found.read_bytes()
                if _PREFIX + hashlib.sha256(content).hexdigest() != digest:
                    raise BlobCorrupt(f"The content {digest} is corrupt: its hash does not fit.")
                return content
        raise KeyError(digest)

    def sweep(self, older_than_s: float) -> int:
        """See ``SharedBlobs.sweep``. Each is renamed before it is looked at for the last time, so that none goes that was put
        meanwhile."""
        with _translated():
            oldest_s = time.time() - older_than_s
            return sum(_swept(path, oldest_s) for path in list(self._directory.glob("*/*")))

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, tenant: str, digest: str) -> Path:
        if not digest.isalnum():
            raise KeyError(digest)
        return self._directory / hashlib.sha256(tenant.encode()).hexdigest()[:32] / digest


def create(url: str) -> SharedBlobs:
    """The folder of ``file:///absolute/path``. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or len(parts.path) < 2:
        raise SettingsError(
            "A shared folder is an absolute path.", name="broker.blobs", remedy="Write file:///srv/blobs, with three slashes."
        )
    return FolderBlobs(Path(unquote(parts.path)))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{uuid.uuid4().hex}{_WRITTEN}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swept(path: Path, oldest_s: float) -> bool:
    """Delete ``path`` if it is old. Another sweep may be at work, or have died in the middle."""
    try:
        if path.stat().st_mtime > oldest_s:
            return False
        kept = path if path.suffix else path.rename(path.with_suffix(_SWEPT))
        if kept.stat().st_mtime > oldest_s and not path.suffix:
            kept.replace(path)
            return False
        kept.unlink()
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, BlobStoreError):
            raise
        text = f"The shared folder cannot be used ({type(error).__name__}: {error.strerror})."
        raise BlobStoreError(text, remedy="Check that it is mounted, has room, and may be written to.") from error
