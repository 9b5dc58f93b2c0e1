"""Phases told apart: what may have been taken is Unclear, and nothing else is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from ticketmail.adapters.smtp import create
from ticketmail.adapters.smtp.envelope import Plan
from ticketmail.adapters.smtp.transaction import Transaction
from ticketmail.adapters.smtp.wire import Wire
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken, Unclear
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing, until
from ticketmail.testing.smtpd import Features, SmtpServer

from .raw_server import Line, raw_server

BIG = b"Subject: big\r\n\r\n" + (b"y" * 76 + b"\r\n") * 100_000


async def send(port: int, *recipients: str, mime: bytes = outgoing().mime, **options: object) -> Sequence[Outcome]:
    gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions(**options))
    try:
        return await gateway.send(outgoing(*recipients, mime=mime), on_body=no_matter)
    finally:
        await gateway.aclose()


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("point", "expected", "phase"),
    [
        ("connect", NotReached, Phase.BANNER),
        ("ehlo", NotReached, Phase.EHLO),
        ("mail", NotReached, Phase.MAIL),
        ("rcpt", NotReached, Phase.RCPT),
        ("data", NotReached, Phase.DATA),
        ("dot", Unclear, Phase.DOT),
        ("taken", Unclear, Phase.DOT),
    ],
)
async def test_a_cut_is_told_by_its_phase(
    server: SmtpServer, point: str, expected: type[Outcome], phase: Phase, pipelining: bool
) -> None:
    server.cut(point)

    (outcome,) = await send(server.port, pipelining=pipelining)

    assert isinstance(outcome, expected)
    assert outcome.phase is phase


@pytest.mark.parametrize(
    ("point", "expected", "phase"),
    [
        ("connect", NotReached, Phase.BANNER),
        ("ehlo", NotReached, Phase.EHLO),
        ("mail", NotReached, Phase.MAIL),
        ("rcpt", NotReached, Phase.RCPT),
        ("data", NotReached, Phase.DATA),
        ("dot", Unclear, Phase.DOT),
        ("taken", Unclear, Phase.DOT),
    ],
)
async def test_a_time_out_is_told_by_its_phase(server: SmtpServer, point: str, expected: type[Outcome], phase: Phase) -> None:
    server.hang(point)
    quick = tuple((name, 0.2) for name in ("banner", "ehlo", "mail", "rcpt", "data", "dot"))

    (outcome,) = await send(server.port, timeouts_s=quick)

    assert isinstance(outcome, expected)
    assert outcome.phase is phase


async def test_a_cut_inside_a_large_body_is_not_reached(server: SmtpServer) -> None:
    server.cut("body")

    (outcome,) = await send(server.port, mime=BIG)

    assert isinstance(outcome, NotReached)
    assert outcome.phase is Phase.BODY


async def test_a_server_that_stops_reading_inside_the_body_is_not_reached() -> None:
    async def talk(line: Line) -> None:
        await line.envelope()
        line.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with raw_server(talk) as port:
        (outcome,) = await send(port, mime=BIG, timeouts_s=(("body", 0.3), ("dot", 0.3)))

    assert isinstance(outcome, NotReached)
    assert outcome.phase is Phase.BODY


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Wire, socket.socket]]:
    """A wire whose kernel buffers hold a few kilobytes, and the other end, which nobody reads."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    wire = Wire(transport)
    yield wire, theirs
    wire.abort()
    theirs.close()
    await asyncio.sleep(0)


def transaction(wire: Wire, body: bytes) -> Transaction:
    timeouts = {phase: 0.2 for phase in Phase}
    return Transaction(wire, Plan(b"MAIL FROM:<>", ((0, b"RCPT TO:<a@b.c>"),), body), timeouts, no_matter)


async def test_a_dot_still_in_our_own_buffer_when_time_is_up_is_not_reached(pair: tuple[Wire, socket.socket]) -> None:
    """The last chunk and the dot were handed to the transport; most of it never reached the kernel."""
    wire, theirs = pair
    theirs.send(b"250 ok\r\n250 ok\r\n354 go\r\n")

    (outcome,) = await transaction(wire, b"y" * 200_000 + b"\r\n").run(pipelined=True)

    assert isinstance(outcome, NotReached)
    assert outcome.phase is Phase.BODY


async def test_a_dot_that_left_our_buffer_is_unclear_when_time_is_up(pair: tuple[Wire, socket.socket]) -> None:
    wire, theirs = pair
    theirs.send(b"250 ok\r\n250 ok\r\n354 go\r\n")

    (outcome,) = await transaction(wire, b"y\r\n").run(pipelined=True)

    assert isinstance(outcome, Unclear)


