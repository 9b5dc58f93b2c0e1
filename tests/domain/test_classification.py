"""Every line of the reference pages, and what the domain makes of it. Where two pages differ, the mail is kept."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.classification import classify, retry_after_s
from ticketmail.domain.outbound.codes import CODE_RULES, ENHANCED_RULES, HTTP_RULES
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.outbound.rule import Rule
from ticketmail.domain.outbound.wording import TEXT_RULES

RULES = (*TEXT_RULES, *ENHANCED_RULES, *CODE_RULES, *HTTP_RULES)
_LINE = re.compile(r"(\d{3})(?: (\d\.\d+\.\d+))? ?(.*)")
C, B, E, T, A = Phase.CONNECT, Phase.BANNER, Phase.EHLO, Phase.TLS, Phase.AUTH
M, R, D, Y, Z = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT


def refused(line: str, phase: Phase) -> Refused:
    match = _LINE.fullmatch(line)
    assert match is not None, line
    return Refused(Reply(int(match[1]), match[3], match[2] or ""), phase)


THROTTLED = [
    ("432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending", M, "throttled-connections"),
    ("432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Z, "throttled-connections"),
    ("432 4.3.2 Busy", M, "throttled-connections"),
    ("421 4.7.0 Too many concurrent SMTP connections", C, "throttled-connections"),
    ("421 4.7.0 mail.example.org Error: too many connections from 192.0.2.1", B, "throttled-connections"),
    ("421 4.4.2 Message submission rate for this client has exceeded the configured limit", M, "throttled-rate"),
    ("450 4.7.1 Error: too much mail from 192.0.2.1", M, "throttled-rate"),
    ("450 4.7.1 <x@y.org>: Recipient address rejected: too much mail", R, "throttled-rate"),
    ("450 4.7.0 Transmit rate limit exceeded", R, "throttled-rate"),
    ("450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error.", R, "throttled-rate"),
    ("454 Throttling failure: Maximum sending rate exceeded.", Z, "throttled-rate"),
    ("421 4.7.28 Our system has detected an unusual rate of unsolicited mail", M, "throttled-rate"),
    ("450 4.7.28 x", R, "throttled-rate"),
    ("451 4.7.28 x", Z, "throttled-rate"),
    ("454 4.7.28 x", M, "throttled-rate"),
    ("421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume", M, "throttled-rate"),
    ("421 4.7.0 [TS03] All messages from 192.0.2.1 will be permanently deferred", C, "throttled-rate"),
    ("421 RP-001 (BAY004) Unfortunately, some messages from 192.0.2.1 weren't sent", M, "throttled-rate"),
    ("454 4.7.0 Too many login attempts, please try again later.", A, "auth-throttled"),
]
QUOTA = [
    (
        "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to a "
        "permanent exception with message The message can't be submitted because the sender's submission quota was exceeded.",
        Z,
        "quota",
    ),
    ("550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients", R, "quota"),
    ("550 5.1.90 x", Z, "quota"),
    ("550 5.4.5 Daily user sending quota exceeded.", Z, "quota"),
    ("550 5.4.5 Daily sending quota exceeded.", M, "quota"),
    ("550 5.4.5 Daily SMTP relay limit exceeded for user.", M, "quota"),
    ("550 5.7.1 Daily SMTP relay limit exceeded for customer.", M, "quota"),
    ("454 Daily message quota exceeded.", Z, "quota"),
    ("454 Throttling failure: Daily message quota exceeded.", Z, "quota"),
    ("451 Authentication failed: Maximum credits exceeded", A, "quota"),
    ("451 Maximum credits exceeded", R, "quota"),
    ("550 Sender frequency limited", M, "quota"),
    ("554 You've reached your daily relay quota", R, "quota"),
    ("452 4.4.5 Daily message limit exceeded", R, "quota"),
    ("452 4.5.3 Daily message limit exceeded", R, "quota"),
    ("554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException", Z, "sender-mailbox-full"),
]
ACCOUNT = [
    ("535 5.7.3 Authentication unsuccessful", A, "auth-failed"),
    (
        "535 5.7.8 Username and Password not accepted. Learn more at https://support.google.com/mail/?p=BadCredentials",
        A,
        "auth-failed",
    ),
    ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.", A, "auth-failed"),
    ("535 Incorrect authentication data", A, "auth-failed"),
    ("530 5.7.0 Authentication required", M, "auth-failed"),
    ("530 5.7.57 Client not authenticated to send mail", M, "auth-failed"),
    ("530 Authentication required", M, "auth-failed"),
    ("534 5.7.9 Application-specific password required", A, "auth-failed"),
    ("534 5.7.14 Please log in via your web browser and then try again", A, "auth-failed"),
    ("538 5.7.11 Encryption required for requested authentication mechanism", A, "auth-failed"),
    ("504 5.5.4 Unrecognized authentication type", A, "auth-failed"),
    ("454 4.7.0 Temporary authentication failure", A, "auth-temporary"),
    ("451 4.3.0 Authentication backend is down", A, "auth-temporary"),
    ("432 4.7.12 A password transition is needed", A, "account-blocked"),
    ("525 5.7.13 User account disabled", A, "account-blocked"),
    ("525 x", A, "account-blocked"),
    ("550 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", R, "reputation"),
    ("554 5.7.1 Your IP address 192.0.2.1 is listed at spamhaus", M, "reputation"),
    ("550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", R, "reputation"),
    ("550 Your server has a poor reputation", M, "reputation"),
    ("550 5.7.25 The IP address sending this message does not have a PTR record", Z, "reputation"),
    ("550 5.7.25 x", M, "reputation"),
    ("550 5.7.20 No passing DKIM signature found", Z, "sender-authentication"),
    ("550 5.7.23 SPF validation failed", M, "sender-authentication"),
    ("550 5.7.24 x", M, "sender-authentication"),
    ("550 5.7.26 This mail has been blocked because the sender is unauthenticated.", Z, "sender-authentication"),
    (
        "550 5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.",
        Z,
        "sender-authentication",
    ),
    ("550 5.7.29 x", Z, "sender-authentication"),
]
GATEWAY = [
    ("421 4.3.2 Service not available", C, "gateway-busy"),
    ("421 Service not available, closing transmission channel", B, "gateway-busy"),
    ("421 4.7.0 Try again later, closing connection.", M, "gateway-busy"),
    ("421 4.4.2 mail.example.org Error: timeout exceeded", R, "gateway-busy"),
    ("421 4.3.0 Temporary System Problem", Z, "gateway-busy"),
    ("451 4.3.2 System not accepting network messages", M, "gateway-busy"),
    ("450 x", E, "gateway-busy"),
    ("452 4.3.1 Insufficient system storage", M, "gateway-full"),
    ("452 Requested action not taken: insufficient system storage", Z, "gateway-full"),
    ("554 No SMTP service here", B, "gateway-refuses"),
    ("521 mail.example.org does not accept mail", B, "gateway-refuses"),
    ("550 Access denied", E, "gateway-refuses"),
    ("550 5.7.30 REQUIRETLS support required", M, "tls-failed"),
    ("454 4.7.30 x", M, "tls-failed"),
]
RECIPIENT_LATER = [
    (
        "450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time.",
        R,
        "recipient-busy",
    ),
    ("450 4.2.1 The recipient is receiving messages at a rate that prevents additional messages", R, "recipient-busy"),
    ("450 4.2.0 <ann@example.net>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/", R, "greylisted"),
    ("451 4.7.1 Greylisting in action, please come back in 00:05:00", R, "greylisted"),
    ("450 4.7.1 Please try again later", R, "greylisted"),
    ("451 4.7.1 first contact, try again", R, "greylisted"),
    ("452 4.2.2 The email account that you tried to reach is over quota", R, "mailbox-full"),
    ("452 4.2.2 Mailbox full", Z, "mailbox-full"),
    ("552 5.2.2 Mailbox full", R, "mailbox-full"),
    ("552 5.2.2 x", R, "mailbox-full"),
    ("552 Quota exceeded", R, "mailbox-full"),
    ("452 4.3.1 x", R, "mailbox-full"),
    ("450 4.2.0 Mailbox temporarily locked", R, "transient"),
    ("450 4.3.0 x", R, "transient"),
    ("451 4.3.0 Mail server temporarily rejected message", Z, "transient"),
    ("451 4.4.1 No answer from host", R, "transient"),
    ("450 4.4.3 DNS lookup failed: SERVFAIL", R, "transient"),
    ("450 4.1.2 <x@nosuch.example>: Recipient address rejected: Domain not found", R, "domain-not-found"),
    ("452 4.5.3 Your message has too many recipients.", R, "too-many-recipients"),
    ("452 4.5.3 domain policy size per transaction exceeded", R, "too-many-recipients"),
    ("452 5.5.3 x", R, "too-many-recipients"),
    ("452 Too many recipients", R, "too-many-recipients"),
    ("552 Too many recipients", R, "too-many-recipients"),
    ("552 x", R, "too-many-recipients"),
    ("451 Local error in processing", Z, "transient"),
    ("450 x", R, "transient"),
    ("499 Something new", M, "transient"),
]
RECIPIENT = [
    ("550 5.1.1 <ann@example.net>: Recipient address rejected: User unknown in virtual mailbox table", R, "unknown-recipient"),
    ("550 5.1.1 The email account that you tried to reach does not exist.", R, "unknown-recipient"),
    ("550 5.1.1 x", Z, "unknown-recipient"),
    ("550 No such user here", R, "unknown-recipient"),
    ("550 Unrouteable address", R, "unknown-recipient"),
    ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", R, "unknown-recipient"),
    ("550", R, "unknown-recipient"),
    ("553", R, "unknown-recipient"),
    ("521", R, "unknown-recipient"),
    ("550 5.1.2 Bad destination system address", R, "unknown-domain"),
    ("556 5.1.10 Recipient address has null MX", R, "unknown-domain"),
    ("556 Domain does not accept mail", R, "unknown-domain"),
    ("550 5.1.3 Bad destination mailbox address syntax", R, "bad-address"),
    ("550 5.1.6 Destination mailbox has moved", R, "moved"),
    ("551 User not local; please try <ann@example.org>", R, "moved"),
    ("550 5.2.1 The email account that you tried to reach is inactive.", R, "mailbox-disabled"),
]
MESSAGE = [
    ("552 5.3.4 Message size exceeds fixed maximum message size", M, "too-large"),
    ("554 5.3.4 Message too big", Z, "too-large"),
    ("554 5.2.3 Message length exceeds administrative limit", Z, "too-large"),
    ("550 5.2.270 x", Z, "too-large"),
    ("552 Message exceeds maximum size", M, "too-large"),
    ("552 x", M, "too-large"),
    ("523 x", M, "too-large"),
    ("550 5.7.1 Message rejected as spam by Content Filtering.", Z, "content-refused"),
    ("554 5.7.1 Virus found in message", Z, "content-refused"),
    ("554 5.7.1 Message contains a link listed in SURBL: blacklisted URL", Z, "content-refused"),
    ("554 5.7.0 Our system detected an illegal attachment on your message.", Z, "content-refused"),
    ("554 5.7.0 x", Z, "content-refused"),
    ("554", Z, "content-refused"),
    ("550", Z, "content-refused"),
    ("554 5.6.1 Media not supported", Z, "content-encoding"),
    ("554 5.6.0 x", Z, "content-encoding"),
    ("550 5.4.6 Routing loop detected", Z, "loop"),
    ("554 5.4.14 Hop count exceeded - possible mail loop", Z, "loop"),
    ("554 Too many hops", Z, "loop"),
    ("550 5.7.1 x", R, "policy"),
    ("550 5.7.1", R, "policy"),
    ("550 5.7.1 Message rejected", Z, "policy"),
    ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", Z, "sender-refused"),
    ("553 5.1.8 <x@nosuch.example>: Sender address rejected: Domain not found", M, "sender-refused"),
    ("550 5.1.7 Bad sender's mailbox address syntax", M, "sender-refused"),
    ("553 5.7.1 <a@b.org>: Sender address rejected: not owned by user c", R, "sender-refused"),
    ("550 Sender rejected", M, "sender-refused"),
    ("550 x", M, "sender-refused"),
    ("554 Message rejected: Email address is not verified.", Z, "sender-refused"),
    ("554 5.7.1 <x@y.org>: Relay access denied", R, "relay-denied"),
    ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", R, "relay-denied"),
    ("500 5.5.2 Error: command not recognized", M, "protocol"),
    ("501 5.5.4 Syntax error in parameters", M, "protocol"),
    ("421 4.7.0 Too many messages on this connection", M, "connection-spent"),
    ("421 too many messages in one connection", M, "connection-spent"),
    ("421 Max message per connection reached, closing transmission channel", M, "connection-spent"),
    ("452 4.7.1 Maximum number of messages per SMTP session exceeded", M, "connection-spent"),
    ("502 5.5.1 Command not implemented", D, "protocol"),
    ("503 5.5.1 Bad sequence of commands", R, "protocol"),
    ("503 x", D, "protocol"),
    ("599 A new word", Z, "unknown-refusal"),
    ("554 Transaction failed: reason 17", Z, "unknown-refusal"),
]
#: By list: whose fault, and what may follow.
_LISTS = [
    (THROTTLED, {FaultScope.ACCOUNT}, {Advice.WAIT}),
    (QUOTA, {FaultScope.ACCOUNT}, {Advice.WAIT}),
    (GATEWAY, {FaultScope.GATEWAY}, {Advice.WAIT}),
    (RECIPIENT_LATER, {FaultScope.RECIPIENT, FaultScope.MESSAGE}, {Advice.RETRY, Advice.SPLIT}),
    (RECIPIENT, {FaultScope.RECIPIENT}, {Advice.FAIL}),
    (MESSAGE, {FaultScope.MESSAGE}, {Advice.DEAD, Advice.RETRY}),
    (ACCOUNT, {FaultScope.ACCOUNT}, {Advice.WAIT, Advice.RETRY}),
]
LINES = [(line, phase, cause) for lines, _, _ in _LISTS for line, phase, cause in lines]


@pytest.mark.parametrize(("line", "phase", "cause"), LINES)
def test_each_real_line_has_its_cause(line: str, phase: Phase, cause: str) -> None:
    assert classify(refused(line, phase)).cause == cause


@pytest.mark.parametrize(("line", "phase", "scopes", "advices"), [(a, b, s, v) for lines, s, v in _LISTS for a, b, _ in lines])
def test_each_real_line_is_laid_at_the_right_door(line: str, phase: Phase, scopes: set[FaultScope], advices: set[Advice]) -> None:
    fault = classify(refused(line, phase))

    assert fault.scope in scopes
    assert fault.advice in advices
    assert line.split(maxsplit=1)[-1] in fault.text, "the server's words are kept as evidence"


@pytest.mark.parametrize(("line", "phase"), [(line, phase) for line, phase, _ in THROTTLED + QUOTA])
def test_a_limit_is_waited_for_whatever_the_code_looks_like(line: str, phase: Phase) -> None:
    fault = classify(refused(line, phase))

    assert (fault.scope, fault.advice, fault.suppress) == (FaultScope.ACCOUNT, Advice.WAIT, False)


@pytest.mark.parametrize(("line", "phase"), [(line, phase) for line, phase, _ in RECIPIENT if phase is R])
def test_an_address_that_is_none_is_suppressed(line: str, phase: Phase) -> None:
    assert classify(refused(line, phase)).suppress


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("550 The gods are against it", R),
        ("553 5.6.7 Non-ASCII addresses not permitted", R),
        ("550 5.7.1 x", R),
        ("452 4.2.2 x", R),
        ("552 5.2.2 x", R),
        ("550 5.7.1 Client host blocked using zen.spamhaus.org", R),
        ("554 5.7.1 Spam", Z),
        ("599 x", R),
        ("550 5.1.1 User unknown", Z),
        ("550 5.1.1 User unknown", M),
    ],
)
def test_nobody_is_suppressed_for_what_is_not_certainly_the_address(line: str, phase: Phase) -> None:
    assert not classify(refused(line, phase)).suppress


def test_words_that_no_rule_knows_fail_the_recipient_without_suppressing() -> None:
    fault = classify(refused("550 The gods are against it", R))

    assert (fault.cause, fault.advice) == ("recipient-refused", Advice.FAIL)


def test_an_international_address_that_cannot_be_carried_fails_for_this_recipient() -> None:
    fault = classify(refused("553 5.6.7 Non-ASCII addresses not permitted for that sender/recipient", R))

    assert (fault.cause, fault.scope, fault.advice) == ("smtputf8-unsupported", FaultScope.RECIPIENT, Advice.FAIL)


@pytest.mark.parametrize(
    ("cause", "line", "phase"),
    [
        ("auth-failed", "535 5.7.8 x", A),
        ("account-blocked", "525 5.7.13 x", A),
        ("quota", "550 5.4.5 x", Z),
        ("reputation", "550 5.7.25 x", Z),
        ("sender-authentication", "550 5.7.26 x", Z),
        ("sender-refused", "550 5.7.60 x", Z),
        ("loop", "554 5.4.6 x", Z),
        ("protocol", "503 5.5.1 x", R),
        ("tls-failed", "550 5.7.30 x", M),
    ],
)
def test_what_a_human_must_mend_is_alarmed_at_once(cause: str, line: str, phase: Phase) -> None:
    fault = classify(refused(line, phase))

    assert (fault.cause, fault.alarm) == (cause, True)


def test_a_sender_without_rights_does_not_stop_the_account() -> None:
    fault = classify(refused("550 5.7.60 SMTP; Client does not have permissions to send as this sender", Z))

    assert (fault.scope, fault.advice) == (FaultScope.MESSAGE, Advice.DEAD)


@pytest.mark.parametrize(
    ("status", "text", "phase", "cause", "advice"),
    [
        (429, "", Z, "throttled-rate", Advice.WAIT),
        (429, "Too Many Requests", M, "throttled-rate", Advice.WAIT),
        (401, "Unauthorized", M, "auth-failed", Advice.WAIT),
        (401, "Maximum credits exceeded", Z, "quota", Advice.WAIT),
        (403, "Forbidden", M, "auth-failed", Advice.WAIT),
        (402, "Payment Required", M, "quota", Advice.WAIT),
        (404, "", M, "account-setup", Advice.WAIT),
        (410, "", M, "account-setup", Advice.WAIT),
        (301, "", M, "account-setup", Advice.WAIT),
        (400, "Invalid `to` field", Z, "request-refused", Advice.DEAD),
        (422, "bad html", Z, "request-refused", Advice.DEAD),
        (408, "", M, "gateway-busy", Advice.WAIT),
        (409, "idempotency conflict", Z, "duplicate-key", Advice.UNKNOWN),
        (413, "", Z, "too-large", Advice.DEAD),
        (500, "", M, "gateway-busy", Advice.WAIT),
        (503, "", M, "gateway-busy", Advice.WAIT),
        (500, "", Z, "unknown", Advice.UNKNOWN),
        (502, "Bad Gateway", Z, "unknown", Advice.UNKNOWN),
        (503, "", Z, "unknown", Advice.UNKNOWN),
        (504, "", Z, "unknown", Advice.UNKNOWN),
    ],
)
def test_http_statuses_mean_what_http_says(status: int, text: str, phase: Phase, cause: str, advice: Advice) -> None:
    fault = classify(Refused(Reply(status, text), phase), http=True)

    assert (fault.cause, fault.advice, fault.suppress) == (cause, advice, False)


def test_a_503_that_says_when_to_come_back_is_a_refusal_even_after_the_body() -> None:
    fault = classify(Refused(Reply(503), Z, retry_after_s=30), http=True)

    assert (fault.cause, fault.advice, fault.retry_after_s) == ("gateway-busy", Advice.WAIT, 30)


@pytest.mark.parametrize(
    ("outcome", "cause", "advice"),
    [
        (NotReached("connection refused"), "gateway-unreachable", Advice.WAIT),
        (NotReached("timed out", B), "gateway-unreachable", Advice.WAIT),
        (NotReached("EHLO timed out", E), "gateway-unreachable", Advice.WAIT),
        (NotReached("cut", M), "gateway-unreachable", Advice.WAIT),
        (NotReached("cut", R), "gateway-unreachable", Advice.WAIT),
        (NotReached("cut before DATA", D), "gateway-unreachable", Advice.WAIT),
        (NotReached("gaierror: Name or service not known"), "gateway-name", Advice.WAIT),
        (NotReached("cut after 354, dot not written", Y), "connection-cut", Advice.RETRY),
        (NotReached("certificate has expired", T, tls=True), "tls-failed", Advice.WAIT),
        (Unclear("timed out after the dot"), "unknown", Advice.UNKNOWN),
        (Unclear("cut after the dot", Z), "unknown", Advice.UNKNOWN),
    ],
)
def test_silence_is_the_gateways_fault(outcome: NotReached | Unclear, cause: str, advice: Advice) -> None:
    fault = classify(outcome)

    assert (fault.cause, fault.advice, fault.scope) == (cause, advice, FaultScope.GATEWAY)
    assert not fault.suppress


@pytest.mark.parametrize(("code", "phase", "advice"), [(250, R, Advice.RETRY), (354, M, Advice.RETRY), (252, Z, Advice.UNKNOWN)])
def test_an_answer_out_of_turn_may_mean_anything_after_the_dot_only(code: int, phase: Phase, advice: Advice) -> None:
    fault = classify(Refused(Reply(code), phase))

    assert (fault.cause, fault.advice) == ("desync", advice)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Greylisted, try again in 300 seconds", 300),
        ("please retry in 5 minutes", 300),
        ("Try again after 30s", 30),
        ("Retry-After: 120 s", 120),
        ("wait 1 hour", 3600),
        ("try again in 90 sec.", 90),
        ("try again in 999999 hours", 86_400),
        ("try again in 0 seconds", 1),
        ("Try again later", None),
        ("come back in 00:05:00", None),
        ("after 5 messages", None),
        ("", None),
    ],
)
def test_a_servers_own_word_on_when_to_come_back_is_read(text: str, seconds: float | None) -> None:
    assert retry_after_s(text) == seconds


def test_a_header_that_says_when_wins_over_the_text_and_is_at_most_a_day() -> None:
    reply = Reply(450, "try again in 300 seconds", "4.7.1")

    assert classify(Refused(reply, R, retry_after_s=7)).retry_after_s == 7
    assert classify(Refused(reply, R)).retry_after_s == 300
    assert classify(Refused(reply, R, retry_after_s=1e9)).retry_after_s == 86_400
    assert classify(Refused(reply, R, retry_after_s=-1)).retry_after_s == 300


def test_an_adapters_own_rules_come_first_and_only_for_its_profile() -> None:
    rule = Rule("quota", FaultScope.ACCOUNT, Advice.WAIT, code="550", text="flux capacitor", profile="acme")
    reply = Refused(Reply(550, "Flux capacitor is empty"), R)

    assert classify(reply, profile="acme", rules=[rule]).cause == "quota"
    assert classify(reply, profile="other", rules=[rule]).cause == "recipient-refused"


def test_a_taken_mail_has_no_fault() -> None:
    with pytest.raises(ValueError, match="no fault"):
        classify(Taken())


REPLIES = st.builds(
    Reply,
    code=st.integers(0, 999),
    text=st.text(max_size=80) | st.sampled_from([line for line, _, _ in LINES]),
    enhanced=st.just("") | st.from_regex(r"[245]\.[0-7]\.[0-9]{1,3}", fullmatch=True),
)
REFUSED = st.builds(Refused, reply=REPLIES, phase=st.sampled_from(Phase), retry_after_s=st.none() | st.floats(0, 1e6))
OUTCOMES = (
    REFUSED
    | st.builds(NotReached, error=st.text(max_size=40), phase=st.sampled_from(Phase), tls=st.booleans())
    | st.builds(Unclear, error=st.text(max_size=40))
)


@given(OUTCOMES, st.booleans())
def test_every_outcome_has_a_fault_with_a_listed_cause(outcome: Refused | NotReached | Unclear, http: bool) -> None:
    fault = classify(outcome, http=http)

    assert isinstance(fault, Fault)
    assert fault.cause in CAUSES
    assert fault.retry_after_s is None or 0 <= fault.retry_after_s <= 86_400


@given(OUTCOMES, st.booleans())
def test_only_recipients_are_suppressed_and_only_when_they_failed(outcome: Refused | NotReached | Unclear, http: bool) -> None:
    fault = classify(outcome, http=http)

    assert not fault.suppress or (fault.scope is FaultScope.RECIPIENT and fault.advice is Advice.FAIL)
    assert fault.advice is not Advice.FAIL or fault.scope is FaultScope.RECIPIENT
    assert not fault.suppress or http or (isinstance(outcome, Refused) and outcome.phase is R)
    assert fault.advice is not Advice.WAIT or fault.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY)


@given(OUTCOMES, st.booleans())
def test_before_the_first_mail_command_only_account_or_gateway_can_be_at_fault(
    outcome: Refused | NotReached | Unclear, http: bool
) -> None:
    fault = classify(outcome, http=http)

    assert outcome.phase not in (C, B, E, T, A) or fault.scope in (FaultScope.ACCOUNT, FaultScope.GATEWAY)


@given(st.sampled_from([4, 5]), st.integers(60, 99), st.sampled_from([M, R, D, Z]), st.text(st.characters(categories=["Nd"])))
def test_an_unknown_4yz_is_retried_and_an_unknown_5yz_waits_for_a_human(digit: int, rest: int, phase: Phase, text: str) -> None:
    fault = classify(Refused(Reply(digit * 100 + rest, text), phase))

    assert fault.advice is (Advice.RETRY if digit == 4 else Advice.DEAD)
    assert not fault.suppress


def test_every_rule_has_a_source_a_listed_cause_and_fits_a_line_or_is_a_code() -> None:
    for rule in RULES:
        assert rule.source, rule
        assert rule.cause in CAUSES, rule
        assert not rule.suppress or rule.scope is FaultScope.RECIPIENT, rule


def test_every_wording_is_shown_by_a_real_line() -> None:
    shown = {
        id(rule)
        for line, phase, _ in LINES
        for rule in TEXT_RULES
        if rule.fits(
            code=line[:3],
            enhanced=refused(line, phase).reply.enhanced,
            text=refused(line, phase).reply.text,
            phase=phase,
            profile="",
        )
    }

    assert [rule.text for rule in TEXT_RULES if id(rule) not in shown] == []


@pytest.mark.parametrize(
    "text", ["user " * 1000, "a" * 100_000, "exceed the daily " * 5000, "sending limit " * 5000, " " * 50_000]
)
def test_a_babbling_server_costs_no_time(text: str) -> None:
    begin = time.process_time()
    fault = classify(Refused(Reply(550, text), R))

    assert time.process_time() - begin < 1.0
    assert len(fault.text) <= 2000


def test_every_cause_speaks_to_people_in_sentences() -> None:
    for cause in CAUSES.values():
        assert cause.sentence.endswith("."), cause
        assert cause.sentence[0].isupper(), cause
        assert not cause.remedy or cause.remedy.endswith((".", ")")), cause
