"""What the pages show works: Python runs, TOML is settings, commands are known, and two pages are followed to their end."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ticketmail.app.cli.parsing import parse
from ticketmail.app.settings_source import load
from ticketmail.testing.smtpd import Features, SmtpServer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
SECRETS = (
    "DESK_DB_PASSWORD",
    "SUPPORT_PASSWORD",
    "RESCUE_PASSWORD",
    "CLIENT_SECRET",
    "REFRESH_TOKEN",
    "SENDGRID_KEY",
    "AWS_SECRET",
    "RESEND_KEY",
)
#: What a framework does between two blocks of its page: after the block of this number.
BETWEEN = {
    "docs/how-to/django.md": (
        0,
        "import django\nfrom django.conf import settings\nsettings.configure(DATABASES=DATABASES, USE_TZ=True)\ndjango.setup()\n",
    )
}
#: Facts that must hold at a page's end.
AT_THE_END = {
    "docs/how-to/django.md": """
import contextlib, io

(answered,) = mail.why("ticket:4711")
with contextlib.suppress(ZeroDivisionError), transaction.atomic():
    mail.submit(Message(sender="a@example.com", to="b@example.com", text="-"), ticket="4712", connection=connection)
    1 / 0
assert mail.why("ticket:4712") == []

mail.cancel("ticket:4711", reason="enough")
(item,) = mail.spool.outbox.take(9, 60)
with contextlib.redirect_stdout(io.StringIO()) as told:
    handle(item.event)
    handle(item.event)
assert told.getvalue() == "4711 cancelled ann@example.net\\n", told.getvalue()
"""
}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, kind: str) -> list[str]:
    return [text for name, text in BLOCK.findall(page.read_text()) if name == kind]


def having(kind: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, kind)]


def script_of(page: Path) -> str:
    """The Python of a page, in one piece."""
    texts = blocks(page, "python")
    after, text = BETWEEN.get(named(page), (0, ""))
    texts[after] += text
    return "\n".join([*texts, AT_THE_END.get(named(page), "")])


def ticketmail(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "ticketmail", *words)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TICKETMAIL_")}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-m", "ticketmail", *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)


def until(true: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.parametrize("page", having("python"), ids=named)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        if text.startswith("# ticketmail.toml"):
            (tmp_path / "ticketmail.toml").write_text(text)
    (tmp_path / "page.py").write_text(script_of(page))

    result = run(tmp_path, "page.py")

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", having("toml"), ids=named)
def test_the_toml_of_a_page_is_settings(page: Path, tmp_path: Path) -> None:
    (tmp_path / "support.password").write_text("secret")
    for text in blocks(page, "toml"):
        table = tomllib.loads(text.replace("file:/etc/ticketmail/", f"file:{tmp_path}/"))
        if "project" in table:
            assert list(table["project"]["entry-points"]) == ["ticketmail.gateways"]
        else:
            assert load(table, environ={name: "secret" for name in SECRETS}) is not None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    """In console blocks and in running text. The command line's own grammar reads them."""
    text = page.read_text()
    shown = [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ticketmail ")]
    shown += [] if page.parent.name == "reference" else re.findall(r"`(ticketmail [^`]+)`", re.sub(BLOCK, "", text))
    for line in shown:
        words = shlex.split(line, comments=True)[1:]
        if words:
            assert parse(words).command, line


def test_the_readme_followed_word_by_word_sends_a_mail_through_a_server(tmp_path: Path) -> None:
    """Only the server's name and port are other ones."""
    features = Features(users={"help@example.com": "secret"})
    page = ROOT / "README.md"
    with SmtpServer(features=features).in_thread() as server:
        here = f"127.0.0.1:{server.port}"
        settings, *_ = blocks(page, "toml")
        (tmp_path / "ticketmail.toml").write_text(settings.replace("smtp.example.com:587", here))
        (tmp_path / "page.py").write_text(script_of(page).replace("smtp.example.com:587", here))
        first = run(tmp_path, "page.py")
        again = run(tmp_path, "page.py")
        assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
        assert first.stdout == again.stdout, "the same key is the same mail"

        doctor = ticketmail(tmp_path, "doctor")
        with running(tmp_path, "worker"):
            until(lambda: server.taken, "the worker sends")
            until(lambda: "taken" in ticketmail(tmp_path, "why", "ticket:4711").stdout, "the outcome is recorded")
            status = ticketmail(tmp_path, "status")

    assert "account support" in doctor.stdout
    assert status.returncode in (0, 1), status.stdout
    (taken,) = server.taken
    assert taken.recipients == ("ann@example.net",)
    assert taken.login == "help@example.com"
    assert taken.message_id.strip("<>") in first.stdout


def test_the_tutorial_leads_to_a_file_and_an_event(tmp_path: Path) -> None:
    page, outbox = ROOT / "docs/tutorials/first-mail.md", tmp_path / "outbox"
    (settings,) = blocks(page, "toml")
    (tmp_path / "ticketmail.toml").write_text(settings.replace("/tmp/ticketmail-outbox", str(outbox)))
    desk, handing, asking = blocks(page, "python")
    (tmp_path / "desk.py").write_text(desk)
    result = run(tmp_path, "-c", f"from desk import answer, mail\n{handing}\n{asking}")
    assert result.returncode == 0, result.stderr
    assert "accepted" in result.stdout

    with running(tmp_path, "worker"):
        until(lambda: list(outbox.glob("*.eml")), "the worker writes the mail")
        until(lambda: "It was sent" in ticketmail(tmp_path, "why", "ticket:4711").stdout, "why says so")
    status = ticketmail(tmp_path, "status")
    with running(tmp_path, "--app", "desk:mail", "listen", "desk:on_event") as listener:
        assert listener.stdout is not None
        line = listener.stdout.readline()

    assert "mails nobody" in status.stdout
    assert line == "4711 sent ann@example.net\n"
    assert list(outbox.glob("*.json"))


def test_the_night_on_call_ends_with_the_mail_sent(tmp_path: Path) -> None:
    """The page's own commands, in its order, around a sender that the server does not accept at first."""
    shown = [line[2:] for block in blocks(ROOT / "docs/how-to/on-call.md", "console") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in shown]
    replay = [words for words in commands if words[:2] == ["dead", "replay"]]
    before = commands[: commands.index(replay[0])]
    with SmtpServer().in_thread() as server:
        (tmp_path / "ticketmail.toml").write_text(
            f'spool = "sqlite:///t.db"\naccounts.support.url = "smtp://127.0.0.1:{server.port}"\n'
        )
        server.refuse("mail", "550 5.7.60 SMTP; Client does not have permissions to send as this sender")
        mail = ("--from", "help@example.com", "--to", "ann@example.net", "--subject", "a", "--text", "b", "--ticket", "4711")
        assert ticketmail(tmp_path, "submit", *mail).returncode == 0
        with running(tmp_path, "worker"):
            until(lambda: "sender-refused" in ticketmail(tmp_path, "dead", "list").stdout, "it becomes a dead letter")
            answers = {" ".join(words): ticketmail(tmp_path, *words) for words in before}
            assert not server.taken
            server.heal()
            dry, real = (ticketmail(tmp_path, *words) for words in replay)
            until(lambda: server.taken, "it is sent again")

    assert "permissions to send as this sender" in answers["why ticket:4711"].stdout
    assert "sender-refused" in answers["dead list cause:sender-refused"].stdout
    assert answers["log --since 2h"].returncode == 0
    assert (dry.returncode, real.returncode) == (0, 0), dry.stderr + real.stderr
    assert [one.recipients for one in server.taken] == [("ann@example.net",)]
