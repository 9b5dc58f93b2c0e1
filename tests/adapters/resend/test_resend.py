"""Resend's gateway keeps the contract, and its answers mean what Resend means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from adapters._http.vendor import Vendor
from ticketmail import Message
from ticketmail.adapters.mime import MimeRenderer
from ticketmail.adapters.resend import create
from ticketmail.adapters.resend.profile import RESEND_API
from ticketmail.domain.address import Address
from ticketmail.domain.message import Attachment
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import Outcome, Refused, Taken, Unclear
from ticketmail.domain.ports.sending import Gateway, GatewayOptions, Outgoing
from ticketmail.testing.gateway_contract import CANARY, GatewayContract, MakeGateway, no_matter, outgoing
from ticketmail.testing.scripted_http import HttpAnswer, HttpRequest, ScriptedServer

TAKEN = b'{"id":"49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}'


def respond(request: HttpRequest) -> HttpAnswer:
    if request.headers.get("authorization") != f"Bearer {CANARY}":
        return HttpAnswer(403, b'{"statusCode":403,"name":"invalid_api_key","message":"API key is invalid"}')
    if request.method == "GET":
        return HttpAnswer(200, b'{"data":[{"name":"example.com","status":"verified"},{"name":"example.org","status":"pending"}]}')
    return HttpAnswer(200, TAKEN)


def seen(request: HttpRequest) -> tuple[str, frozenset[str], bytes] | None:
    if request.method == "GET":
        return None
    said = request.json()
    return "", frozenset([*said["to"], *said.get("cc", ()), *said.get("bcc", ())]), b""


@pytest.fixture
async def http() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(respond=respond) as server:
        yield server


def gateway_of(http: ScriptedServer, **options: Any) -> Gateway:
    return create(http.url.replace("http://", f"resend://:{CANARY}@"), GatewayOptions(**options))


class TestResendGateway(GatewayContract):
    @pytest.fixture
    def server(self, http: ScriptedServer) -> Vendor:
        return Vendor(http, respond, seen)

    @pytest.fixture
    def make_gateway(self, http: ScriptedServer) -> MakeGateway:
        return lambda **options: gateway_of(http, **options)


async def sent(http: ScriptedServer, mail: Outgoing) -> Outcome:
    gateway = gateway_of(http)
    outcomes = await gateway.send(mail, on_body=no_matter)
    await gateway.aclose()
    assert len(set(outcomes)) == 1
    return outcomes[0]


def rendered(**message: Any) -> bytes:
    headers = (("Message-ID", "<m1@example.com>"),)
    return MimeRenderer().render(Message(sender="help@example.com", **message), headers=headers, contents={}, seed="5eed")


async def test_a_mail_is_said_in_parts(http: ScriptedServer) -> None:
    image = Attachment(filename="logo.png", content_type="image/png", content=b"\x89PNG", content_id="logo")
    mime = rendered(
        to=Address(name='Ann "A", B', local="ann", domain="example.net"),
        cc="cy@example.net",
        reply_to="help+1@example.com",
        subject="Grüße",
        html="<p>x</p>",
        attachments=(image,),
    )
    mail = outgoing("ann@example.net", "cy@example.net", "blind@example.net", mime=mime)

    assert isinstance(await sent(http, mail), Taken)
    assert http.requests[0].json() == {
        "from": "help@example.com",
        "to": ['"Ann \\"A\\", B" <ann@example.net>'],
        "cc": ["cy@example.net"],
        "bcc": ["blind@example.net"],
        "reply_to": ["help+1@example.com"],
        "subject": "Grüße",
        "text": "",
        "html": "<p>x</p>\n",
        "headers": {"Message-ID": "<m1@example.com>"},
        "attachments": [{"content": "iVBORw==", "filename": "logo.png", "content_type": "image/png", "content_id": "logo"}],
        "tags": [{"name": "ticketmail_id", "value": mail.submission_id.hex}],
    }


async def test_the_same_mail_has_the_same_key_and_a_long_one_is_made_short(http: ScriptedServer) -> None:
    mail = outgoing(mime=rendered(to="ann@example.net", text="x"))

    for key in (mail.key, mail.key, "k" * 257, "k" * 257):
        await sent(http, replace(mail, key=key))

    keys = [one.headers["idempotency-key"] for one in http.requests]
    assert keys[:2] == [mail.key] * 2
    assert keys[2] == keys[3]
    assert len(keys[2]) == 64


async def test_one_who_stands_in_no_header_is_written_to_alone_and_several_are_not_shown_to_one_another(
    http: ScriptedServer,
) -> None:
    mime = rendered(to="ann@example.net", text="x")

    assert isinstance(await sent(http, outgoing("blind@example.net", mime=mime)), Taken)
    refused = await sent(http, outgoing("b1@example.net", "b2@example.net", mime=mime))

    assert http.requests[0].json()["to"] == ["blind@example.net"]
    assert len(http.requests) == 1
    assert isinstance(refused, Refused)
    assert "per_recipient=True" in refused.reply.text


@pytest.mark.parametrize(
    ("status", "name", "message", "cause", "advice", "scope"),
    [
        (400, "validation_error", "Invalid `to` field", "request-refused", "dead", "message"),
        (401, "missing_api_key", "Missing API key", "auth-failed", "wait", "account"),
        (403, "invalid_api_key", "API key is invalid", "auth-failed", "wait", "account"),
        (403, "validation_error", "The example.com domain is not verified.", "sender-refused", "dead", "message"),
        (409, "concurrent_idempotent_requests", "Same key in progress", "duplicate-key", "unknown", "message"),
        (422, "invalid_attachment", "Attachment must have content", "request-refused", "dead", "message"),
        (429, "rate_limit_exceeded", "Too many requests.", "throttled-rate", "wait", "account"),
        (429, "daily_quota_exceeded", "You have reached your daily email sending quota.", "quota", "wait", "account"),
        (429, "monthly_quota_exceeded", "You have reached your monthly quota.", "quota", "wait", "account"),
        (500, "application_error", "An unexpected error occurred", "unknown", "unknown", "gateway"),
    ],
)
async def test_an_answer_becomes_a_fault(
    http: ScriptedServer, status: int, name: str, message: str, cause: str, advice: str, scope: str
) -> None:
    http.answer(status, json={"statusCode": status, "name": name, "message": message})

    fault = classify(await sent(http, outgoing()), profile="resend-api", http=True, rules=RESEND_API.rules)

    assert (fault.cause, fault.advice.value, fault.scope.value) == (cause, advice, scope)
    assert fault.text == f"{status} {name}: {message}"


async def test_the_headers_of_a_yes_and_of_a_no_are_handed_on(http: ScriptedServer) -> None:
    limits = {"ratelimit-limit": "5", "ratelimit-remaining": "0", "ratelimit-reset": "1", "ratelimit-policy": "5;w=1"}
    http.answer(200, body=TAKEN, headers=limits)
    http.answer(429, json={"name": "rate_limit_exceeded", "message": "-"}, headers={**limits, "retry-after": "2"})

    yes, no = await sent(http, outgoing()), await sent(http, outgoing())

    assert isinstance(yes, Taken)
    assert (yes.remote_id, yes.allowance) == ("49a3999c-0ce1-4ea6-ab68-afcd6dc2e794", Allowance(0, 1.0, 5))
    assert isinstance(no, Refused)
    assert (no.retry_after_s, no.allowance) == (2.0, Allowance(0, 1.0, 5))


async def test_a_200_without_an_id_is_not_resends_yes(http: ScriptedServer) -> None:
    http.answer(200, body=b"<html>")

    assert isinstance(await sent(http, outgoing()), Unclear)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"data": [{"name": "example.com", "status": "verified"}]}, "verified: example.com"),
        (401, {"name": "restricted_api_key", "message": "This API key is restricted to only send emails"}, "may send only"),
    ],
)
async def test_check_says_what_the_key_is_good_for(http: ScriptedServer, status: int, body: object, said: str) -> None:
    http.answer(status, json=body)
    gateway = gateway_of(http)

    assert said in await gateway.check()
    await gateway.aclose()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"data": [{"name": "example.com", "status": "pending"}]}, "no domain is verified"),
        (200, {}, "not Resend"),
        (403, {"name": "invalid_api_key", "message": "API key is invalid"}, "answers 403 invalid_api_key"),
    ],
)
async def test_check_says_what_is_wrong(http: ScriptedServer, status: int, body: object, said: str) -> None:
    http.answer(status, json=body)
    gateway = gateway_of(http)

    with pytest.raises(OSError, match=said):
        await gateway.check()
    await gateway.aclose()
