"""The status screen as people see it: with rich at 100 columns, and plain without rich."""

from __future__ import annotations

import importlib.util
import io
from datetime import timedelta, timezone
from uuid import UUID

import pytest

from ticketmail.app.cli.output import Output, Table, escape
from ticketmail.app.cli.plain import plain
from ticketmail.app.cli.screen import show_status
from ticketmail.app.usecases.report import (
    AccountStatus,
    Finding,
    Hold,
    HoldKind,
    LaneStatus,
    Level,
    SpoolStatus,
    Status,
    Times,
    WorkerStatus,
)

NOW = 1_800_000_000_000_000
TIMES = Times(NOW, timezone(timedelta(hours=1)))
HELD = Hold(
    HoldKind.THROTTLE,
    "account:support",
    "account 'support' is held because the server said 450 4.7.1 too much mail",
    until_us=NOW + 49_000_000,
)
STATUS = Status(
    at_us=NOW,
    level=Level.WARN,
    headline="Mail is leaving: 148 due, 203 waiting in all; the last mail left 2 s ago.",
    findings=(
        Finding(Level.OK, "workers", "2 workers alive."),
        Finding(Level.WARN, "dead", "3 dead letters wait for a human, most of them 'relay-denied'.", "`ticketmail dead list`."),
    ),
    modes=("only_to: nobody but example.com is mailed.",),
    lanes=(
        LaneStatus("bulk", 200, 146, NOW - 420_000_000, 420.0, Level.WARN),
        LaneStatus("reply", 3, 2, NOW - 1_500_000, 1.5, Level.OK),
    ),
    holds=(HELD,),
    accounts=(
        AccountStatus("support", Level.OK, "held (throttle)", holds=(HELD,), used=("2 of 5 connections", "812 of 2000/day")),
        AccountStatus("test", Level.BAD, "well", network=False),
    ),
    workers=(
        WorkerStatus(UUID(int=7), "mail1", 4711, "0.1.0", True, NOW, NOW - 2_000_000, {"in_flight": 3, "sent": 1207}),
        WorkerStatus(UUID(int=8), "mail2", 815, "0.1.0", False, NOW, NOW - 900_000_000),
    ),
    counts={"queued": 203, "sent": 51_233, "dead": 3},
    spool=SpoolStatus(1, "desk", 5 * 2**30, 3 * 2**20),
    last_sent_us=NOW - 2_000_000,
    events_waiting=4,
    events_dead=0,
    oldest_event_us=NOW - 1_000_000,
)

SCREEN = """\
WARN  Mail is leaving: 148 due, 203 waiting in all; the last mail left 2 s ago.
!!  only_to: nobody but example.com is mailed.
site desk, seen 2027-01-15 09:00:00 +01:00

Lanes
"""


def shown(**how: object) -> str:
    stream = io.StringIO()
    show_status(Output(stream=stream, width=100, **how), STATUS, TIMES)
    return stream.getvalue()


@pytest.mark.parametrize("colour", [True, False])
def test_the_screen_reads_well_at_100_columns(colour: bool) -> None:
    text = shown(colour=colour)
    lines = [line.rstrip() for line in text.splitlines()]
    assert text.startswith(SCREEN)
    assert max(len(line) for line in lines) <= 100
    assert len(lines) <= 40  # one screen
    joined = " ".join(" ".join(lines).split())
    for words in (
        "bulk 200 146 08:53:00 +01:00 (7 min)",
        "reply 3 2 08:59:58 +01:00 (1.5 s)",
        "account 'support' is held because the server said 450 4.7.1 too much",
        "09:00:49 +01:00",
        "support held (throttle) 2 of 5 connections; 812 of 2000/day",
        "test well; mails nobody -",
        "mail1:4711 0.1.0 alive 2 s ago in_flight 3, sent 1207",
        "mail2:815 0.1.0 dead 15 min ago -",
        "Spool: dead 3, queued 203; within a day sent 51233; schema 1, 3.0 MiB used, 5.0 GiB free",
        "Events for the host: 4 waiting, the oldest since 08:59:59 +01:00; 0 dead",
        "WARN dead: 3 dead letters wait for a human, most of them 'relay-denied'. `ticketmail dead list`.",
    ):
        assert words in joined, words
    assert "OK workers" not in joined  # what is well is not told


def test_without_rich_the_same_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "rich" else find(name))
    assert shown(colour=True) == shown(colour=False)


def test_on_a_terminal_trouble_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    stream = io.StringIO()
    out = Output(stream=stream, colour=True)
    out._rich = Console(file=stream, force_terminal=True, color_system="standard", width=100, markup=False)
    show_status(out, STATUS, TIMES)
    assert "\x1b[1;31m!!  only_to" in stream.getvalue()
    assert "\x1b[33mWARN" in stream.getvalue()


@pytest.mark.parametrize("width", [60, 200])
def test_ids_are_never_folded(width: int) -> None:
    """They are copied and pasted."""
    stream = io.StringIO()
    id_ = "01a20f19-85c1-7f06-bb0c-abd44c822ed6/0"
    Output(stream=stream, colour=True, width=width).table(Table(("to", "id/n"), [("ann@example.net" * 2, id_)], wide=True))
    assert any(line.rstrip().endswith(id_) for line in stream.getvalue().splitlines())


def test_text_is_never_markup_and_never_a_command() -> None:
    stream = io.StringIO()
    out = Output(stream=stream, colour=True, width=80)
    out.table(Table(("a",), [("[red]x[/red] \x1b[2J \u202e",)]))
    out.line("[bold]y[/bold]\r\nz")
    assert "[red]x[/red] \\x1b[2J \\u202e" in stream.getvalue()
    assert "[bold]y[/bold]\\r\\nz" in stream.getvalue()


def test_secrets_are_masked_wherever_they_stand() -> None:
    stream, errors = io.StringIO(), io.StringIO()
    out = Output(stream=stream, errors=errors, mask=lambda text: text.replace("hunter2", "***"))
    out.json({"a": ["hunter2"], "b": {"c": "x hunter2"}})
    out.json_line(["hunter2"])
    out.line("hunter2")
    out.table(Table(("h",), [("hunter2",), (("hunter2", "red"),)]))
    out.raw("SELECT 'hunter2'")
    out.error("hunter2")
    assert "hunter2" not in stream.getvalue() + errors.getvalue()
    assert stream.getvalue().count("***") == 7


def test_each_moment_is_there_for_people_and_for_programs() -> None:
    found = plain(HELD)
    assert found["until_us"] == NOW + 49_000_000
    assert found["until"] == "2027-01-15T08:00:49.000000Z"
    assert (found["since_us"], found["since"]) == (None, None)
    assert plain({Level.OK: b"\x01", "id": UUID(int=1)}) == {"ok": "01", "id": "00000000-0000-0000-0000-000000000001"}


def test_letters_of_any_script_stay_and_controls_do_not() -> None:
    assert escape("Grüße 你好 ✓") == "Grüße 你好 ✓"
    assert escape("a\x00b\x85c\u2028d") == "a\\x00b\\x85c\\u2028d"
