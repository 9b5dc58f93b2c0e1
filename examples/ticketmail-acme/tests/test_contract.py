"""Acme's gateway keeps the contract of all gateways."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence

import pytest
from ticketmail_acme import create

from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import CANARY, CannotPlay, GatewayContract, MakeGateway
from ticketmail.testing.scripted_http import HttpAnswer, HttpRequest, ScriptedServer


class Acme:
    """Acme's side, scripted."""

    def __init__(self, http: ScriptedServer) -> None:
        self.http = http
        http.respond = self.respond

    def respond(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(202, b'{"id": "a1"}') if request.method == "POST" else HttpAnswer(200, b"{}")

    def taken(self) -> Sequence[tuple[str, frozenset[str], bytes]]:
        mails = [one.json() for one in self.http.requests if one.method == "POST"]
        return [(one["from"], frozenset(one["to"]), base64.b64decode(one["mime"])) for one in mails]

    def refuse_recipient(self, address: str) -> None:
        raise CannotPlay("Acme answers for the whole mail")

    def refuse_all(self) -> None:
        raise CannotPlay("Acme answers after the body")

    def cut_before_body(self) -> None:
        raise CannotPlay("httpx sends header and body without waiting")

    def hang_before_body(self) -> None:
        raise CannotPlay("httpx sends header and body without waiting")

    def cut_after_taking(self) -> None:
        self.http.cut(after_body=True)

    def hang_after_taking(self) -> None:
        self.http.hang()

    def heal(self) -> None:
        self.http.heal()

    async def vanish(self) -> None:
        await self.http.stop()


class TestAcmeGateway(GatewayContract):
    @pytest.fixture
    async def server(self) -> AsyncIterator[Acme]:
        async with ScriptedServer() as http:
            yield Acme(http)

    @pytest.fixture
    def make_gateway(self, server: Acme) -> MakeGateway:
        def make(**options: object) -> object:
            return create(server.http.url.replace("http://", f"acme+http://:{CANARY}@"), GatewayOptions(**options))

        return make
