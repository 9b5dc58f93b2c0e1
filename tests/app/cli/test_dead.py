"""Dead letters and unknowns: read, correct, send again, put away."""

from __future__ import annotations

from uuid import uuid4

import pytest

from ticketmail.domain.outbound.delivery import DeliveryState

S = DeliveryState


def state_of(desk, id_) -> str:
    return desk.run("find", f"id:{id_}", "--json").json[0]["state"]


def test_dead_list_groups_by_cause_with_a_sample(desk) -> None:
    desk.bury()
    desk.bury("bob@example.net")
    found = desk.run("dead", "list", "--json").json
    assert [(one["cause"], one["count"], one["sample"]) for one in found["causes"]] == [
        ("relay-denied", 2, "550 5.7.1 relay denied")
    ]
    assert {one["recipient"] for one in found["deliveries"]} == {"ann@example.net", "bob@example.net"}
    ran = desk.run("dead", "list")
    assert ran.code == 0
    assert "relay-denied" in ran.out


def test_no_dead_letters_is_exit_code_1(desk) -> None:
    desk.submit()
    ran = desk.run("dead", "list")
    assert ran.code == 1
    assert "No dead letters." in ran.out


def test_dead_show_says_what_to_do_what_happened_and_what_it_says(desk) -> None:
    id_ = desk.bury()
    out = desk.run("dead", "show", str(id_)).out
    assert out.startswith(f"{id_}/0 to ann@example.net: dead\n")
    assert "The mail server does not relay for us. Log in, or have this sender or network allowed there." in out
    assert "subject: Your printer" in out
    assert "text: On its way." in out
    assert "550 5.7.1 relay denied" in out
    found = desk.run("dead", "show", f"{id_}/0", "--json").json
    assert found["message"]["subject"] == "Your printer"
    assert [row["kind"] for row in found["history"]][:2] == ["accepted", "attempt"]


@pytest.mark.parametrize(("what", "said"), [(str(uuid4()), "There is no mail"), ("x/1", "is not a mail. Write ID or ID/N")])
def test_dead_show_of_what_is_not_there(desk, what: str, said: str) -> None:
    desk.submit()
    ran = desk.run("dead", "show", what)
    assert ran.code == 2
    assert said in ran.err


def test_dead_edit_corrects_the_recipient_and_replay_sends_it_there(desk) -> None:
    id_ = desk.bury("ann@exmaple.net")
    ran = desk.act("dead", "edit", f"{id_}/0", "--to", "ann@example.net")
    assert ran.code == 0
    assert f"`ticketmail dead replay {id_}/0 --reason ...`" in ran.out
    ran = desk.act("dead", "replay", str(id_))
    assert ran.out == f"1 mail in id:{id_} queued again, each wanted for 3 d.\n"
    [view] = desk.run("find", f"id:{id_}", "--json").json
    assert (view["recipient"], view["state"]) == ("ann@example.net", "queued")


def test_an_id_with_a_number_is_one_recipient_and_an_id_alone_is_all(desk) -> None:
    id_ = desk.bury(["ann@exmaple.net", "bob@example.net", "cid@example.net"])
    states = lambda: [one["state"] for one in desk.run("find", f"id:{id_}", "--json").json]  # noqa: E731

    shown = desk.run("dead", "show", str(id_)).out
    ran = desk.act("dead", "edit", str(id_), "--to", "ann@example.net")
    assert (ran.code, ran.err.split(",")[0]) == (
        2,
        f"error: {id_} has 3 such recipients. Name one of them: {id_}/0 (ann@exmaple.net)",
    )
    assert desk.act("dead", "edit", f"{id_}/0", "--to", "ann@example.net").code == 0
    assert desk.act("dead", "replay", f"{id_}/0").out.startswith(f"1 mail in id:{id_}/0 queued again")
    assert states() == ["queued", "dead", "dead"]
    assert desk.act("dead", "dismiss", f"{id_}/1").out.startswith(f"1 mail in id:{id_}/1 dismissed")
    assert desk.act("dead", "replay", f"{id_}/1").code == 2  # put away
    assert desk.act("dead", "replay", f"{id_}/3").err.startswith(f"error: Nothing in id:{id_}/3 is dead.")
    assert desk.act("dead", "replay", str(id_)).out.startswith(f"1 mail in id:{id_} queued again")
    assert states() == ["queued", "dead", "queued"]
    assert desk.run("dead", "show", str(id_)).out.startswith(f"{id_}/1 to bob@example.net: dead\n")
    assert "other recipients" not in desk.run("dead", "show", str(id_)).out  # the only dead one
    assert "  other recipients: /1 bob@example.net, /2 cid@example.net\n" in shown
    assert desk.run("why", f"{id_}/2").out.count("@example.net") == 1


def test_dead_edit_of_living_mail_changes_nothing(desk) -> None:
    id_ = desk.submit()
    ran = desk.act("dead", "edit", str(id_), "--to", "bob@example.net")
    assert ran.code == 1
    assert "only dead and failed mail can be" in ran.out
    assert desk.act("dead", "edit", str(id_), "--to", "nobody").err.startswith("error: --to: 'nobody' is not an address")


