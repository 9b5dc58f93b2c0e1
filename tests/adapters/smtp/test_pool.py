"""The pool: never more than allowed, reused while it is good, dropped when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from ticketmail.adapters.smtp.gateway import SmtpGateway
from ticketmail.adapters.smtp.target import target_of
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Refused, Taken
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing, until
from ticketmail.testing.smtpd import ServerLimits, SmtpServer

from .raw_server import Line, raw_server


@asynccontextmanager
async def gateway_for(port: int, **options: object) -> AsyncIterator[SmtpGateway]:
    settings = GatewayOptions(**options)
    gateway = SmtpGateway(target_of(f"smtp://127.0.0.1:{port}", settings), settings)
    yield gateway
    await gateway.aclose()


async def send(gateway: SmtpGateway, *recipients: str) -> Outcome:
    return (await gateway.send(outgoing(*recipients), on_body=no_matter))[0]


async def test_one_session_serves_many_mails(server: SmtpServer) -> None:
    async with gateway_for(server.port) as gateway:
        for _ in range(10):
            assert isinstance(await send(gateway), Taken)

    assert server.connections_count == 1


async def test_a_good_mail_leaves_nothing_to_reset(server: SmtpServer) -> None:
    async with gateway_for(server.port) as gateway:
        await send(gateway)
        await send(gateway)

    assert b"RSET" not in server.commands
    assert b"NOOP" not in server.commands


async def test_no_more_sessions_than_allowed_however_many_send(server: SmtpServer) -> None:
    async with gateway_for(server.port, connections=3) as gateway:
        outcomes = await asyncio.gather(*(send(gateway, f"u{number}@example.net") for number in range(60)))

    assert all(isinstance(outcome, Taken) for outcome in outcomes)
    assert server.connections_peak == 3
    assert server.connections_count == 3


async def test_the_youngest_idle_sessions_are_closed_where_fewer_are_to_be_kept(server: SmtpServer) -> None:
    async with gateway_for(server.port, connections=3) as gateway:
        await send(gateway)
        await asyncio.gather(*(send(gateway) for _ in range(9)))
        assert gateway.keep(3) == 3

        assert gateway.keep(1) == 1
        await until(lambda: server.connections_open == 1)
        await asyncio.gather(*(send(gateway) for _ in range(9)))  # of a burst one is kept again
        await until(lambda: server.connections_open == 1)
        assert gateway.keep(1) == 1


async def test_check_keeps_to_the_cap_too(server: SmtpServer) -> None:
    async with gateway_for(server.port, connections=1) as gateway:
        await send(gateway)
        await gateway.check()
        await until(lambda: server.connections_open == 1)

    assert server.connections_count == 2


async def test_who_waits_is_served_in_order(server: SmtpServer) -> None:
    order: list[int] = []

    async def one(gateway: SmtpGateway, number: int) -> None:
        async def record(_: Sequence[int]) -> None:
            order.append(number)

        await gateway.send(outgoing(), on_body=record)

    async with gateway_for(server.port, connections=1) as gateway:
        await asyncio.gather(*(one(gateway, number) for number in range(20)))

    assert order == list(range(20))


async def test_a_session_ends_after_so_many_mails(server: SmtpServer) -> None:
    async with gateway_for(server.port, messages_per_connection=3) as gateway:
        for _ in range(7):
            await send(gateway)

    assert [mail.connection for mail in server.taken] == [1, 1, 1, 2, 2, 2, 3]
    assert b"QUIT" in server.commands


async def test_a_server_that_takes_fewer_on_one_connection_is_asked_for_too_much_once() -> None:
    async with SmtpServer(limits=ServerLimits(mails_per_connection=3)) as server, gateway_for(server.port) as gateway:
        outcomes = [await send(gateway, "ann@example.net") for _ in range(13)]
        assert [place for place, one in enumerate(outcomes) if isinstance(one, Refused)] == [3]
        assert server.connections_count == 4


async def test_a_session_ends_after_so_many_seconds(server: SmtpServer) -> None:
    now = 0.0
    async with gateway_for(server.port, seconds_per_connection=100.0) as gateway:
        gateway._pool.now_s = lambda: now + asyncio.get_running_loop().time()
        await send(gateway)
        now = 99.0
        await send(gateway)
        now = 101.0
        await send(gateway)

    assert [mail.connection for mail in server.taken] == [1, 1, 2]


async def test_a_session_that_idled_long_is_asked_before_it_is_used(server: SmtpServer) -> None:
    now = 0.0
    async with gateway_for(server.port) as gateway:
        gateway._pool.now_s = lambda: now + asyncio.get_running_loop().time()
        await send(gateway)
        now = 11.0
        await send(gateway)

    assert server.connections_count == 1
    assert server.commands.count(b"NOOP") == 1


async def test_after_an_error_the_session_is_reset_before_it_is_used(server: SmtpServer) -> None:
    server.refuse("rcpt", "550 5.1.1 No such user", recipient="gone@example.net")
    async with gateway_for(server.port) as gateway:
        assert isinstance(await send(gateway, "gone@example.net"), Refused)
        assert isinstance(await send(gateway), Taken)

    assert server.connections_count == 1
    assert server.commands.count(b"RSET") == 1


async def test_a_421_ends_its_own_session_only(server: SmtpServer) -> None:
    async with gateway_for(server.port, connections=2) as gateway:
        await asyncio.gather(send(gateway), send(gateway))
        server.refuse("mail", "421 4.7.0 Enough", times=1)
        assert isinstance(await send(gateway), Refused)
        assert gateway._pool.idle == 1
        assert isinstance(await send(gateway), Taken)

    assert server.connections_count == 2


async def test_idle_sessions_are_closed(server: SmtpServer) -> None:
    async with gateway_for(server.port, idle_s=0.05) as gateway:
        await send(gateway)
        assert gateway._pool.idle == 1

        await until(lambda: server.connections_open == 0)

        assert gateway._pool.idle == 0


async def test_a_session_that_the_server_closed_while_idle_is_not_noticed_by_a_mail(server: SmtpServer) -> None:
    async with gateway_for(server.port) as gateway:
        await send(gateway)
        server.drop_connections()
        await until(lambda: server.connections_open == 0)

        assert isinstance(await send(gateway), Taken)


async def test_a_session_found_closed_at_its_first_word_gives_way_to_a_new_one() -> None:
    """The server's close crosses our MAIL on the way: nothing was said by it, so nothing was taken."""

    async def first(line: Line) -> None:
        await line.envelope()
        await line.body()
        line.say("250 ok")
        await line.hear()
        line.cut()

    async def second(line: Line) -> None:
        await line.envelope()
        await line.body()
        line.say("250 ok")

    async with raw_server(first, second) as port, gateway_for(port) as gateway:
        assert isinstance(await send(gateway), Taken)
        assert isinstance(await send(gateway), Taken)


