"""The kit's own server, seen through the standard library's client and bare sockets."""

from __future__ import annotations

import asyncio
import json
import signal
import smtplib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ticketmail.testing.gateway_contract import until
from ticketmail.testing.smtpd import Features, ServerLimits, SmtpServer, server_process
from ticketmail.testing.smtpd.limits import RateMeter
from ticketmail.testing.smtpd.process import arguments
from ticketmail.testing.smtpd.tally import Tally

MAIL = b"Message-ID: <1@example.com>\r\nSubject: x\r\n\r\nhello\r\n"


def talk(port: int, *sent: bytes) -> bytes:
    """Say it all, then read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        for data in sent:
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        heard = b""
        while chunk := sock.recv(65536):
            heard += chunk
    return heard


def test_smtplib_sends_to_it_from_sync_code() -> None:
    with SmtpServer().in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("help@example.com", ["ann@example.net", "bob@example.net"], MAIL)

        (mail,) = server.taken
        assert (mail.mail_from, mail.recipients, mail.message_id) == (
            "help@example.com",
            ("ann@example.net", "bob@example.net"),
            "<1@example.com>",
        )
        assert mail.data == MAIL


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_smtplib_logs_in_by(method: str) -> None:
    features = Features(users={"help": "right"}, auth_methods=(method,))
    with SmtpServer(features=features).in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.sendmail("a@b.c", "d@e.f", MAIL)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("help", "wrong")
        client.login("help", "right")
        client.sendmail("a@b.c", "d@e.f", MAIL)

        assert server.taken[0].login == "help"


def test_only_crlf_ends_lines_and_mails() -> None:
    with SmtpServer().in_thread() as server:
        talk(
            server.port,
            b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n",
            b"one\n.\ntwo\r.\rthree\r\n.\nfour\n.\r\n..five\r\n.\r\nQUIT\r\n",
        )

        assert [mail.data for mail in server.taken] == [b"one\n.\ntwo\r.\rthree\r\n.\nfour\n.\r\n.five\r\n"]


def test_commands_out_of_order_are_refused() -> None:
    with SmtpServer().in_thread() as server:
        heard = talk(
            server.port,
            b"RCPT TO:<a@b.c>\r\nDATA\r\nMAIL FROM:a@b.c\r\nMAIL FROM:<a@b.c>\r\nMAIL FROM:<a@b.c>\r\nDATA\r\nWHAT\r\nQUIT\r\n",
        )

    assert [line[:3] for line in heard.split(b"\r\n")[1:-1]] == [b"503", b"503", b"501", b"250", b"503", b"554", b"500", b"221"]


def test_an_endless_line_ends_the_connection() -> None:
    with SmtpServer().in_thread() as server, pytest.raises(OSError, match=r"reset|Broken pipe"):
        raise ConnectionResetError("reset") if b"Line too long" in talk(server.port, b"x" * 5000) else AssertionError


def test_a_mail_is_in_the_journal_before_its_250(tmp_path: Path) -> None:
    journal = tmp_path / "taken.jsonl"
    with SmtpServer(journal=journal).in_thread() as server:
        server.cut("taken", nth=2)
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail("a@b.c", "d@e.f", MAIL)
            assert len(journal.read_text().splitlines()) == 1
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.sendmail("a@b.c", "d@e.f", MAIL)

    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [(entry["number"], entry["message_id"], entry["recipients"]) for entry in entries] == [
        (1, "<1@example.com>", ["d@e.f"]),
        (2, "<1@example.com>", ["d@e.f"]),
    ]


def test_rules_act_on_the_nth_mail_on_a_recipient_and_so_many_times() -> None:
    with SmtpServer().in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        server.refuse("dot", "554 5.7.1 Spam", nth=2)
        server.refuse("rcpt", "550 5.1.1 No", recipient="gone@e.f")
        server.refuse("mail", "451 4.3.0 Later", times=1)
        results = []
        for recipient in ("d@e.f", "d@e.f", "d@e.f", "gone@e.f"):
            try:
                client.sendmail("a@b.c", recipient, MAIL)
                results.append(250)
            except smtplib.SMTPRecipientsRefused as error:
                results.append(next(iter(error.recipients.values()))[0])
            except smtplib.SMTPResponseException as error:
                results.append(error.smtp_code)

        assert results == [451, 554, 250, 550]
        assert [refusal.reply[:3] for refusal in server.refused] == ["451", "554", "550"]
        assert server.refused[2].moment.recipient == "gone@e.f"


def test_a_callable_decides_where_no_rule_does() -> None:
    with SmtpServer().in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        server.decide(
            lambda moment: "452 4.5.3 Too many" if moment.point == "rcpt" and moment.recipient.startswith("b") else None
        )

        assert client.sendmail("x@y.z", ["a@e.f", "b@e.f"], MAIL) == {"b@e.f": (452, b"4.5.3 Too many")}


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
def test_a_rate_is_refused_at_its_command(at: str) -> None:
    now = 0.0
    limits = ServerLimits(rate=2, window_s=1.0, kind="fixed", at=at)
    with SmtpServer(limits=limits, now_s=lambda: now).in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        results = []
        for moment in (0.0, 0.0, 0.0, 0.9, 1.0):
            now = moment
            try:
                client.sendmail("a@b.c", "d@e.f", MAIL)
                results.append("ok")
            except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
                results.append("no")

        assert results == ["ok", "ok", "no", "no", "ok"]
        assert {refusal.moment.point for refusal in server.refused} == {at}


def test_a_bucket_refills_evenly_and_holds_its_burst() -> None:
    now = 0.0
    meter = RateMeter(ServerLimits(rate=10, window_s=1.0, burst=3), lambda: now)

    first = [meter.refusal("mail") is None for _ in range(4)]
    now = 0.1
    then = [meter.refusal("mail") is None for _ in range(2)]
    now = 100.0
    later = [meter.refusal("mail") is None for _ in range(4)]

    assert (first, then, later) == ([True] * 3 + [False], [True, False], [True] * 3 + [False])


def test_a_daily_limit_ends_with_the_day() -> None:
    now = 0.0
    meter = RateMeter(ServerLimits(daily=1), lambda: now)

    assert meter.refusal("mail") is None
    assert meter.refusal("mail") == "550 5.4.5 Daily user sending limit exceeded"
    now = 86_400.0
    assert meter.refusal("mail") is None


def test_so_many_mails_per_connection_then_421() -> None:
    with SmtpServer(limits=ServerLimits(mails_per_connection=1)).in_thread() as server:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail("a@b.c", "d@e.f", MAIL)
            with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                client.sendmail("a@b.c", "d@e.f", MAIL)
        assert caught.value.smtp_code == 421


def test_a_delay_is_waited_before_the_answer() -> None:
    with SmtpServer().in_thread() as server, smtplib.SMTP("127.0.0.1", server.port, timeout=0.2) as client:
        server.delay("dot", 1.0, times=1)
        with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
            client.sendmail("a@b.c", "d@e.f", MAIL)


async def test_it_listens_on_the_same_port_after_a_stop() -> None:
    server = SmtpServer()
    await server.start()
    port = server.port
    await server.stop()
    await server.stop()
    await server.start()

    assert server.port == port
    await server.stop()


def test_as_a_process_it_prints_its_port_limits_and_journals(tmp_path: Path) -> None:
    journal = tmp_path / "taken.jsonl"
    arguments = ["--rate", "1", "--window", "3600", "--connections", "1", "--journal", str(journal)]
    process = subprocess.Popen([sys.executable, "-m", "ticketmail.testing.smtpd", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("a@b.c", "d@e.f", MAIL)
            with pytest.raises(smtplib.SMTPSenderRefused, match="Transmit rate limit"):
                client.sendmail("a@b.c", "d@e.f", MAIL)
            with pytest.raises(smtplib.SMTPConnectError):
                smtplib.SMTP("127.0.0.1", port)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "taken 1, refused 2, connections 2\n"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert json.loads(journal.read_text())["message_id"] == "<1@example.com>"


def test_a_process_of_the_server_gives_its_port_and_ends_with_the_block() -> None:
    with server_process("--no-pipelining") as port:
        assert b"PIPELINING" not in talk(port, b"EHLO x\r\nQUIT\r\n")

    with pytest.raises(ConnectionRefusedError):
        talk(port)


def test_a_process_that_cannot_start_says_so() -> None:
    with pytest.raises(RuntimeError, match="did not start"), server_process("--no-such-option"):
        pass


async def test_pipelined_answers_leave_together() -> None:
    async with SmtpServer() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await reader.readuntil(b"\r\n")
        writer.write(b"EHLO x\r\n")
        await reader.readuntil(b"ENHANCEDSTATUSCODES\r\n")

        writer.write(b"MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n")

        assert (await reader.read(1000)).count(b"\r\n") == 3
        writer.close()
        await writer.wait_closed()
        await until(lambda: server.connections_open == 0)


def test_the_connection_too_many_may_be_told_so_at_the_dot() -> None:
    limits = ServerLimits(
        connections=1, connections_at="dot", connections_reply="432 4.3.2 Concurrent connections limit exceeded"
    )
    with SmtpServer(limits=limits).in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as first:
        with smtplib.SMTP("127.0.0.1", server.port) as second, pytest.raises(smtplib.SMTPDataError) as caught:
            second.sendmail("a@b.c", "d@e.f", MAIL)
        first.sendmail("a@b.c", "d@e.f", MAIL)

        assert (caught.value.smtp_code, len(server.taken)) == (432, 1)


def test_each_login_may_have_limits_of_its_own() -> None:
    features = Features(users={"one": "x", "two": "x"})
    limits = ServerLimits(daily=1, per_login=True)
    with SmtpServer(features=features, limits=limits).in_thread() as server:
        for login in ("one", "two"):
            with smtplib.SMTP("127.0.0.1", server.port) as client:
                client.login(login, "x")
                client.sendmail("a@b.c", "d@e.f", MAIL)
                with pytest.raises(smtplib.SMTPSenderRefused, match="sending limit"):
                    client.sendmail("a@b.c", "d@e.f", MAIL)

        assert [server.meters[login].tally.total("taken") for login in ("one", "two")] == [1, 1]


def test_a_server_that_shuts_closes_with_421_and_lets_nobody_in() -> None:
    limits = ServerLimits(rate=1, window_s=3600, shut=True, reply="421 4.7.0 later")
    with SmtpServer(limits=limits).in_thread() as server:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail("a@b.c", "d@e.f", MAIL)
            with pytest.raises(smtplib.SMTPSenderRefused, match="later"):
                client.sendmail("a@b.c", "d@e.f", MAIL)
        with pytest.raises(smtplib.SMTPConnectError, match="later"):
            smtplib.SMTP("127.0.0.1", server.port)


def test_a_tarpit_answers_late_and_takes_all() -> None:
    limits = ServerLimits(rate=10, burst=1, excess="delay", at="dot")
    with SmtpServer(limits=limits).in_thread() as server, smtplib.SMTP("127.0.0.1", server.port) as client:
        for _ in range(3):
            client.sendmail("a@b.c", "d@e.f", MAIL)

        times = [mail.at_s for mail in server.taken]
        assert times[2] - times[0] >= 0.18
        assert (server.refused, server.meters[""].tally.total("delayed")) == ([], 2)


def test_a_process_keeps_a_file_of_statistics_and_hears_signals(tmp_path: Path) -> None:
    """The limits are the ones its command line was made from; SIGUSR1 halves them."""
    stats = tmp_path / "stats.json"
    limits = ServerLimits(rate=4, window_s=3600, kind="fixed", changes=((3600, 2.0),))
    command = [sys.executable, "-m", "ticketmail.testing.smtpd", *arguments(limits), f"--stats={stats}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail("a@b.c", "d@e.f", MAIL)
            process.send_signal(signal.SIGUSR1)
            client.noop()
            client.sendmail("a@b.c", "d@e.f", MAIL)
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.sendmail("a@b.c", "d@e.f", MAIL)
        process.terminate()
        process.wait(timeout=10)

    told = json.loads(stats.read_text())
    tally = Tally.from_json(told["logins"][""])
    assert (told["taken"], told["refused"], told["connections"]) == (2, 1, 1)
    assert (tally.total("taken"), tally.rate_at(100)) == (2, 2 / 3600)
