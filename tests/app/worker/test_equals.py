"""Equal accounts of a route share its mail; a ticket keeps to one of them while that is well."""

from __future__ import annotations

from collections import defaultdict

import pytest

from ticketmail import Message
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope
from ticketmail.testing.sandbox import memory

TWO = {"first": {"url": "null://"}, "second": {"url": "null://"}}
EQUAL = {"*": [["first", "second"]]}


def note(number: int = 0) -> Message:
    return Message(sender="desk@example.com", to=f"c{number}@example.net", subject="Your printer", text="On its way.")


def test_tickets_are_shared_and_each_keeps_to_its_account() -> None:
    with memory(accounts=TWO, routes=EQUAL) as tm:
        for round_ in range(3):
            for ticket in range(20):
                tm.mail.submit(note(round_), ticket=f"t{ticket}")
            tm.run_until_idle()
        used = defaultdict(set)
        for view in tm.sent:
            used[view.ticket].add(view.account)

    assert len(used) == 20
    assert all(len(accounts) == 1 for accounts in used.values())
    assert {account for accounts in used.values() for account in accounts} == {"first", "second"}


def test_a_burst_is_no_reason_to_leave_a_tickets_account() -> None:
    with memory(accounts=TWO, routes=EQUAL) as tm:
        for number in range(400):
            tm.mail.submit(note(number), ticket=f"t{number // 4}")
        tm.run_until_idle()
        used = defaultdict(set)
        for view in tm.sent:
            used[view.ticket].add(view.account)

    assert len(used) == 100
    assert max(len(accounts) for accounts in used.values()) == 1


def test_the_one_with_more_of_its_day_left_takes_more() -> None:
    accounts = {"first": {**TWO["first"], "limits": ["4/day"]}, "second": {**TWO["second"], "limits": ["40/day"]}}
    with memory(accounts=accounts, routes=EQUAL) as tm:
        for number in range(30):
            tm.mail.submit(note(number))
            tm.run_until_idle()
        went = [view.account for view in tm.sent]

    assert went.count("first") in range(2, 5)
    assert len(went) == 30


@pytest.mark.parametrize("limited", ["first", "second"])
@pytest.mark.parametrize("routes", [EQUAL, {"*": ["first", "second"]}])
def test_a_mail_for_which_an_account_has_no_room_goes_by_the_other(limited: str, routes: dict[str, list[object]]) -> None:
    accounts = {**TWO, limited: {**TWO[limited], "limits": ["1000000/h bytes"]}}
    with memory(accounts=accounts, routes=routes) as tm:
        began_us = tm.clock.now_us()
        for number in range(40):
            tm.mail.submit(note(number).model_copy(update={"text": "x" * 400_000}), ticket=f"t{number}")
        tm.run_until_idle()
        went = [view.account for view in tm.sent]
        took_s = (tm.clock.now_us() - began_us) / 1e6

    assert went.count(limited) == (2 if routes == EQUAL or limited == "first" else 0)
    assert len(went) == 40
    assert took_s < 60


def test_an_account_that_has_no_room_for_the_tenant_does_not_take_over_and_counts_nothing() -> None:
    accounts = {
        "first": {**TWO["first"], "limits": ["1000000/h bytes"]},
        "second": {**TWO["second"], "limits": ["4/h", "1/h per tenant"]},
    }
    large = note().model_copy(update={"text": "x" * 600_000})
    with memory(accounts=accounts, routes={"*": ["first", "second"]}) as tm:
        for _ in range(5):
            tm.mail.submit(large, tenant="acme")
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        assert [view.account for view in tm.sent] in (["first", "second"], ["second", "first"])
        for number in range(3):
            tm.mail.submit(large, tenant=f"tenant{number}")
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)

        assert [view.account for view in tm.sent].count("second") == 4


def test_without_equals_the_first_that_is_well_takes_all() -> None:
    with memory(accounts=TWO) as tm:
        for number in range(5):
            tm.mail.submit(note(number), ticket=f"t{number}")
        tm.run_until_idle()

        assert {view.account for view in tm.sent} == {"first"}


@pytest.mark.parametrize("held", ["first", "second"])
def test_the_other_takes_all_while_one_is_paused(held: str) -> None:
    with memory(accounts=TWO, routes=EQUAL) as tm:
        tm.mail.operating.pause(Pause(Scope.parse(f"account:{held}"), tm.clock.now_us(), None, "moving house", "mia"))
        for number in range(6):
            tm.mail.submit(note(number), ticket=f"t{number}")
        tm.run_until_idle()

        assert {view.account for view in tm.sent} == {"first", "second"} - {held}
