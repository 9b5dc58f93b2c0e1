"""Marks in a mail by which its answer finds back where ids are lost: Reply-To, return path, body, subject. By account. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ticketmail.domain.address import Address
from ticketmail.domain.message import Message
from ticketmail.domain.ticket import body_marker, bounce_address, reply_address, subject_tag


@dataclass(frozen=True, slots=True)
class Marks:
    """Which marks an account sets. None by default: each needs a server that lets it through. ``bounce_to`` is the address
    behind whose plus each mail's own return path stands, '' for none."""

    reply_to: bool = False
    bounce_to: str = ""
    body: bool = False
    subject: bool = False


@dataclass(frozen=True, slots=True)
class Marking:
    """What marks are made of: keys (newest first), the mail, its ticket, and its recipients by ``Address.key``."""

    keys: Sequence[bytes]
    submission_id: UUID
    tenant: str
    ticket: str | None
    recipients: Sequence[str]

    def message(self, message: Message, marks: Marks) -> Message:
        """``message`` with the marks. What the host set itself stays; ready MIME is never changed."""
        if message.raw is not None:
            return message
        update: dict[str, object] = {}
        if marks.reply_to and not message.reply_to and message.sender is not None:
            made = reply_address(
                self.keys, self.submission_id, message.sender.addr_spec, tenant=self.tenant, recipients=self.recipients
            )
            update["reply_to"] = (Address.model_validate(made),)
        if marks.body:
            update |= self._in_body(message)
        if marks.subject and self.ticket is not None:
            update |= self._in_subject(message, self.ticket)
        return message.model_copy(update=update) if update else message

    def return_path(self, return_path: str, marks: Marks) -> str:
        """The envelope's sender. A null sender stays: nobody wants to hear."""
        if not (marks.bounce_to and return_path):
            return return_path
        return bounce_address(self.keys, self.submission_id, marks.bounce_to, tenant=self.tenant, recipients=self.recipients)

    def _in_body(self, message: Message) -> dict[str, object]:
        """At the end, where an answer quotes it."""
        marker = body_marker(self.keys, self.submission_id, tenant=self.tenant, recipients=self.recipients)
        update: dict[str, object] = {}
        if message.text is not None:
            update["text"] = f"{message.text.rstrip()}\n\n{marker}\n"
        if message.html is not None:
            line = f'<p style="color:#999;font-size:11px">{marker}</p>'
            head, body, tail = message.html.rpartition("</body>")
            update["html"] = f"{head}{line}{body}{tail}" if body else f"{message.html}{line}"
        return update

    def _in_subject(self, message: Message, ticket: str) -> dict[str, object]:
        tag = subject_tag(self.keys, self.tenant, ticket)
        return {} if tag in message.subject else {"subject": f"{message.subject} {tag}".strip()}
