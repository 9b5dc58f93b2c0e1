"""What every gateway must do. Subclass it, give two fixtures, run pytest (with pytest-asyncio, ``asyncio_mode = "auto"``)::

    class TestMyGateway(GatewayContract):
        @pytest.fixture
        async def server(self):                       # a GatewayServer: the other side, under your control
            ...
        @pytest.fixture
        def make_gateway(self, server):               # a new gateway for that server; keyword arguments are GatewayOptions fields
            def make(**options):
                return create(server.url, GatewayOptions(**options))
            return make

Tests that need what a gateway does not have (by its ``capabilities``) or what the server cannot play are skipped, visibly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, cast
from uuid import uuid4

import pytest

from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken, Unclear
from ticketmail.domain.ports.sending import Gateway, KeepsConnections, Outgoing

__all__ = ["CANARY", "CannotPlay", "GatewayContract", "GatewayServer", "MakeGateway", "outgoing"]

MakeGateway = Callable[..., Gateway]

#: Use it as the password or key in the URL that ``make_gateway`` gives: no text that a gateway makes may contain it.
CANARY = "canary-f9e1-secret"

_MIME = (
    b"Message-ID: <contract@example.com>\r\nFrom: help@example.com\r\nTo: ann@example.net\r\nSubject: Your printer\r\n\r\n"
    b"On its way.\r\n.\r\n..two dots\r\n"
)


class CannotPlay(Exception):
    """A server raises this for a part that it cannot play; the test is skipped with its text."""


class GatewayServer(Protocol):
    """The other side of a gateway under test. Methods take effect for the next mails; each may raise CannotPlay."""

    def taken(self) -> Sequence[tuple[str, frozenset[str], bytes]]:
        """What it took: return path, recipients, mail. Mail may be b'' where the server sees none."""
        ...

    def refuse_recipient(self, address: str) -> None:
        """Answer no, for good, for this address and only for it."""
        ...

    def refuse_all(self) -> None:
        """Answer no to every mail before its body."""
        ...

    def cut_before_body(self) -> None:
        """End the connection before any of the body is asked for."""
        ...

    def hang_before_body(self) -> None:
        """Never answer, before any of the body is asked for."""
        ...

    def cut_after_taking(self) -> None:
        """Take the mail, and end the connection without an answer."""
        ...

    def hang_after_taking(self) -> None:
        """Take the mail, and never answer."""
        ...

    def heal(self) -> None:
        """Behave again."""
        ...

    async def vanish(self) -> None:
        """Listen no more."""
        ...


def outgoing(*recipients: str, mime: bytes = _MIME, return_path: str = "help@example.com") -> Outgoing:
    """A small mail."""
    submission_id = uuid4()
    return Outgoing(
        submission_id=submission_id,
        message_id="<contract@example.com>",
        return_path=return_path,
        recipients=recipients or ("ann@example.net",),
        mime=mime,
        key=submission_id.hex,
    )


async def no_matter(_: Sequence[int]) -> None:
    """An ``on_body`` that records nothing."""


def play(part: Callable[..., object], *arguments: str) -> None:
    """Have the server play a part, or skip the test."""
    try:
        part(*arguments)
    except CannotPlay as error:
        pytest.skip(f"the server cannot play this: {error}")


class GatewayContract:
    """The contract of :class:`ticketmail.domain.ports.sending.Gateway` as tests."""

    @pytest.fixture
    async def gateway(self, make_gateway: MakeGateway) -> AsyncIterator[Gateway]:
        gateway = make_gateway()
        yield gateway
        await gateway.aclose()

    async def test_it_can_be_asked_for_its_allowance_if_it_says_so(self, gateway: Gateway) -> None:
        assert hasattr(gateway, "allowance") is gateway.capabilities.tells_allowance

    async def test_it_can_be_told_how_many_connections_to_keep_if_it_says_so(self, gateway: Gateway) -> None:
        assert hasattr(gateway, "keep") is gateway.capabilities.keeps_connections

    async def test_connections_that_it_must_not_keep_are_closed_and_it_sends_on(
        self, gateway: Gateway, server: GatewayServer
    ) -> None:
        if not gateway.capabilities.keeps_connections:
            pytest.skip("it keeps no connections")
        keeper = cast(KeepsConnections, gateway)
        assert keeper.keep(2) == 0
        await asyncio.gather(*(gateway.send(outgoing(), on_body=no_matter) for _ in range(3)))

        assert 1 <= keeper.keep(2) <= 2
        assert keeper.keep(0) == 0
        await gateway.send(outgoing(), on_body=no_matter)
        assert keeper.keep(2) == 0, "at most none were to be kept"
        assert len(server.taken()) == 4

    # Takes

    async def test_a_mail_that_the_server_took_is_taken_unchanged(self, gateway: Gateway, server: GatewayServer) -> None:
        mail = outgoing("ann@example.net")

        outcomes = await gateway.send(mail, on_body=no_matter)

        assert [type(outcome) for outcome in outcomes] == [Taken]
        assert [to for _, to, _ in server.taken()] == [{"ann@example.net"}]
        if gateway.capabilities.keeps_return_path:
            assert server.taken()[0][0] == "help@example.com"
        if gateway.capabilities.raw and server.taken()[0][2]:
            assert server.taken()[0][2] == mail.mime

    async def test_each_recipient_has_an_outcome_in_order(self, gateway: Gateway, server: GatewayServer) -> None:
        if not gateway.capabilities.per_recipient:
            pytest.skip("no outcome per recipient")
        play(server.refuse_recipient, "gone@example.net")

        outcomes = await gateway.send(outgoing("ann@example.net", "gone@example.net", "bob@example.net"), on_body=no_matter)

        assert [type(outcome) for outcome in outcomes] == [Taken, Refused, Taken]
        assert server.taken()[0][1] == {"ann@example.net", "bob@example.net"}

    async def test_a_null_return_path_is_taken(self, gateway: Gateway, server: GatewayServer) -> None:
        outcomes = await gateway.send(outgoing(return_path=""), on_body=no_matter)

        assert isinstance(outcomes[0], Taken)
        if gateway.capabilities.keeps_return_path:
            assert server.taken()[0][0] == ""

    async def test_many_sends_at_once_each_make_one_mail(self, gateway: Gateway, server: GatewayServer) -> None:
        mails = [outgoing(f"user{number}@example.net") for number in range(20)]

        results = await asyncio.gather(*(gateway.send(mail, on_body=no_matter) for mail in mails))

        assert all(isinstance(outcomes[0], Taken) for outcomes in results)
        assert sorted(address for _, to, _ in server.taken() for address in to) == sorted(mail.recipients[0] for mail in mails)

    # on_body

    async def test_on_body_comes_before_the_body_with_the_accepted_indices(self, gateway: Gateway, server: GatewayServer) -> None:
        expected: tuple[int, ...] = (0, 1)
        try:
            server.refuse_recipient("gone@example.net")
            expected = (1,) if gateway.capabilities.per_recipient else (0, 1)
        except CannotPlay:
            pass  # then everybody is accepted
        calls: list[tuple[int, ...]] = []

        async def record(accepted: Sequence[int]) -> None:
            assert not server.taken()
            calls.append(tuple(accepted))

        await gateway.send(outgoing("gone@example.net", "ann@example.net"), on_body=record)

        assert calls == [expected]

    async def test_on_body_is_not_called_when_nobody_was_accepted(self, gateway: Gateway, server: GatewayServer) -> None:
        play(server.refuse_all)
        calls: list[Sequence[int]] = []

        async def record(accepted: Sequence[int]) -> None:
            calls.append(accepted)

        outcomes = await gateway.send(outgoing(), on_body=record)

        assert isinstance(outcomes[0], Refused)
        assert not calls

    async def test_an_on_body_that_raises_stops_the_body_and_its_error_goes_through(
        self, gateway: Gateway, server: GatewayServer
    ) -> None:
        async def fail(_: Sequence[int]) -> None:
            raise OSError("the spool is full")

        with pytest.raises(OSError, match="the spool is full"):
            await gateway.send(outgoing(), on_body=fail)

        assert not server.taken()
        assert isinstance((await gateway.send(outgoing(), on_body=no_matter))[0], Taken)

    async def test_a_send_cancelled_before_the_body_sends_nothing_and_leaves_the_gateway_usable(
        self, gateway: Gateway, server: GatewayServer
    ) -> None:
        play(server.hang_before_body)
        task = asyncio.create_task(gateway.send(outgoing(), on_body=no_matter))
        await asyncio.sleep(0.05)  # somewhere before the body; where does not matter

        assert await cancelled(task)
        assert not server.taken()
        server.heal()
        assert isinstance((await gateway.send(outgoing(), on_body=no_matter))[0], Taken)

    async def test_a_send_cancelled_in_on_body_sends_nothing_and_leaves_the_gateway_usable(
        self, gateway: Gateway, server: GatewayServer
    ) -> None:
        reached = asyncio.Event()

        async def wait(_: Sequence[int]) -> None:
            reached.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(gateway.send(outgoing(), on_body=wait))
        async with asyncio.timeout(10):
            await reached.wait()

        assert await cancelled(task)
        assert not server.taken()
        assert isinstance((await gateway.send(outgoing(), on_body=no_matter))[0], Taken)

    async def test_a_send_cancelled_after_the_body_began_leaves_the_gateway_usable(
        self, gateway: Gateway, server: GatewayServer
    ) -> None:
        play(server.hang_after_taking)
        task = asyncio.create_task(gateway.send(outgoing(), on_body=no_matter))
        await until(lambda: bool(server.taken()))

        assert await cancelled(task)
        server.heal()
        assert isinstance((await gateway.send(outgoing(), on_body=no_matter))[0], Taken)

    # Never raises

    async def test_a_refusal_is_an_outcome_with_the_servers_reply(self, gateway: Gateway, server: GatewayServer) -> None:
        play(server.refuse_all)

        (outcome,) = await gateway.send(outgoing(), on_body=no_matter)

        assert isinstance(outcome, Refused)
        assert outcome.reply.code >= 400
        assert outcome.phase not in (Phase.BODY, Phase.DOT)

    async def test_a_server_that_is_not_there_is_not_reached(self, gateway: Gateway, server: GatewayServer) -> None:
        try:
            await server.vanish()
        except CannotPlay as error:
            pytest.skip(f"the server cannot play this: {error}")

        outcomes = await gateway.send(outgoing("ann@example.net", "bob@example.net"), on_body=no_matter)

        assert [type(outcome) for outcome in outcomes] == [NotReached, NotReached]

    async def test_a_cut_before_the_body_is_not_reached(self, gateway: Gateway, server: GatewayServer) -> None:
        play(server.cut_before_body)

        (outcome,) = await gateway.send(outgoing(), on_body=no_matter)

        assert isinstance(outcome, NotReached)
        assert not server.taken()

    async def test_a_cut_after_the_body_is_unclear(self, gateway: Gateway, server: GatewayServer) -> None:
        play(server.cut_after_taking)

        (outcome,) = await gateway.send(outgoing(), on_body=no_matter)

        assert isinstance(outcome, Unclear)
        assert server.taken()

    async def test_after_trouble_the_next_mail_goes(self, gateway: Gateway, server: GatewayServer) -> None:
        play(server.cut_before_body)
        await gateway.send(outgoing(), on_body=no_matter)
        server.heal()

        assert isinstance((await gateway.send(outgoing(), on_body=no_matter))[0], Taken)

    # Closing, checking, secrets

    async def test_aclose_may_be_called_twice_and_before_any_send(self, make_gateway: MakeGateway) -> None:
        gateway = make_gateway()

        await gateway.aclose()
        await gateway.aclose()

    async def test_aclose_after_sends_may_be_called_twice(self, make_gateway: MakeGateway) -> None:
        gateway = make_gateway()
        assert isinstance((await gateway.send(outgoing(), on_body=no_matter))[0], Taken)

        await gateway.aclose()
        await gateway.aclose()

    async def test_check_says_what_it_found(self, gateway: Gateway, server: GatewayServer) -> None:
        assert (await gateway.check()).strip()
        assert not server.taken()

    async def test_check_raises_an_oserror_when_the_server_is_not_there(self, gateway: Gateway, server: GatewayServer) -> None:
        try:
            await server.vanish()
        except CannotPlay as error:
            pytest.skip(f"the server cannot play this: {error}")

        with pytest.raises(OSError, match=r"\S") as caught:
            await gateway.check()
        assert CANARY not in str(caught.value)

    async def test_no_secret_is_in_any_text(self, gateway: Gateway, server: GatewayServer) -> None:
        texts = [repr(gateway), str(gateway), await gateway.check()]
        outcomes: list[Outcome] = list(await gateway.send(outgoing(), on_body=no_matter))
        try:
            server.refuse_all()
            outcomes += await gateway.send(outgoing(), on_body=no_matter)
            await server.vanish()
            outcomes += await gateway.send(outgoing(), on_body=no_matter)
        except CannotPlay:
            pass  # what could be played is looked at

        assert CANARY not in " ".join([*texts, *map(repr, outcomes)])


async def cancelled(task: asyncio.Task[Sequence[Outcome]], timeout_s: float = 10.0) -> bool:
    """Cancel a send; True if it ended by that. False if it went on all the same."""
    task.cancel()
    await asyncio.wait([task], timeout=timeout_s)
    return task.cancelled()


async def until(fact: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Poll a fact of another process or task. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not fact():  # noqa: ASYNC110 - the fact is another process's, it sets no event
            await asyncio.sleep(0.005)
