"""What Amazon says of the API's limits, and what its refusals mean. The entry point ``ses-api`` of profiles."""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.profile import Figure, Profile
from ticketmail.domain.outbound.rule import Rule

_QUOTAS: Final = "docs.aws.amazon.com/ses/latest/dg/quotas.html"
_ERRORS: Final = "botocore 1.44, sesv2: errors of SendEmail"
_READ: Final = "2026-11-24"
_ACCOUNT, _WAIT = FaultScope.ACCOUNT, Advice.WAIT

SES_API: Final = Profile(
    "ses-api",
    "Amazon SES, API v2",
    hosts=("email.*.amazonaws.com", "email-fips.*.amazonaws.com", "email.*.amazonaws.com.cn"),
    max_recipients=Figure(50, _QUOTAS, _READ),
    max_size_bytes=Figure(40 * 1024 * 1024, _QUOTAS, _READ),
    rules=(
        Rule("quota", _ACCOUNT, _WAIT, text=r"^LimitExceededException|daily message quota", alarm=True, source=_ERRORS),
        Rule("throttled-rate", _ACCOUNT, _WAIT, text=r"^(?:TooManyRequests|Throttling)", source=_ERRORS),
        Rule(
            "account-blocked",
            _ACCOUNT,
            _WAIT,
            text=r"^(?:AccountSuspendedException|SendingPausedException)",
            alarm=True,
            source=_ERRORS,
        ),
        Rule(
            "sender-refused",
            FaultScope.MESSAGE,
            Advice.DEAD,
            text=r"^MailFromDomainNotVerifiedException|address is not verified",
            alarm=True,
            source=f"{_ERRORS}; one sender must not stop the account",
        ),
    ),
    note="Rate and daily quota are each account's own (sandbox: 1 a second, 200 a day). The quota is asked for once a minute.",
)
