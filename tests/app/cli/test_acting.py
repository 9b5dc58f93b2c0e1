"""cancel, pause, resume, erase, adopt: human acts have an actor and a reason."""

from __future__ import annotations

import io
import socket

import pytest

from ticketmail.domain.outbound.delivery import DeliveryState

ACTS = [
    ["cancel", "all"],
    ["pause", "all"],
    ["resume", "all"],
    ["erase", "ann@example.net"],
    ["adopt", "desk"],
    ["dead", "edit", "01a20f08-4fa7-7b85-ba1b-f5fcda1ee549", "--to", "bob@example.net"],
    ["dead", "dismiss", "all"],
    ["unknowns", "settle", "01a20f08-4fa7-7b85-ba1b-f5fcda1ee549", "--sent"],
    ["suppressions", "add", "ann@example.net"],
    ["suppressions", "remove", "ann@example.net"],
    ["accounts", "clear", "support"],
]


@pytest.mark.parametrize("argv", ACTS, ids=" ".join)
def test_no_human_act_without_a_reason(desk, argv: list[str]) -> None:
    ran = desk.run(*argv)
    assert (ran.code, ran.err) == (2, 'error: A human act needs a reason. Add --reason "...".\n')


def test_a_replay_needs_a_reason_and_a_plan_does_not(desk) -> None:
    desk.bury()
    assert desk.run("dead", "replay", "all").err == 'error: A human act needs a reason. Add --reason "...".\n'
    assert desk.run("dead", "replay", "all", "--dry-run").code == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_at_a_terminal_is_asked_for_the_reason(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("moving house\n"))
    assert desk.run("pause", "lane:bulk", "--actor", "mia").code == 0
    [row] = [one for one in desk.run("log", "--json").json if one["kind"] == "pause"]
    assert (row["reason"], row["actor"]) == ("moving house", "mia")


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("no\n", 2), ("", 2)])
def test_a_person_at_a_terminal_is_asked_before_what_cannot_be_undone(
    desk, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    desk.submit()
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    ran = desk.act("erase", "ann@example.net", "--json")
    assert ran.code == code
    assert "for good, from all mail, dead letters and events? [y/N]" in ran.err
    assert ("bodies" in ran.out) == (code == 0)


def test_without_an_actor_it_is_the_user_on_this_machine(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "mia")
    desk.run("pause", "lane:bulk", "--reason", "r")
    monkeypatch.setenv("TICKETMAIL_ACTOR", "on-call")
    desk.run("pause", "lane:digest", "--reason", "r")
    actors = [row["actor"] for row in desk.run("log", "--json").json if row["kind"] == "pause"]
    assert actors == [f"mia@{socket.gethostname()}", "on-call"]


def test_cancel_says_how_many_and_does_it_once(desk) -> None:
    desk.submit(ticket="4711")
    desk.submit("bob@example.net", ticket="4711")
    ran = desk.act("cancel", "ticket:4711")
    assert (ran.code, ran.out) == (0, "2 mails in ticket:4711 cancelled.\n")
    assert desk.act("cancel", "ticket:4711").code == 1
    assert [one["state"] for one in desk.run("find", "all", "--json").json] == ["cancelled", "cancelled"]


def test_a_pause_has_an_end_and_resume_ends_it(desk) -> None:
    ran = desk.act("pause", "domain:example.net", "--until", "2h")
    assert ran.code == 0
    assert "domain:example.net is paused until " in ran.out
    assert " +01:00" in ran.out
    assert [one["kind"] for one in desk.run("status", "--json").json["holds"]] == ["no-worker", "pause"]
    assert desk.act("resume", "domain:example.net").out == "domain:example.net is sent again.\n"
    ran = desk.act("resume", "domain:example.net")
    assert (ran.code, ran.out) == (1, "domain:example.net was not paused; paused now: nothing.\n")


def test_a_pause_until_a_naive_or_past_time_is_refused(desk) -> None:
    assert "has no offset" in desk.act("pause", "all", "--until", "2099-01-01T00:00").err
    assert "is in the past" in desk.act("pause", "all", "--until", "2020-01-01T00:00Z").err
    assert desk.run("status", "--json").json["holds"][0]["kind"] == "no-worker"


def test_acts_for_programs_say_what_changed(desk) -> None:
    desk.submit()
    found = desk.act("cancel", "all", "--json").json
    assert found == {"changed": 1, "actor": "mia", "scope": "all"}
    found = desk.act("pause", "all", "--json").json
    assert (found["until_us"], found["until"]) == (None, None)


def test_erase_asks_first_and_then_forgets(desk) -> None:
    desk.submit()
    ran = desk.act("erase", "Ann@Example.net")
    assert ran.code == 2
    assert "Nothing was done. Add --yes." in ran.err
    ran = desk.act("erase", "Ann@Example.net", "--yes")
    assert ran.code == 0
    assert ran.out.startswith("Erased: 1 mail; bodies 1")
    assert "ann@example.net" not in desk.run("find", "all").out
    assert desk.act("erase", "ann@example.net", "--yes", "--json").json["deliveries"] == 0


def test_erase_of_what_is_no_address_is_refused(desk) -> None:
    ran = desk.act("erase", "nobody", "--yes")
    assert ran.code == 2
    assert ran.err.startswith("error: address: 'nobody' is not an address")


def test_a_copied_spool_is_refused_until_it_is_adopted_and_then_held(desk) -> None:
    """A restored or copied spool never mails real customers."""
    desk.submit()
    desk.write('site = "staging"\nspool = "sqlite:///spool.db"\n')
    assert desk.run("status").code == 2
    ran = desk.act("adopt", "staging", "--hold")
    assert ran.code == 0
    assert "The spool is staging's now; 1 mail waiting. Everything is paused" in ran.out
    found = desk.run("status", "--json").json
    assert found["spool"]["site"] == "staging"
    assert "pause" in [one["kind"] for one in found["holds"]]
    [row] = [row for row in desk.run("log", "--json").json if row["kind"] == "adopt"]
    assert (row["actor"], row["reason"]) == ("mia", "The spool of site 'desk' is 'staging''s now, held for review. a test")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["cancel", "everything", "--reason", "r"], "Use all, id:UUID[/N], account:X"),
        (["pause", "lane", "--reason", "r"], "Use all, id:UUID[/N], account:X"),
        (["resume", "lane:", "--reason", "r"], "Use all, id:UUID[/N], account:X"),
        (["dead", "dismiss", "old", "--reason", "r"], "Use all, id:UUID[/N], account:X"),
        (["dead", "replay", "old", "--reason", "r"], "Use all, id:UUID[/N], account:X"),
        (["dead", "list", "old"], "Use all, id:UUID[/N], account:X"),
        (["db", "export", "old"], "Use all, id:UUID[/N], account:X"),
        (["log", "--since", "2026-11-24T10:00"], "has no offset"),
        (["adopt"], "required: SITE"),
        (["unknowns", "settle", "old", "--sent", "--reason", "r"], "is not a mail"),
        (["suppressions", "add", "a@example.com", "--until", "later", "--reason", "r"], "neither a duration nor a time"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_understood_is_refused_in_one_line(desk, argv: list[str], said: str) -> None:
    ran = desk.run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "fault of ours" not in ran.err


def test_a_worker_without_an_account_is_refused_in_one_line(desk) -> None:
    desk.write('spool = "sqlite:///spool.db"\n')
    ran = desk.run("worker")
    assert ran.code == 2
    assert "accounts" in ran.err.splitlines()[-1]


def test_more_processes_on_one_file_are_refused(desk) -> None:
    ran = desk.run("worker", "--processes", "2")
    assert ran.code == 2
    assert "PostgreSQL" in ran.err.splitlines()[-1]


@pytest.mark.parametrize("given", ["{id}", "{id}/0", "id:{id}"])
def test_an_id_from_find_is_scope_enough(desk, given: str) -> None:
    """People copy what ``find`` shows."""
    id_ = desk.submit()
    assert desk.run("find", given.format(id=id_)).code == 0
    assert "1 mail in" in desk.act("cancel", given.format(id=id_)).out


def test_a_pause_of_a_name_that_no_setting_has_stands_and_says_so(desk) -> None:
    ran = desk.act("pause", "lane:replay")
    assert ran.code == 0
    assert ran.err == "warning: these settings have no lane:replay. Known: bulk, code, digest, notice, reply.\n"
    assert desk.act("pause", "lane:reply").err == ""


def test_nobody_adopts_for_a_site_without_a_name(desk) -> None:
    ran = desk.act("adopt", "")
    assert (ran.code, ran.out) == (2, "")
    assert "'' is no site: a name has 1 to 64 bytes" in ran.err
    assert "these settings say 'desk'" in desk.act("adopt", "dask").err


@pytest.mark.parametrize(
    "argv",
    [
        ["find", "all", "--since", "999999999999h"],
        ["find", "all", "--since", "0001-01-01T00:00Z"],
        ["find", "all", "--limit", "99999999999999999999"],
        ["pause", "all", "--until", "99999999d", "--reason", "r"],
        ["pause", "all", "--until", "9999-12-31T23:59Z", "--reason", "r"],
        ["dead", "replay", "all", "--lifetime", "999999999999d", "--reason", "r"],
        ["dead", "replay", "all", "--pace", "0.0000000001/s", "--reason", "r"],
        ["dead", "show", "00000000-0000-0000-0000-000000000000/99999999999999999999"],
    ],
    ids=" ".join,
)
def test_numbers_beyond_all_columns_are_refused_and_no_fault_of_ours(desk, argv: list[str]) -> None:
    ran = desk.run(*argv)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "fault of ours" not in ran.err


def test_a_length_of_time_is_no_moment_in_json(desk) -> None:
    desk.submit()
    desk.end(DeliveryState.DEAD, outcome="refused", cause="policy", reply="550 no")
    plan = desk.run("dead", "replay", "all", "--dry-run", "--lifetime", "12h", "--json").json
    assert plan["lifetime_us"] == 43_200_000_000
    assert "lifetime" not in plan
