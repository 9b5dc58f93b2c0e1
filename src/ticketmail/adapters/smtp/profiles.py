"""Shipped profiles: one entry point of ``ticketmail.profiles`` each. Only data; nothing is imported but the domain's values.

A figure stands here if it holds for every customer of the vendor. Quotas that a plan or a sandbox sets are notes.
"""

from __future__ import annotations

from typing import Final

from ticketmail.domain.outbound.faults import Advice, FaultScope
from ticketmail.domain.outbound.profile import Figure, Profile
from ticketmail.domain.outbound.rule import Rule

_READ: Final = "2026-11-24"
_MIB: Final = 1024 * 1024
_EXCHANGE: Final = "learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements"
_GMAIL: Final = "support.google.com/a/answer/166852"
_SES: Final = "docs.aws.amazon.com/ses/latest/dg/quotas.html"
_POSTMARK: Final = "postmarkapp.com/developer"
_ACCOUNT, _WAIT = FaultScope.ACCOUNT, Advice.WAIT

OFFICE365: Final = Profile(
    "office365",
    "Microsoft 365 (Exchange Online), SMTP AUTH",
    hosts=("smtp.office365.com", "smtp-legacy.office365.com", "outlook.office365.com"),
    windows=(Figure("30/min", _EXCHANGE, _READ), Figure("10000/day rolling recipients", _EXCHANGE, _READ)),
    connections=Figure(3, _EXCHANGE, _READ),
    note="More than 30 a minute is delayed rather than refused. A full Sent folder stops sending (554 5.2.2).",
)

GOOGLE_WORKSPACE: Final = Profile(
    "google-workspace",
    "Google Workspace and Gmail, smtp.gmail.com",
    hosts=("smtp.gmail.com", "smtp.googlemail.com"),
    windows=(Figure("2000/day rolling", _GMAIL, _READ), Figure("10000/day rolling recipients", _GMAIL, _READ)),
    max_recipients=Figure(100, _GMAIL, _READ),
    note="Trial accounts have 500 messages a day; 3,000 external recipients a day are not counted apart here.",
)

GOOGLE_RELAY: Final = Profile(
    "google-relay",
    "Google Workspace SMTP relay, smtp-relay.gmail.com",
    hosts=("smtp-relay.gmail.com",),
    windows=(Figure("10000/day rolling recipients", "developer.nylas.com, gmail-smtp-settings (second hand)", _READ),),
    max_recipients=Figure(100, _GMAIL, _READ),
    rules=(
        Rule(
            "quota",
            _ACCOUNT,
            _WAIT,
            code="550",
            enhanced=r"5\.7\.1",
            text=r"relay (?:limit|quota)",
            alarm=True,
            source="Google's relay: the limit of a customer looks like a refusal",
        ),
    ),
    note="The limit is each user's; the whole customer's depends on the number of users (550 5.7.1).",
)

SES: Final = Profile(
    "ses",
    "Amazon SES, SMTP",
    hosts=("email-smtp.*.amazonaws.com", "email-smtp-fips.*.amazonaws.com"),
    max_recipients=Figure(50, _SES, _READ),
    max_size_bytes=Figure(40 * _MIB, _SES, _READ),
    note="Rate and daily quota count recipients and are each account's own (sandbox: 1 a second, 200 a day): set limits.",
)

SENDGRID: Final = Profile(
    "sendgrid",
    "Twilio SendGrid, SMTP",
    hosts=("smtp.sendgrid.net", "smtp.eu.sendgrid.net"),
    messages_per_connection=Figure(5000, "vert-x3/vertx-mail-client#195, quoting SendGrid's documentation", _READ),
    max_recipients=Figure(1000, "docs.sendgrid.com/api-reference/mail-send/limitations", _READ),
    max_size_bytes=Figure(30 * _MIB, "docs.sendgrid.com/api-reference/mail-send/limitations", _READ),
    rules=(
        Rule(
            "quota",
            _ACCOUNT,
            _WAIT,
            code="401|451",
            text=r"credits",
            alarm=True,
            source="SendGrid: no credits left, said as a failed login or a local error",
        ),
    ),
    note="Quotas are the plan's (free: 100 a day).",
)

POSTMARK: Final = Profile(
    "postmark",
    "Postmark, SMTP",
    hosts=("smtp.postmarkapp.com", "smtp-broadcasts.postmarkapp.com"),
    connections=Figure(10, "postmarkapp.com/support/article/do-we-have-rate-limits-for-smtp", _READ),
    max_recipients=Figure(50, _POSTMARK, _READ),
    max_size_bytes=Figure(10 * _MIB, _POSTMARK, _READ),
    note="Ten connections are a request, not enforced.",
)

RESEND: Final = Profile(
    "resend",
    "Resend, SMTP",
    hosts=("smtp.resend.com",),
    note="The rate is a team's (5 requests a second by default, resend.com/docs/api-reference/rate-limit), quotas the plan's.",
)

MAILGUN: Final = Profile(
    "mailgun",
    "Mailgun, SMTP",
    hosts=("smtp.mailgun.org", "smtp.eu.mailgun.org"),
    max_size_bytes=Figure(25 * _MIB, "documentation.mailgun.com/en/latest/api-sending.html", _READ),
    note="Quotas are the plan's.",
)

SHARED_HOSTING: Final = Profile(
    "shared-hosting",
    "A mailbox at a web host: a careful guess, taken only where settings name it",
    windows=(
        Figure("30/min", "knadh/listmonk#645, typical", _READ),
        Figure("500/hour rolling", "symfony/symfony#59985: Hetzner; webgo has 50", _READ),
    ),
    connections=Figure(2, "a guess: hosts seldom say", _READ),
    note="Hosts differ by a factor of ten. Ask yours, and set limits.",
)

DIRECT: Final = Profile(
    "direct",
    "Straight to the recipients' servers, taken only where settings name it",
    windows=(Figure("100/s", "KumoMTA assets/policy-extras/shaping.toml, default", _READ),),
    connections=Figure(10, "KumoMTA assets/policy-extras/shaping.toml, default", _READ),
    messages_per_connection=Figure(100, "KumoMTA assets/policy-extras/shaping.toml, default", _READ),
    max_recipients=Figure(100, "RFC 5321 section 4.5.3.1.8: every server takes 100", _READ),
)

PROFILES: Final = (
    OFFICE365,
    GOOGLE_WORKSPACE,
    GOOGLE_RELAY,
    SES,
    SENDGRID,
    POSTMARK,
    RESEND,
    MAILGUN,
    SHARED_HOSTING,
    DIRECT,
)
