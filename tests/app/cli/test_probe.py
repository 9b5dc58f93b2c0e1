"""doctor --probe against the kit's server, with every fault: what it finds, what it sends, and the TOML to paste."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ticketmail.app.cli.probing import recognised
from ticketmail.app.settings_source import load
from ticketmail.testing.smtpd import Fault, Features, ServerLimits, SmtpServer

CANARY = "canary-Pa55word"  # as in conftest
USER = "help@example.com"
LOGIN = Features(users={USER: CANARY})


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer(features=LOGIN).in_thread() as started:
        yield started


def url(server: SmtpServer, *, scheme: str = "smtp", secret: str = CANARY, more: str = "") -> str:
    return f"{scheme}://help%40example.com:{secret}@127.0.0.1:{server.port}{more}"


def probed(desk, server: SmtpServer, *more: str, **how: Any) -> dict[str, Any]:
    ran = desk.run("doctor", "--probe", url(server, **how), "--connections", "2", *more, "--json")
    assert ran.err == ""
    return {**ran.json, "code": ran.code}


def finding(found: dict[str, Any], subject: str) -> dict[str, Any]:
    """The one finding of that subject."""
    (one,) = [one for one in found["findings"] if one["subject"] == subject]
    return dict(one)


def test_a_mailbox_that_is_well_is_told_of_and_nothing_is_sent(desk, server: SmtpServer) -> None:
    found = probed(desk, server)
    assert "logged in as help@example.com" in finding(found, "login")["text"]
    assert "ticketmail.testing ESMTP" in finding(found, "login")["text"]
    assert "PIPELINING" in finding(found, "features")["text"]
    assert "36700160 bytes" in finding(found, "size")["text"]
    assert finding(found, "from")["level"] == "ok"
    assert "help+ticketmail-probe@example.com is accepted" in finding(found, "return path")["text"]
    assert "not proved" in finding(found, "plus-address")["text"]
    assert finding(found, "connections")["text"].startswith("2 at once were accepted")
    assert (server.taken, server.connections_peak) == ([], 2)


def test_the_toml_is_settings_and_holds_no_secret(desk, server: SmtpServer, tmp_path: Path) -> None:
    text = probed(desk, server)["toml"]
    assert CANARY not in text
    (tmp_path / "secret").write_text(CANARY)
    table = tomllib.loads(text.replace("/run/secrets/help.password", str(tmp_path / "secret")))
    account = load(table, environ={}).settings.accounts["help"]
    assert account.max_size == 36_700_160
    assert account.password.get_secret_value() == CANARY


def test_a_wrong_password_is_told_in_the_servers_words_and_is_not_shown(desk, server: SmtpServer) -> None:
    found = probed(desk, server, secret=f"{CANARY}-wrong")
    assert (found["code"], found["level"]) == (2, "bad")
    assert "535" in finding(found, "login")["text"]
    assert finding(found, "login")["remedy"].startswith("Correct user, password or token")
    assert len(found["findings"]) == 1


def test_a_password_that_the_server_repeats_is_masked(desk, server: SmtpServer) -> None:
    server.refuse("mail", f"550 5.7.1 {CANARY} may not send")
    assert "*** may not send" in finding(probed(desk, server), "from")["text"]


def test_without_tls_it_warns(desk, server: SmtpServer) -> None:
    assert "in the clear" in finding(probed(desk, server), "tls")["text"]


def test_a_server_without_starttls_is_refused_where_tls_is_required(desk, server: SmtpServer) -> None:
    found = probed(desk, server, more="?tls=required")
    assert "offers no STARTTLS" in finding(found, "login")["text"]
    assert server.logins == []


@pytest.fixture
def trusted() -> tuple[trustme.CA, ssl.SSLContext]:
    authority, context = trustme.CA(organization_name="Desk CA"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "mail.example.com").configure_cert(context)
    return authority, context


def test_tls_is_told_with_version_names_issuer_and_end(desk, tmp_path: Path, trusted) -> None:
    authority, context = trusted
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with SmtpServer(features=Features(users={USER: CANARY}, starttls=context)).in_thread() as server:
        found = probed(desk, server, "--ca-file", str(tmp_path / "ca.pem"))
    one = finding(found, "tls")
    assert one["level"] == "ok"
    assert one["text"].startswith("TLSv1.3, certificate for ")
    assert "mail.example.com" in one["text"]
    assert "issued by Desk CA, until " in one["text"]


def test_a_certificate_that_nobody_trusts_is_bad(desk, trusted) -> None:
    _, context = trusted
    with SmtpServer(features=Features(users={USER: CANARY}, implicit_tls=context)).in_thread() as server:
        found = probed(desk, server, scheme="smtps")
        assert server.logins == []
    assert "TLS failed" in finding(found, "login")["text"]
    assert "certificate" in finding(found, "login")["remedy"]


def test_a_refused_from_names_cause_and_remedy(desk, server: SmtpServer) -> None:
    server.decide(lambda at: "550 5.7.60 Client may not send as this sender" if at.mail_from == "boss@example.com" else None)
    found = probed(desk, server, "--from", USER, "--from", "boss@example.com")
    good, bad = [one for one in found["findings"] if one["subject"] == "from"]
    assert (good["level"], bad["level"], found["code"]) == ("ok", "bad", 2)
    assert "boss@example.com" in bad["text"]
    assert "5.7.60" in bad["text"]
    assert bad["remedy"]


def test_the_fourth_connection_is_refused_and_three_stand_in_the_toml(desk) -> None:
    with SmtpServer(features=LOGIN, limits=ServerLimits(connections=3)).in_thread() as server:
        ran = desk.run("doctor", "--probe", url(server), "--json")
        assert server.connections_peak <= 4
    assert ran.json["connections"] == 3
    assert "3 at once; the next one was refused: 421" in finding(ran.json, "connections")["text"]
    assert tomllib.loads(ran.json["toml"])["accounts"]["help"]["connections"] == 3


def test_a_limit_of_connections_that_is_said_at_mail_is_found_too(desk) -> None:
    limits = ServerLimits(connections=1, connections_at="mail", connections_reply="432 4.3.2 Concurrent connections limit")
    with SmtpServer(features=LOGIN, limits=limits).in_thread() as server:
        found = probed(desk, server)
    assert "the next one was refused: 432 4.3.2 Concurrent connections limit (at MAIL)" in finding(found, "connections")["text"]
    assert (found["connections"], tomllib.loads(found["toml"])["accounts"]["help"]["connections"]) == (1, 1)


def test_logins_that_are_refused_for_now_are_not_blamed_on_the_password(desk, server: SmtpServer) -> None:
    server.refuse("auth", "454 4.7.0 Too many login attempts, try again later")
    told = finding(probed(desk, server), "login")
    assert told["remedy"].startswith("The mail server saw too many logins")


def test_a_server_that_is_too_busy_to_take_the_mails_proves_nothing_of_the_mailbox(desk, server: SmtpServer) -> None:
    server.refuse("dot", "450 4.7.0 Transmit rate limit exceeded")
    found = probed(desk, server, "--send-to", "me@example.net")
    assert finding(found, "sent")["level"] == "warn"
    assert "Probe again in some minutes" in finding(found, "sent")["remedy"]
    assert "senders" not in found["toml"]


def test_a_server_without_a_size_is_warned_of(desk) -> None:
    with SmtpServer(features=Features(users={USER: CANARY}, size_limit_bytes=None)).in_thread() as server:
        found = probed(desk, server)
    assert finding(found, "size")["level"] == "warn"
    assert "max_size" not in found["toml"]


def test_a_server_that_hangs_up_in_the_middle_is_a_finding(desk, server: SmtpServer) -> None:
    server.cut("mail")
    found = probed(desk, server)
    assert "ended the session" in finding(found, "session")["text"]


def test_send_to_sends_three_mails_and_says_what_to_look_for(desk, server: SmtpServer) -> None:
    found = probed(desk, server, "--send-to", "me@example.net")
    first, tagged, returned = server.taken
    assert first.recipients == ("me@example.net",)
    assert tagged.recipients == ("me+ticketmail-probe@example.net",)
    assert returned.mail_from == "help+ticketmail-probe@example.com"
    assert first.message_id in finding(found, "sent")["text"]
    assert tomllib.loads(found["toml"])["accounts"]["help"]["senders"] == [USER]
    assert "sent; look for it" in finding(found, "sent")["text"]


def test_a_from_that_is_refused_after_the_body_is_found_by_sending(desk, server: SmtpServer) -> None:
    server.refuse("dot", "550 5.7.60 Client may not send as this sender")
    found = probed(desk, server, "--send-to", "me@example.net")
    assert "not taken: 550 5.7.60" in finding(found, "sent")["text"]
    assert finding(found, "sent")["level"] == "bad"


def test_rate_sends_until_the_first_refusal(desk) -> None:
    with SmtpServer(features=LOGIN, limits=ServerLimits(rate=6, window_s=3600, at="data")).in_thread() as server:
        found = probed(desk, server, "--send-to", "me@example.net", "--rate", "10")
        assert server.taken_count == 6
    assert finding(found, "rate")["text"].startswith("3 mails were taken")
    assert "450 4.7.0" in finding(found, "rate")["text"]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_what_one_connection_takes_is_no_rate_and_is_there_to_paste(desk, most: int) -> None:
    with SmtpServer(features=LOGIN, limits=ServerLimits(mails_per_connection=most)).in_thread() as server:
        found = probed(desk, server, "--send-to", "me@example.net", "--rate", "10")
        assert server.taken_count == 3 + 10
    assert [one["text"] for one in found["findings"] if one["level"] == "bad"] == []
    assert finding(found, "messages per connection")["text"].startswith(f"The server takes {most} mails on one connection")
    assert finding(found, "rate")["text"].startswith("10 mails in")
    assert tomllib.loads(found["toml"])["accounts"]["help"]["messages_per_connection"] == most


def test_what_a_connection_took_that_broke_is_not_counted_with_the_next(desk) -> None:
    with SmtpServer(features=LOGIN, limits=ServerLimits(mails_per_connection=5)).in_thread() as server:
        once = iter([Fault.CUT])
        server.decide(lambda moment: next(once, None) if moment.point == "dot" and server.taken_count == 2 else None)
        found = probed(desk, server, "--send-to", "me@example.net", "--rate", "10")
    assert finding(found, "messages per connection")["text"].startswith("The server takes 5 mails on one connection")


def test_rate_without_a_recipient_is_wrong_usage(desk, server: SmtpServer) -> None:
    ran = desk.run("doctor", "--probe", url(server), "--rate", "3")
    assert ran.code == 2
    assert "--send-to ADDRESS" in ran.err


def test_a_url_without_a_password_takes_it_from_the_environment(desk, server: SmtpServer, monkeypatch) -> None:
    bare = f"smtp://help%40example.com@127.0.0.1:{server.port}"
    ran = desk.run("doctor", "--probe", bare)
    assert (ran.code, ran.out) == (2, "")
    assert "$TICKETMAIL_PROBE_PASSWORD" in ran.err

    monkeypatch.setenv("TICKETMAIL_PROBE_PASSWORD", CANARY)
    found = desk.run("doctor", "--probe", bare, "--connections", "1", "--json").json
    assert "logged in as help@example.com" in finding(found, "login")["text"]


def test_an_account_of_the_settings_is_probed_by_its_name(desk, server: SmtpServer) -> None:
    desk.write(f'[accounts.support]\nurl = "smtp://127.0.0.1:{server.port}"\nuser = "{USER}"\npassword = "{CANARY}"\n')
    ran = desk.run("doctor", "--probe", "support", "--connections", "2")
    assert "OK   login: " in ran.out
    assert "[accounts.support]\n" in ran.out
    assert f'url = "smtp://help%40example.com@127.0.0.1:{server.port}"' in ran.out
    assert desk.run("doctor", "--probe", "nobody").err.startswith("error: There is no account 'nobody'.")


def test_a_gateway_that_cannot_be_asked_says_so(desk) -> None:
    ran = desk.run("doctor", "--probe", "null://")
    assert ran.code == 1
    assert "OK   login: null:// takes every mail" in ran.out
    assert "only sending would prove it" in ran.out


def test_a_provider_that_is_not_there_is_said_and_its_key_is_not(desk) -> None:
    ran = desk.run("doctor", "--probe", "resend://:re_the-secret@127.0.0.1:9")
    assert ran.code == 2
    assert "BAD  login: resend://127.0.0.1: no connection" in ran.out
    assert "Nothing listens there" in ran.out
    assert "the-secret" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("host", "banner", "profile"),
    [
        ("smtp.office365.com", "", "office365"),
        ("relay.internal", "FR0P281CA0012.outlook.office365.com Microsoft ESMTP MAIL Service ready", "office365"),
        ("relay.internal", "smtp.gmail.com ESMTP a640c23a62f3a - gsmtp", "google-workspace"),
        ("mail.example.com", "mail.example.com ESMTP Postfix", None),
    ],
)
def test_a_vendor_is_recognised_by_host_or_greeting(host: str, banner: str, profile: str | None) -> None:
    found = recognised(host, banner)
    assert (found.name if found is not None else None) == profile


def test_the_profile_of_a_recognised_server_stands_in_the_toml(desk) -> None:
    with SmtpServer(features=LOGIN, banner="x.outlook.office365.com Microsoft ESMTP").in_thread() as server:
        text = probed(desk, server)["toml"]
    assert 'profile = "office365"  # brings 30/min, ' in text
    assert tomllib.loads(text)["accounts"]["help"]["profile"] == "office365"
