"""Attachments from bytes, paths and streams: read at submit, so that what is sent is what was there then."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path
from typing import IO

from ticketmail.domain.errors import InvalidMessage, TooLarge
from ticketmail.domain.message import Attachment

#: The most that one attachment is read of (bytes), unless told otherwise: the default of ``max_size``.
MAX_ATTACHMENT_BYTES = 25 * 1024 * 1024
_DEFAULT_TYPE = "application/octet-stream"


def attach(
    source: bytes | str | os.PathLike[str] | IO[bytes],
    *,
    filename: str | None = None,
    content_type: str | None = None,
    content_id: str | None = None,
    max_bytes: int = MAX_ATTACHMENT_BYTES,
) -> Attachment:
    """An attachment of ``source``: bytes, a path, or a binary stream (read from where it stands, not closed).

    ``filename`` is the name that the reader sees; by default the path's last part, or the stream's. Without ``content_type`` the
    name's ending decides. ``content_id`` makes it an inline image that HTML shows as ``cid:...``. At most ``max_bytes`` bytes.
    For content that only the worker should fetch, use ``Attachment(filename=..., reference=...)``.

    Raises:
        InvalidMessage: no name, a text stream, or a file that cannot be read.
        TooLarge: more than ``max_bytes``.
    """
    name = filename or _name_of(source)
    if not name:
        raise InvalidMessage("an attachment needs a filename.", field="filename", remedy="Pass filename='report.pdf'.")
    content = _read(source, name, max_bytes)
    return Attachment(
        filename=name,
        content_type=content_type or mimetypes.guess_type(name)[0] or _DEFAULT_TYPE,
        content=content,
        content_id=content_id,
        size_bytes=len(content),
    )


def _name_of(source: bytes | str | os.PathLike[str] | IO[bytes]) -> str:
    if isinstance(source, (bytes, bytearray)):
        return ""
    named = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "")
    return Path(os.fspath(named)).name if isinstance(named, (str, os.PathLike)) else ""


def _read(source: bytes | str | os.PathLike[str] | IO[bytes], name: str, max_bytes: int) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _within(bytes(source), name, max_bytes)
    if not isinstance(source, (str, os.PathLike)):
        return _within(_read_stream(source, name, max_bytes), name, max_bytes)
    try:
        with Path(source).open("rb") as stream:
            return _within(_read_stream(stream, name, max_bytes), name, max_bytes)
    except OSError as error:
        raise InvalidMessage(
            f"cannot read {os.fspath(source)!r}: {error.strerror or error}.", field=name, remedy="Check path and rights."
        ) from error


def _read_stream(stream: IO[bytes], name: str, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    left = max_bytes + 1  # one more than allowed tells "too large" from "just fits"
    while left > 0:
        chunk = stream.read(left)  # raw streams may give less than asked for
        if not isinstance(chunk, (bytes, bytearray)):
            raise InvalidMessage("the stream gives text.", field=name, remedy="Open it with mode 'rb'.")
        if not chunk:
            break
        chunks.append(bytes(chunk))
        left -= len(chunk)
    return b"".join(chunks)


def _within(content: bytes, name: str, max_bytes: int) -> bytes:
    if len(content) > max_bytes:
        raise TooLarge(
            f"more than {max_bytes} bytes.",
            field=name,
            remedy="Send a link, or raise max_bytes here and max_size in the settings.",
        )
    return content
