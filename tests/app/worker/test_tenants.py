"""Each tenant keeps to a limit of its own, and who has used it up is in nobody's way."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ticketmail import Message, Submission
from ticketmail.app.usecases.report import Times, limits_view, status, surroundings
from ticketmail.app.wiring.facts import facts_of
from ticketmail.domain.outbound.tenants import whose
from ticketmail.testing.sandbox import Sandbox, memory

HOURLY = {"desk": {"url": "null://", "limits": ["5/h per tenant"]}}


def hand_over(tm: Sandbox, tenant: str, count: int) -> None:
    message = Message(sender="desk@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
    tm.mail.submit_many([Submission(message=message, tenant=tenant) for _ in range(count)])


def went(tm: Sandbox) -> dict[str, int]:
    return {tenant: sum(view.tenant == tenant for view in tm.sent) for tenant in sorted({view.tenant for view in tm.sent})}


def test_a_tenant_waits_for_its_own_limit_and_the_others_go_on() -> None:
    with memory(accounts=HOURLY) as tm:
        hand_over(tm, "acme", 40)
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        assert went(tm) == {"acme": 5}
        hand_over(tm, "globex", 4)
        hand_over(tm, "", 7)
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        assert went(tm) == {"": 5, "acme": 5, "globex": 4}
        assert {view.attempts for view in tm.deliveries} == {0, 1}, "who waits has spent nothing"

        tm.clock.advance(3700)
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        assert went(tm) == {"": 7, "acme": 10, "globex": 4}


def test_status_names_the_tenants_that_have_mail_due_and_no_room() -> None:
    with memory(accounts=HOURLY) as tm:
        for tenant, count in (("acme", 7), ("globex", 5)):
            hand_over(tm, tenant, count)
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        found = status(tm.mail.reading, facts_of(tm.mail.settings))
        (hold,) = [one for one in found.holds if one.scope.startswith("tenant:")]

    assert hold.scope == "tenant:acme", "globex has used up its limit, too, but nothing of it waits"
    assert hold.text.endswith("has used up its limit of 5/h at the account 'desk' (2 waiting)")


def test_people_see_which_tenant_is_held_by_what_and_until_when() -> None:
    with memory(accounts=HOURLY) as tm:
        hand_over(tm, "acme", 7)
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        around = surroundings(tm.mail.reading, facts_of(tm.mail.settings))
        view = limits_view("desk", around, Times(around.now_us))
        waiting = next(one for one in tm.deliveries if one not in tm.sent)
        (answer,) = tm.mail.why(waiting.submission_id)
        (hold,) = [one for one in answer.holds if one.scope == "tenant:acme"]

        (one,) = view.tenants
        assert (one.tenant, one.use.used, one.use.allowed, one.use.source) == ("acme", 5, 5, "settings")
        assert view.windows == ()
        assert "'acme' has used up its limit of 5/h" in hold.text
        assert hold.until_us == one.use.next_us


def test_what_the_account_does_not_take_is_not_counted_for_the_tenant() -> None:
    accounts = {"desk": {"url": "null://", "limits": ["5/h per tenant", "2/h"]}}
    with memory(accounts=accounts) as tm:
        hand_over(tm, "acme", 6)
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        around = surroundings(tm.mail.reading, facts_of(tm.mail.settings))
        (one,) = limits_view("desk", around, Times(around.now_us)).tenants

        assert went(tm) == {"acme": 2}
        assert one.use.used == 2


def test_each_tenants_mails_are_spread_over_a_short_window() -> None:
    with memory(accounts={"desk": {"url": "null://", "limits": ["60/min per tenant"]}}) as tm:
        hand_over(tm, "acme", 10)
        hand_over(tm, "globex", 10)
        tm.run_until_idle(20)
        for tenant in ("acme", "globex"):
            times_us = sorted(one.at_us for one in tm.arrived if _tenant(tm, one.submission_id) == tenant)
            assert all(later - sooner > 900_000 for sooner, later in pairwise(times_us))


def _tenant(tm: Sandbox, submission_id: object) -> str:
    return next(view.tenant for view in tm.deliveries if view.submission_id == submission_id)


def test_what_is_kept_of_a_tenant_goes_when_nothing_of_it_counts_any_more() -> None:
    with memory(accounts={"desk": {"url": "null://", "limits": ["60/min per tenant"]}}) as tm:
        hand_over(tm, "acme", 1)
        tm.run_until_idle(60)
        assert len(tm.mail.reading.documents("tenant")) == 1
        tm.clock.advance(120)
        hand_over(tm, "globex", 1)
        tm.run_until_idle(60)  # a worker looks when it begins, and each hour
        assert [whose(one) for one in tm.mail.reading.documents("tenant")] == [("desk", "globex")]


def test_a_ticket_leaves_an_equal_account_whose_part_its_tenant_has_used_up() -> None:
    accounts = {name: {"url": "null://", "limits": [f"{limit}/h per tenant"]} for name, limit in (("a", 1), ("b", 100))}
    with memory(accounts=accounts, routes={"*": [["a", "b"]]}) as tm:
        message = Message(sender="desk@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
        for number in range(20):
            tm.mail.submit(message, tenant="acme", ticket=str(number))
        tm.run_until_idle(120)
        assert len(tm.sent) == 20
