"""The real thing: Postfix, with TLS, a rate limit, greylisting and a short temper."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ticketmail.adapters.smtp import create
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken
from ticketmail.domain.ports.sending import Gateway, GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing

pytestmark = pytest.mark.postfix


def of_service(name: str) -> str:
    """A value that ``scripts/services`` gives, or the test is skipped."""
    value = os.environ.get(f"TICKETMAIL_TEST_POSTFIX{name}")
    if not value:
        pytest.skip("no Postfix: `scripts/services run -- pytest ...` starts it, as root")
    return value


@asynccontextmanager
async def gateway_to(name: str, query: str = "", **options: object) -> AsyncIterator[Gateway]:
    """A gateway to one of the service's ports: PLAIN, STRICT, GREYLIST, or '' for the limited one."""
    url = of_service(name).replace("127.0.0.1", "localhost")
    gateway = create(url + query, GatewayOptions(**options))
    yield gateway
    await gateway.aclose()


async def send(gateway: Gateway, *recipients: str, mime: bytes = outgoing().mime) -> list[Outcome]:
    return list(await gateway.send(outgoing(*recipients, mime=mime), on_body=no_matter))


async def test_it_takes_many_mails_over_verified_tls() -> None:
    async with gateway_to("_PLAIN", "?tls=required", ca_file=of_service("_CA"), connections=4, dsn=True) as gateway:
        assert "with TLS" in await gateway.check()
        results = await asyncio.gather(*(send(gateway, f"user{number}@example.net") for number in range(50)))

    taken = [outcome for (outcome,) in results if isinstance(outcome, Taken)]
    assert len({outcome.remote_id for outcome in taken} - {""}) == 50


async def test_a_certificate_it_cannot_prove_stops_everything() -> None:
    async with gateway_to("_PLAIN", "?tls=required") as gateway:
        (outcome,) = await send(gateway)

    assert isinstance(outcome, NotReached)
    assert (outcome.phase, outcome.tls) == (Phase.TLS, True)


@pytest.mark.parametrize("pipelining", [True, False])
async def test_each_recipient_has_its_own_answer_and_the_session_goes_on(pipelining: bool) -> None:
    async with gateway_to("_PLAIN", connections=1, pipelining=pipelining) as gateway:
        mixed = await send(gateway, "ann@example.net", "gone@example.net", "änn@example.net")
        nobody = await send(gateway, "gone@example.net")
        after = await send(gateway, "bob@example.net")

    assert [type(outcome) for outcome in (*mixed, *nobody, *after)] == [Taken, Refused, Taken, Refused, Taken]
    assert isinstance(mixed[1], Refused)
    assert (mixed[1].reply.code, mixed[1].reply.enhanced, mixed[1].phase) == (550, "5.1.1", Phase.RCPT)


async def test_a_mail_over_its_size_limit_is_not_even_begun() -> None:
    async with gateway_to("_PLAIN") as gateway:
        (outcome,) = await send(gateway, mime=b"Subject: x\r\n\r\n" + b"yy\r\n" * 100_000)

    assert isinstance(outcome, Refused)
    assert (outcome.reply.code, outcome.reply.enhanced) == (552, "5.3.4")


async def test_its_rate_limit_is_a_temporary_refusal_and_the_session_lives() -> None:
    """Twenty in two seconds are taken; what came before, in other tests, may have spent some of them."""
    outcomes: list[Outcome] = []
    async with gateway_to("", connections=1) as gateway:
        while len(outcomes) < 200 and not any(isinstance(outcome, Refused) for outcome in outcomes):
            outcomes += await send(gateway)
        (again,) = await send(gateway)

    refused = outcomes[-1]
    assert isinstance(refused, Refused)
    assert (refused.reply.code, refused.reply.enhanced) == (450, "4.7.1")
    assert "too much mail" in refused.reply.text
    assert isinstance(again, Refused | Taken)


async def test_greylisting_says_when_to_come_back() -> None:
    stranger = f"{uuid.uuid4().hex}@example.net"
    async with gateway_to("_GREYLIST") as gateway:
        (first,) = await send(gateway, stranger)
        await asyncio.sleep(float(of_service("_GREYLIST_WAIT_S")) + 0.2)
        (second,) = await send(gateway, stranger)

    assert isinstance(first, Refused)
    assert (first.reply.code, first.phase, first.retry_after_s) == (450, Phase.RCPT, 3)
    assert isinstance(second, Taken)


async def test_after_too_many_errors_it_hangs_up_and_the_next_mail_goes() -> None:
    async with gateway_to("_STRICT", connections=1) as gateway:
        refused = await send(gateway, *["gone@example.net"] * 5)
        (after,) = await send(gateway, "ann@example.net")

    codes = [outcome.reply.code for outcome in refused if isinstance(outcome, Refused)]
    assert codes[0] == 550
    assert codes[-1] == 421
    assert len(codes) == 5
    assert isinstance(after, Taken)
