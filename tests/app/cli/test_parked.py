"""Parked jobs: read, taken in again, put away."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.intake.kit import AT_US, SECRET, Service, job_of, order
from ticketmail import TicketMail
from ticketmail.domain.job import Parcel, payload_of
from ticketmail.domain.ports.intaking import ParkedJob, parked_id
from ticketmail.domain.ports.queueing import Job


def park(*jobs: Job, secrets: tuple[bytes, ...] = ()) -> list[str]:
    """Take jobs in; the ids of those that were parked, as they came."""
    with TicketMail() as mail:
        Service(mail, secrets=secrets).take(*jobs)
        return [str(parked_id(job.body)) for job in jobs if mail.spool.parking.one(parked_id(job.body))]


def test_parked_jobs_are_listed_with_their_reason(desk) -> None:
    (ident,) = park(job_of(order(lane="no-such-lane")))
    ran = desk.run("parked")
    assert ran.code == 1
    assert ident in ran.out
    assert "invalid-submission" in ran.out
    (found,) = desk.run("parked", "list", "--json").json
    assert (found["parked_id"], found["kind"], found["times"]) == (ident, "submit", 1)
    assert "body" not in found


def test_the_list_of_dead_letters_says_how_many_are_parked(desk) -> None:
    park(Job("p", b"poison"), Job("q", b"more"))
    ran = desk.run("dead", "list")
    assert ran.code == 0
    assert "2 jobs from the broker could not be taken in: `ticketmail parked list`." in ran.out
    assert desk.run("dead", "list", "--json").json["parked_jobs"] == 2
    assert "parked" not in desk.run("dead", "list", "lane:reply").out


def test_nothing_parked_is_exit_code_0(desk) -> None:
    desk.submit()
    assert desk.run("parked", "list").code == 0


def test_show_has_the_bytes(desk) -> None:
    text, poison = park(job_of(order(lane="no-such-lane")), Job("p", b"\xff\x00poison" + b"x" * 3000))
    assert '"lane": "no-such-lane"' in desk.run("parked", "show", text).out
    out = desk.run("parked", "show", poison).out
    assert "\\xff" in out
    assert "3008 bytes" in out
    assert len(desk.run("parked", "show", poison, "--json").json["body"]) > 3000


@pytest.mark.parametrize(("what", "said"), [("x", "is not a parked job's id"), (str(uuid4()), "There is no parked job")])
def test_what_is_not_parked_is_said(desk, what: str, said: str) -> None:
    desk.submit()
    ran = desk.run("parked", "show", what)
    assert (ran.code, said in ran.err) == (2, True)


def test_a_mended_cause_lets_it_in(desk) -> None:
    """The lane is added to the settings, and the mail is sent after all."""
    (ident,) = park(job_of(order("late@example.net", lane="surveys")))
    still = desk.act("parked", "replay", ident)
    assert (still.code, "stays parked" in still.out) == (1, True)
    desk.write((desk.home / "ticketmail.toml").read_text() + "\n[lanes.surveys]\nweight = 1\ndeadline = '1d'\n")
    ran = desk.act("parked", "replay", ident)
    assert ran.code == 0, ran
    assert [one["recipient"] for one in desk.run("find", "all", "--json").json] == ["late@example.net"]
    assert desk.run("parked", "list").code == 0
    assert any(row["scope"] == f"parked:{ident}" and row["actor"] == "mia" for row in desk.run("log", "--json").json)


def test_what_was_not_signed_is_taken_in_only_by_word(desk) -> None:
    desk.write(f'broker = {{ url = "memory://x", secret = "{SECRET.decode()}" }}\n' + (desk.home / "ticketmail.toml").read_text())
    (ident,) = park(job_of(order("unsigned@example.net")), secrets=(SECRET,))
    assert desk.act("parked", "replay", "all").code == 1
    assert desk.act("parked", "replay", ident, "--unsigned", "--json").json["changed"] == 1


def test_an_event_that_the_host_could_not_read_stays(desk) -> None:
    with TicketMail() as mail:
        job = ParkedJob(parked_id(b"x"), "events", "", "unreadable-event", "no JSON", b"x", "event")
        mail.spool.parking.park([job])
    assert desk.act("parked", "replay", "all", "--json").json == {"changed": 0, "actor": "mia", "parked": 1}
    assert desk.act("parked", "dismiss", "all").code == 0
    assert desk.run("parked").code == 0


def test_status_says_that_jobs_are_parked(desk) -> None:
    parcel = Parcel("submit", uuid4(), AT_US, payload_of(order(lane="no-such-lane")))
    park(job_of(parcel))
    found = desk.run("status", "--json").json
    assert found["jobs_parked"] == 1
    assert "Parked jobs: 1" in desk.run("status").out
    assert any(one["subject"] == "parked" for one in found["findings"])
