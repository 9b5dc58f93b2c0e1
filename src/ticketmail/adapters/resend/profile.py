"""What Resend says of its API's limits, and what its refusals mean. The entry point ``resend-api`` of profiles."""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.profile import Figure, Profile
from ticketmail.domain.outbound.rule import Rule

_DOCS: Final = "resend.com/docs/api-reference"
_READ: Final = "2026-11-24"

RESEND_API: Final = Profile(
    "resend-api",
    "Resend, API",
    hosts=("api.resend.com",),
    max_recipients=Figure(50, f"{_DOCS}/emails/send-email", _READ),
    max_size_bytes=Figure(40 * 1024 * 1024, f"{_DOCS}/emails/send-email", _READ),
    rules=(
        Rule(
            "quota",
            FaultScope.ACCOUNT,
            Advice.WAIT,
            code="429",
            text=r"^(?:daily|monthly)_quota_exceeded",
            alarm=True,
            source=f"{_DOCS}/errors",
        ),
        Rule(
            "sender-refused",
            FaultScope.MESSAGE,
            Advice.DEAD,
            code="403",
            text=r"^validation_error",
            alarm=True,
            source=f"{_DOCS}/errors: the sender's domain is not verified; one sender must not stop the account",
        ),
    ),
    note="The rate is a team's (5 requests a second by default), quotas the plan's. The headers of each answer are kept to.",
)
