"""ETAs where accounts share their mail, and where each tenant has limits of its own: never early, and not much too late."""

from __future__ import annotations

import asyncio

import pytest

from ticketmail import Message, Submission
from ticketmail.app.usecases.eta import Foresight
from ticketmail.domain.ports.delivering import WorkerInfo
from ticketmail.testing.sandbox import Sandbox, memory


def hand_over(tm: Sandbox, count: int, tenant: str = "", sender: str = "desk@example.com") -> None:
    message = Message(sender=sender, to="ann@example.net", subject="Your printer", text="On its way.")
    tm.mail.submit_many([Submission(message=message, tenant=tenant) for _ in range(count)])


def forecast_and_truth_s(tm: Sandbox, seconds: float) -> list[tuple[float, float]]:
    """For each mail, seconds from now: when it was to leave, and when it left."""
    asyncio.run(tm.mail.spool.worker_side().workers.register(WorkerInfo("mailhost", 1, "1.0", tm.mail.settings.site)))
    now_us = tm.clock.now_us()
    waiting = [view.submission_id for view in tm.deliveries]
    said = {id_: tm.mail.why(id_)[0].eta_us for id_ in waiting}
    tm.run_until_idle(seconds)
    went = {one.submission_id: one.at_us for one in tm.arrived}
    return [((said[id_] - now_us) / 1e6, (went[id_] - now_us) / 1e6) for id_ in waiting]


@pytest.mark.parametrize("accounts", [1, 2])
def test_accounts_that_share_mail_take_half_as_long(accounts: int) -> None:
    limited = {name: {"url": "null://", "limits": ["30/min"]} for name in ("first", "second")[:accounts]}
    routes = {"*": [list(limited)]}
    with memory(accounts=limited, routes=routes) as tm:
        hand_over(tm, 40)
        pairs = forecast_and_truth_s(tm, 200)

    assert all(said >= truth - 0.5 for said, truth in pairs)
    assert max(said for said, _ in pairs) <= 1.15 * max(truth for _, truth in pairs) + 5


@pytest.mark.parametrize("others", [0, 10, 60])
def test_accounts_of_one_gateway_take_turns_at_what_they_may_do_together(others: int) -> None:
    accounts = {name: {"gateway": "relay", "senders": [f"{name}@example.com"]} for name in ("sales", "news")}
    gateways = {"relay": {"url": "null://", "limits": ["30/min"]}}
    with memory(accounts=accounts, gateways=gateways) as tm:
        hand_over(tm, 20, sender="sales@example.com")
        hand_over(tm, others, sender="news@example.com")
        pairs = forecast_and_truth_s(tm, 400)

    assert all(said >= truth - 0.5 for said, truth in pairs)
    assert max(said for said, _ in pairs) <= 1.15 * max(truth for _, truth in pairs) + 5


def test_a_tenant_waits_for_its_own_limits() -> None:
    with memory(accounts={"desk": {"url": "null://", "limits": ["30/min per tenant"]}}) as tm:
        hand_over(tm, 20, "acme")
        hand_over(tm, 2, "globex")
        pairs = forecast_and_truth_s(tm, 200)

    assert all(said >= truth - 0.5 for said, truth in pairs)
    assert max(said for said, _ in pairs) <= 1.15 * max(truth for _, truth in pairs) + 5


def test_a_receipt_knows_of_its_tenants_limits() -> None:
    note = Message(sender="desk@example.com", to="b@example.net", subject="a", text="b")
    with memory(accounts={"desk": {"url": "null://", "limits": ["30/min per tenant"]}}) as tm:
        hand_over(tm, 20, "acme")
        asyncio.run(tm.mail.spool.worker_side().workers.register(WorkerInfo("mailhost", 1, "1.0", tm.mail.settings.site)))
        tm.mail.injector.get(Foresight).look()
        receipts = [tm.mail.submit(note, tenant=tenant) for tenant in ("acme", "acme", "globex")]
        now_us, ids = tm.clock.now_us(), [one.submission_id for one in receipts]
        tm.run_until_idle(200)
        went = {one.submission_id: one.at_us for one in tm.arrived}

    said_s = [((one.eta_us or 0) - now_us) / 1e6 for one in receipts]
    truth_s = [(went[one] - now_us) / 1e6 for one in ids]
    assert all(said >= truth - 0.5 for said, truth in zip(said_s, truth_s, strict=True))
    assert max(said_s) <= 1.15 * max(truth_s) + 5
    assert said_s[1] > said_s[0] > 30 > 5 > said_s[2]
