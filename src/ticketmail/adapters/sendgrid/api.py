"""What SendGrid's API v3 takes and says. Pure. Source: SendGrid's OpenAPI description of mail/send, January 2026."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ticketmail.adapters._http.apart import File, Parts, Party
from ticketmail.adapters._http.caller import Answer, Call
from ticketmail.adapters._http.gateway import parts_of
from ticketmail.adapters.mime.addresses import ascii_route
from ticketmail.domain.ports.sending import GatewayCapabilities, Outgoing

#: Refused among ``headers``, beside those that are made of the parts.
_FORBIDDEN: Final = frozenset({"x-sg-id", "x-sg-eid"})
_SCOPE: Final = "mail.send"


class SendGrid:
    """See :class:`ticketmail.adapters._http.gateway.Api`. The mail is made by SendGrid, of parts."""

    name = "SendGrid"
    capabilities = GatewayCapabilities(
        raw=False,
        parts=True,
        per_recipient=False,
        keeps_message_id=False,
        keeps_return_path=False,
        max_size_bytes=30 * 1024 * 1024,
        max_recipients=1000,
        http=True,
    )

    def mail(self, mail: Outgoing) -> Call:
        body = json.dumps(body_of(mail, parts_of(mail, self.name)), ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
        return Call("POST", "/v3/mail/send", body, (("Content-Type", "application/json"),))

    def remote_id(self, answer: Answer) -> str | None:
        return answer.headers.get("x-message-id", "") if answer.status == 202 else None

    def words(self, answer: Answer) -> str:
        """``{"errors": [{"message": "...", "field": "...", "help": ...}]}``."""
        said = answer.json()
        errors = said.get("errors") if isinstance(said, dict) else None
        return "; ".join(filter(None, map(_of_one, errors))) if isinstance(errors, list) else ""

    def question(self) -> Call:
        return Call("GET", "/v3/scopes")

    def answers(self, answer: Answer) -> bool:
        return answer.status == 200

    def found(self, answer: Answer) -> str:
        said = answer.json()
        scopes = said.get("scopes") if isinstance(said, dict) else None
        if not isinstance(scopes, list) or _SCOPE not in scopes:
            raise ValueError(f"the key is known, but may not send: give it the permission {_SCOPE}")
        return "The key may send mail."


def body_of(mail: Outgoing, parts: Parts) -> dict[str, Any]:
    """The request. The submission's id travels as a custom argument, for SendGrid's events bring that back."""
    body: dict[str, Any] = {
        "personalizations": list(_personalizations(mail.recipients, parts)),
        "from": _party(parts.sender),
        "subject": parts.subject,
        "content": [
            {"type": kind, "value": value} for kind, value in (("text/plain", parts.text), ("text/html", parts.html)) if value
        ],
        "headers": {name: value for name, value in parts.headers if name.lower() not in _FORBIDDEN},
        "custom_args": {"ticketmail_id": mail.submission_id.hex},
    }
    if parts.reply_to:
        body["reply_to_list"] = [_party(one) for one in parts.reply_to]
    if parts.files:
        body["attachments"] = [_file(one) for one in parts.files]
    return body


def _personalizations(recipients: Sequence[str], parts: Parts) -> Iterator[dict[str, Any]]:
    """Only the envelope's recipients are written to. Each personalization is a mail with a ``to`` of its own: who stands in no
    header gets one, so that nobody sees him."""
    left = {ascii_route(one).lower(): ascii_route(one) for one in recipients}
    to = [_party(one) for one in parts.to if left.pop(one.address.lower(), None)]
    if to:
        cc = [_party(one) for one in parts.cc if left.pop(one.address.lower(), None)]
        blind = [{"email": one} for one in left.values()]
        yield {"to": to, **({"cc": cc} if cc else {}), **({"bcc": blind} if blind else {})}
        return
    names = {one.address.lower(): one for one in parts.cc}
    for key, address in left.items():
        yield {"to": [_party(names.get(key, Party(address)))]}


def _party(party: Party) -> dict[str, str]:
    """A name with comma or semicolon is quoted for SendGrid, which does not do so itself (sendgrid/sendgrid-python#291)."""
    name = party.name
    if "," in name or ";" in name:
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return {"email": party.address, **({"name": name} if name else {})}


def _file(file: File) -> dict[str, str]:
    made = {"content": base64.b64encode(file.content).decode(), "type": file.content_type, "filename": file.name}
    shown = {"disposition": "inline", "content_id": file.content_id} if file.content_id else {"disposition": "attachment"}
    return {**made, **shown}


def _of_one(error: Any) -> str:
    if not isinstance(error, dict):
        return ""
    message, where = str(error.get("message") or ""), error.get("field")
    return f"{message} ({where})" if where else message
