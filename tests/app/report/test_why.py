"""Why is it not sent, and when will it be? Every hold has an end, and every state an answer."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from ticketmail.app.usecases.report import AccountFacts, Hold, HoldKind
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.faults import Advice, Fault, FaultScope
from ticketmail.domain.outbound.resets import Resets
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope

S = DeliveryState
THROTTLED = Fault("throttled-rate", FaultScope.ACCOUNT, Advice.WAIT, retry_after_s=49, text="450 4.7.1 too much mail")
USED_UP = Fault("quota", FaultScope.ACCOUNT, Advice.WAIT, text="550 5.4.5 Daily limit exceeded")
NO_LOGIN = Fault("auth-failed", FaultScope.ACCOUNT, Advice.WAIT, alarm=True, text="535 5.7.8 bad credentials")


def kinds(desk, id_) -> list[HoldKind]:
    return [one.kind for one in desk.why(id_).holds]


async def test_a_throttled_account_is_named_with_the_servers_words_its_end_and_the_mails_place(desk) -> None:
    await desk.start_worker()
    for _ in range(3):
        desk.accept("bob@example.net")
        desk.clock.go(1)
    id_ = desk.accept()
    await desk.fault(THROTTLED)
    told = desk.told(id_)
    assert "Queued since 09:00:03 +01:00" in told
    assert "account 'support' is held because the server said 450 4.7.1 too much mail, until 09:00:5" in told
    assert "3 earlier in the same lane." in told
    answer = desk.why(id_)
    assert answer.eta_us is not None
    assert answer.holds[0].until_us is not None
    # Four mails at 10/min, from the hold's end on.
    assert 18 < (answer.eta_us - answer.holds[0].until_us) / 1e6 < 19
    assert "It should leave about 09:01:20 +01:00 (at most 3 mails go before it, it waits for 10/min)." in told


async def test_a_quota_of_which_nobody_named_the_reset_is_the_reason_why_no_time_can_be_said(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    await desk.fault(USED_UP)
    told = desk.told(id_)
    assert "550 5.4.5 Daily limit exceeded; when its quota resets is not known, until 09:01:00" in told
    assert desk.why(id_).eta_us is None
    assert "When it leaves cannot be said: account 'support' is held because the server said 550 5.4.5" in told
    await desk.later(120)
    assert desk.why(id_).eta_us is None, "a try that may be made is no reset"
    assert "account 'support' took no mail when it was asked last, and is asked again with the next one." in desk.told(id_)


async def test_a_login_that_is_wrong_gives_no_time(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    await desk.fault(NO_LOGIN)
    assert desk.why(id_).eta_us is None
    assert "the server said 535 5.7.8 bad credentials; it is tried again at 09:0" in desk.told(id_)


async def test_a_reset_that_the_server_named_is_when_it_leaves(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    await desk.fault(replace(USED_UP, retry_after_s=7200))
    assert "resets is not known" not in desk.told(id_)
    assert desk.why(id_).eta_us == desk.clock.at + 7_200_000_000


async def test_a_reset_that_was_learned_is_when_it_leaves_not_the_try_before_it(desk) -> None:
    await desk.start_worker()
    day_us = 86_400_000_000
    resets = Resets(after_us=desk.clock.at - day_us // 2, before_us=desk.clock.at - day_us // 4, least_s=86_400, most_s=86_400)
    await desk.change(lambda state: state.model_copy(update={"resets": resets}))
    id_ = desk.accept()
    await desk.fault(USED_UP)
    assert desk.why(id_).eta_us == resets.before_us + day_us


async def test_a_mail_behind_more_than_are_counted_may_be_behind_all(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("ticketmail.app.usecases.report.etas"), "COUNTED", 2)
    await desk.start_worker()
    for at in range(4):
        id_ = desk.accept(f"{at}@example.net")
        desk.clock.go(1)
    assert "At most 4 in the same lane are due before it; the oldest go first." in desk.told(id_)


async def test_nothing_holds_a_mail_that_is_due_while_a_worker_lives(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    assert desk.why(id_).holds == ()
    assert desk.why(id_).eta_us == desk.clock.at
    assert "It should leave as soon as it is its turn." in desk.told(id_)
    assert "It is the first in its lane." in desk.told(id_)


async def test_without_a_worker_somebody_has_to_start_one(desk) -> None:
    id_ = desk.accept()
    assert kinds(desk, id_) == [HoldKind.NO_WORKER]
    assert desk.why(id_).eta_us is None
    assert "no worker is alive (none was ever seen); that lasts until somebody acts: start `ticketmail worker`" in desk.told(id_)


async def test_a_scheduled_mail_says_when(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept(not_before_us=desk.clock.at + 3_600_000_000)
    assert kinds(desk, id_) == [HoldKind.SCHEDULED]
    assert "it is scheduled for 10:00:00 +01:00" in desk.told(id_)
    assert "It should leave about 10:00:00 +01:00." in desk.told(id_)


async def test_a_deferred_mail_says_what_the_server_said_and_when_it_is_tried_again(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    [mail] = await desk.claim()
    await desk.end(
        mail, S.QUEUED, due_us=desk.clock.at + 300_000_000, cause="greylisted", outcome="refused", phase="rcpt",
        reply="451 4.7.1 Greylisted, come back",
    )  # fmt: skip
    told = desk.told(id_)
    assert kinds(desk, id_) == [HoldKind.DEFERRED]
    assert "its next try is at 09:05:00 +01:00 because the server said 451 4.7.1 Greylisted, come back" in told
    assert "the server said '451 4.7.1 Greylisted, come back' after 1 s at RCPT (greylisted)" in told


async def test_the_second_mail_of_a_ticket_names_the_first(desk) -> None:
    await desk.start_worker()
    first = desk.accept(ticket="4711")
    second = desk.accept(ticket="4711")
    assert kinds(desk, second) == [HoldKind.ORDER]
    assert f"it waits for the earlier mail {first} of its ticket, at most until 09:10:00 +01:00" in desk.told(second)


@pytest.mark.parametrize(
    "scope", ["all", "lane:reply", "tenant:acme", "ticket:4711", "to:ann@example.net", "domain:example.net", "account:support"]
)
async def test_a_pause_of_any_scope_that_covers_the_mail_names_who_and_why(desk, scope: str) -> None:
    await desk.start_worker()
    id_ = desk.accept(tenant="acme", ticket="4711")
    desk.spool.operating.pause(Pause(Scope.parse(scope), desk.clock.at, None, "moving house", "mia"))
    assert kinds(desk, id_) == [HoldKind.PAUSE]
    assert f"{scope} is paused since 09:00:00 +01:00 by mia: moving house" in desk.told(id_)
    assert f"`ticketmail resume {scope} --reason ...`" in desk.told(id_)


@pytest.mark.parametrize("scope", ["lane:bulk", "to:bob@example.net", "domain:example.com", "account:sales", "tenant:x"])
async def test_a_pause_of_something_else_holds_nothing_here(desk, scope: str) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    desk.spool.operating.pause(Pause(Scope.parse(scope), desk.clock.at, None, "r", "mia"))
    assert kinds(desk, id_) == []


async def test_a_pause_of_one_mail_holds_that_mail_alone(desk) -> None:
    await desk.start_worker()
    held, free = desk.accept(), desk.accept("bob@example.net")
    desk.spool.operating.pause(Pause(Scope.parse(f"id:{held}"), desk.clock.at, desk.clock.at + 60_000_000, "r", "mia"))
    assert kinds(desk, held) == [HoldKind.PAUSE]
    assert desk.why(held).eta_us == desk.clock.at + 60_000_000
    assert kinds(desk, free) == []


@pytest.mark.parametrize(("window", "size_bytes"), [("6/h recipients", 4), ("1000/h bytes", 700)])
async def test_a_mail_that_counts_more_than_is_left_of_a_window_names_it_though_others_may_go(
    desk, window: str, size_bytes: int
) -> None:
    await desk.start_worker()
    limits = AccountLimits.parse([window])
    desk.facts = replace(desk.facts, accounts={"support": AccountFacts(limits=limits)})
    await desk.spend(limits, recipients=4, size_bytes=500)
    big = desk.accept(recipients=tuple(f"{number}@example.net" for number in range(3)), size_bytes=size_bytes)
    small = desk.accept()

    assert kinds(desk, big) == [HoldKind.QUOTA]
    assert f"account 'support' has less left of its limit of {window} than the mail counts, until 10:01" in desk.told(big)
    assert desk.why(big).eta_us >= desk.clock.at + 3_600_000_000
    assert kinds(desk, small) == []


async def test_a_mail_for_which_the_next_account_has_room_waits_for_nothing(desk) -> None:
    await desk.start_worker()
    limits = AccountLimits.parse(["1000/h bytes"])
    accounts = {"support": AccountFacts(limits=limits), "rescue": AccountFacts()}
    desk.facts = replace(desk.facts, accounts=accounts, routes={"*": ("support", "rescue")})
    await desk.spend(limits, recipients=1, size_bytes=500)

    assert kinds(desk, desk.accept(size_bytes=700)) == []


@pytest.mark.parametrize(("size_bytes", "least_h", "most_h"), [(2_000_000, 2, 2.2), (1_000, 0, 0.01)])
async def test_where_a_window_counts_bytes_the_mails_that_wait_say_when_the_last_of_them_leaves(
    desk, size_bytes: int, least_h: float, most_h: float
) -> None:
    await desk.start_worker()
    limits = AccountLimits.parse(["20000000/h bytes"])
    desk.facts = replace(desk.facts, accounts={"support": AccountFacts(limits=limits)})
    mails = []
    for _ in range(30):
        desk.clock.go(0.01)
        mails.append(desk.accept(size_bytes=size_bytes))

    wait_us = desk.why(mails[-1]).eta_us - desk.clock.at
    assert least_h <= wait_us / 3.6e9 <= most_h


async def test_mail_that_waits_for_what_is_kept_for_other_lanes_says_so_and_takes_another_account_where_there_is_one(
    desk,
) -> None:
    await desk.start_worker()
    limits = AccountLimits.parse(["4/day"])
    desk.facts = replace(desk.facts, accounts={"support": AccountFacts(limits=limits)}, reserves={"bulk": 0.25})
    for _ in range(3):
        await desk.spend(limits, recipients=1, size_bytes=4)
    kept, may_go = desk.accept(lane="bulk"), desk.accept(lane="code")

    assert kinds(desk, kept) == [HoldKind.QUOTA]
    assert "account 'support' keeps 25% of its quota for other lanes; of what is left to lane 'bulk' the account's limit" in (
        desk.told(kept)
    )
    assert desk.why(kept).eta_us >= desk.clock.at + 86_400_000_000
    assert kinds(desk, may_go) == []
    assert desk.why(may_go).eta_us < desk.clock.at + 60_000_000
    assert next(one.text for one in desk.status().holds if one.scope == "lane:bulk").endswith("is used up (1 waiting)")

    rescue = {**desk.facts.accounts, "rescue": AccountFacts()}
    desk.facts = replace(desk.facts, accounts=rescue, routes={"*": ("support", "rescue")})
    assert kinds(desk, kept) == []
    assert desk.why(kept).eta_us < desk.clock.at + 60_000_000


async def test_a_sender_without_a_route_waits_for_somebody_to_add_one(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept(route="example.org")
    assert kinds(desk, id_) == [HoldKind.NO_ROUTE]
    assert "no account may send for the route 'example.org'" in desk.told(id_)


async def test_a_sender_that_nobody_may_send_for_leads_to_who_names_it(desk) -> None:
    await desk.start_worker()
    desk.facts = replace(desk.facts, routes={"help@example.com": ("support",)})
    id_ = desk.accept(route="*")
    assert "no account may send for senders without a route (`ticketmail doctor` names them)" in desk.told(id_)


async def test_an_account_in_trouble_is_passed_over_for_a_well_one(desk) -> None:
    await desk.start_worker()
    desk.facts = replace(
        desk.facts, accounts={**desk.facts.accounts, "rescue": AccountFacts()}, routes={"*": ("support", "rescue")}
    )
    id_ = desk.accept()
    await desk.fault(NO_LOGIN)
    assert kinds(desk, id_) == []


async def test_where_all_accounts_are_in_trouble_the_one_that_is_free_first_decides(desk) -> None:
    await desk.start_worker()
    desk.facts = replace(
        desk.facts, accounts={**desk.facts.accounts, "rescue": AccountFacts()}, routes={"*": ("support", "rescue")}
    )
    id_ = desk.accept()
    await desk.fault(NO_LOGIN)
    await desk.later(60)
    await desk.fault(NO_LOGIN, account="rescue")
    answer = desk.why(id_)
    assert [one.kind for one in answer.holds] == [HoldKind.BREAKER]
    assert answer.holds[0].scope == "account:support"
    assert "all other accounts of its route (support, rescue) are held too" in answer.holds[0].text


async def test_a_pace_is_waited_for_though_another_account_is_free(desk) -> None:
    """As ``routing.serving`` has it."""
    await desk.start_worker()
    desk.facts = replace(
        desk.facts, accounts={**desk.facts.accounts, "rescue": AccountFacts()}, routes={"*": ("support", "rescue")}
    )
    id_ = desk.accept()
    await desk.fault(THROTTLED)
    assert kinds(desk, id_) == [HoldKind.THROTTLE]


async def test_an_account_whose_document_cannot_be_read_names_the_command_that_clears_it(desk) -> None:
    from ticketmail.domain.ports.delivering import Change

    await desk.start_worker()
    id_ = desk.accept()
    await desk.side.book.change("account", "support", lambda content, now_us: (Change(b"not json"), None))
    assert kinds(desk, id_) == [HoldKind.ACCOUNT]
    assert "`ticketmail accounts clear support --reason ...`" in desk.told(id_)


async def test_a_hold_beyond_the_deadline_says_that_it_will_be_too_late(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept(lifetime_us=60_000_000)
    desk.spool.operating.pause(Pause(Scope.parse("all"), desk.clock.at, desk.clock.at + 600_000_000, "r", "mia"))
    assert "It will not leave in time. Its deadline is 09:01:00 +01:00." in desk.told(id_)


async def test_a_sent_mail_tells_its_attempt_with_the_servers_id(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    [mail] = await desk.claim()
    await desk.end(mail, S.SENT, outcome="taken", remote_id="Q77", reply="250 2.0.0 queued as Q77")
    told = desk.told(id_)
    assert "attempt through account 'support': taken after 1 s as Q77 (250 2.0.0 queued as Q77)." in told
    assert "It was sent" in told
    assert told.count("Q77") == 2  # told once, by the attempt: id and reply


async def test_a_dead_mail_names_the_commands_and_a_failed_one_the_correction(desk) -> None:
    await desk.start_worker()
    ids = [desk.accept(), desk.accept("bob@example.net")]
    by_id = {mail.submission_id: mail for mail in await desk.claim()}
    await desk.end(by_id[ids[0]], S.DEAD, outcome="refused", cause="relay-denied", reply="550 5.7.1 no")
    await desk.end(by_id[ids[1]], S.FAILED, outcome="refused", cause="unknown-recipient", reply="550 5.1.1 no such user")
    assert f"`ticketmail dead show {ids[0]}/0`" in desk.told(ids[0])
    assert f"`ticketmail dead edit {ids[1]}/0 --to ADDRESS --reason ...`" in desk.told(ids[1])


async def test_a_mail_in_flight_names_its_worker(desk) -> None:
    await desk.start_worker()
    id_ = desk.accept()
    await desk.claim()
    assert f"Now worker {desk.worker_id} has it" in desk.told(id_)


async def test_an_unknown_says_when_proof_is_looked_for_and_then_who_settles_it(desk) -> None:
    await desk.start_worker()
    looked, human = desk.accept(), desk.accept("bob@example.net")
    by_id = {mail.submission_id: mail for mail in await desk.claim()}
    said = {"outcome": "unclear", "phase": "dot", "reason": "the connection was cut"}
    await desk.end(by_id[looked], S.UNKNOWN, due_us=desk.clock.at + 60_000_000, **said)
    await desk.end(by_id[human], S.UNKNOWN, due_us=None, **said)
    assert "proof is looked for again at 09:01:00 +01:00" in desk.told(looked)
    assert f"`ticketmail unknowns settle {human}/0 --sent --reason ...` or `--again`" in desk.told(human)
    assert desk.why(looked).eta_us is None


def test_no_hold_is_without_an_end() -> None:
    with pytest.raises(ValueError, match="has no end"):
        Hold(HoldKind.PAUSE, "all", "paused")


async def test_a_used_up_window_is_a_hold_with_the_time_of_its_next_place(desk) -> None:
    from ticketmail.domain.outbound.account import AccountState
    from ticketmail.domain.outbound.permits import take
    from ticketmail.domain.ports.delivering import Change

    limits = AccountLimits.parse(["5/day"])
    desk.facts = replace(desk.facts, accounts={"support": AccountFacts(limits=limits)})
    await desk.start_worker()
    id_ = desk.accept()

    def use_up(content: bytes | None, now_us: int) -> tuple[Change, None]:
        state, _ = take(AccountState.from_json(content), limits, worker="w", permits=9, connections=1, now_us=now_us)
        return Change(state.to_json()), None

    await desk.side.book.change("account", "support", use_up)
    answer = desk.why(id_)
    assert [one.kind for one in answer.holds] == [HoldKind.QUOTA]
    assert answer.eta_us is not None
    assert answer.eta_us > desk.clock.at + 86_000_000_000
    assert "account 'support' is held because the account's limit of 5/day is used up, until 2027-01-16" in desk.told(id_)
    assert desk.status().headline.startswith("Mail is held: 1 due, and account 'support' is held")
    assert desk.status().accounts[0].used == ("1 of 5 connections", "5 of 5/day")
