"""A message as the spool keeps it: JSON with a version, so that a worker of another release knows what it has before it."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic import ValidationError

from ticketmail.domain.envelope import Envelope
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.submission import Submission

VERSION: Final = 1
_HEAD: Final = b'{"v":1,"message":'


def encode_body(message: Message) -> bytes:
    """``message`` as the spool stores it: ``{"v": 1, "message": {...}}``, bytes as base64, what is default left out.

    Same message, same bytes. The message must have passed the checks of the hand-over (a lone surrogate cannot be encoded).
    """
    return _HEAD + message.model_dump_json(exclude_defaults=True).encode() + b"}"


def decode_body(body: bytes) -> Message:
    """The message of :func:`encode_body`.

    Raises:
        ContractBroken: another version, or no body at all. The mail is kept; a worker of the right release can send it.
    """
    try:
        if body.startswith(_HEAD) and body.endswith(b"}"):
            return Message.model_validate_json(memoryview(body)[len(_HEAD) : -1].tobytes())
    except ValidationError as error:
        # Never pydantic's text: it quotes the mail.
        raise ContractBroken(f"A stored body cannot be read ({error.error_count()} errors).", remedy=_REMEDY) from None
    raise ContractBroken(f"A stored body has version {_version(body)!r}, this release reads {VERSION}.", remedy=_REMEDY)


def fingerprint(submission: Submission) -> bytes:
    """32 bytes, equal for equal content: what is to be read, by whom, in which ticket and lane.

    Where an attachment's bytes live (in the message, in the blob store) makes no difference. Times and ``supersedes`` are not
    content: a host that repeats a submission computes its deadline anew, and still means the same mail.
    """
    message = submission.message
    content = message.model_dump(mode="json", exclude={"attachments", "raw"}, exclude_defaults=True)
    whole = {
        "message": content,
        "raw": _digest(message.raw) if message.raw is not None else None,
        "attachments": [_identity(one) for one in message.attachments],
        "envelope": _envelope(submission.envelope),
        "submission": [submission.tenant, submission.ticket, submission.lane, submission.per_recipient],
    }
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode("ascii")).digest()


_REMEDY: Final = "Upgrade this worker to the newest release that writes into the spool."


def _envelope(envelope: Envelope | None) -> Any:
    return envelope.model_dump(mode="json") if envelope is not None else None


def _identity(attachment: Attachment) -> list[str | None]:
    content = _digest(attachment.content) if attachment.content is not None else attachment.blob
    return [attachment.filename, attachment.content_type, attachment.content_id, content, attachment.reference]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _version(body: bytes) -> object:
    try:
        return json.loads(body)["v"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
