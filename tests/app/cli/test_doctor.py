"""doctor: each line ok, warn or bad, with a remedy. Real servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from ticketmail.app.cli.checks import remedy_for
from ticketmail.domain.outbound.outcome import Phase, Refused, Reply
from ticketmail.testing.smtpd import Features, SmtpServer

CANARY = "canary-Pa55word"  # as in conftest


def findings(desk) -> dict[str, dict[str, Any]]:
    """By subject; of several the worst."""
    rank = ["ok", "warn", "bad"]
    found: dict[str, dict[str, Any]] = {}
    for one in desk.run("doctor", "--json").json["findings"]:
        if one["subject"] not in found or rank.index(one["level"]) > rank.index(found[one["subject"]]["level"]):
            found[one["subject"]] = one
    return found


def settings(port: int, *, account: str = "", more: str = "") -> str:
    return f"""
site = "desk"
spool = "sqlite:///spool.db"
{more}
[accounts.support]
url = "smtp://help:{CANARY}@127.0.0.1:{port}"
allow_plaintext = true
{account}
"""


def test_a_service_that_only_receives_needs_no_account(desk) -> None:
    desk.write('site = "desk"\nspool = "sqlite:///spool.db"\n[mailboxes.support]\naddresses = ["help@example.com"]\n')

    assert findings(desk)["accounts"]["level"] == "ok"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer(features=Features(users={"help": CANARY})).in_thread() as started:
        yield started


def test_a_well_desk_is_well(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port, more='[alerts]\nwebhook = "https://hooks.example.com/x"'))
    desk.submit()

    async def look(side, worker_id) -> None:
        ran = await asyncio.to_thread(desk.run, "doctor")  # it runs a loop of its own
        assert ran.code == 0, ran
        assert "OK   account support:" in ran.out
        assert "OK   workers: 1 worker alive." in ran.out
        assert ran.out.endswith(" 0 warn, 0 bad\n")

    desk.on_spool(look)
    assert server.taken == []  # nothing was sent by looking


def test_a_wrong_password_is_bad_with_the_servers_words_and_a_remedy(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port).replace(f":{CANARY}@", f":{CANARY}-wrong@"))
    one = findings(desk)["account support"]
    assert one["level"] == "bad"
    assert "535" in one["text"]
    assert one["remedy"].startswith("Correct user, password or token")


def test_a_port_where_nobody_listens_names_host_and_port(desk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        desk.write(settings(free.getsockname()[1]))
        one = findings(desk)["account support"]
    assert one["level"] == "bad"
    assert one["remedy"].startswith("Nothing listens there: check host and port")


def test_a_certificate_that_is_not_trusted_names_ca_file(desk) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with SmtpServer(features=Features(starttls=context)).in_thread() as server:
        desk.write(f'spool = "sqlite:///spool.db"\naccounts.support = "smtp://127.0.0.1:{server.port}?tls=required"\n')
        one = findings(desk)["account support"]
    assert one["level"] == "bad"
    assert "`ca_file`" in one["remedy"], one


def test_one_account_that_cannot_be_made_does_not_hide_the_others(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port) + '\n[accounts.odd]\nurl = "smtp://127.0.0.1:25?nonsense=1"\n')
    found = findings(desk)
    assert found["account odd"]["level"] == "bad"
    assert found["account support"]["level"] == "ok"


def test_an_account_that_mails_nobody_is_a_warning_there_and_a_red_mode(desk) -> None:
    desk.write('site = "desk"\nspool = "sqlite:///spool.db"\naccounts.a = "null://"\n')
    found = findings(desk)
    assert found["account a"]["level"] == "warn"
    assert found["mode"]["level"] == "bad"


def test_without_accounts_nothing_can_be_sent(desk) -> None:
    desk.write('spool = "sqlite:///spool.db"\n')
    assert findings(desk)["accounts"]["level"] == "bad"


def test_settings_that_cannot_be_read_end_the_examination(desk) -> None:
    desk.write('sight = "desk"\n')
    ran = desk.run("doctor", "--json")
    assert ran.code == 2
    [one] = ran.json["findings"]
    assert (one["subject"], one["level"]) == ("settings", "bad")
    assert "Did you mean 'site'?" in one["text"]


def test_a_spool_that_cannot_be_reached_is_bad_and_accounts_are_looked_at_all_the_same(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port).replace("sqlite:///spool.db", "sqlite:////nowhere/at/all/spool.db"))
    found = findings(desk)
    assert found["spool"]["level"] == "bad"
    assert found["account support"]["level"] == "ok"
    assert "clock" not in found


def test_a_foreign_spool_names_adopt(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port))
    desk.submit()
    desk.write(settings(server.port).replace('site = "desk"', 'site = "staging"'))
    one = findings(desk)["spool"]
    assert one["level"] == "bad"
    assert "`ticketmail adopt --hold staging --reason ...`" in one["remedy"]


def test_a_damaged_spool_is_bad(desk, server: SmtpServer, tmp_path) -> None:
    desk.write(settings(server.port))
    desk.submit()
    with sqlite3.connect(tmp_path / "spool.db") as connection:
        connection.execute("UPDATE ticketmail_meta SET value = '999' WHERE name = 'min_reader'")
    connection.close()
    assert findings(desk)["spool"]["level"] == "bad"


def test_a_sender_without_a_route_is_named(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port))
    desk.submit()
    desk.write(settings(server.port) + '\n[routes]\n"example.org" = ["support"]\n')
    one = findings(desk)["routes"]
    assert one["level"] == "bad"
    assert "No account may send for help@example.com" in one["text"]
    assert '"help@example.com" = ["ACCOUNT"]' in one["remedy"]


def test_alarms_that_would_travel_through_the_sick_account_are_warned_of(desk, server: SmtpServer) -> None:
    alerts = '\n[alerts]\nmail_to = ["admin@example.com"]\nmail_account = "support"\n'
    desk.write(settings(server.port) + alerts)
    one = findings(desk)["alarms"]
    assert one["level"] == "warn"
    assert "leads through account 'support' or its server" in one["text"]


def test_alarms_by_the_log_alone_are_warned_of(desk, server: SmtpServer) -> None:
    desk.write(settings(server.port))
    assert findings(desk)["alarms"]["text"] == "Administrators are told through the log alone."


class GatewaySays(OSError):
    """As a gateway of ours fails."""

    def __init__(self, failure: object) -> None:
        super().__init__("it failed")
        self.failure = failure


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "refused"), "Nothing listens there"),
        (PermissionError("invalid_grant"), "Correct user, password or token"),
        (ssl.SSLCertVerificationError("x"), "`ca_file`"),
        (TimeoutError("timed out"), "Check host, port, name resolution and firewall."),
        (GatewaySays(Refused(Reply(554, "go away"), Phase.BANNER)), "check block lists"),
    ],
)
def test_each_kind_of_failure_has_its_remedy(error: OSError, said: str) -> None:
    assert said in remedy_for(error)


def test_a_folder_that_two_mailboxes_read_is_told(desk: Any) -> None:
    box = 'url = "imap://127.0.0.1:9"\nuser = "{user}"\npassword = "canary"\nfolders = ["INBOX", "{folder}"]\n'
    boxes = {"a": ("Help@x", "A"), "b": ("help@x", "B"), "c": ("sales@x", "A")}
    text = "".join(f"[mailboxes.{name}]\n" + box.format(user=user, folder=folder) for name, (user, folder) in boxes.items())
    desk.write(f'site = "desk"\nspool = "sqlite:///spool.db"\n[accounts.a]\nurl = "null://"\n{text}')
    ran = desk.run("doctor")

    assert ran.out.count("each mail is told twice") == 1
    assert "mailbox b: It reads 'INBOX' of help@x at 127.0.0.1, as mailbox a does" in ran.out
    assert "canary" not in ran.out
