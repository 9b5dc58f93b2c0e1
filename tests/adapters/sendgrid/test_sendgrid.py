"""SendGrid's gateway keeps the contract, and its answers mean what SendGrid means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters._http.vendor import Vendor
from ticketmail import Message
from ticketmail.adapters.mime import MimeRenderer
from ticketmail.adapters.sendgrid import create
from ticketmail.adapters.sendgrid.profile import SENDGRID_API
from ticketmail.domain.address import Address
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.message import Attachment
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.faults import Fault
from ticketmail.domain.outbound.outcome import Outcome, Refused, Taken, Unclear
from ticketmail.domain.ports.sending import Gateway, GatewayOptions
from ticketmail.testing.gateway_contract import CANARY, GatewayContract, MakeGateway, no_matter, outgoing
from ticketmail.testing.scripted_http import HttpAnswer, HttpRequest, ScriptedServer

SEND = "/v3/mail/send"


def respond(request: HttpRequest) -> HttpAnswer:
    if request.headers.get("authorization") != f"Bearer {CANARY}":
        return HttpAnswer(401, b'{"errors":[{"message":"The provided authorization grant is invalid","field":null,"help":null}]}')
    if request.target == "/v3/scopes":
        return HttpAnswer(200, b'{"scopes":["mail.send","sender_verification_eligible"]}')
    return HttpAnswer(202, headers=(("X-Message-Id", "14c5d75ce93.dfd.64b469"),))


def seen(request: HttpRequest) -> tuple[str, frozenset[str], bytes] | None:
    if request.target != SEND:
        return None
    groups = [party for one in request.json()["personalizations"] for group in one.values() for party in group]
    return "", frozenset(party["email"] for party in groups), b""


@pytest.fixture
async def http() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(respond=respond) as server:
        yield server


def gateway_of(http: ScriptedServer, **options: Any) -> Gateway:
    return create(http.url.replace("http://", f"sendgrid://:{CANARY}@"), GatewayOptions(**options))


class TestSendGridGateway(GatewayContract):
    @pytest.fixture
    def server(self, http: ScriptedServer) -> Vendor:
        return Vendor(http, respond, seen)

    @pytest.fixture
    def make_gateway(self, http: ScriptedServer) -> MakeGateway:
        return lambda **options: gateway_of(http, **options)


async def sent(http: ScriptedServer, mime: bytes, *recipients: str) -> Any:
    """The request for a mail that was taken."""
    gateway = gateway_of(http)
    outcomes = await gateway.send(outgoing(*recipients, mime=mime), on_body=no_matter)
    await gateway.aclose()
    assert all(isinstance(one, Taken) for one in outcomes), outcomes
    return http.requests[-1].json()


def rendered(message: Message, *headers: tuple[str, str]) -> bytes:
    return MimeRenderer().render(message, headers=headers, contents={}, seed="5eed")


# What is sent


async def test_a_mail_is_said_in_parts_with_our_ids_in_its_headers(http: ScriptedServer) -> None:
    message = Message(
        sender=Address(name="Hélp, desk", local="help", domain="example.com"),
        to=("ann@example.net", Address(name="Bob; B", local="bob", domain="bücher.example")),
        cc=("cy@example.net",),
        reply_to=("help+4711@example.com",),
        subject="Drucker kaputt – schon wieder",
        text="Grüße\n.\n",
        html='<p>Grüße <img src="cid:logo"></p>',
        attachments=(
            Attachment(filename="Übersicht.pdf", content_type="application/pdf", content=b"%PDF\x00"),
            Attachment(filename="logo.png", content_type="image/png", content=b"\x89PNG", content_id="logo"),
        ),
        headers=(("X-Team", "Störung"),),
    )
    mime = rendered(message, ("Message-ID", "<m1@example.com>"), ("References", "<root@example.com>"), ("X-Ticketmail", "tok"))

    said = await sent(http, mime, "ann@example.net", "bob@bücher.example", "cy@example.net", "blind@example.net")

    assert said["personalizations"] == [
        {
            "to": [{"email": "ann@example.net"}, {"email": "bob@xn--bcher-kva.example", "name": '"Bob; B"'}],
            "cc": [{"email": "cy@example.net"}],
            "bcc": [{"email": "blind@example.net"}],
        }
    ]
    assert said["from"] == {"email": "help@example.com", "name": '"Hélp, desk"'}
    assert said["reply_to_list"] == [{"email": "help+4711@example.com"}]
    assert said["subject"] == "Drucker kaputt – schon wieder"
    assert [one["type"] for one in said["content"]] == ["text/plain", "text/html"]
    assert said["content"][0]["value"] == "Grüße\n.\n"
    assert said["headers"]["Message-ID"] == "<m1@example.com>"
    assert said["headers"]["References"] == "<root@example.com>"
    assert said["headers"]["X-Ticketmail"] == "tok"
    assert said["headers"]["X-Team"].isascii()
    assert not {name.lower() for name in said["headers"]} & {"from", "to", "cc", "subject", "reply-to", "date", "content-type"}
    image, pdf = sorted(said["attachments"], key=lambda one: one["type"], reverse=True)
    assert image == {
        "content": "iVBORw==",
        "type": "image/png",
        "filename": "logo.png",
        "disposition": "inline",
        "content_id": "logo",
    }
    assert pdf == {"content": "JVBERgA=", "type": "application/pdf", "filename": "Übersicht.pdf", "disposition": "attachment"}
    assert len(said["custom_args"]["ticketmail_id"]) == 32


async def test_only_recipients_of_the_envelope_are_written_to_and_blind_ones_see_nobody(http: ScriptedServer) -> None:
    mime = rendered(Message(sender="help@example.com", to=("ann@example.net", "bob@example.net"), cc="cy@example.net", text="x"))

    assert (await sent(http, mime, "bob@example.net"))["personalizations"] == [{"to": [{"email": "bob@example.net"}]}]
    assert (await sent(http, mime, "cy@example.net", "b1@example.net", "b2@example.net"))["personalizations"] == [
        {"to": [{"email": one}]} for one in ("cy@example.net", "b1@example.net", "b2@example.net")
    ]


@pytest.mark.parametrize("kind", ["multipart/signed; boundary=b", "multipart/encrypted; boundary=b", "application/pkcs7-mime"])
async def test_what_would_lose_its_seal_is_refused_before_anything_is_sent(http: ScriptedServer, kind: str) -> None:
    gateway = gateway_of(http)
    mime = (
        f"From: a@example.com\r\nTo: b@example.net\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
    )

    (outcome,) = await gateway.send(outgoing(mime=mime.encode()), on_body=no_matter)
    await gateway.aclose()

    assert isinstance(outcome, Refused)
    assert "by SMTP (found before sending)" in outcome.reply.text
    assert not http.requests
    assert fault_of(outcome).advice.value == "dead"


# What is answered


def fault_of(outcome: Outcome) -> Fault:
    return classify(outcome, profile="sendgrid-api", http=True, rules=SENDGRID_API.rules)


async def answered(http: ScriptedServer, status: int, message: str = "", **headers: str) -> Outcome:
    errors = [{"message": message, "field": "from.email" if "from" in message else None, "help": None}]
    http.answer(
        status, json={"errors": errors} if message else None, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    gateway = gateway_of(http)
    (outcome,) = await gateway.send(outgoing(), on_body=no_matter)
    await gateway.aclose()
    return outcome


@pytest.mark.parametrize(
    ("status", "message", "cause", "advice", "scope"),
    [
        (400, "Does not contain a valid address.", "request-refused", "dead", "message"),
        (401, "The provided authorization grant is invalid, expired, or revoked", "auth-failed", "wait", "account"),
        (401, "Maximum credits exceeded", "quota", "wait", "account"),
        (451, "You have exceeded your messaging limits: maximum credits", "quota", "wait", "account"),
        (403, "access forbidden", "auth-failed", "wait", "account"),
        (
            403,
            "The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.",
            "sender-refused",
            "dead",
            "message",
        ),
        (404, "", "account-setup", "wait", "account"),
        (413, "", "too-large", "dead", "message"),
        (429, "too many requests", "throttled-rate", "wait", "account"),
        (500, "", "unknown", "unknown", "gateway"),
        (503, "", "unknown", "unknown", "gateway"),
    ],
)
async def test_an_answer_becomes_a_fault(
    http: ScriptedServer, status: int, message: str, cause: str, advice: str, scope: str
) -> None:
    fault = fault_of(await answered(http, status, message))

    assert (fault.cause, fault.advice.value, fault.scope.value) == (cause, advice, scope)
    assert message in fault.text


async def test_the_headers_of_a_yes_and_of_a_no_are_handed_on(http: ScriptedServer) -> None:
    limits = {"X_RateLimit_Limit": "600", "X_RateLimit_Remaining": "3", "X_RateLimit_Reset": "30"}

    yes = await answered(http, 202, "", X_Message_Id="14c5d75ce93", **limits)
    no = await answered(http, 429, "too many requests", **{**limits, "X_RateLimit_Remaining": "0"})

    assert isinstance(yes, Taken)
    assert (yes.remote_id, yes.allowance) == ("14c5d75ce93", Allowance(3, 30.0, 600))
    assert isinstance(no, Refused)
    assert (no.retry_after_s, no.allowance) == (30.0, Allowance(0, 30.0, 600))
    assert fault_of(no).retry_after_s == 30.0


async def test_a_200_is_not_sendgrids_yes(http: ScriptedServer) -> None:
    assert isinstance(await answered(http, 200, "a portal's page"), Unclear)


async def test_a_key_that_is_echoed_is_not_shown(http: ScriptedServer) -> None:
    outcome = await answered(http, 401, f"bad key {CANARY}\r\nforged line")

    assert isinstance(outcome, Refused)
    assert outcome.reply.text == "bad key *** forged line"


# Checking


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"scopes": ["stats.read"]}, "permission mail.send"),
        (200, [], "permission mail.send"),
        (401, {"errors": [{"message": "authorization required"}]}, "answers 401 authorization required"),
        (500, "?", "answers 500"),
    ],
)
async def test_check_says_what_is_wrong_with_the_key(http: ScriptedServer, status: int, body: object, said: str) -> None:
    http.answer(status, json=body)
    gateway = gateway_of(http)

    with pytest.raises(OSError, match=said):
        await gateway.check()
    await gateway.aclose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sendgrid://", "names no host"),
        ("sendgrid://api.sendgrid.com", "has no key"),
        (f"sendgrid://{CANARY}@api.sendgrid.com", "where a user's name stands"),
        (f"sendgrid://:{CANARY}%0a@api.sendgrid.com", "line ends"),
        (f"sendgrid://:{CANARY}@api.sendgrid.com?sandbox=1", "unknown parameter 'sandbox'"),
        (f"sendgrid://:{CANARY}@api.sendgrid.com:x", "is the port a number"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_shown(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        create(url, GatewayOptions(account="a"))

    assert CANARY not in str(caught.value)
    assert "accounts.a.url" in str(caught.value)