async def test_what_was_in_our_buffer_never_leaves_after_an_abort(pair: tuple[Wire, socket.socket]) -> None:
    wire, theirs = pair
    theirs.send(b"250 ok\r\n250 ok\r\n354 go\r\n")
    await transaction(wire, b"y" * 200_000 + b"\r\n").run(pipelined=True)

    wire.abort()
    got = b""
    while chunk := await asyncio.get_running_loop().sock_recv(theirs, 65536):
        got += chunk

    assert len(got) < 200_000
    assert not got.endswith(b".\r\n")


async def test_an_answer_in_the_middle_of_the_body_is_a_refusal_before_the_dot() -> None:
    async def talk(line: Line) -> None:
        await line.envelope()
        await line.reader.readexactly(300_000)
        line.say("552 5.3.4 too big")
        await asyncio.Event().wait()

    async with raw_server(talk) as port:
        (outcome,) = await send(port, mime=BIG)

    assert isinstance(outcome, Refused)
    assert (outcome.reply.code, outcome.reply.enhanced, outcome.phase) == (552, "5.3.4", Phase.BODY)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("point", "reply", "phase"),
    [
        ("connect", "554 5.7.1 No", Phase.BANNER),
        ("connect", "421 4.3.2 Busy", Phase.BANNER),
        ("ehlo", "421 4.3.2 Busy", Phase.EHLO),
        ("mail", "450 4.7.0 Slow down", Phase.MAIL),
        ("mail", "421 4.7.0 Bye", Phase.MAIL),
        ("rcpt", "550 5.1.1 No such user", Phase.RCPT),
        ("rcpt", "421 4.7.0 Bye", Phase.RCPT),
        ("data", "451 4.3.0 Later", Phase.DATA),
        ("dot", "554 5.7.1 Spam", Phase.DOT),
        ("dot", "421 4.7.0 Bye", Phase.DOT),
    ],
)
async def test_a_refusal_is_told_by_its_phase_for_every_recipient(
    server: SmtpServer, point: str, reply: str, phase: Phase, pipelining: bool
) -> None:
    server.refuse(point, reply)

    outcomes = await send(server.port, "ann@example.net", "bob@example.net", pipelining=pipelining)

    assert [str(outcome.reply) for outcome in outcomes if isinstance(outcome, Refused)] == [reply, reply]
    assert {outcome.phase for outcome in outcomes} == {phase}
    assert not server.taken


async def test_a_refusal_at_the_dot_leaves_refused_recipients_as_they_were(server: SmtpServer) -> None:
    server.refuse("rcpt", "550 5.1.1 No such user", recipient="gone@example.net")
    server.cut("taken")

    outcomes = await send(server.port, "gone@example.net", "ann@example.net")

    assert [type(outcome) for outcome in outcomes] == [Refused, Unclear]


async def test_when_everybody_is_refused_a_354_is_answered_with_a_lone_dot() -> None:
    heard: list[bytes] = []

    async def talk(line: Line) -> None:
        await line.envelope("250 ok", "550 5.1.1 no", "354 go on, all the same")
        await line.hear()
        line.say("554 5.5.1 no valid recipients")
        await line.hear()
        line.say("250 ok")
        heard.extend(line.heard)
        await line.again()
        await line.body()
        line.say("250 2.0.0 Ok: queued as A1")

    async with raw_server(talk) as port:
        gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions())
        (first,) = await gateway.send(outgoing("gone@example.net"), on_body=no_matter)
        (second,) = await gateway.send(outgoing("ann@example.net"), on_body=no_matter)
        await gateway.aclose()

    assert isinstance(first, Refused)
    assert heard[4:] == [b".", b"RSET"]
    assert isinstance(second, Taken)


async def test_a_lone_dot_that_a_server_takes_is_still_taken_for_nobody() -> None:
    async def talk(line: Line) -> None:
        await line.envelope("250 ok", "550 5.1.1 no", "354 go")
        await line.hear()
        line.say("250 2.0.0 Ok: queued as EMPTY")

    async with raw_server(talk) as port:
        (outcome,) = await send(port, "gone@example.net")

    assert isinstance(outcome, Refused)
    assert outcome.phase is Phase.RCPT


async def test_when_mail_is_refused_the_answers_to_what_was_pipelined_are_read_away() -> None:
    async def talk(line: Line) -> None:
        await line.envelope("450 4.7.0 slow down", "503 need MAIL", "503 need RCPT")
        assert await line.hear() == b"RSET"
        line.say("250 ok")
        await line.again()
        await line.body()
        line.say("250 ok")

    async with raw_server(talk) as port:
        gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions())
        (first,) = await gateway.send(outgoing(), on_body=no_matter)
        (second,) = await gateway.send(outgoing(), on_body=no_matter)
        await gateway.aclose()

    assert isinstance(first, Refused)
    assert first.phase is Phase.MAIL
    assert isinstance(second, Taken)


