"""People may be answered by themselves, now and then; machines never twice."""

from __future__ import annotations

from typing import Any

import pytest

from ticketmail.domain.inbound.acknowledging import BUDGET, Pace, acknowledge, is_racing
from ticketmail.domain.inbound.mail import HeaderField, ParsedMail


def answer(**more: Any) -> bool:
    headers = tuple(HeaderField(name, value.encode(), value) for name, value in more.pop("headers", ()))
    values: dict[str, Any] = {"category": "human", "author": "ann@example.net", "own": ["help@example.com"], "silent": False}
    return acknowledge(ParsedMail(headers=headers), **{**values, "pace": Pace(), **more}).allowed


def test_a_person_is_answered() -> None:
    assert answer()


@pytest.mark.parametrize(
    "more",
    [
        {"category": "auto-reply"},
        {"category": "bounce"},
        {"category": "list"},
        {"author": ""},
        {"author": "help@example.com"},
        {"author": "no-reply-17@example.net"},
        {"author": "bounces+ann@example.net"},
        {"author": "MAILER-DAEMON@example.net"},
        {"silent": True},
        {"headers": [("X-Auto-Response-Suppress", "DR, AutoReply")]},
        {"pace": Pace(mails=BUDGET.mails)},
        {"pace": Pace(granted=BUDGET.a_day)},
        {"pace": Pace(same_subject=1)},
        {"pace": Pace(granted_in_ticket=BUDGET.in_ticket)},
    ],
)
def test_nobody_else_is_and_nobody_too_often(more: dict[str, Any]) -> None:
    assert not answer(**more)


@pytest.mark.parametrize("author", ["bouncer@example.net", "rooter@example.net", "noreen@example.net"])
def test_names_that_only_begin_alike_are_people(author: str) -> None:
    assert answer(author=author)


def test_a_wish_about_read_receipts_alone_forbids_nothing() -> None:
    assert answer(headers=[("X-Auto-Response-Suppress", "RN, NRN")])


def test_two_machines_that_answer_each_other_stop() -> None:
    """The worst one: it looks like a person, and changes its subject each time."""
    pace, answers = Pace(), 0
    for mails in range(200):
        if is_racing(pace) or not answer(pace=pace):
            break
        answers += 1
        pace = Pace(mails=mails + 1, granted=answers)

    assert answers == BUDGET.a_day
