"""The gateway contract, against the kit's server: pipelined, step by step, and over TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from ticketmail.adapters.smtp import create
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import CANARY, GatewayContract, MakeGateway
from ticketmail.testing.smtpd import Features, SmtpServer


class Played:
    """The kit's server as the contract wants it."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server

    def taken(self) -> Sequence[tuple[str, frozenset[str], bytes]]:
        return [(mail.mail_from, frozenset(mail.recipients), mail.data) for mail in self.server.taken]

    def refuse_recipient(self, address: str) -> None:
        self.server.refuse("rcpt", "550 5.1.1 No such user", recipient=address)

    def refuse_all(self) -> None:
        self.server.refuse("rcpt", "450 4.7.1 Try later")

    def cut_before_body(self) -> None:
        self.server.cut("data")

    def hang_before_body(self) -> None:
        self.server.hang("data")

    def cut_after_taking(self) -> None:
        self.server.cut("taken")

    def hang_after_taking(self) -> None:
        self.server.hang("taken")

    def heal(self) -> None:
        self.server.heal()

    async def vanish(self) -> None:
        await self.server.stop()


class _SmtpContract(GatewayContract):
    def features(self) -> Features:
        return Features(users={"help": CANARY})

    @pytest.fixture
    async def server(self) -> AsyncIterator[Played]:
        async with SmtpServer(features=self.features()) as running:
            yield Played(running)

    @pytest.fixture
    def make_gateway(self, server: Played) -> MakeGateway:
        return lambda **options: create(
            f"smtp://help:{CANARY}@127.0.0.1:{server.server.port}", GatewayOptions(connections=3, **options)
        )


class TestPipelined(_SmtpContract):
    """PIPELINING offered and used."""


class TestStepByStep(_SmtpContract):
    """No PIPELINING."""

    def features(self) -> Features:
        return Features(pipelining=False, users={"help": CANARY})


class TestOverTls(_SmtpContract):
    """STARTTLS with a verified certificate."""

    @pytest.fixture(autouse=True)
    def _trust(self, trust: object) -> None:
        self.trust = trust

    def features(self) -> Features:
        return Features(users={"help": CANARY}, starttls=self.trust.server, tls_before_auth=True)

    @pytest.fixture
    def make_gateway(self, server: Played) -> MakeGateway:
        return lambda **options: create(
            f"smtp://help:{CANARY}@localhost:{server.server.port}?tls=required",
            GatewayOptions(connections=3, ca_file=self.trust.ca_file, **options),
        )
