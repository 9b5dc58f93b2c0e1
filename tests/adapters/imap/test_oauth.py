"""XOAUTH2: the token is sent as Google and Microsoft want it; one that is refused is asked for anew, once."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ticketmail.adapters.imap import create
from ticketmail.domain.errors import MailboxRefused, MailboxUnreachable
from ticketmail.domain.ports.receiving import MailboxOptions
from ticketmail.testing.mailboxes import InboxBook


class Login(socketserver.StreamRequestHandler):
    """An IMAP server as far as login and an empty folder go. The class's ``good`` is the token that it takes."""

    good = "fresh"
    refusal = "NO AUTHENTICATE failed."
    denied = ""

    def handle(self) -> None:
        self.say("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 IDLE] ready")
        for line in self.rfile:
            tag, command, *words = line.decode().split()
            if command == "AUTHENTICATE":
                self.log_in(tag, words[1] if len(words) > 1 else self.asked())
            elif command == "CAPABILITY":
                self.say("* CAPABILITY IMAP4rev1 IDLE", f"{tag} OK done")
            elif self.denied and command in ("SELECT", "LIST"):
                self.say(self.denied if self.denied.startswith("*") else f"{tag} {self.denied}")
            elif command == "SELECT":
                self.say("* 0 EXISTS", "* OK [UIDVALIDITY 1] .", "* OK [UIDNEXT 1] .", f"{tag} OK [READ-WRITE] done")
            elif command == "UID":
                self.say("* SEARCH", f"{tag} OK done")
            else:
                self.say(f"{tag} OK done")

    def log_in(self, tag: str, answer: str) -> None:
        said = base64.b64decode(answer).decode()
        self.server.said.append(said)  # type: ignore[attr-defined]
        if said.endswith(f"auth=Bearer {self.good}\1\1"):
            self.say(f"{tag} OK in")
            return
        self.say("+ eyJzdGF0dXMiOiI0MDAifQ==")
        self.rfile.readline()
        self.say(f"{tag} {self.refusal}")

    def asked(self) -> str:
        self.say("+ ")
        return self.rfile.readline().decode().strip()

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Login)
        self.said: list[str] = []


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def box(server: _Server, tokens: list[str], asked: list[bool]) -> Any:
    def token(force: bool) -> str:
        asked.append(force)
        return tokens[min(len(asked), len(tokens)) - 1]

    return create(f"imap://127.0.0.1:{server.server_address[1]}", MailboxOptions(user="help@example.com", token=token))


def test_the_token_is_the_login(server: _Server) -> None:
    asked: list[bool] = []
    made = box(server, ["fresh"], asked)

    assert made.poll(InboxBook()) == 0
    assert server.said == ["user=help@example.com\1auth=Bearer fresh\1\1"]
    assert asked == [False]
    made.close()


def test_a_token_that_is_refused_is_asked_for_anew_once(server: _Server) -> None:
    asked: list[bool] = []
    made = box(server, ["stale", "fresh"], asked)

    assert made.poll(InboxBook()) == 0
    assert asked == [False, True]
    made.close()


def test_a_login_that_stays_refused_is_told_without_the_token(server: _Server) -> None:
    asked: list[bool] = []
    with pytest.raises(MailboxRefused, match=r"does not let help@example\.com in") as caught:
        box(server, ["canary-token"], asked).poll(InboxBook())

    assert asked == [False, True]
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "refusal",
    [
        "NO [ALERT] Too many simultaneous connections. (Failure)",
        "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)",
    ],
)
def test_a_login_that_is_turned_away_for_now_is_not_refused(
    server: _Server, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    monkeypatch.setattr(Login, "refusal", refusal)
    with pytest.raises(MailboxUnreachable, match=r"connections.*tried again by itself"):
        box(server, ["stale"], []).poll(InboxBook())


def test_a_login_that_exchange_takes_and_that_has_no_mailbox_says_what_to_check(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Login, "denied", "BAD User is authenticated but not connected.")
    made = box(server, ["fresh"], [])
    with pytest.raises(MailboxRefused, match="permission on the mailbox"):
        made.poll(InboxBook())
    made.close()


def test_a_server_that_announces_more_than_a_mail_may_be_is_cut(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Login, "denied", "* SEARCH {99999999999}")
    made = box(server, ["fresh"], [])
    with pytest.raises(MailboxUnreachable, match="announces 99999999999 bytes"):
        made.poll(InboxBook())
    made.close()
