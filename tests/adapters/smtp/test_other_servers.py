"""Servers that we did not write: aiosmtpd, and Postfix's smtp-sink."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as AiosmtpdServer
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from ticketmail.adapters.mime import MimeRenderer
from ticketmail.adapters.smtp import create
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.outbound.outcome import Phase, Refused, Taken
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing, until

from .conftest import Trust

SINK = shutil.which("smtp-sink") or shutil.which("/usr/sbin/smtp-sink")
RICH = MimeRenderer().render(
    Message(
        sender="Jürgen <help@example.com>",
        to="ann@example.net",
        subject="Grüße — " * 20,
        text="äöü\n.\n..\n" * 50,
        html="<p>äöü</p>",
        attachments=(Attachment(filename="ü.bin", content=bytes(range(256)) * 2000),),
    ),
    headers=(("Message-ID", "<1@example.com>"),),
    contents={},
    seed="s",
)


class Keeping:
    """An aiosmtpd handler that keeps envelopes and knows one address that does not exist."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(
        self, server: AiosmtpdServer, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: AiosmtpdServer, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 OK id=KEPT"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def authenticated(server: object, session: object, envelope: object, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"help@example.com", b"right"), handled=False)


@pytest.fixture
def aiosmtpd(trust: Trust) -> Iterator[Controller]:
    controller = Controller(
        Keeping(),
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=trust.server,
        require_starttls=True,
        authenticator=authenticated,
        auth_required=True,
        enable_SMTPUTF8=True,
    )
    controller.start()
    yield controller
    controller.stop()


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_aiosmtpd_over_starttls_with_login(aiosmtpd: Controller, trust: Trust, password: str) -> None:
    url = f"smtp://help%40example.com:{password}@127.0.0.1:{aiosmtpd.port}"
    gateway = create(url, GatewayOptions(ca_file=trust.ca_file))

    outcomes = await gateway.send(outgoing("ann@example.net", "gone@example.net", mime=RICH), on_body=no_matter)
    await gateway.aclose()

    if password == "wrong":
        assert {(outcome.reply.code, outcome.phase) for outcome in outcomes if isinstance(outcome, Refused)} == {
            (535, Phase.AUTH)
        }
        return
    assert [type(outcome) for outcome in outcomes] == [Taken, Refused]
    assert isinstance(outcomes[0], Taken)
    assert outcomes[0].remote_id == "KEPT"
    (envelope,) = aiosmtpd.handler.envelopes
    assert envelope.content == RICH
    assert envelope.rcpt_tos == ["ann@example.net"]


async def test_aiosmtpd_takes_several_mails_on_one_session_after_an_error(aiosmtpd: Controller, trust: Trust) -> None:
    gateway = create(f"smtp://help%40example.com:right@127.0.0.1:{aiosmtpd.port}", GatewayOptions(ca_file=trust.ca_file))

    first = await gateway.send(outgoing("gone@example.net"), on_body=no_matter)
    second = await gateway.send(outgoing("änn@exämple.net"), on_body=no_matter)
    await gateway.aclose()

    assert [type(first[0]), type(second[0])] == [Refused, Taken]
    assert aiosmtpd.handler.envelopes[0].rcpt_tos == ["änn@exämple.net"]


@pytest.fixture
async def sink(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[int, Path]]:
    """smtp-sink with the options of the test's parameter; its port and the folder that gets a file per mail."""
    if SINK is None:
        pytest.skip("Postfix's smtp-sink is not installed")
    port = free_port()
    arguments = ["-u", getpass.getuser(), "-d", f"{tmp_path}/mail.", *getattr(request, "param", []), f"127.0.0.1:{port}", "100"]
    process = await asyncio.create_subprocess_exec(SINK, *arguments)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(listens)
        yield port, tmp_path
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("sink", [[], ["-p"], ["-e"]], indirect=True, ids=["pipelining", "no-pipelining", "no-esmtp"])
async def test_smtp_sink_takes_what_we_send(sink: tuple[int, Path]) -> None:
    port, folder = sink
    gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions(connections=4))

    results = await asyncio.gather(*(gateway.send(outgoing(mime=RICH), on_body=no_matter) for _ in range(40)))
    await gateway.aclose()

    assert all(isinstance(outcomes[0], Taken) for outcomes in results)
    await until(lambda: len(list(folder.iterdir())) == 40)
    kept = next(folder.iterdir()).read_bytes()
    assert RICH.replace(b"\r\n", b"\n").strip() in kept


@pytest.mark.parametrize("sink", [["-f", "rcpt"], ["-f", "data"], ["-f", "."], ["-r", "mail"]], indirect=True)
async def test_smtp_sink_refuses_and_the_session_stays_in_step(sink: tuple[int, Path]) -> None:
    port, _ = sink
    gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions(connections=1))

    outcomes = [(await gateway.send(outgoing(), on_body=no_matter))[0] for _ in range(3)]
    await gateway.aclose()

    assert {type(outcome) for outcome in outcomes} == {Refused}
    assert len({outcome.phase for outcome in outcomes}) == 1
