"""The real thing: Postfix, with TLS, a rate limit, greylisting and a short temper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from ticketmail.adapters.smtp import create
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken
from ticketmail.domain.ports.sending import Gateway, GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing

from .conftest import Trust
from .postfix import Postfix, can_run, running_postfix

pytestmark = pytest.mark.postfix


@pytest.fixture(scope="module")
def postfix(trust: Trust) -> Iterator[Postfix]:
    if reason := can_run():
        pytest.skip(reason)
    with running_postfix(trust.server_pem) as running:
        yield running


@asynccontextmanager
async def gateway_to(port: int, query: str = "", **options: object) -> AsyncIterator[Gateway]:
    gateway = create(f"smtp://localhost:{port}{query}", GatewayOptions(**options))
    yield gateway
    await gateway.aclose()


async def send(gateway: Gateway, *recipients: str, mime: bytes = outgoing().mime) -> list[Outcome]:
    return list(await gateway.send(outgoing(*recipients, mime=mime), on_body=no_matter))


async def test_it_takes_many_mails_over_verified_tls(postfix: Postfix, trust: Trust) -> None:
    async with gateway_to(postfix.plain, "?tls=required", ca_file=trust.ca_file, connections=4, dsn=True) as gateway:
        assert "with TLS" in await gateway.check()
        results = await asyncio.gather(*(send(gateway, f"user{number}@example.net") for number in range(50)))

    taken = [outcome for (outcome,) in results if isinstance(outcome, Taken)]
    assert len({outcome.remote_id for outcome in taken} - {""}) == 50


async def test_a_certificate_it_cannot_prove_stops_everything(postfix: Postfix) -> None:
    async with gateway_to(postfix.plain, "?tls=required") as gateway:
        (outcome,) = await send(gateway)

    assert isinstance(outcome, NotReached)
    assert (outcome.phase, outcome.tls) == (Phase.TLS, True)


@pytest.mark.parametrize("pipelining", [True, False])
async def test_each_recipient_has_its_own_answer_and_the_session_goes_on(postfix: Postfix, pipelining: bool) -> None:
    async with gateway_to(postfix.plain, connections=1, pipelining=pipelining) as gateway:
        mixed = await send(gateway, "ann@example.net", "gone@example.net", "änn@example.net")
        nobody = await send(gateway, "gone@example.net")
        after = await send(gateway, "bob@example.net")

    assert [type(outcome) for outcome in (*mixed, *nobody, *after)] == [Taken, Refused, Taken, Refused, Taken]
    assert isinstance(mixed[1], Refused)
    assert (mixed[1].reply.code, mixed[1].reply.enhanced, mixed[1].phase) == (550, "5.1.1", Phase.RCPT)


async def test_a_mail_over_its_size_limit_is_not_even_begun(postfix: Postfix) -> None:
    async with gateway_to(postfix.plain) as gateway:
        (outcome,) = await send(gateway, mime=b"Subject: x\r\n\r\n" + b"yy\r\n" * 100_000)

    assert isinstance(outcome, Refused)
    assert (outcome.reply.code, outcome.reply.enhanced) == (552, "5.3.4")


async def test_its_rate_limit_is_a_temporary_refusal_and_the_session_lives(postfix: Postfix) -> None:
    async with gateway_to(postfix.rated, connections=1) as gateway:
        outcomes = [(await send(gateway))[0] for _ in range(5)]

    assert [type(outcome) for outcome in outcomes] == [Taken] * 3 + [Refused] * 2
    assert isinstance(outcomes[4], Refused)
    assert outcomes[4].reply.code == 450
    assert outcomes[4].reply.enhanced == "4.7.1"
    assert "too much mail" in outcomes[4].reply.text


async def test_greylisting_says_when_to_come_back(postfix: Postfix) -> None:
    async with gateway_to(postfix.grey) as gateway:
        (first,) = await send(gateway, "new@example.net")
        (second,) = await send(gateway, "new@example.net")

    assert isinstance(first, Refused)
    assert (first.reply.code, first.phase, first.retry_after_s) == (450, Phase.RCPT, 300)
    assert isinstance(second, Taken)


async def test_after_too_many_errors_it_hangs_up_and_the_next_mail_goes(postfix: Postfix) -> None:
    async with gateway_to(postfix.strict, connections=1) as gateway:
        refused = await send(gateway, *["gone@example.net"] * 5)
        (after,) = await send(gateway, "ann@example.net")

    codes = [outcome.reply.code for outcome in refused if isinstance(outcome, Refused)]
    assert codes[0] == 550
    assert codes[-1] == 421
    assert len(codes) == 5
    assert isinstance(after, Taken)
