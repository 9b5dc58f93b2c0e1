"""suppressions, accounts, events."""

from __future__ import annotations

import re

from ticketmail.domain.outbound.account import AccountState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.settling import settle_fault
from ticketmail.domain.ports.delivering import Change

NO_LOGIN = Fault("auth-failed", FaultScope.ACCOUNT, Advice.WAIT, alarm=True, text="535 5.7.8 bad credentials")


def break_account(desk, name: str = "support") -> None:
    async def work(side, worker_id) -> None:
        def step(content: bytes | None, now_us: int) -> tuple[Change, None]:
            state, note = settle_fault(AccountState.from_json(content), NO_LOGIN, now_us=now_us, jitter=0.0)
            return Change(state.to_json(), note=note, scope=f"account:{name}", actor="ticketmail"), None

        await side.book.change("account", name, step)

    desk.on_spool(work)


def test_suppressions_are_added_listed_and_removed(desk) -> None:
    assert desk.run("suppressions", "list").code == 1
    assert desk.act("suppressions", "add", "Ann@Example.net", "--until", "90d").code == 0
    [found] = desk.run("suppressions", "list", "--json").json
    assert (found["address"], found["cause"], found["evidence"]) == ("ann@example.net", "manual", "a test")
    assert 89 * 86_400_000_000 < found["until_us"] - found["since_us"] <= 90 * 86_400_000_000
    assert re.search(r"ann@example\.net +manual +\d\d:\d\d:\d\d \+01:00", desk.run("suppressions", "list").out)
    assert desk.run("suppressions", "list", "bob@example.net").code == 1
    assert desk.act("suppressions", "remove", "ann@example.net").out == "ann@example.net is written to again.\n"
    assert desk.act("suppressions", "remove", "ann@example.net").code == 1


def test_a_suppression_may_be_one_tenants(desk) -> None:
    desk.act("suppressions", "add", "ann@example.net", "--tenant", "acme")
    assert desk.act("suppressions", "remove", "ann@example.net").code == 1
    assert desk.act("suppressions", "remove", "ann@example.net", "--tenant", "acme").code == 0


def test_what_is_no_address_is_refused(desk) -> None:
    for argv in (["add", "nobody"], ["remove", "nobody"]):
        ran = desk.act("suppressions", *argv)
        assert (ran.code, ran.err[:36]) == (2, "error: address: 'nobody' is not an a")


def test_an_account_in_trouble_is_shown_and_cleared(desk) -> None:
    desk.submit()
    assert desk.run("accounts", "list").code == 0
    break_account(desk)
    ran = desk.run("accounts", "list")
    assert ran.code == 1
    assert "held (breaker)" in ran.out
    assert "because the server said 535 5.7.8 bad credentials" in ran.out
    [account] = desk.run("accounts", "list", "--json").json
    assert account["holds"][0]["until_us"] > 0
    assert desk.act("accounts", "clear", "support").out == "Account 'support' begins anew.\n"
    assert desk.run("accounts", "list").code == 0
    assert desk.act("accounts", "clear", "support").code == 1


def test_clearing_an_account_that_there_is_not_names_those_that_there_are(desk) -> None:
    ran = desk.act("accounts", "clear", "suport")
    assert (ran.code, ran.err) == (2, "error: There is no account 'suport'. Known: support.\n")


def test_dead_events_are_listed_and_told_again(desk) -> None:
    from ticketmail import TicketMail

    id_ = desk.submit(ticket="4711")
    desk.act("cancel", "all")
    assert desk.run("events", "dead").code == 0
    with TicketMail() as mail:
        [item] = mail.spool.outbox.take(10, 60.0)
        mail.spool.outbox.failed(item, "handler broke", None)
    ran = desk.run("events", "dead")
    assert ran.code == 1
    assert ran.out.startswith("1 dead, 0 waiting")
    row = next(line for line in ran.out.splitlines() if str(item.event.event_id) in line)
    assert all(fact in row for fact in ("cancelled", f"{id_}/0", "4711", " 1 ", "handler broke"))
    shown = desk.run("events", "--json").json
    assert (shown["dead"], len(shown["events"])) == (1, 1)
    [event] = shown["events"]
    assert (event["error"], event["attempts"]) == ("handler broke", 1)
    assert (event["event"]["kind"], event["event"]["ticket"]) == ("cancelled", "4711")
    assert len(event["dead"]) > 20
    assert desk.run("events", "replay", "nonsense").code == 2
    assert desk.run("events", "replay").out == "1 events are told again.\n"
    assert desk.run("events", "replay").code == 1
