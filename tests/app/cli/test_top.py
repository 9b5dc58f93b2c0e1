"""top: what happens now. One frame with --once, --json, or without a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from ticketmail.app.cli.output import Line, Output, Table
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.delivering import Change

S = DeliveryState


def test_rates_and_refusals_are_counted_by_account_without_a_worker(desk) -> None:
    for at in range(3):
        desk.submit(f"u{at}@example.net")
    desk.end(S.SENT, outcome="taken")
    desk.submit("late@example.net")
    desk.end(S.QUEUED, outcome="refused", phase="mail", cause="throttled-rate", reply="450 4.7.1 slow", due_us=1)
    desk.submit("bulk@example.net", lane="bulk")

    found = desk.run("top", "--json").json
    (account,) = found["accounts"]

    assert (account["per_min"], account["now_per_s"]) == (3.0, 0.6)
    assert account["refused"] == {"throttled-rate": 1}
    assert account["window"] == "2000/day"
    assert {lane["lane"]: lane["due"] for lane in found["lanes"]} == {"reply": 1, "bulk": 1}
    assert found["in_flight"] == 0


def test_one_frame_is_text_for_whoever_reads_no_terminal(desk) -> None:
    desk.submit()
    for argv in (("top", "--once"), ("top",)):
        ran = desk.run(*argv)
        assert ran.code == 0
        assert "Mail is not leaving: no worker is alive" in ran.out
        assert "support  well" in ran.out
        assert "In flight: 0" in ran.out


def test_what_changed_for_an_account_is_shown(desk) -> None:
    async def note(side, worker_id) -> None:
        change = Change(b"{}", note="Slowed down for 1 s", scope="account:support", actor="ticketmail")
        await side.book.change("account", "support", lambda content, now_us: (change, None))

    desk.on_spool(note)
    assert "Slowed down for 1 s" in desk.run("top", "--once").out


def test_more_attempts_than_are_read_are_counted_over_a_shorter_time(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from ticketmail.app.usecases.report import top

    monkeypatch.setattr(top, "ROWS", 2)
    for at in range(3):
        desk.submit(f"u{at}@example.net")
    desk.end(S.SENT, outcome="taken")
    (account,) = desk.run("top", "--json").json["accounts"]
    assert account["per_min"] <= 2 * 60 / 2


def test_on_a_terminal_each_frame_takes_the_place_of_the_one_before() -> None:
    stream = io.StringIO()
    out = Output(stream=stream, colour=True, width=80)

    def frames() -> Iterator[list[Line | Table]]:
        for number in range(3):
            yield [Line(f"frame {number}"), Table(("a", "b"), [("x", f"cell\x1b[31m{number}")], title="T")]

    out.live(frames())
    shown = stream.getvalue()
    assert "frame 2" in shown
    assert "cell\\x1b[31m2" in shown, "a server's word commands no terminal"


def test_without_a_terminal_only_the_first_frame_is_asked_for() -> None:
    stream = io.StringIO()

    def frames() -> Iterator[list[Line | Table]]:
        yield [Line("first")]
        raise AssertionError("asked for more")

    Output(stream=stream, colour=False).live(frames())
    assert stream.getvalue() == "first\n"
