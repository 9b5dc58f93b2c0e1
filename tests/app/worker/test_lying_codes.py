"""Replies that look permanent and are not: a real worker, a real server that says exactly these lines."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from app.worker.scene import Told, until, working
from ticketmail import Message, Scope, TicketMail
from ticketmail.app.usecases.report import HoldKind
from ticketmail.testing.smtpd import Features, SmtpServer

#: Where each provider says it, and its line: learn.microsoft.com, support.google.com, SES and SendGrid documentation, reports.
LINES = {
    "office365": ("dot", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message"),
    "office365-day": ("rcpt", "550 5.1.90 Your message can't be sent because you've reached your daily limit for recipients"),
    "google": ("mail", "550 5.4.5 Daily user sending limit exceeded."),
    "google-relay": ("mail", "550 5.7.1 Daily SMTP relay limit exceeded for customer."),
    "ses": ("dot", "454 Throttling failure: Daily message quota exceeded."),
    "sendgrid": ("auth", "451 Authentication failed: Maximum credits exceeded"),
    "sendgrid-too": ("auth", "401 Maximum credits exceeded"),
    "qq": ("rcpt", "550 Sender frequency limited"),
    "godaddy": ("rcpt", "554 You've reached your daily relay quota"),
    "emailit": ("dot", "452 4.4.5 Daily message limit exceeded"),
    "emailit-too": ("rcpt", "452 4.5.3 Daily message limit exceeded"),
}
MAILS = 3


@pytest.mark.timeout(60)
async def test_lying_codes_hold_their_account_and_cost_no_mail_anything(tmp_path: Path) -> None:
    told, accounts = Told(), {}
    async with contextlib.AsyncExitStack() as stack:
        for name, (point, line) in LINES.items():
            server = await stack.enter_async_context(SmtpServer(features=Features(users={name: "secret"})))
            server.refuse(point, line)  # type: ignore[arg-type]
            accounts[name] = {"url": f"smtp://{name}:secret@127.0.0.1:{server.port}", "allow_plaintext": True}
            accounts[name]["senders"] = [f"{name}.example"]
        spool = f"sqlite:///{tmp_path}/spool.db"
        with TicketMail(settings={"spool": spool, "accounts": accounts}, alert_sinks=[told]) as mail:
            for name in accounts:
                for number in range(MAILS):
                    letter = Message(sender=f"help@{name}.example", to=f"{number}@example.net", subject="Your printer", text=".")
                    await mail.asubmit(letter)
            async with working(mail):
                await until(lambda: len(told.alerts) == len(LINES), 30)
            found = mail.reading.find(Scope.parse("all"), limit=1000)
            assert {(one.state.value, one.attempts) for one in found} == {("queued", 0)}
            held = mail.status().holds
    assert {one.scope: one.kind for one in held if one.scope != "all"} == {f"account:{name}": HoldKind.QUOTA for name in LINES}
    assert all(one.until_us is not None for one in held if one.scope != "all")
    for alert in told.alerts:
        (account,) = alert.accounts
        assert alert.title == f"Account {account}: the quota is used up"
        assert LINES[account][1].rstrip(".") in alert.text
        assert f"{MAILS} mails wait for it" in alert.text
        assert "one mail is tried at" in alert.text