def test_dead_replay_by_cause_at_a_pace_with_a_lifetime(desk) -> None:
    for name in ("ann", "bob", "cid"):
        desk.bury(f"{name}@example.net")
    ran = desk.run("dead", "replay", "cause:relay-denied", "--pace", "2/s", "--dry-run")
    assert ran.out.startswith("Would send 3 mails in cause:relay-denied again, 2 a second (over 1 s), each wanted for 3 d.\n")
    found = desk.act("dead", "replay", "cause:relay-denied", "--pace", "2/s", "--lifetime", "1h", "--json").json
    assert (found["changed"], found["plan"]["pace_per_s"]) == (3, 2.0)
    views = sorted(desk.run("find", "all", "--state", "queued", "--json").json, key=lambda one: one["due_us"])
    gaps = [view["due_us"] - views[0]["due_us"] for view in views]
    assert gaps == [0, 500_000, 1_000_000]
    assert {view["deadline_us"] - view["due_us"] for view in views} == {3_600_000_000}
    assert desk.act("dead", "replay", "all").err.startswith("error: Nothing in all is dead.")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--pace", "fast"], "--pace 'fast' is not a pace. Write 5/s or 100/min."),
        (["--lifetime", "long"], "--lifetime 'long' is not a duration."),
        (["--state", "alive"], "There is no state 'alive'."),
    ],
)
def test_dead_replay_refuses_what_it_does_not_understand(desk, more: list[str], said: str) -> None:
    id_ = desk.bury()
    ran = desk.act("dead", "replay", "all", *more)
    assert ran.code == 2
    assert said in ran.err
    assert state_of(desk, id_) == "dead"


def test_failed_mail_is_replayed_when_it_is_asked_for(desk) -> None:
    id_ = desk.submit()
    desk.end(S.FAILED, outcome="refused", cause="unknown-recipient", reply="550 5.1.1 no")
    assert desk.act("dead", "replay", str(id_)).code == 2
    assert desk.act("dead", "replay", str(id_), "--state", "failed").code == 0


def test_dead_dismiss_puts_away(desk) -> None:
    id_ = desk.bury()
    assert desk.act("dead", "dismiss", str(id_)).code == 0
    assert desk.run("dead", "list").code == 1
    assert desk.act("dead", "dismiss", str(id_)).code == 1
    assert state_of(desk, id_) == "dead"


def test_unknowns_are_listed_and_settled_by_a_human(desk) -> None:
    arrived, lost = desk.submit("ann@example.net"), desk.submit("bob@example.net")
    desk.end(S.UNKNOWN, outcome="unclear", phase="dot", reason="cut", due_us=None)
    assert len(desk.run("unknowns", "list", "--json").json) == 2
    assert desk.act("unknowns", "settle", str(arrived)).err == (
        "error: Say what became of it. Add --sent (it arrived) or --again (send it once more).\n"
    )
    assert desk.act("unknowns", "settle", str(arrived), "--sent").out == f"{arrived}/0 is sent.\n"
    assert desk.act("unknowns", "settle", str(lost), "--again").code == 0
    assert (state_of(desk, arrived), state_of(desk, lost)) == ("sent", "queued")
    assert desk.act("unknowns", "settle", str(lost), "--again").code == 1
    assert desk.run("unknowns", "list").code == 1


def test_a_password_that_a_server_or_an_adapter_repeats_is_masked(desk) -> None:
    """The fixture greps all output for it; here it is where it could be shown."""
    canary = "canary-Pa55word"
    id_ = desk.submit()
    desk.end(S.DEAD, outcome="refused", cause="policy", reply=f"550 no {canary}", reason=f"login with {canary} failed")
    for argv in (
        ["dead", "list"],
        ["dead", "show", str(id_)],
        ["why", str(id_)],
        ["find", "all"],
        ["log", "--all"],
        ["db", "export"],
    ):
        for more in ([], ["--json"]):
            ran = desk.run(*argv, *more)
            assert canary not in ran.out + ran.err
    assert "550 no ***" in desk.run("dead", "show", str(id_)).out


def test_a_servers_line_cannot_command_the_terminal(desk) -> None:
    id_ = desk.submit()
    desk.end(S.DEAD, outcome="refused", cause="policy", reply="550 \x1b[2Jno\r\nBAD forged line [red]x[/red]")
    out = desk.run("dead", "show", str(id_)).out + desk.run("dead", "list").out + desk.run("why", str(id_)).out
    assert "\x1b" not in out
    assert "\\x1b[2Jno" in out
    assert "\nBAD forged" not in out


def test_a_text_is_shown_in_part(desk) -> None:
    from ticketmail import Message, TicketMail

    with TicketMail() as mail:
        id_ = mail.submit(Message(sender="a@example.com", to="b@example.net", subject="s", text="word " * 500)).submission_id
    shown = desk.run("dead", "show", str(id_), "--json").json["message"]["text"]
    assert len(shown) < 450
    assert shown.endswith("...")
