"""What Resend's API takes and says. Pure. Source: Resend's OpenAPI description, August 2026."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Final

from ticketmail.adapters._http.apart import File, Parts, Party
from ticketmail.adapters._http.caller import Answer, Call
from ticketmail.adapters._http.gateway import CannotBeSaid, parts_of
from ticketmail.adapters.mime.addresses import ascii_route
from ticketmail.domain.outbound.outcome import Reply
from ticketmail.domain.ports.sending import GatewayCapabilities, Outgoing

_KEY_CHARS: Final = 256
#: What a key that may only send is answered to any question.
_SENDS_ONLY: Final = "restricted_api_key"


class Resend:
    """See :class:`ticketmail.adapters._http.gateway.Api`. The mail is made by Resend, of parts; the same key twice makes one."""

    name = "Resend"
    capabilities = GatewayCapabilities(
        raw=False,
        parts=True,
        per_recipient=False,
        idempotency_key=True,
        keeps_message_id=False,
        keeps_return_path=False,
        max_size_bytes=40 * 1024 * 1024,
        max_recipients=50,
        http=True,
    )

    def mail(self, mail: Outgoing) -> Call:
        body = json.dumps(body_of(mail, parts_of(mail, self.name)), ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )
        key = mail.key if len(mail.key) <= _KEY_CHARS else hashlib.sha256(mail.key.encode()).hexdigest()
        return Call("POST", "/emails", body, (("Content-Type", "application/json"), ("Idempotency-Key", key)))

    def remote_id(self, answer: Answer) -> str | None:
        said = answer.json()
        found = said.get("id") if isinstance(said, dict) else None
        return found if isinstance(found, str) else None

    def words(self, answer: Answer) -> str:
        """``{"statusCode": 429, "name": "rate_limit_exceeded", "message": "..."}``."""
        said = answer.json()
        known = said if isinstance(said, dict) else {}
        return ": ".join(str(known[name]) for name in ("name", "message") if known.get(name))

    def question(self) -> Call:
        return Call("GET", "/domains")

    def answers(self, answer: Answer) -> bool:
        return answer.status == 200 or (answer.status == 401 and self.words(answer).startswith(_SENDS_ONLY))

    def found(self, answer: Answer) -> str:
        if answer.status != 200:
            return "The key is good, and may send only."
        said = answer.json()
        domains = said.get("data") if isinstance(said, dict) else None
        if not isinstance(domains, list):
            raise ValueError("what answers there is not Resend")
        ready = [str(one.get("name")) for one in domains if isinstance(one, dict) and one.get("status") == "verified"]
        if not ready:
            raise ValueError("the key is good, but no domain is verified, so nothing can be sent")
        return f"The key is good; verified: {', '.join(ready)}."


def body_of(mail: Outgoing, parts: Parts) -> dict[str, Any]:
    """The request. Raises CannotBeSaid: several blind recipients alone, who would see one another."""
    left = {ascii_route(one).lower(): ascii_route(one) for one in mail.recipients}
    to = [_shown(one) for one in parts.to if left.pop(one.address.lower(), None)]
    cc = [_shown(one) for one in parts.cc if left.pop(one.address.lower(), None)] if to else []
    blind = list(left.values())
    if not to and len(blind) > 1:
        text = "Resend needs a recipient whom the others may see. Submit it with per_recipient=True, or send it by SMTP"
        raise CannotBeSaid(Reply(400, f"{text} (found before sending)"))
    body: dict[str, Any] = {
        "from": _shown(parts.sender),
        "to": to or blind,
        "subject": parts.subject,
        "text": parts.text or "",  # left out, Resend would make one of the HTML
        "headers": dict(parts.headers),
        "tags": [{"name": "ticketmail_id", "value": mail.submission_id.hex}],
    }
    more = {
        "cc": cc,
        "bcc": blind if to else [],
        "reply_to": [_shown(one) for one in parts.reply_to],
        "html": parts.html,
        "attachments": [_file(one) for one in parts.files],
    }
    return body | {name: value for name, value in more.items() if value}


def _shown(party: Party) -> str:
    if not party.name:
        return party.address
    name = party.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{party.address}>'


def _file(file: File) -> dict[str, str]:
    made = {"content": base64.b64encode(file.content).decode(), "filename": file.name, "content_type": file.content_type}
    return {**made, "content_id": file.content_id} if file.content_id else made
