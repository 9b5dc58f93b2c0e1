"""What changes for an account, a breaker, a limit, a pause, a worker or an alarm is a history row with actor and reason
(invariant 11): "what changed at 03:00?" has an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ticketmail import Message
from ticketmail.domain.outbound.suppression import Suppression
from ticketmail.domain.ports.reading import HistoryRow, Pause
from ticketmail.domain.scope import Scope
from ticketmail.testing.sandbox import Sandbox, memory

HUMAN = {"actor": "ann", "reason": "a test"}


def _hand_over(tm: Sandbox, count: int = 1) -> None:
    for number in range(count):
        tm.mail.submit(Message(sender="help@example.com", to=f"u{number}@example.net", subject="-", text="-"), lane="notice")


def _refuse(tm: Sandbox, line: str, times: int, phase: str = "connect") -> None:
    _hand_over(tm, times)
    tm.fail_next(line, times=times, phase=phase)
    tm.run_for(120)


def _worker_lives_and_dies(tm: Sandbox) -> None:
    _hand_over(tm)
    tm.kill_anywhere(seed=1)
    tm.clock.advance(60)
    tm.run_until_idle()


def _limit_is_learned(tm: Sandbox) -> None:
    _refuse(tm, "450 4.7.1 rate limit exceeded, slow down", 8, "rcpt")


def _breaker_opens_and_shuts(tm: Sandbox) -> None:
    _refuse(tm, "535 5.7.8 Authentication credentials invalid", 3, "auth")
    tm.run_for(1800)


def _pause_and_resume(tm: Sandbox) -> None:
    tm.mail.operating.pause(Pause(Scope.parse("lane:bulk"), tm.mail.reading.now_us(), None, HUMAN["reason"], HUMAN["actor"]))
    tm.mail.operating.resume(Scope.parse("lane:bulk"), **HUMAN)


def _human_clears_an_account(tm: Sandbox) -> None:
    _hand_over(tm)
    tm.run_until_idle()
    assert tm.mail.operating.clear_account("sandbox", **HUMAN)


def _suppressed_by_hand(tm: Sandbox) -> None:
    now_us = tm.mail.reading.now_us()
    tm.mail.operating.suppress(Suppression("ann@example.net", "manual", "she asked", now_us, None, ""), **HUMAN)
    assert tm.mail.operating.unsuppress("ann@example.net", **HUMAN)


def _adopted(tm: Sandbox) -> None:
    tm.mail.administering.adopt("default", hold=True, **HUMAN)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (_worker_lives_and_dies, {"worker started", "worker dead", "worker retired"}),
        (_limit_is_learned, {"account"}),
        (_breaker_opens_and_shuts, {"account", "alert"}),
        (_pause_and_resume, {"pause", "resume"}),
        (_human_clears_an_account, {"account"}),
        (_suppressed_by_hand, {"suppressed", "unsuppressed"}),
        (_adopted, {"adopt"}),
    ],
)
def test_what_changes_has_a_row_with_actor_and_reason(act: Callable[[Sandbox], None], expected: set[str]) -> None:
    with memory() as tm:
        act(tm)
        rows = tm.mail.reading.log(since_us=0)

    assert [row for row in rows if not (row.actor and row.reason)] == []
    told = {_name(row) for row in rows}
    assert expected <= told, told


def _name(row: HistoryRow) -> str:
    return f"{row.kind} {row.state}" if row.kind == "worker" else row.kind