async def test_a_new_session_found_closed_is_not_tried_again() -> None:
    async def only(line: Line) -> None:
        await line.greet("PIPELINING")
        await line.hear()
        line.cut()

    async with raw_server(only) as port, gateway_for(port) as gateway:
        assert isinstance(await send(gateway), NotReached)


async def test_a_word_that_nobody_asked_for_ends_an_idle_session() -> None:
    async def first(line: Line) -> None:
        await line.envelope()
        await line.body()
        line.say("250 ok")
        await line.writer.drain()
        line.say("421 4.4.2 idle for too long")

    async def second(line: Line) -> None:
        await line.envelope()
        await line.body()
        line.say("250 2.0.0 Ok: queued as SECOND")

    async with raw_server(first, second) as port, gateway_for(port) as gateway:
        await send(gateway)
        await until(lambda: not gateway._pool._idle or not gateway._pool._idle[0].wire.usable)
        outcome = await send(gateway)

    assert isinstance(outcome, Taken)
    assert outcome.remote_id == "SECOND"


async def test_a_place_that_was_waited_for_in_vain_is_free_again(server: SmtpServer) -> None:
    server.hang("dot", nth=1)
    async with gateway_for(server.port, connections=1) as gateway:
        stuck = asyncio.create_task(send(gateway))
        await until(lambda: server.mails_begun == 1)
        waiting = asyncio.create_task(send(gateway))
        await asyncio.sleep(0)
        waiting.cancel()
        stuck.cancel()
        results = await asyncio.gather(stuck, waiting, return_exceptions=True)

        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        assert isinstance(await asyncio.wait_for(send(gateway), 5), Taken)


async def test_a_failed_connection_gives_its_place_back(server: SmtpServer) -> None:
    server.refuse("connect", "554 5.7.1 No", times=3)
    async with gateway_for(server.port, connections=1) as gateway:
        for _ in range(3):
            assert isinstance(await send(gateway), Refused)

        assert isinstance(await send(gateway), Taken)


async def test_a_server_with_fewer_connections_than_we_use_refuses_the_rest_as_connections() -> None:
    async with SmtpServer(limits=ServerLimits(connections=1)) as server, gateway_for(server.port, connections=3) as gateway:
        outcomes = await asyncio.gather(*(send(gateway) for _ in range(3)))

    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 2
    assert {str(outcome.reply) for outcome in refused} == {"421 4.3.2 Concurrent connections limit exceeded"}


@pytest.mark.parametrize("times", [1, 2])
async def test_after_aclose_everything_is_closed_and_a_send_still_works(server: SmtpServer, times: int) -> None:
    async with gateway_for(server.port) as gateway:
        await send(gateway)
        for _ in range(times):
            await gateway.aclose()
        await until(lambda: server.connections_open == 0)

        assert isinstance(await send(gateway), Taken)
        await until(lambda: server.connections_open == 0)
