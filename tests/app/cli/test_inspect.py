"""inspect: what would become of any mail, without a spool, without settings."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ticketmail.app.cli import main

AWAY = b"From: Ann <ann@example.net>\nSubject: Re: printer\nAuto-Submitted: auto-replied\n\nOut of office until 5 May.\n"
BOUNCE = (
    b"From: MAILER-DAEMON@example.net\nSubject: failure notice\n\n"
    b"I wasn't able to deliver your message.\n\n<bob@example.net>:\n550 5.1.1 no such user\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory: no settings, no spool, and none afterwards."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_json_line_for_each_file_of_a_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mails").mkdir()
    (here / "mails" / "a.eml").write_bytes(AWAY)
    (here / "mails" / "b.eml").write_bytes(BOUNCE)

    assert main(["inspect", "--json", "mails"]) == 0

    away, bounce = lines(capsys)
    assert (away["file"], away["class"], away["auto"], away["no_autoreply"]) == ("mails/a.eml", "out_of_office", True, True)
    assert (bounce["kind"], bounce["recipients"], bounce["permanent"]) == ("bounce", ["bob@example.net"], True)
    assert sorted(path.name for path in here.rglob("*")) == ["a.eml", "b.eml", "mails"]


def test_people_see_the_class_and_why(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.eml").write_bytes(AWAY + b"\x1b[31m")

    assert main(["inspect", "a.eml"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("a.eml: out_of_office\n")
    assert "auto-replied (Auto-Submitted: auto-replied)" in shown
    assert "no automatic answer: automatic (out_of_office)" in shown
    assert "\x1b" not in shown


def test_a_mail_on_standard_input(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BOUNCE)))

    assert main(["inspect", "--json", "-"]) == 0

    assert [one["class"] for one in lines(capsys)] == ["bounce"]


def test_names_from_a_list(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "a.eml").write_bytes(AWAY)
    (here / "text.txt").write_text("Only a body.")
    monkeypatch.setattr(sys, "stdin", io.StringIO("a.eml\n\ntext.txt\n"))

    assert main(["inspect", "--json", "--files-from", "-"]) == 0

    mail, body = lines(capsys)
    assert (mail["subject"], body["subject"], body["text"]) == ("Re: printer", "", "Only a body.")


def test_a_file_that_cannot_be_opened_stops_no_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.eml").write_bytes(AWAY)

    assert main(["inspect", "--json", "gone.eml", "a.eml"]) == 1

    gone, mail = lines(capsys)
    assert gone == {"file": "gone.eml", "error": "No such file or directory"}
    assert mail["class"] == "out_of_office"


def test_without_a_file_it_says_what_to_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect"]) == 2

    assert "Name files or folders" in capsys.readouterr().err
