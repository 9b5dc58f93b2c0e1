"""Incoming mail at the command line: what a mail server pipes in, what people import, list and read again."""

from __future__ import annotations

import io
import mailbox
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ticketmail import Message, TicketMail

MAIL = b"From: ann@example.net\r\nTo: help@example.com\r\nSubject: Printer\r\nMessage-ID: <1@example.net>\r\n\r\nIt burns.\r\n"
BOX = '\n[mailboxes.help]\naddresses = ["help@example.com"]\n'


@pytest.fixture
def box(desk: Any) -> Any:
    desk.write((desk.home / "ticketmail.toml").read_text() + BOX)
    return desk


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))


def settle() -> None:
    with TicketMail() as mail:
        mail.inbound.settle()


def test_a_mail_that_a_server_pipes_in_is_stored_once(box: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        piped(monkeypatch, MAIL)
        assert box.run("pipe", "help", "--to", "help@example.com", "--from", "ann@example.net").code == 0

    (view,) = box.run("--json", "inbound", "list").json
    assert (view["state"], view["envelope_to"], view["envelope_from"]) == ("stored", ["help@example.com"], "ann@example.net")


@pytest.mark.parametrize(
    ("argv", "content"),
    [
        (("pipe", "nobody"), MAIL),
        (("pipe", "help", "--no-such-option"), MAIL),
        (("pipe",), MAIL),
        (("pipe", "help"), b""),
        (("--settings", "not-there.toml", "pipe", "help"), MAIL),
    ],
)
def test_whatever_is_in_doubt_the_mail_server_keeps_the_mail(
    box: Any, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], content: bytes
) -> None:
    piped(monkeypatch, content)

    assert box.run(*argv).code == 75


def test_a_spool_that_is_out_of_reach_is_a_doubt_too(box: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (box.home / "ticketmail.toml").read_text()
    box.write(settings.replace("sqlite:///spool.db", "sqlite:////no/such/directory/spool.db"))
    piped(monkeypatch, MAIL)

    assert box.run("pipe", "help").code == 75


def test_the_pipe_works_as_a_process_of_its_own(box: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ticketmail", "pipe", "help"], input=MAIL, cwd=box.home, capture_output=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(box.run("--json", "inbound", "list").json) == 1


def test_old_mail_of_all_kinds_is_taken_in_once_and_silently(box: Any) -> None:
    maildir = mailbox.Maildir(box.home / "maildir")
    maildir.add(MAIL)
    mbox = mailbox.mbox(box.home / "old.mbox")
    mbox.add(MAIL.replace(b"burns", b"smokes"))
    mbox.close()
    (box.home / "one.eml").write_bytes(MAIL.replace(b"burns", b"is gone"))
    paths = ("maildir", "old.mbox", "one.eml")

    assert box.run("--json", "import", "help", *paths).json == {"new": 3, "known": 0}
    assert box.run("--json", "import", "help", *paths).json == {"new": 0, "known": 3}
    assert all(view["silent"] for view in box.run("--json", "inbound", "list").json)
    assert box.run("import", "help", "nowhere").code == 2
    assert "no mailbox 'hepl'" in box.run("import", "hepl", "nowhere").err


def test_a_maildirs_subfolders_are_old_mail_too_and_an_empty_file_is_none(box: Any) -> None:
    (box.home / "archive").mkdir()
    maildir = mailbox.Maildir(box.home / "archive" / "maildir")
    maildir.add(MAIL)
    maildir.add_folder("2025").add(MAIL.replace(b"burns", b"burnt"))
    (box.home / "archive" / "one.eml").write_bytes(MAIL.replace(b"burns", b"is gone"))
    (box.home / "empty.mbox").touch()

    assert box.run("--json", "import", "help", "archive", "empty.mbox").json == {"new": 3, "known": 0}
    assert box.run("import", "help", "empty.mbox").code == 1


def test_what_came_in_is_listed_shown_and_read_again(box: Any, tmp_path: Path) -> None:
    (box.home / "one.eml").write_bytes(MAIL)
    box.run("import", "help", "one.eml")
    settle()

    (view,) = box.run("--json", "inbound", "list", "--mailbox", "help", "--state", "done").json
    shown = box.run("inbound", "show", view["inbound_id"])
    assert "From ann@example.net, into help" in shown.out
    assert "It is human mail, of no ticket." in shown.out
    assert "received" in shown.out
    assert "Printer" in box.run("inbound").out
    assert box.run("inbound", "retry", view["inbound_id"]).code == 1
    again = box.run("--json", "inbound", "reparse", "--since", "1h", "--dry-run")
    assert (again.code, again.json) == (0, {"read": 1, "differences": []})
    assert "Only the newest 1 were looked at" in box.run("inbound", "reparse", "--limit", "1").out
    assert box.run("inbound", "list", "--state", "lost").code == 2
    assert box.run("inbound", "show", "not-an-id").code == 2


def test_what_today_would_be_judged_otherwise_is_shown_and_nothing_is_changed(box: Any) -> None:
    answer = MAIL.replace(b"Message-ID: <1@example.net>", b"Message-ID: <2@example.net>\r\nIn-Reply-To: <own@example.com>")
    (box.home / "one.eml").write_bytes(answer)
    box.run("import", "help", "one.eml")
    settle()
    message = Message(sender="help@example.com", to="ann@example.net", subject="x", text="y", message_id="<own@example.com>")
    with TicketMail() as mail:  # as if it had been known when the answer came
        mail.submit(message, ticket="4711")

    done = box.run("--json", "inbound", "reparse", "--since", "1h", "--dry-run")

    assert done.code == 1
    assert done.json["differences"][0]["changes"] == {"ticket": [None, "4711"], "strength": ["none", "strong"]}
    assert box.run("--json", "inbound", "list").json[0]["ticket"] is None


def test_the_balance_of_a_mailbox_that_is_only_handed_in(box: Any) -> None:
    (box.home / "one.eml").write_bytes(MAIL)
    box.run("import", "help", "one.eml")

    done = box.run("mailbox", "check")

    assert done.code == 0
    assert "help: 1 in the ledger: 0 became events, 0 were copies, 1 wait, 0 are dead." in done.out
