"""People may be answered by themselves, now and then; machines never twice."""

from __future__ import annotations

from typing import Any

import pytest

from ticketmail.domain.inbound.acknowledging import BUDGET, Pace, acknowledge, is_racing


def answer(**more: Any) -> bool:
    values: dict[str, Any] = {"category": "human", "against": (), "author": "ann@example.net", "own": ["help@example.com"]}
    return acknowledge(**{**values, "silent": False, "pace": Pace(), **more}).allowed


def test_a_person_is_answered() -> None:
    assert answer()


@pytest.mark.parametrize(
    "more",
    [
        {"category": "auto_reply"},
        {"category": "bounce"},
        {"category": "bulk"},
        {"author": ""},
        {"author": "help@example.com"},
        {"against": ("suppress: All",)},
        {"silent": True},
        {"pace": Pace(mails=BUDGET.mails)},
        {"pace": Pace(granted=BUDGET.a_day)},
        {"pace": Pace(same_subject=1)},
        {"pace": Pace(granted_in_ticket=BUDGET.in_ticket)},
    ],
)
def test_nobody_else_is_and_nobody_too_often(more: dict[str, Any]) -> None:
    assert not answer(**more)


def test_two_machines_that_answer_each_other_stop() -> None:
    """The worst one: it looks like a person, and changes its subject each time."""
    pace, answers = Pace(), 0
    for mails in range(200):
        if is_racing(pace) or not answer(pace=pace):
            break
        answers += 1
        pace = Pace(mails=mails + 1, granted=answers)

    assert answers == BUDGET.a_day
