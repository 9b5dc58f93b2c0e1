"""status, why, find, log, workers, settings: for people and, with --json, for programs."""

from __future__ import annotations

import re

import pytest

from ticketmail.domain.outbound.delivery import DeliveryState

S = DeliveryState
OFFSET = re.compile(r"\d\d:\d\d:\d\d \+01:00")


def test_status_of_a_stopped_service_is_red_and_names_the_next_step(desk) -> None:
    desk.submit()
    ran = desk.run("status")
    assert ran.code == 2
    assert ran.out.startswith("BAD  Mail is not leaving: no worker is alive, 1 waiting; nothing was ever sent.")
    assert "start `ticketmail worker`" in ran.out
    assert OFFSET.search(ran.out)


def test_status_for_programs_has_level_lanes_holds_accounts_and_spool(desk) -> None:
    desk.submit(lane="notice")
    found = desk.run("status", "--json").json
    assert found["level"] == "bad"
    assert [(lane["lane"], lane["queued"], lane["due"]) for lane in found["lanes"]] == [("notice", 1, 1)]
    assert [(hold["kind"], hold["until_us"], bool(hold["decision"])) for hold in found["holds"]] == [("no-worker", None, True)]
    assert [(one["name"], one["state"]) for one in found["accounts"]] == [("support", "well")]
    assert found["spool"]["site"] == "desk"
    assert found["at"].endswith("Z")
    assert found["counts"] == {"queued": 1}


def test_status_shows_modes_in_which_nobody_is_mailed(desk) -> None:
    desk.write(
        'site = "desk"\nspool = "sqlite:///spool.db"\nmode = "shadow"\nonly_to = ["example.com"]\naccounts.a = "null://"\n'
    )
    ran = desk.run("status")
    assert ran.code == 2
    assert "!!  mode = shadow" in ran.out
    assert "!!  only_to: nobody but example.com is mailed." in ran.out
    assert "!!  Account 'a' mails nobody: null://" in ran.out


def test_status_without_a_reachable_spool_is_one_line(desk) -> None:
    desk.write('spool = "sqlite:////nowhere/at/all/spool.db"\n')
    ran = desk.run("status")
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("what", ["id", "ticket", "key", "scope"])
def test_why_takes_an_id_a_ticket_a_key_or_a_scope(desk, what: str) -> None:
    id_ = desk.submit(ticket="4711", key="note-991")
    ran = desk.run("why", {"id": str(id_), "ticket": "4711", "key": "note-991", "scope": "to:ann@example.net"}[what])
    assert ran.code == 0
    assert ran.out.startswith(f"{id_}/0 to ann@example.net, ticket 4711: queued\n")
    assert "no worker is alive" in ran.out
    assert OFFSET.search(ran.out)


def test_why_for_programs_has_sentences_holds_and_eta(desk) -> None:
    desk.submit(ticket="4711")
    [answer] = desk.run("--json", "why", "4711").json
    assert answer["state"] == "queued"
    assert all(set(one) == {"at_us", "at", "text"} for one in answer["sentences"])
    assert answer["eta_us"] is None
    assert answer["holds"][0]["decision"]


def test_why_of_a_key_of_another_tenant_needs_the_tenant(desk) -> None:
    desk.submit(key="note-1", tenant="acme")
    assert desk.run("why", "note-1").code == 1
    assert desk.run("why", "note-1", "--tenant", "acme").code == 0


def test_why_of_nothing_says_so(desk) -> None:
    ran = desk.run("why", "no-such-thing")
    assert ran.code == 1
    assert ran.err == "error: nothing is known of 'no-such-thing'. `ticketmail find all` lists the newest mail.\n"


def test_find_narrows_by_scope_state_and_time(desk) -> None:
    desk.bury("bob@example.net")
    desk.submit()
    assert len(desk.run("find", "all", "--json").json) == 2
    [dead] = desk.run("find", "domain:example.net", "--state", "dead", "--since", "1h", "--json").json
    assert (dead["recipient"], dead["cause"], dead["reply"]) == ("bob@example.net", "relay-denied", "550 5.7.1 relay denied")
    assert desk.run("find", "all", "--state", "queued,sent").out.count("ann@example.net") == 1
    assert desk.run("find", "ticket:none").code == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["find", "everything"], "Use all, id:UUID[/N], account:X"),
        (["find", "all", "--state", "deadish"], "Known: queued, claimed"),
        (["find", "all", "--since", "2026-11-24T10:00"], "Write 2026-11-24T10:00+01:00"),
    ],
)
def test_find_refuses_what_it_does_not_understand(desk, argv: list[str], said: str) -> None:
    ran = desk.run(*argv)
    assert ran.code == 2
    assert said in ran.err


def test_log_tells_what_people_and_workers_did(desk) -> None:
    desk.submit()
    desk.act("pause", "lane:bulk")
    desk.on_spool(_nothing)
    ran = desk.run("log", "--since", "1h")
    assert re.search(r"pause +lane:bulk +mia +a test", ran.out)
    kinds = [row["kind"] for row in desk.run("log", "--json").json]
    assert "pause" in kinds
    assert "worker" in kinds
    assert "accepted" not in kinds
    assert "accepted" in [row["kind"] for row in desk.run("log", "--all", "--json").json]


async def _nothing(side, worker_id) -> None:
    """A worker that begins and ends."""


def test_workers_are_listed_and_their_absence_is_an_exit_code(desk) -> None:
    desk.submit()
    ran = desk.run("workers")
    assert ran.code == 2
    assert "none: start one with `ticketmail worker`" in ran.out

    async def look(side, worker_id) -> None:
        await side.workers.beat(worker_id, {"sent": 12, "in_flight": 3})
        ran = desk.run("workers")
        assert ran.code == 0
        assert re.search(r"mailhost:1 1\.0 +alive .*in_flight 3, sent 12", ran.out)

    desk.on_spool(look)
    assert [worker["pid"] for worker in desk.run("workers", "--all", "--json").json] == [1]
    assert desk.run("workers", "--json").json == []


def test_settings_show_value_and_source_and_no_secret(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETMAIL_MAX_SIZE", "1MiB")
    rows = {row["name"]: row for row in desk.run("settings", "--json").json}
    assert rows["max_size"] == {"name": "max_size", "value": "1048576", "source": "environment"}
    assert rows["site"]["source"].endswith("ticketmail.toml")
    assert rows["accounts.support.url"]["value"] == "smtp://help%40example.com:***@127.0.0.1:1"
    assert "worker.beat" in desk.run("settings", "worker").out
    assert desk.run("settings", "nope").code == 1


def test_settings_that_cannot_be_read_name_the_setting(desk) -> None:
    desk.write('[accounts.a]\nurll = "smtp://x"\n')
    ran = desk.run("settings")
    assert (ran.code, ran.err) == (2, "error: accounts.a.urll: There is no setting of this name. Did you mean 'url'?\n")


def test_a_settings_file_can_be_named(desk, tmp_path) -> None:
    (tmp_path / "other.toml").write_text('site = "other"\n')
    rows = {row["name"]: row["value"] for row in desk.run("settings", "--json", "--settings", "other.toml").json}
    assert rows["site"] == "other"
    assert desk.run("settings", "--settings", "gone.toml").code == 2
