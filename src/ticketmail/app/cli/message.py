"""What a stored mail says, for people who decide about a dead letter."""

from __future__ import annotations

from ticketmail.domain.body import decode_body
from ticketmail.domain.errors import ContractBroken

#: So much of a text is shown (characters).
SHOWN = 400


def shown_message(body: bytes | None) -> dict[str, str]:
    """Header and the beginning of the text. A body that is gone or cannot be read says so."""
    if body is None:
        return {"body": "purged or erased"}
    try:
        message = decode_body(body)
    except ContractBroken as error:
        return {"body": str(error)}
    found = {
        "from": str(message.sender or ""),
        "to": ", ".join(str(one) for one in message.to),
        "cc": ", ".join(str(one) for one in message.cc),
        "bcc": ", ".join(str(one) for one in message.bcc),
        "subject": message.subject,
        "attachments": ", ".join(one.filename for one in message.attachments),
        "text": _beginning(message.text or message.html or ""),
        "raw": f"{len(message.raw)} bytes of ready MIME" if message.raw is not None else "",
    }
    return {name: value for name, value in found.items() if value}


def _beginning(text: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= SHOWN else f"{short[:SHOWN]}..."
