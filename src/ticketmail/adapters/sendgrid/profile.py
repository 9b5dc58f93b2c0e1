"""What SendGrid says of its API's limits, and what its refusals mean. The entry point ``sendgrid-api`` of profiles."""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.profile import Figure, Profile
from ticketmail.domain.outbound.rule import Rule

_LIMITS: Final = "docs.sendgrid.com/api-reference/mail-send/limitations"
_READ: Final = "2026-11-24"

SENDGRID_API: Final = Profile(
    "sendgrid-api",
    "Twilio SendGrid, API v3",
    hosts=("api.sendgrid.com", "api.eu.sendgrid.com"),
    max_recipients=Figure(1000, _LIMITS, _READ),
    max_size_bytes=Figure(30 * 1024 * 1024, _LIMITS, _READ),
    rules=(
        Rule(
            "quota",
            FaultScope.ACCOUNT,
            Advice.WAIT,
            code="401|403|429|451",
            text=r"credits",
            alarm=True,
            source="SendGrid: no credits left, said as a wrong key",
        ),
        Rule(
            "sender-refused",
            FaultScope.MESSAGE,
            Advice.DEAD,
            code="403",
            text=r"verified sender identity|from address does not match",
            alarm=True,
            source="SendGrid, mail/send errors: one sender must not stop the account",
        ),
    ),
    note="Quotas are the plan's (free: 100 a day). X-RateLimit-* of each answer is kept to.",
)
