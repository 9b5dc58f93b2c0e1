"""A mail server hands mail over: 250 only once it is safe, and nobody else is let through."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from ticketmail.adapters.lmtp import listen
from ticketmail.domain.errors import SpoolUnreachable

MAIL = b"Subject: hi\r\n\r\nhello\r\n.\r\n..dots\r\n"


class Desk:
    """What was taken. ``sick``: mailboxes that cannot be stored."""

    def __init__(self) -> None:
        self.taken: list[tuple[Sequence[str], str, bytes]] = []
        self.sick: set[str] = set()
        self.port = 0

    async def take(self, recipients: Sequence[str], sender: str, content: bytes) -> None:
        if self.sick & {self.place(one) for one in recipients}:
            raise SpoolUnreachable("The spool is out of reach.")
        self.taken.append((tuple(recipients), sender, content))

    def place(self, address: str) -> str | None:
        name = address.split("@")[0].split("+")[0]
        return name if name in ("help", "sales") else None


@pytest.fixture(params=["lmtp", "smtp"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk()
    server = await listen(
        "127.0.0.1:0", request.param, take=made.take, place=made.place, hostname="mx.example.com", max_size_bytes=2000
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

    assert desk.taken == [(("help+x@example.com",), "ann@example.net", MAIL)]


async def test_nobody_else_is_and_nothing_is_relayed(desk: Any) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await talk(desk, lambda client: client.sendmail("help@example.com", ["eve@example.net"], MAIL))

    assert caught.value.recipients["eve@example.net"][0] == 550
    assert desk.taken == []


BOTH = ("help+a@example.com", "sales@example.com", "help@example.com")


def hand_over(client: Any, recipients: Sequence[str], mail: bytes = MAIL) -> list[tuple[int, bytes]]:
    """The answers to the dot: one in SMTP, one for each recipient in LMTP."""
    client.ehlo_or_helo_if_needed()
    client.mail("ann@example.net")
    for one in recipients:
        assert client.rcpt(one)[0] == 250
    assert client.docmd("data")[0] == 354
    client.send(smtplib._quote_periods(smtplib._fix_eols(mail.decode()).encode()) + b".\r\n")  # type: ignore[attr-defined]
    answers = [client.getreply() for _ in (recipients if isinstance(client, smtplib.LMTP) else [""])]
    assert client.noop()[0] == 250  # nothing more was said
    return answers


async def test_lmtp_answers_for_each_recipient_and_stores_a_mailbox_once(desk: Any) -> None:
    answers = await talk(desk, lambda client: hand_over(client, BOTH))

    assert {code for code, _ in answers} == {250}
    together = [BOTH] if desk.kind is smtplib.SMTP else [(BOTH[0], BOTH[2]), (BOTH[1],)]
    assert [recipients for recipients, _, _ in desk.taken] == together


async def test_a_mailbox_that_cannot_be_stored_keeps_the_others_waiting_in_smtp_alone(desk: Any) -> None:
    desk.sick = {"sales"}

    answers = await talk(desk, lambda client: hand_over(client, BOTH))

    if desk.kind is smtplib.SMTP:
        assert ([code for code, _ in answers], desk.taken) == ([451], [])
    else:
        assert [code for code, _ in answers] == [250, 451, 250]
        assert [recipients for recipients, _, _ in desk.taken] == [(BOTH[0], BOTH[2])]


async def test_what_is_refused_at_the_dot_is_refused_to_each(desk: Any) -> None:
    answers = await talk(desk, lambda client: hand_over(client, BOTH, b"Subject: x\r\n\r\n" + b"xxx\r\n" * 1000))

    assert {code for code, _ in answers} == {552}
    assert desk.taken == []


async def test_there_is_an_end_to_recipients(desk: Any) -> None:
    def words(client: Any) -> Any:
        client.ehlo_or_helo_if_needed()
        client.mail("ann@example.net")
        return [client.rcpt(f"help+{number}@example.com")[0] for number in range(201)]

    assert (await talk(desk, words)) == [250] * 200 + [452]


async def test_while_the_spool_is_sick_the_server_keeps_the_mail(desk: Any) -> None:
    desk.sick = {"help"}

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
