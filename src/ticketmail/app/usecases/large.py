"""Large content apart from the stored body: attachments, and whole texts or ready mails above 64 KiB. Pure.

A text or a ready mail in the blob store is marked by an attachment with a ``content_id`` that no mail can have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ticketmail.domain.message import Attachment, Message

#: Content above this goes to the blob store (bytes).
BLOB_BYTES: Final = 64 * 1024
#: A blank cannot stand in a Content-ID (RFC 2392), so no host's attachment looks like these.
_MARK: Final = "ticketmail body "
_FIELDS: Final = ("raw", "text", "html")


@dataclass(frozen=True, slots=True)
class Blob:
    """Content for the blob store, and its name there (``sha256:hex``)."""

    digest: str
    content: bytes = field(repr=False)


def set_apart(message: Message, above_bytes: int = BLOB_BYTES) -> tuple[Message, tuple[Blob, ...]]:
    """``message`` with large content replaced by names in the blob store, and those blobs, each once."""
    blobs: dict[str, Blob] = {}
    changes: dict[str, Any] = {}
    attachments = [_attachment(one, blobs, above_bytes) for one in message.attachments]
    for name in _FIELDS:
        value = getattr(message, name)
        content = value.encode() if isinstance(value, str) else value
        if content is None or len(content) <= above_bytes:
            continue
        changes[name] = None
        attachments.append(Attachment(filename=name, content_id=_MARK + name, blob=_put(content, blobs), size_bytes=len(content)))
    if not blobs:
        return message, ()
    return message.model_copy(update={**changes, "attachments": tuple(attachments)}), tuple(blobs.values())


def put_back(message: Message, contents: Mapping[str, bytes]) -> Message:
    """``message`` with its texts or ready bytes in place again; ordinary attachments stay names (renderers take ``contents``).

    ``contents`` has the bytes by blob name. Raises KeyError if one is missing.
    """
    changes: dict[str, Any] = {}
    rest: list[Attachment] = []
    for one in message.attachments:
        name = (one.content_id or "").removeprefix(_MARK)
        if name == one.content_id or name not in _FIELDS or one.blob is None:
            rest.append(one)
            continue
        content = contents[one.blob]
        changes[name] = content if name == "raw" else content.decode()
    return message.model_copy(update={**changes, "attachments": tuple(rest)}) if changes else message


def made_whole(message: Message, get: Callable[[str], bytes]) -> Message:
    """What :func:`set_apart` was given, with the bytes of files in place too. ``get`` gives a blob's bytes by its name, and
    raises KeyError for one that is gone."""
    contents = {one.blob: get(one.blob) for one in message.attachments if one.blob is not None}
    whole = put_back(message, contents)
    files = [
        one.model_copy(update={"content": contents[one.blob], "blob": None}) if one.blob is not None else one
        for one in whole.attachments
    ]
    return whole.model_copy(update={"attachments": tuple(files)}) if contents else whole


def _attachment(attachment: Attachment, blobs: dict[str, Blob], above_bytes: int) -> Attachment:
    content = attachment.content
    if content is None or len(content) <= above_bytes:
        return attachment
    return attachment.model_copy(update={"content": None, "blob": _put(content, blobs), "size_bytes": len(content)})


def _put(content: bytes, blobs: dict[str, Blob]) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blobs[digest] = Blob(digest, content)
    return digest
