"""TLS and login: verified, never downgraded, and no secret in any word."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import traceback
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import SecretStr

from ticketmail.adapters.smtp import create
from ticketmail.adapters.smtp.gateway import SmtpGateway
from ticketmail.adapters.smtp.target import Target
from ticketmail.domain.outbound.outcome import NotReached, Outcome, Phase, Refused, Taken
from ticketmail.domain.ports.sending import Gateway, GatewayOptions
from ticketmail.testing.gateway_contract import CANARY, no_matter, outgoing, until
from ticketmail.testing.smtpd import Features, SmtpServer

from .conftest import Trust
from .raw_server import Line, raw_server


async def send(gateway: Gateway) -> Outcome:
    try:
        return (await gateway.send(outgoing(), on_body=no_matter))[0]
    finally:
        await gateway.aclose()


# TLS


async def test_starttls_is_used_where_it_is_offered(trust: Trust) -> None:
    async with SmtpServer(features=Features(starttls=trust.server)) as server:
        assert isinstance(await send(create(f"smtp://localhost:{server.port}?ca_file={trust.ca_file}", GatewayOptions())), Taken)
        assert server.taken[0].tls


async def test_smtps_is_tls_from_the_first_byte(trust: Trust) -> None:
    async with SmtpServer(features=Features(implicit_tls=trust.server)) as server:
        gateway = create(f"smtps://127.0.0.1:{server.port}", GatewayOptions(ca_file=trust.ca_file))

        assert isinstance(await send(gateway), Taken)
        assert server.taken[0].tls


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_that_nobody_signed_is_a_matter_of_trust(trust: Trust, scheme: str) -> None:
    features = Features(starttls=trust.server) if scheme == "smtp" else Features(implicit_tls=trust.server)
    async with SmtpServer(features=features) as server:
        url = f"{scheme}://help:{CANARY}@localhost:{server.port}{'?tls=optional' if scheme == 'smtp' else ''}"

        outcome = await send(create(url, GatewayOptions(allow_plaintext=True)))

        assert isinstance(outcome, NotReached)
        assert outcome.tls
        assert "self-signed" in outcome.error or "unable to get local issuer" in outcome.error
        assert not server.taken
        assert not server.logins


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_for_another_host_is_refused(trust: Trust, scheme: str) -> None:
    features = Features(starttls=trust.server) if scheme == "smtp" else Features(implicit_tls=trust.server)
    async with SmtpServer(host="127.0.0.2", features=features) as server:
        outcome = await send(create(f"{scheme}://127.0.0.2:{server.port}", GatewayOptions(ca_file=trust.ca_file)))

        assert isinstance(outcome, NotReached)
        assert outcome.tls
        assert "127.0.0.2" in outcome.error


async def test_tls_required_and_not_offered_sends_nothing(server: SmtpServer) -> None:
    outcome = await send(create(f"smtp://127.0.0.1:{server.port}?tls=required", GatewayOptions()))

    assert isinstance(outcome, NotReached)
    assert (outcome.phase, outcome.tls) == (Phase.TLS, True)
    assert "no STARTTLS" in outcome.error


async def test_a_starttls_that_is_refused_is_no_reason_to_go_on_without(trust: Trust) -> None:
    async with SmtpServer(features=Features(starttls=trust.server)) as server:
        server.refuse("starttls", "454 4.7.0 TLS not available")

        outcome = await send(
            create(f"smtp://localhost:{server.port}?ca_file={trust.ca_file}", GatewayOptions(allow_plaintext=True))
        )

        assert isinstance(outcome, Refused)
        assert (outcome.reply.code, outcome.phase) == (454, Phase.TLS)
        assert not server.taken


async def test_what_was_said_before_the_handshake_does_not_count_after_it(trust: Trust) -> None:
    """Response injection into STARTTLS (GHSA-vxj7-4xrp-5vr4)."""

    async def talk(line: Line) -> None:
        await line.greet("STARTTLS")
        await line.hear()
        line.say("220 go", "250-injected", "250 PIPELINING")
        await line.writer.start_tls(trust.server)
        assert await line.hear() != b""
        line.say("250-raw", "250 8BITMIME")
        await line.reader.read()

    async with raw_server(talk) as port:
        gateway = create(f"smtp://localhost:{port}?ca_file={trust.ca_file}", GatewayOptions(timeouts_s=(("mail", 0.2),)))
        with pytest.raises(OSError, match="no reply within"):
            await gateway.check()
        await gateway.aclose()


async def test_a_ca_file_that_is_not_there_is_named(server: SmtpServer) -> None:
    outcome = await send(create(f"smtps://127.0.0.1:{server.port}?ca_file=/nowhere/ca.pem", GatewayOptions()))

    assert isinstance(outcome, NotReached)
    assert outcome.tls
    assert "/nowhere/ca.pem" in outcome.error


# Login


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_it_logs_in_by(method: str) -> None:
    async with SmtpServer(features=Features(users={"help@example.com": "päss:w@rd"}, auth_methods=(method,))) as server:
        gateway = create(f"smtp://help%40example.com:p%C3%A4ss%3Aw%40rd@127.0.0.1:{server.port}", GatewayOptions())

        assert isinstance(await send(gateway), Taken)
        assert server.taken[0].login == "help@example.com"


async def test_a_wrong_password_is_tried_once() -> None:
    """Several mechanisms are no reason to count three failures against a mailbox."""
    async with SmtpServer(features=Features(users={"help": "right"})) as server:
        outcome = await send(create(f"smtp://help:wrong@127.0.0.1:{server.port}", GatewayOptions()))

        assert isinstance(outcome, Refused)
        assert (outcome.reply.code, outcome.reply.enhanced, outcome.phase) == (535, "5.7.8", Phase.AUTH)
        assert server.logins == [""]


async def test_a_mechanism_that_the_server_does_not_do_after_all_gives_way_to_the_next() -> None:
    async with SmtpServer(features=Features(users={"help": "right"})) as server:
        server.refuse("auth", "504 5.5.4 Not this one", times=1)

        assert isinstance(await send(create(f"smtp://help:right@127.0.0.1:{server.port}", GatewayOptions())), Taken)


async def test_a_server_without_login_is_told_apart_from_a_wrong_password(server: SmtpServer) -> None:
    outcome = await send(create(f"smtp://help:right@127.0.0.1:{server.port}", GatewayOptions()))

    assert isinstance(outcome, NotReached)
    assert outcome.phase is Phase.AUTH
    assert "no login at all" in outcome.error


async def test_auth_none_does_not_log_in() -> None:
    async with SmtpServer() as server:
        assert isinstance(await send(create(f"smtp://help:x@127.0.0.1:{server.port}", GatewayOptions(auth="none"))), Taken)


class Tokens:
    """A source of access tokens that remembers how it was asked."""

    def __init__(self, *tokens: str) -> None:
        self.asked: list[bool] = []
        self.tokens = list(tokens)

    async def __call__(self, force: bool) -> str:
        self.asked.append(force)
        return self.tokens.pop(0) if force else self.tokens[0]


def oauth(server: SmtpServer, token: object) -> Gateway:
    return create(f"smtp://help%40example.com@127.0.0.1:{server.port}", GatewayOptions(auth="oauth2", token=token))


async def test_oauth2_logs_in_with_a_token() -> None:
    async with SmtpServer(features=Features(tokens={"fresh"})) as server:
        assert isinstance(await send(oauth(server, Tokens("fresh"))), Taken)
        assert server.taken[0].login == "help@example.com"


async def test_a_refused_token_is_renewed_once_and_tried_again() -> None:
    async with SmtpServer(features=Features(tokens={"fresh"})) as server:
        asked: list[bool] = []

        async def source(force: bool) -> str:
            asked.append(force)
            return "fresh" if force else "stale"

        assert isinstance(await send(oauth(server, source)), Taken)
        assert asked == [False, True]


async def test_a_renewed_token_that_is_refused_too_is_a_refusal() -> None:
    async with SmtpServer(features=Features(tokens={"other"})) as server:
        tokens = Tokens("stale", "stale")

        outcome = await send(oauth(server, tokens))

        assert isinstance(outcome, Refused)
        assert (outcome.reply.code, outcome.phase) == (535, Phase.AUTH)
        assert tokens.asked == [False, True]


async def test_a_token_source_that_fails_is_not_reached_and_its_words_are_kept_back() -> None:
    async def source(force: bool) -> str:
        raise RuntimeError(f"POST with client_secret={CANARY} failed")

    async with SmtpServer(features=Features(tokens={"x"})) as server:
        outcome = await send(oauth(server, source))

        assert isinstance(outcome, NotReached)
        assert "RuntimeError" in outcome.error
        assert CANARY not in outcome.error


# Secrets


async def words_of(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> str:
    outcomes: Sequence[Outcome] = await gateway.send(outgoing(), on_body=no_matter)
    try:
        checked = await gateway.check()
    except OSError as error:
        checked = "".join(traceback.format_exception(error)) + repr(error)
    await gateway.aclose()
    return " ".join([repr(gateway), str(vars(gateway)), repr(outcomes), checked, caplog.text])


@pytest.mark.parametrize("echo", ["plain", "base64", "login"])
async def test_a_server_that_repeats_the_password_does_not_get_it_into_our_words(
    echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    forms = {"plain": CANARY, "base64": base64.b64encode(CANARY.encode()).decode(), "login": "AHVzZXIA"}
    forms["login"] = base64.b64encode(f"\0help\0{CANARY}".encode()).decode()

    async def talk(line: Line) -> None:
        await line.greet("AUTH PLAIN")
        await line.hear()
        line.say(f"535 5.7.8 you said {forms[echo]}, which is wrong")

    async with raw_server(talk, talk) as port:
        words = await words_of(create(f"smtp://help:{CANARY}@127.0.0.1:{port}", GatewayOptions()), caplog)

    assert "535" in words
    assert not any(form in words for form in forms.values())


@pytest.mark.parametrize("point", ["connect", "ehlo", "auth", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("deed", ["refuse", "cut"])
async def test_the_canary_password_is_in_no_word_whatever_happens(
    point: str, deed: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with SmtpServer(features=Features(users={"help": CANARY})) as server:
        server.refuse(point, "451 4.3.0 no") if deed == "refuse" else server.cut(point)

        words = await words_of(create(f"smtp://help:{CANARY}@127.0.0.1:{server.port}", GatewayOptions()), caplog)

    assert CANARY not in words
    assert base64.b64encode(CANARY.encode()).decode() not in words


# Not there


async def test_a_port_where_nobody_listens_is_not_reached(server: SmtpServer) -> None:
    await server.stop()

    outcome = await send(create(f"smtp://127.0.0.1:{server.port}", GatewayOptions()))

    assert isinstance(outcome, NotReached)
    assert outcome.phase is Phase.CONNECT
    assert not outcome.tls


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".example", "xn--\u00fc.example"])
async def test_a_host_that_does_not_exist_is_not_reached(host: str) -> None:
    outcome = await send(create(f"smtp://{host}:2525", GatewayOptions(timeouts_s=(("connect", 5.0),))))

    assert isinstance(outcome, NotReached)
    assert outcome.phase is Phase.CONNECT


async def test_localhost_is_tried_on_all_its_addresses() -> None:
    async with SmtpServer(host="127.0.0.1") as server:
        assert isinstance(await send(create(f"smtp://localhost:{server.port}", GatewayOptions())), Taken)


async def test_an_ipv6_address_is_written_in_brackets() -> None:
    if not socket.has_ipv6 or not await ipv6_loopback():
        pytest.skip("no IPv6 here")
    async with SmtpServer(host="::1") as server:
        assert isinstance(await send(create(f"smtp://[::1]:{server.port}", GatewayOptions())), Taken)
        assert server.commands[0] == b"EHLO [IPv6:::1]" or b"." in server.commands[0]


async def ipv6_loopback() -> bool:
    try:
        (await asyncio.start_server(lambda reader, writer: None, "::1", 0)).close()
    except OSError:
        return False
    return True


async def test_a_server_that_only_knows_helo_is_spoken_to() -> None:
    async def talk(line: Line) -> None:
        line.say("220 old")
        await line.hear()
        line.say("502 what?")
        assert (await line.hear()).startswith(b"HELO")
        line.say("250 old")
        for answer in ("250 ok", "250 ok", "354 go"):
            await line.hear()
            line.say(answer)
        await line.body()
        line.say("250 ok")

    async with raw_server(talk) as port:
        assert isinstance(await send(create(f"smtp://127.0.0.1:{port}", GatewayOptions())), Taken)


async def test_check_describes_the_server(server: SmtpServer) -> None:
    gateway = create(f"smtp://127.0.0.1:{server.port}", GatewayOptions())

    assert await gateway.check() == (
        f"smtp://127.0.0.1:{server.port} answers, without TLS, no login; "
        "it offers 8BITMIME, DSN, ENHANCEDSTATUSCODES, PIPELINING, SIZE, SMTPUTF8."
    )
    await gateway.aclose()


async def test_check_has_the_servers_words() -> None:
    async with SmtpServer(features=Features(users={"help": "right"})) as server:
        gateway = create(f"smtp://help:wrong@127.0.0.1:{server.port}", GatewayOptions())

        with pytest.raises(OSError, match=r"535 5\.7\.8 Authentication credentials invalid"):
            await gateway.check()


async def test_where_no_tls_is_offered_nothing_is_sent_unless_allowed(server: SmtpServer) -> None:
    """As to a host that is not loopback, with a password that everyone on the way would read."""
    target = Target(host="127.0.0.1", port=server.port, tls="optional", username="help", password=SecretStr(CANARY))

    refused = await send(SmtpGateway(target, GatewayOptions()))
    allowed = await send(SmtpGateway(replace(target, plaintext=True, username=""), GatewayOptions()))

    assert isinstance(refused, NotReached)
    assert (refused.phase, refused.tls) == (Phase.TLS, True)
    assert "allow_plaintext" in refused.error
    assert isinstance(allowed, Taken)
    assert not [line for line in server.commands if line.startswith(b"AUTH")]


@pytest.mark.parametrize("point", ["connect", "ehlo", "auth"])
async def test_a_send_cancelled_while_a_session_opens_leaves_no_connection(point: str) -> None:
    async with SmtpServer(features=Features(users={"help": "right"})) as server:
        server.hang(point)
        gateway = create(f"smtp://help:right@127.0.0.1:{server.port}", GatewayOptions(connections=1))
        task = asyncio.create_task(gateway.send(outgoing(), on_body=no_matter))
        await until(lambda: point == "connect" or bool(server.commands))
        await until(lambda: server.connections_open == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await until(lambda: server.connections_open == 0)
        server.heal()
        assert isinstance(await send(gateway), Taken)


@pytest.mark.parametrize("point", ["connect", "ehlo", "starttls", "auth"])
async def test_a_cancel_that_comes_with_the_servers_answer_is_heeded(trust: Trust, point: str) -> None:
    """Whichever turn of the event loop it comes in: ``asyncio.wait_for`` of Python 3.11 loses some (bpo-42130)."""
    features = Features(users={"help": "right"}, starttls=trust.server)
    async with SmtpServer(features=features) as server:
        for turns in range(12):
            gateway = create(f"smtp://help:right@localhost:{server.port}?ca_file={trust.ca_file}", GatewayOptions())
            reached = asyncio.Event()
            server.decide(lambda moment, reached=reached: reached.set() if moment.point == point else None)
            task = asyncio.create_task(gateway.send(outgoing(), on_body=no_matter))
            await reached.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            heeded = task.cancel()
            await asyncio.wait([task])

            await gateway.aclose()

            assert task.cancelled() == heeded, f"{turns} turns after {point}"


async def test_a_greeting_that_is_late_over_tls_leaves_nothing_of_its_connection(trust: Trust) -> None:
    async with SmtpServer(features=Features(implicit_tls=trust.server)) as server:
        server.hang("connect", times=1)
        options = GatewayOptions(connections=1, ca_file=trust.ca_file, timeouts_s=(("banner", 0.2),))
        gateway = create(f"smtps://localhost:{server.port}", options)

        late = (await gateway.send(outgoing(), on_body=no_matter))[0]

        assert isinstance(late, NotReached)
        assert late.phase is Phase.BANNER
        await until(lambda: server.connections_open == 0)
        assert isinstance(await send(gateway), Taken)


async def test_the_size_limit_is_a_capability_once_it_is_known(server: SmtpServer) -> None:
    gateway = create(f"smtp://127.0.0.1:{server.port}", GatewayOptions())
    assert gateway.capabilities.max_size_bytes is None

    await gateway.send(outgoing(), on_body=no_matter)
    await gateway.aclose()

    assert gateway.capabilities.max_size_bytes == server.features.size_limit_bytes
