"""SES's gateway keeps the contract, signs as AWS asks, and its answers mean what SES means. moto's server takes its mails."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from adapters._http.vendor import Vendor
from ticketmail.adapters.ses import create
from ticketmail.adapters.ses.gateway import SesGateway
from ticketmail.adapters.ses.profile import SES_API
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.classification import classify
from ticketmail.domain.outbound.outcome import Outcome, Phase, Refused, Reply, Taken, Unclear
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import CANARY, GatewayContract, MakeGateway, no_matter, outgoing
from ticketmail.testing.scripted_http import HttpAnswer, HttpRequest, ScriptedServer

SEND, ACCOUNT = "/v2/email/outbound-emails", "/v2/email/account"
TAKEN = {"MessageId": "010201982bd5a0f3-9d3f3c1e-1f2f-4b0e-8a43-0d6c4d7c3a11-000000"}


def quota(most: float, sent: float, **more: object) -> dict[str, object]:
    """GetAccount, as the service model has it."""
    told = {"Max24HourSend": most, "MaxSendRate": 14.0, "SentLast24Hours": sent}
    return {"SendQuota": told, "SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY", **more}


def refused(kind: str, message: str) -> dict[str, Any]:
    return {"json": {"message": message}, "headers": {"x-amzn-ErrorType": f"{kind}:http://internal.amazon.com/coral/"}}


def respond(request: HttpRequest) -> HttpAnswer:
    if not signed_well(request):
        return HttpAnswer(403, b'{"message":"The request signature we calculated does not match the signature you provided."}')
    return HttpAnswer(200, json.dumps(quota(50_000, 120) if request.target == ACCOUNT else TAKEN).encode())


def signed_well(request: HttpRequest) -> bool:
    """Signed once more, of what came over the wire, by the time that the request says."""
    said = request.headers.get("authorization", "")
    names = said.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    again = AWSRequest(request.method, f"http://{request.headers['host']}{request.target}", data=request.body)
    for name in names:
        again.headers[name] = request.headers[name]
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", CANARY), "ses", "eu-central-1")
    made = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    return said.endswith(f"Signature={made}")


def seen(request: HttpRequest) -> tuple[str, frozenset[str], bytes] | None:
    if request.target != SEND or not signed_well(request):
        return None
    said = request.json()
    path = said.get("FeedbackForwardingEmailAddress", "")
    return path, frozenset(said["Destination"]["ToAddresses"]), base64.b64decode(said["Content"]["Raw"]["Data"])


@pytest.fixture
async def http() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer(respond=respond) as server:
        yield server


def gateway_of(http: ScriptedServer, query: str = "", **options: Any) -> SesGateway:
    url = http.url.replace("http://", f"ses://AKIDEXAMPLE:{CANARY}@") + f"?region=eu-central-1{query}"
    gateway = create(url, GatewayOptions(**options))
    assert isinstance(gateway, SesGateway)
    return gateway


class TestSesGateway(GatewayContract):
    @pytest.fixture
    def server(self, http: ScriptedServer) -> Vendor:
        return Vendor(http, respond, seen)

    @pytest.fixture
    def make_gateway(self, http: ScriptedServer) -> MakeGateway:
        return lambda **options: gateway_of(http, **options)


async def answered(http: ScriptedServer, status: int, **answer: Any) -> Outcome:
    http.answer(status, **answer)
    gateway = gateway_of(http)
    (outcome,) = await gateway.send(outgoing(), on_body=no_matter)
    await gateway.aclose()
    return outcome


@pytest.mark.parametrize(
    ("status", "kind", "message", "cause", "advice", "scope"),
    [
        (429, "TooManyRequestsException", "Too Many Requests", "throttled-rate", "wait", "account"),
        (400, "ThrottlingException", "Maximum sending rate exceeded.", "throttled-rate", "wait", "account"),
        (400, "ThrottlingException", "Daily message quota exceeded.", "quota", "wait", "account"),
        (400, "LimitExceededException", "", "quota", "wait", "account"),
        (400, "AccountSuspendedException", "Account is suspended", "account-blocked", "wait", "account"),
        (400, "SendingPausedException", "Sending is paused", "account-blocked", "wait", "account"),
        (
            400,
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region EU-CENTRAL-1: help@example.com",
            "sender-refused",
            "dead",
            "message",
        ),
        (400, "MailFromDomainNotVerifiedException", "not verified", "sender-refused", "dead", "message"),
        (400, "MessageRejected", "Email address contains a virus", "request-refused", "dead", "message"),
        (400, "BadRequestException", "Bad value", "request-refused", "dead", "message"),
        (404, "NotFoundException", "Configuration set <x> does not exist.", "account-setup", "wait", "account"),
        (403, "ExpiredTokenException", "The security token is expired", "auth-failed", "wait", "account"),
        (503, "ServiceUnavailable", "", "unknown", "unknown", "gateway"),
    ],
)
async def test_an_answer_becomes_a_fault(
    http: ScriptedServer, status: int, kind: str, message: str, cause: str, advice: str, scope: str
) -> None:
    outcome = await answered(http, status, **refused(kind, message))

    fault = classify(outcome, profile="ses-api", http=True, rules=SES_API.rules)

    assert (fault.cause, fault.advice.value, fault.scope.value) == (cause, advice, scope)
    assert fault.text == f"{status} {kind}{': ' * bool(message)}{message}"


async def test_a_type_in_the_body_is_read_too(http: ScriptedServer) -> None:
    said = {"__type": "com.amazonaws.sesv2#TooManyRequestsException", "Message": "Slow down"}

    outcome = await answered(http, 429, json=said)

    assert isinstance(outcome, Refused)
    assert str(outcome.reply) == "429 TooManyRequestsException: Slow down"


async def test_a_signature_that_does_not_fit_shows_nothing_that_was_signed(http: ScriptedServer) -> None:
    said = (
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should have been\n'POST...'"
    )

    outcome = await answered(http, 403, **refused("SignatureDoesNotMatch", said))

    assert isinstance(outcome, Refused)
    assert outcome.reply.text == "SignatureDoesNotMatch: The request signature we calculated does not match."


async def test_the_id_is_that_of_sess_events_and_an_answer_without_one_is_no_yes(http: ScriptedServer) -> None:
    assert await answered(http, 200, json=TAKEN) == Taken(TAKEN["MessageId"], Reply(200, json.dumps(TAKEN)))
    assert isinstance(await answered(http, 200, body=b"<html>"), Unclear)
    assert isinstance(await answered(http, 200, json=[]), Unclear)


async def test_the_configuration_set_travels(http: ScriptedServer) -> None:
    gateway = gateway_of(http, "&configuration_set=desk")
    await gateway.send(outgoing("ann@bücher.example"), on_body=no_matter)
    await gateway.aclose()

    said = http.requests[0].json()
    assert said["ConfigurationSetName"] == "desk"
    assert said["Destination"] == {"ToAddresses": ["ann@xn--bcher-kva.example"]}


# The quota call


@pytest.mark.parametrize(
    ("status", "said", "allowance"),
    [
        (200, quota(200.0, 197.0), Allowance(3, 86_400.0, 200)),
        (200, quota(200.0, 260.0), Allowance(0, 86_400.0, 200)),
        (200, quota(-1, 5), None),
        (200, {"SendQuota": {}}, None),
        (200, {"SendQuota": {"Max24HourSend": "many", "SentLast24Hours": 1}}, None),
        (200, [], None),
        (403, {"message": "User is not authorized to perform: ses:GetAccount"}, None),
    ],
)
async def test_the_quota_is_asked_for(http: ScriptedServer, status: int, said: object, allowance: Allowance | None) -> None:
    http.answer(status, json=said)
    gateway = gateway_of(http)

    assert await gateway.allowance() == allowance
    await gateway.aclose()
    assert (http.requests[0].method, http.requests[0].target) == ("GET", ACCOUNT)


async def test_a_quota_call_that_fails_says_so(http: ScriptedServer) -> None:
    http.answer(500, json={"message": "internal"})
    gateway = gateway_of(http)

    with pytest.raises(OSError, match="500 internal"):
        await gateway.allowance()
    await gateway.aclose()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            quota(200, 3, ProductionAccessEnabled=False),
            "197 of 200 recipients are left for 24 hours; the account is in the sandbox",
        ),
        (quota(-1, 3), "no daily quota"),
    ],
)
async def test_check_says_what_is_left(http: ScriptedServer, said: object, found: str) -> None:
    http.answer(200, json=said)
    gateway = gateway_of(http)

    assert found in await gateway.check()
    await gateway.aclose()


@pytest.mark.parametrize(("said", "found"), [(quota(200, 3, SendingEnabled=False), "paused"), ({}, "not SES")])
async def test_check_says_what_is_wrong(http: ScriptedServer, said: object, found: str) -> None:
    http.answer(200, json=said)
    gateway = gateway_of(http)

    with pytest.raises(OSError, match=found):
        await gateway.check()
    await gateway.aclose()


# Credentials


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without AWS credentials, and without a role."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.mark.usefixtures("nobody")
async def test_without_credentials_the_account_waits_and_nothing_is_sent(http: ScriptedServer) -> None:
    gateway = create(http.url.replace("http://", "ses://") + "?region=eu-central-1", GatewayOptions())

    (outcome,) = await gateway.send(outgoing(), on_body=no_matter)
    with pytest.raises(OSError, match="give the machine a role"):
        await gateway.check()
    await gateway.aclose()

    assert isinstance(outcome, Refused)
    assert outcome.phase is Phase.AUTH
    assert not http.requests
    assert classify(outcome, http=True, rules=SES_API.rules).cause == "auth-failed"


@pytest.mark.usefixtures("nobody")
async def test_credentials_are_found_where_awss_tools_find_them(http: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    gateway = create(http.url.replace("http://", "ses://") + "?region=eu-central-1", GatewayOptions())

    (outcome,) = await gateway.send(outgoing(), on_body=no_matter)
    await gateway.aclose()

    assert isinstance(outcome, Taken)
    assert http.requests[0].headers["x-amz-security-token"] == "session"


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("ses://k:s@email.eu-central-1.amazonaws.com", "eu-central-1"),
        ("ses://k:s@email.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("ses://k:s@email.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("ses://k:s@vpce-1.email.vpce.example?region=eu-west-1", "eu-west-1"),
    ],
)
def test_the_region_is_the_hosts_or_what_is_said(url: str, region: str) -> None:
    gateway = create(url, GatewayOptions())

    assert gateway._authorise._region == region  # type: ignore[attr-defined]


def test_a_host_without_a_region_needs_one() -> None:
    with pytest.raises(SettingsError, match="region=eu-central-1"):
        create("ses://k:s@localhost:9", GatewayOptions(account="a"))


# A server that is not ours


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


async def test_motos_server_takes_a_mail_and_refuses_a_sender_that_nobody_verified(moto: str) -> None:
    import boto3

    names = {"region_name": "us-east-1", "aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": CANARY}
    client = boto3.client("sesv2", endpoint_url=f"http://{moto}", **names)
    client.create_email_identity(EmailIdentity="help@example.com")
    gateway = create(f"ses://AKIDEXAMPLE:{CANARY}@{moto}?region=us-east-1", GatewayOptions())

    (taken,) = await gateway.send(outgoing(), on_body=no_matter)
    mime = b"From: nobody@example.org\r\nTo: ann@example.net\r\nSubject: x\r\n\r\nx\r\n"
    (no,) = await gateway.send(outgoing(mime=mime), on_body=no_matter)
    await gateway.aclose()

    assert isinstance(taken, Taken)
    assert taken.remote_id
    assert isinstance(no, Refused)
    assert "Did not have authority to send from" in no.reply.text
