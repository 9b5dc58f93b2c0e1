"""A mail server hands mail over: 250 only once it is safe, and nobody else is let through."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ticketmail.adapters.lmtp import listen
from ticketmail.domain.errors import SpoolUnreachable

MAIL = b"Subject: hi\r\n\r\nhello\r\n.\r\n..dots\r\n"


class Desk:
    """What was taken. ``sick``: the spool is out of reach."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, bytes]] = []
        self.sick = False
        self.port = 0

    async def take(self, recipient: str, sender: str, content: bytes) -> None:
        if self.sick:
            raise SpoolUnreachable("The spool is out of reach.")
        self.taken.append((recipient, sender, content))

    def refusal(self, address: str) -> str:
        return "" if address.startswith(("help", "sales")) else "No such mailbox here"


@pytest.fixture(params=["lmtp", "smtp"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk()
    server = await listen(
        "127.0.0.1:0", request.param, take=made.take, refusal=made.refusal, hostname="mx.example.com", max_size_bytes=2000
    )
    made.port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    made.kind = smtplib.LMTP if request.param == "lmtp" else smtplib.SMTP  # type: ignore[attr-defined]
    yield made
    server.close()


async def talk(desk: Any, words: Callable[[Any], Any]) -> Any:
    """What a client does, in a thread."""

    def run() -> Any:
        with desk.kind("127.0.0.1", desk.port) as client:
            return words(client)

    return await asyncio.to_thread(run)


async def test_a_mail_for_one_of_us_is_taken_as_it_came(desk: Any) -> None:
    await talk(desk, lambda client: client.sendmail("ann@example.net", ["help+x@example.com"], MAIL))

    assert desk.taken == [("help+x@example.com", "ann@example.net", MAIL)]


async def test_nobody_else_is_and_nothing_is_relayed(desk: Any) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await talk(desk, lambda client: client.sendmail("help@example.com", ["eve@example.net"], MAIL))

    assert caught.value.recipients["eve@example.net"][0] == 550
    assert desk.taken == []


async def test_each_recipient_has_a_transaction_of_its_own(desk: Any) -> None:
    refused = await talk(desk, lambda c: c.sendmail("", ["help@example.com", "sales@example.com"], MAIL))

    assert [recipient for recipient, _, _ in desk.taken] == ["help@example.com"]
    assert refused["sales@example.com"][0] == 452


async def test_while_the_spool_is_sick_the_server_keeps_the_mail(desk: Any) -> None:
    desk.sick = True

    with pytest.raises(smtplib.SMTPDataError) as caught:
        await talk(desk, lambda client: client.sendmail("ann@example.net", ["help@example.com"], MAIL))

    assert caught.value.smtp_code == 451


@pytest.mark.parametrize("body", [b"a\nb\r\n", b"a\rb\r\n", b"a\n.\nMAIL FROM:<x@y>\r\n"])
async def test_a_bare_line_end_is_refused(desk: Any, body: bytes) -> None:
    def words(client: Any) -> Any:
        client.ehlo_or_helo_if_needed()
        client.mail("ann@example.net")
        client.rcpt("help@example.com")
        client.putcmd("data")
        client.getreply()
        client.send(b"Subject: x\r\n\r\n" + body + b".\r\n")
        return client.getreply()

    assert (await talk(desk, words))[0] == 550
    assert desk.taken == []


async def test_what_is_too_large_is_refused_and_long_lines_are_not(desk: Any) -> None:
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        await talk(desk, lambda client: client.sendmail("", ["help@example.com"], b"Subject: x\r\n\r\n" + b"xxx\r\n" * 1000))
    assert caught.value.smtp_code == 552

    await talk(desk, lambda client: client.sendmail("", ["help@example.com"], b"Subject: x\r\n\r\n" + b"x" * 1500 + b"\r\n"))
    assert len(desk.taken) == 1
