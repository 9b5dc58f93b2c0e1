"""null:// keeps the gateway contract and mails nobody."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ticketmail.adapters.null import NullGateway, create
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.outcome import Refused, Taken
from ticketmail.domain.ports.sending import GatewayOptions, OnBody, Outgoing
from ticketmail.testing.gateway_contract import CannotPlay, GatewayContract, MakeGateway, no_matter, outgoing


class Remembering(NullGateway):
    """Remembers what it was given, since nothing else can be seen of it."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[tuple[str, frozenset[str], bytes]] = []

    async def send(self, mail: Outgoing, *, on_body: OnBody) -> Sequence[object]:
        outcomes = await super().send(mail, on_body=on_body)
        taken = frozenset(
            address for address, outcome in zip(mail.recipients, outcomes, strict=True) if isinstance(outcome, Taken)
        )
        if taken:
            self.mails.append((mail.return_path, taken, mail.mime))
        return outcomes


class Nobody:
    """The other side of null://: there is none."""

    def __init__(self) -> None:
        self.gateway = Remembering()

    def taken(self) -> Sequence[tuple[str, frozenset[str], bytes]]:
        return self.gateway.mails

    def refuse_recipient(self, address: str) -> None:
        self.gateway._refuse = (address,)

    def refuse_all(self) -> None:
        self.gateway._refuse = ("@",)

    def cut_before_body(self) -> None:
        raise CannotPlay("there is no connection")

    hang_before_body = cut_after_taking = hang_after_taking = cut_before_body

    def heal(self) -> None:
        self.gateway._refuse = ()

    async def vanish(self) -> None:
        raise CannotPlay("nobody cannot vanish")


class TestNullContract(GatewayContract):
    @pytest.fixture
    def server(self) -> Nobody:
        return Nobody()

    @pytest.fixture
    def make_gateway(self, server: Nobody) -> MakeGateway:
        return lambda **_: server.gateway


async def test_it_says_that_nobody_outside_is_mailed() -> None:
    assert create("null://", GatewayOptions()).capabilities.network is False


async def test_refuse_in_the_url_refuses_addresses_that_contain_it() -> None:
    gateway = create("null://?refuse=gone@", GatewayOptions())

    outcomes = await gateway.send(outgoing("Gone@example.net", "ann@example.net"), on_body=no_matter)

    assert [type(outcome) for outcome in outcomes] == [Refused, Taken]


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(SettingsError, match="'refuze'"):
        create("null://?refuze=x", GatewayOptions())
