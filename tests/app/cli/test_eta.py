"""eta: when will it leave? Errs to the late side; says why where nobody can know."""

from __future__ import annotations

import asyncio
import time


def with_worker(desk, *argv: str):
    async def look(side, worker_id):
        return await asyncio.to_thread(desk.run, *argv)

    return desk.on_spool(look)


def test_the_eleventh_mail_waits_a_minute_at_ten_a_minute(desk) -> None:
    for at in range(11):
        id_ = desk.submit(f"u{at}@example.net", ticket=str(at))
    now_s = time.time()

    (found,) = with_worker(desk, "eta", str(id_), "--json").json
    ran = with_worker(desk, "eta", "ticket:10")

    wait_s = found["eta"]["at_us"] / 1e6 - now_s
    assert 60 < wait_s < 65
    assert found["about_us"] >= found["eta"]["at_us"]
    assert found["eta"]["ahead"] == 10
    assert ran.code == 0
    assert "(at most 10 mails go before it, it waits for 10/min), by account 'support'." in ran.out


def test_a_lane_tells_of_its_last(desk) -> None:
    for at in range(3):
        desk.submit(f"u{at}@example.net", lane="bulk")
    desk.submit()
    ran = with_worker(desk, "eta", "lane:bulk")
    assert ran.code == 0
    assert ran.out.startswith("bulk: 3 due; the last leaves about ")
    assert {one["lane"] for one in with_worker(desk, "eta", "all", "--json").json} == {"bulk", "reply"}


def test_an_account_tells_of_what_it_is_to_send_by_lane(desk) -> None:
    desk.submit()
    desk.submit(lane="bulk")
    ran = with_worker(desk, "eta", "account:support")
    assert [line.partition(";")[0] for line in ran.out.splitlines()] == ["bulk: 1 due", "reply: 1 due"]
    wrong = with_worker(desk, "eta", "account:suport")
    assert (wrong.code, wrong.err) == (2, "error: There is no account 'suport'. Did you mean 'support'?\n")


def test_without_a_worker_nobody_can_say(desk) -> None:
    id_ = desk.submit()
    ran = desk.run("eta", str(id_))
    assert ran.code == 1
    assert "no worker is alive" in ran.out
    assert "start `ticketmail worker`" in ran.out


def test_a_pause_without_an_end_is_the_reason_why_none(desk) -> None:
    id_ = desk.submit(ticket="4711")
    desk.act("pause", "ticket:4711")
    ran = with_worker(desk, "eta", str(id_))
    assert ran.code == 1
    assert "`ticketmail resume ticket:4711 --reason ...`" in ran.out


def test_what_is_not_known_is_an_error_with_a_next_step(desk) -> None:
    ran = desk.run("eta", "nothing")
    assert (ran.code, ran.out) == (1, "")
    assert "`ticketmail find all`" in ran.err


def test_the_receipt_of_submit_says_when_or_why_nobody_can_know(desk) -> None:
    argv = ("submit", "--from", "help@example.com", "--to", "ann@example.net", "--text", "Hello", "--json")
    alone = desk.run(*argv).json
    assert alone["eta_us"] is None
    assert "no worker is alive" in alone["eta_unknown"]

    receipt = with_worker(desk, *argv).json
    assert abs(receipt["eta_us"] / 1e6 - time.time()) < 30
    assert receipt["eta_unknown"] == ""
