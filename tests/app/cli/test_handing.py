"""submit, listen, worker, and the host's own object by --app."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ticketmail.testing.smtpd import SmtpServer


def message_of(desk, id_: str) -> dict[str, str]:
    found: dict[str, str] = desk.run("dead", "show", id_, "--json").json["message"]
    return found


class Piped(io.TextIOWrapper):
    """Standard input that is a pipe."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


def test_submit_prints_the_id(desk, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("all well")
    (tmp_path / "body.html").write_text("<p>Hello</p>")
    ran = desk.run(
        "submit", "--from", "help@example.com", "--to", "Ann <ann@example.net>", "--cc", "bob@example.net",
        "--bcc", "cid@example.net",
        "--reply-to", "desk@example.com", "--subject", "Your printer", "--text", "Hello", "--html", "body.html",
        "--attach", "report.txt", "--ticket", "4711", "--lane", "notice", "--key", "note-1", "--tenant", "acme",
    )  # fmt: skip
    assert ran.code == 0, ran
    views = desk.run("find", f"id:{ran.out.strip()}", "--json").json
    assert {view["recipient"] for view in views} == {"ann@example.net", "bob@example.net", "cid@example.net"}
    assert {(view["ticket"], view["lane"], view["key"], view["tenant"]) for view in views} == {
        ("4711", "notice", "note-1", "acme")
    }
    message = message_of(desk, ran.out.strip())
    assert (message["subject"], message["text"], message["attachments"]) == ("Your printer", "Hello", "report.txt")


def test_the_same_key_is_handed_over_once(desk) -> None:
    argv = ["submit", "--from", "a@example.com", "--to", "b@example.net", "--subject", "s", "--text", "x", "--key", "k"]
    first, second = desk.run(*argv, "--json").json, desk.run(*argv)
    assert first["new"] is True
    assert second.out == f"{first['submission_id']} (this key was handed over before; nothing new)\n"
    ran = desk.run(*argv[:-2], "--text", "other", "--key", "k")
    assert ran.code == 2
    assert "key" in ran.err


def test_the_text_may_be_piped_in(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Piped("Grüße".encode()))
    ran = desk.run("submit", "--from", "a@example.com", "--to", "b@example.net", "--subject", "s", "--text", "-")
    assert message_of(desk, ran.out.strip())["text"] == "Grüße"


def test_ready_mime_may_be_piped_in(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: raw\r\n\r\nhello\r\n"
    monkeypatch.setattr("sys.stdin", Piped(raw))
    ran = desk.run("submit", "--raw", "--ticket", "4711")
    assert ran.code == 0, ran
    [view] = desk.run("find", "ticket:4711", "--json").json
    assert (view["sender"], view["recipient"]) == ("a@example.com", "b@example.net")


def test_too_much_on_standard_input_is_refused(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETMAIL_MAX_SIZE", "10KiB")
    monkeypatch.setattr("sys.stdin", Piped(b"x" * 20_000))
    ran = desk.run("submit", "--from", "a@example.com", "--to", "b@example.net", "--subject", "s", "--text", "-")
    assert ran.code == 2
    assert "10240" in ran.err
    assert sys.stdin.buffer.read() != b""  # it was not read to its end


def test_a_terminal_is_not_waited_for(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    ran = desk.run("submit", "--raw")
    assert "Standard input is your terminal." in ran.err


def test_times_of_a_submission_have_an_offset_or_are_relative(desk) -> None:
    argv = ["submit", "--from", "a@example.com", "--to", "b@example.net", "--subject", "s", "--text", "x"]
    ran = desk.run(*argv, "--not-before", "2h", "--deadline", "2099-01-01T00:00+01:00")
    [view] = desk.run("find", f"id:{ran.out.strip()}", "--json").json
    assert abs(view["due_us"] - view["accepted_us"] - 7_200_000_000) < 60_000_000
    assert view["deadline"] == "2098-12-31T23:00:00.000000Z"
    assert "has no offset" in desk.run(*argv, "--not-before", "2099-01-01T00:00").err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--to", "b@example.net", "--text", "x"], "sender"),
        (["--from", "a@example.com", "--text", "x"], "recipient"),
        (["--from", "a@example.com", "--to", "nobody", "--text", "x"], "to"),
        (["--from", "a@example.com", "--to", "b@example.net", "--text", "x", "--attach", "gone.pdf"], "gone.pdf"),
        (["--from", "a@example.com", "--to", "b@example.net", "--html", "gone.html"], "--html: cannot read gone.html"),
        (["--from", "a@example.com", "--to", "b@example.net", "--text", "-", "--html", "-"], "both read standard input"),
        (["--from", "a@example.com", "--to", "b@example.net", "--text", "x", "--lane", "rply"], "lane"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_stored(desk, argv: list[str], said: str) -> None:
    ran = desk.run("submit", "--subject", "s", *argv)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "fault of ours" not in ran.err
    assert desk.run("find", "all").code == 1


# --- the host's own object --------------------------------------------------------------------------------------------------

HOST = """
from ticketmail import TicketMail

mail = TicketMail(settings={"site": "host", "spool": "sqlite:///host.db", "accounts": {"a": "null://"}})
number = 4711

def make():
    return mail

def broken():
    return 1 / 0

def handler(event):
    with open("told.txt", "a") as file:
        print(event.kind, event.recipient, file=file)
"""


@pytest.fixture
def host(desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    name = f"hostapp{time.time_ns()}"
    (tmp_path / f"{name}.py").write_text(HOST)
    (tmp_path / f"{name}_broken.py").write_text("raise RuntimeError('no postgresql://me:hunter2@db')")
    monkeypatch.setattr("sys.path", list(sys.path))
    yield name
    module = sys.modules.pop(name, None)
    if module is not None:
        module.mail.close()


@pytest.mark.parametrize("path", ["mail", "make"])
def test_app_names_a_ticketmail_or_what_returns_one(desk, host: str, path: str) -> None:
    found = desk.run("--app", f"{host}:{path}", "status", "--json").json
    assert found["spool"]["site"] == "host"


def test_the_environment_may_name_the_app(desk, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETMAIL_APP", f"{host}:mail")
    assert desk.run("status", "--json").json["spool"]["site"] == "host"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("nowhere.mail:mail", "there is no module 'nowhere.mail'"),
        ("{host}:male", "has no 'male'"),
        ("{host}:number", "is a int. Name a TicketMail"),
        ("{host}", "is not module:object. Write desk.mail:mail."),
        ("{host}:broken", "{host}:broken raised ZeroDivisionError: division by zero. --debug shows where."),
        ("{host}_broken:mail", "{host}_broken raised RuntimeError: no postgresql://me:***@db. --debug shows where."),
    ],
)
def test_an_app_that_is_none_is_named(desk, host: str, named: str, said: str) -> None:
    ran = desk.run("--app", named.format(host=host), "status")
    assert ran.code == 2
    assert said.format(host=host) in ran.err
    assert len(ran.err.splitlines()) == 1


def test_app_and_settings_together_are_refused(desk, host: str) -> None:
    assert "Name one of them." in desk.run("--app", f"{host}:mail", "--settings", "x.toml", "status").err


def test_listen_calls_the_hosts_handler(desk, host: str, tmp_path: Path) -> None:
    """A real process: it is told, and SIGTERM ends it in order."""
    app = ("--app", f"{host}:mail")
    desk.run(*app, "submit", "--from", "a@example.com", "--to", "b@example.net", "--subject", "s", "--text", "x")
    desk.act(*app, "cancel", "all")
    with started(tmp_path, *app, "listen") as process:
        wait_for(lambda: (tmp_path / "told.txt").exists() and (tmp_path / "told.txt").read_text() == "cancelled b@example.net\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_listen_without_a_handler_says_how(desk, host: str) -> None:
    assert "`ticketmail --app desk.mail:mail listen desk.mail:on_event`" in desk.run("listen").err
    assert "cannot be called" in desk.run("--app", f"{host}:mail", "listen", f"{host}:number").err


# --- the worker -------------------------------------------------------------------------------------------------------------


class started:
    """A command in a process of its own, ended by its id at the latest when the test ends."""

    def __init__(self, cwd: Path, *argv: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TICKETMAIL_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ticketmail", *argv], cwd=cwd, env=environ, stderr=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        self.said += self._process.stderr.readlines()

    def __enter__(self) -> subprocess.Popen[str]:
        return self._process

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(30)
        self._reader.join(30)
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def free_port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


def page(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return str(answer.read().decode())


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def test_a_worker_sends_and_says_so_and_ends_in_order(desk, tmp_path: Path) -> None:
    """From `submit` to a real mail server, and `why` afterwards."""
    with SmtpServer().in_thread() as server, free_port() as port:
        desk.write(
            f'site = "desk"\nspool = "sqlite:///spool.db"\naccounts.support = "smtp://127.0.0.1:{server.port}"\n'
            f'[worker]\nhttp = "127.0.0.1:{port}"\n'
        )
        id_ = desk.run("submit", "--from", "a@example.com", "--to", "b@example.net", "--subject", "s", "--text", "x").out.strip()
        with started(tmp_path, "worker") as process:
            wait_for(lambda: len(server.taken) == 1 or process.poll() is not None)
            wait_for(lambda: desk.run("find", f"id:{id_}", "--json").json[0]["state"] == "sent")
            assert desk.run("status").code == 0
            assert desk.run("workers", "--json").json[0]["pid"] == process.pid
            assert page(f"http://127.0.0.1:{port}/readyz") == "ready\n"
            assert 'ticketmail_deliveries{state="sent"} 1.0' in page(f"http://127.0.0.1:{port}/metrics")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        out = desk.run("why", id_).out
        assert "attempt through account 'support': taken" in out
        assert "It was sent" in out
        assert desk.run("workers").code == 2