async def test_a_server_that_refuses_mail_and_accepts_recipients_gets_no_dot() -> None:
    rest: list[bytes] = []

    async def talk(line: Line) -> None:
        await line.envelope("450 4.7.0 slow down", "250 ok, all the same", "354 go")
        rest.append(await line.reader.read())

    async with raw_server(talk) as port:
        (outcome,) = await send(port)
        await until(lambda: bool(rest))

    assert isinstance(outcome, Refused)
    assert outcome.phase is Phase.MAIL
    assert rest == [b""]


@pytest.mark.parametrize(
    "answers",
    [
        ["hello there"],
        ["2500 what"[:2]],
        ["250 ok", "250 ok", "250 ok is no answer to DATA"],
        ["250-" + "x" * 9000],
        ["250-more"] * 300,
        ["999 no such class"],
    ],
)
async def test_an_answer_that_is_not_smtp_before_the_dot_is_not_reached(answers: list[str]) -> None:
    async def talk(line: Line) -> None:
        await line.envelope(*answers)
        await asyncio.Event().wait()

    async with raw_server(talk) as port:
        (outcome,) = await send(port)

    assert isinstance(outcome, NotReached)


async def test_an_answer_that_is_not_smtp_after_the_dot_is_unclear() -> None:
    async def talk(line: Line) -> None:
        await line.envelope()
        await line.body()
        line.say("thank you!")

    async with raw_server(talk) as port:
        (outcome,) = await send(port)

    assert isinstance(outcome, Unclear)


async def test_a_250_that_comes_in_the_same_breath_as_the_cut_counts() -> None:
    async def talk(line: Line) -> None:
        await line.envelope()
        await line.body()
        line.say("250 2.0.0 Ok: queued as LAST")
        await line.writer.drain()
        line.writer.close()

    async with raw_server(talk) as port:
        (outcome,) = await send(port)

    assert isinstance(outcome, Taken)
    assert outcome.remote_id == "LAST"


async def test_on_body_runs_while_the_server_thinks_about_the_354() -> None:
    recorded = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.envelope("250 ok", "250 ok")
        await recorded.wait()
        line.say("354 go")
        await line.body()
        line.say("250 ok")

    async def record(_: Sequence[int]) -> None:
        recorded.set()

    async with raw_server(talk) as port:
        gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions())
        (outcome,) = await asyncio.wait_for(gateway.send(outgoing(), on_body=record), 10)
        await gateway.aclose()

    assert isinstance(outcome, Taken)


async def test_no_body_byte_leaves_before_on_body_is_done(server: SmtpServer) -> None:
    got: list[bytes] = []

    async def talk(line: Line) -> None:
        await line.envelope()
        while data := await line.reader.read(100):
            got.append(data)

    async def fail(_: Sequence[int]) -> None:
        await asyncio.sleep(0.05)  # long enough for a byte to arrive, if one had been sent
        raise OSError("no room")

    async with raw_server(talk) as port:
        gateway = create(f"smtp://127.0.0.1:{port}", GatewayOptions())
        with pytest.raises(OSError, match="no room"):
            await gateway.send(outgoing(), on_body=fail)
        await asyncio.sleep(0.05)
        await gateway.aclose()

    assert got == []


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    "mime",
    [
        b".\r\n",
        b"..\r\n.\r\n...\r\n",
        b"a\r\n.b\r\n\r\n.\r\nc\r\n",
        b"x" * 300_000 + b"\r\n.\r\n" + b"y" * 300_000 + b"\r\n",
        (b"." * 70 + b"\r\n") * 10_000,
    ],
)
async def test_the_server_gets_the_bytes_dots_and_all(server: SmtpServer, mime: bytes, pipelining: bool) -> None:
    (outcome,) = await send(server.port, mime=mime, pipelining=pipelining)

    assert isinstance(outcome, Taken)
    assert server.taken[0].data == mime


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n"])
async def test_no_line_end_smuggles_a_second_mail(server: SmtpServer, ending: bytes) -> None:
    """CVE-2023-51764 to 51766, from our side: bare CR and LF leave as CRLF, and dots are doubled after that."""
    mime = (
        b"Subject: a\r\n\r\nb"
        + ending
        + b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<all@example.net>\r\nDATA\r\n\r\nevil\r\n.\r\n"
    )

    await send(server.port, mime=mime)

    assert len(server.taken) == 1
    assert server.taken[0].data.count(b"\r\n") == server.taken[0].data.count(b"\n") == server.taken[0].data.count(b"\r")


async def test_without_pipelining_no_command_travels_before_its_time(server: SmtpServer) -> None:
    server.refuse("rcpt", "550 5.1.1 No such user")

    await send(server.port, pipelining=False)

    assert b"DATA" not in server.commands


async def test_pipelining_is_used_only_where_offered() -> None:
    async with SmtpServer(features=Features(pipelining=False)) as plain:
        plain.refuse("rcpt", "550 5.1.1 No such user")

        await send(plain.port)

        assert b"DATA" not in plain.commands
