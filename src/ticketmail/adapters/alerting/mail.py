"""Alerts by mail, through an account that is not the sick one: an ordinary submission, in a route of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from ticketmail.adapters.alerting.wording import headline, paragraphs
from ticketmail.domain.address import Address
from ticketmail.domain.message import Message
from ticketmail.domain.ports.alerting import Alert
from ticketmail.domain.submission import Submission


class MailSink:
    """Hands alerts to ``submit``, which puts them into the route of ``account`` and no other. ``submit`` may block."""

    def __init__(self, submit: Callable[[Submission], object], *, account: str, sender: Address, to: tuple[Address, ...]) -> None:
        self._submit = submit
        self._account = account
        self._sender = sender
        self._to = to

    @property
    def via_accounts(self) -> tuple[str, ...]:
        """The one account of the alerts' route."""
        return (self._account,)

    async def send(self, alert: Alert) -> None:
        """As the port says: SpoolError is an OSError. The key makes the same telling one mail, whoever repeats it."""
        await asyncio.to_thread(self._submit, self.submission(alert))

    def submission(self, alert: Alert) -> Submission:
        """The alert as a mail in lane ``notice``; marked as automatic (RFC 3834) so that nothing answers it."""
        message = Message(
            sender=self._sender,
            to=self._to,
            subject=headline(alert),
            text=paragraphs(alert),
            headers=(("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")),
        )
        end = "over" if alert.resolved else "on"
        # Hashed: a fingerprint may be longer than a key, or hold what a key may not.
        cause = hashlib.sha256(alert.fingerprint.encode("utf-8", "backslashreplace")).hexdigest()[:32]
        return Submission(message=message, lane="notice", key=f"alert:{cause}:{alert.at_us}:{end}")
