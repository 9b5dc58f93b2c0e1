"""The command line itself: help, wrong usage, errors in one line, a fast start."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from ticketmail import Message, TicketMail
from ticketmail.app.cli.errors import UsageError
from ticketmail.app.cli.moments import aware, future_us, lifetime_us, pace_per_s, past_us
from ticketmail.app.cli.parsing import build, parse

NOW = 1_800_000_000_000_000


def commands() -> list[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, with its parser."""
    found: list[tuple[str, argparse.ArgumentParser]] = []

    def walk(parser: argparse.ArgumentParser, path: str) -> None:
        below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        for action in below:
            for name, child in action.choices.items():
                walk(child, f"{path} {name}".strip())
        if not below:
            found.append((path, parser))

    walk(build(), "")
    return found


@pytest.mark.parametrize(("name", "parser"), commands(), ids=[name for name, _ in commands()])
def test_each_command_names_a_function_that_is_there(name: str, parser: argparse.ArgumentParser) -> None:
    from importlib import import_module

    module, _, function = parser.get_default("run").partition(":")
    assert callable(getattr(import_module(f"ticketmail.app.cli.{module}"), function))


@pytest.mark.parametrize(("name", "parser"), commands(), ids=[name for name, _ in commands()])
def test_each_command_explains_itself(desk, name: str, parser: argparse.ArgumentParser) -> None:
    ran = desk.run(*name.split(), "--help")
    assert ran.code == 0
    assert "usage: ticketmail" in ran.out
    assert len(ran.out.splitlines()) > 3


def test_the_page_of_help_names_the_exit_codes(desk) -> None:
    assert "exit codes:" in desk.run("--help").out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["stauts"], "There is no command 'stauts'. Did you mean `status`?"),
        (["dead", "lst"], "There is no command 'lst'. Did you mean `list`?"),
        (["frobnicate"], "There is no command 'frobnicate'. Known: status, why, eta,"),
        ([], "The following arguments are required: COMMAND. See `ticketmail --help`."),
        (["db"], "The following arguments are required: COMMAND. See `ticketmail db --help`."),
        (["find"], "The following arguments are required: SCOPE|ID[/N]."),
        (["find", "all", "--limit", "0"], "'0' is not a number from 1 to 999999999."),
    ],
)
def test_wrong_usage_is_one_line_with_the_next_step(desk, argv: list[str], said: str) -> None:
    ran = desk.run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("group", "same"),
    [("dead", "list"), ("unknowns", "list"), ("suppressions", "list"), ("accounts", "list"), ("events", "dead")],
)
def test_a_group_alone_lists(desk, group: str, same: str) -> None:
    desk.bury()
    alone, named = desk.run(group, "--json"), desk.run(group, same, "--json")
    assert (alone.code, alone.json) == (named.code, named.json)


def test_options_may_stand_on_either_side_of_the_command() -> None:
    assert parse(["--json", "status"]).json is True
    assert parse(["status", "--json"]).json is True
    assert parse(["--settings", "a.toml", "dead", "list"]).settings == "a.toml"
    assert parse(["dead", "list", "--settings", "a.toml"]).settings == "a.toml"


def test_help_and_version_import_neither_pydantic_nor_a_database() -> None:
    code = (
        "import sys; from ticketmail.app.cli import main; main(['--version']); main(['find', '--help']);"
        "print([name for name in ('pydantic', 'sqlalchemy', 'rich', 'injector', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ticketmail", "--version"], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout.startswith("ticketmail ")


def test_a_fault_of_ours_is_one_line_and_debug_shows_where(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: object) -> int:
        raise RuntimeError("unforeseen\nthing")

    monkeypatch.setattr("ticketmail.app.cli.looking.find", fail)
    ran = desk.run("find", "all")
    assert (ran.code, ran.err) == (2, "error: RuntimeError: unforeseen thing. This is a fault of ours; --debug shows where.\n")
    with pytest.raises(RuntimeError):
        desk.run("find", "all", "--debug")


def test_an_interrupt_ends_with_130(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(context: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("ticketmail.app.cli.looking.find", interrupted)
    assert desk.run("find", "all").code == 130


def test_a_reader_that_goes_away_is_no_error(desk, tmp_path: Path) -> None:
    """``ticketmail db export | head -1``."""
    with TicketMail() as mail:  # more than a pipe holds
        mail.submit_many([Message(sender="a@example.com", to="b@example.net", text="x" * 60_000) for _ in range(5)])
    line = f"{sys.executable} -m ticketmail db export --bodies | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


# --- times as people type them ----------------------------------------------------------------------------------------------


def test_a_duration_is_that_long_ago_or_from_now() -> None:
    assert past_us("2h", NOW, option="--since") == NOW - 7_200_000_000
    assert future_us("90s", NOW, option="--until") == NOW + 90_000_000


def test_a_time_with_its_offset_is_that_time() -> None:
    assert past_us("2027-01-15T09:00+01:00", NOW, option="--since") == NOW
    assert past_us("2027-01-15T08:00:00.000001Z", NOW, option="--since") == NOW + 1
    assert aware(NOW + 1).isoformat() == "2027-01-15T08:00:00.000001+00:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2027-01-15T09:00", "has no offset"),
        ("2027-01-15", "has no offset"),
        ("soon", "neither a duration nor a time"),
        ("2026", "neither a duration nor a time"),
        ("5", "neither a duration nor a time"),
    ],
)
def test_what_might_mean_several_times_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        past_us(text, NOW, option="--since")


def test_an_end_in_the_past_is_refused() -> None:
    with pytest.raises(UsageError, match="is in the past"):
        future_us("2020-01-01T00:00Z", NOW, option="--until")


@pytest.mark.parametrize(("text", "pace"), [("5/s", 5.0), ("100/min", 100 / 60), ("3600/h", 1.0), ("0.5/s", 0.5)])
def test_a_pace_has_a_unit(text: str, pace: float) -> None:
    assert pace_per_s(text, option="--pace") == pytest.approx(pace)


@pytest.mark.parametrize("text", ["5", "0/s", "-1/s", "x/s", "5/fortnight", "nan/s"])
def test_what_is_no_pace_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Write 5/s"):
        pace_per_s(text, option="--pace")


@pytest.mark.parametrize("text", ["0s", "x", "-1h"])
def test_what_is_no_lifetime_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Write 30m"):
        lifetime_us(text, option="--lifetime")
