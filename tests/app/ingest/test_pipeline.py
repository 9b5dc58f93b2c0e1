"""From bytes to one event on the right ticket."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from app.ingest.world import Host, letter
from ticketmail.app.usecases.ingest import Settle
from ticketmail.app.usecases.ingest import settle as settling
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.ports.hosting import TicketState
from ticketmail.domain.ports.receiving import InboundState


def test_an_answer_comes_to_its_ticket_with_all_that_it_says(host: Host) -> None:
    sent = host.answers("4711")

    event = host.gets(
        letter(In_Reply_To=sent.message_id, Cc="Carl <carl@example.net>, help+x@example.com"), envelope_to=["help@example.com"]
    )

    assert (event.ticket, event.thread.strength, event.thread.submission_id) == ("4711", "proven", str(sent.submission_id))
    assert (event.author.address, event.author.name, event.author.trusted) == ("ann@example.net", "Ann", True)
    assert [one.address for one in event.participants] == ["carl@example.net"]
    assert event.text.strip() == "Thanks, it works."
    assert event.acknowledge.allowed
    assert host.mail.inbound.content(event, event.raw).startswith(b"From: Ann")


def test_a_new_mail_has_no_ticket_until_the_host_names_one_and_then_answers_to_it_find_it(host: Host) -> None:
    first = host.gets(letter(Message_ID="<first@example.net>", Subject="Printer"))
    assert first.ticket is None
    assert host.mail.inbound.assign(first, "4712")

    second = host.gets(letter(References="<first@example.net>"))

    assert (second.ticket, second.thread.rule, second.thread.strength) == ("4712", "received-id", "medium")


def test_the_hosts_answer_alone_ties_a_mail_to_its_ticket(host: Host) -> None:
    host.gets(letter(Message_ID="<first@example.net>", Subject="Printer"))
    host.answers("4713", in_reply_to="<first@example.net>")

    assert host.gets(letter(References="<first@example.net>")).ticket == "4713"


def test_the_same_mail_by_two_ways_is_one_event_and_in_two_mailboxes_two(host: Host) -> None:
    content = letter()
    first = host.gets(content)
    host.mail.inbound.receive("help", b"Received: by another way\r\n" + content, source="other way")
    assert host.mail.inbound.settle().duplicates == 1
    assert host.told() == []

    other = host.gets(content, "sales")

    assert other.event_id != first.event_id


def test_another_mail_under_the_same_id_is_told_with_a_risk(host: Host) -> None:
    host.gets(letter(Message_ID="<same@example.net>"))

    event = host.gets(letter("Something else", Message_ID="<same@example.net>"))

    assert "message-id-reused" in event.risks


def test_files_and_long_texts_are_kept_apart_and_found_by_their_keys(host: Host) -> None:
    long = "A line of text.\r\n" * 2000
    content = (
        b"From: ann@example.net\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n" + long.encode() + b"\r\n--b\r\n"
        b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment\r\n\r\n%PDF-1.4 x\r\n--b--\r\n'
    )

    event = host.gets(content)

    (file,) = event.attachments
    assert (file.name, file.content_type) == ("a.pdf", "application/pdf")
    assert host.mail.inbound.content(event, file.key).startswith(b"%PDF-1.4 x")
    assert len(event.text) < 20_000
    assert host.mail.inbound.content(event, event.content["text"]).decode().count("A line of text.") == 2000
    with pytest.raises(KeyError):
        host.mail.inbound.content(event, "sha256:" + "0" * 64)


def test_a_stranger_with_a_tag_gets_nowhere(host: Host) -> None:
    host.answers("4711")
    from ticketmail.domain.ticket import subject_tag

    tag = subject_tag(host.mail.spool.administering.secrets(), "", "4711")

    assert host.gets(letter(sender="eve@evil.example", Subject=f"Re: {tag}")).ticket is None
    assert host.gets(letter(Subject=f"Re: {tag}")).ticket == "4711"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TicketState(merged_into="4800"), ("4800", None)),
        (TicketState(exists=False), (None, "4711")),
        (TicketState(closed=True), ("4711", None)),
    ],
)
def test_the_hosts_word_on_a_ticket_counts(host: Host, state: TicketState, expected: tuple[Any, Any]) -> None:
    sent = host.answers("4711")
    host.tickets.said["4711"] = state

    event = host.gets(letter(In_Reply_To=sent.message_id))

    assert (event.thread.ticket, event.thread.related) == expected


def test_a_closed_ticket_is_only_linked_where_the_mailbox_says_so(spool: str) -> None:
    host = Host(spool, closed="link")
    sent = host.answers("4711")
    host.tickets.said["4711"] = TicketState(closed=True)

    event = host.gets(letter(In_Reply_To=sent.message_id))

    assert (event.ticket, event.thread.related) == (None, "4711")
    host.mail.close()


def test_a_partners_number_is_remembered_for_the_ticket_and_finds_it_again(host: Host) -> None:
    desk = {"sender": "desk@partner.example"}
    sent = host.answers("4711", to="desk@partner.example")
    host.gets(letter(Subject="INC0012345 opened", In_Reply_To=sent.message_id, **desk))

    again = host.gets(letter(Subject="Work on inc0012345 has begun", **desk))
    foreign = host.gets(letter(Subject="INC0012345", sender="desk@other.example"))

    assert (again.ticket, again.thread.rule, again.thread.strength) == ("4711", "partner-number", "medium")
    assert (foreign.ticket, foreign.thread.related) == (None, None)


def test_a_number_counts_from_when_the_host_names_the_ticket(host: Host) -> None:
    first = host.gets(letter(Subject="[SUP-17] Printer"))
    host.mail.inbound.assign(first, "4711")

    assert host.gets(letter(Subject="[SUP-17] another thing")).ticket == "4711"


def test_the_same_subject_of_the_same_author_joins_where_the_mailbox_wants_it(spool: str) -> None:
    host = Host(spool, same_subject="1d")
    host.mail.inbound.assign(host.gets(letter(Subject="Printer")), "4711")

    assert host.gets(letter(Subject="AW: Printer")).thread.rule == "same-subject"
    assert host.gets(letter(Subject="Printer", sender="bob@example.net")).ticket is None
    host.mail.close()


def test_another_topic_is_linked_where_the_mailbox_wants_it(spool: str) -> None:
    host = Host(spool, topic="link", topic_after=0)
    sent = host.answers("4711")
    host.gets(letter(In_Reply_To=sent.message_id))

    event = host.gets(letter(In_Reply_To=sent.message_id, Subject="Invoice"))

    assert (event.ticket, event.thread.related) == (None, "4711")
    host.mail.close()


def test_somebody_new_is_looked_at_first_and_never_answered_by_itself_where_the_mailbox_says_so(spool: str) -> None:
    host = Host(spool, unknown="review")
    first = host.gets(letter())

    assert (first.thread.handling, first.acknowledge.allowed) == ("review", False)
    host.mail.inbound.assign(first, "4711")
    assert host.gets(letter()).thread.handling == "open"
    host.mail.close()


def test_forged_mail_of_a_participant_joins_nothing(spool: str) -> None:
    host = Host(spool, trusted_servers=["mx.example.com"])
    host.mail.inbound.assign(host.gets(letter(Message_ID="<first@example.net>", Subject="[SUP-17]")), "4711")
    forged = {"Authentication_Results": "mx.example.com; dmarc=fail header.from=example.net"}

    event = host.gets(letter(Subject="[SUP-17]", In_Reply_To="<first@example.net>", **forged))

    assert (event.ticket, event.thread.related) == (None, "4711")
    assert "sender-forged" in event.risks
    host.mail.close()


def test_mails_that_come_together_are_threaded_as_if_one_by_one(host: Host) -> None:
    sent = host.answers("4711")
    first = letter(Message_ID="<1@example.net>", In_Reply_To=sent.message_id)
    second = letter(Message_ID="<2@example.net>", In_Reply_To="<1@example.net>")
    for content in (first, second, letter(sender="bob@example.net", In_Reply_To="<2@example.net>")):
        host.mail.inbound.receive("help", content)

    assert host.mail.inbound.settle().done == 3
    assert [event.thread.rule for event in host.told() if event.kind == "received"] == ["in-reply-to", "received-id", ""]


def test_a_mail_that_cannot_be_settled_stops_none_that_came_with_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        host.mail.inbound.receive("help", letter(sender=f"a{number}@example.net", Subject=f"No {number}"))
    whole = Settle.settlement

    def poisonous(self: Settle, found: Any, item: Any) -> Any:
        made = whole(self, found, item)
        return dataclasses.replace(made, feedback=(object(),)) if made.subject == "No 1" else made

    with monkeypatch.context() as patch:
        patch.setattr(Settle, "settlement", poisonous)
        settled = host.mail.inbound.settle()

    assert (settled.done, settled.failed) == (2, 1)
    assert sorted(event.subject for event in host.told()) == ["No 0", "No 2"]


def test_a_host_that_fails_loses_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = host.answers("4711")
    monkeypatch.setattr(host.tickets, "look", lambda **_: 1 / 0)
    host.mail.inbound.receive("help", letter(In_Reply_To=sent.message_id))

    assert host.mail.inbound.settle().failed == 1
    (view,) = host.mail.inbound.find()
    assert (view.state, view.attempts) == (InboundState.STORED, 1)
    assert "ZeroDivisionError" in view.error


def test_a_mail_that_nobody_can_interpret_is_told_in_the_end_and_read_again_when_a_human_asks(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = host.answers("4711")
    monkeypatch.setattr(settling, "RETRY_AFTER_S", (0.0,))
    with monkeypatch.context() as broken:
        broken.setattr(host.tickets, "look", lambda **_: 1 / 0)
        stored = host.mail.inbound.receive("help", letter(In_Reply_To=sent.message_id))
        while not (dead := host.mail.inbound.settle().dead):
            pass
    (minimal,) = host.told()
    assert (dead, minimal.tier, minimal.ticket) == (1, "minimal", None)
    assert host.mail.inbound.content(minimal, minimal.raw).startswith(b"From: Ann")

    assert host.mail.inbound.ledger.again(stored.inbound_id)
    host.mail.inbound.settle()

    (full,) = host.told()
    assert (full.ticket, full.replaces, full.text) == ("4711", minimal.event_id, "Thanks, it works.")


def test_a_mail_whose_body_was_left_on_the_server_says_so(host: Host) -> None:
    assert "too-large" in host.gets(b"X-Ticketmail-Too-Large: 99 bytes\r\n" + letter()).risks
    assert "too-large" not in host.gets(letter(X_Ticketmail_Too_Large="99 bytes")).risks


def test_our_own_mail_that_comes_back_is_no_answer(host: Host) -> None:
    sent = host.answers("4711")

    event = host.gets(letter(sender="help@example.com", Message_ID=sent.message_id))

    assert event.category == "own"
    assert not event.acknowledge.allowed


def test_two_machines_that_answer_each_other_stop_and_every_mail_is_kept(host: Host) -> None:
    allowed = [host.gets(letter(Subject=f"Re: {number}")).acknowledge.allowed for number in range(30)]

    assert sum(allowed) == 5
    assert len(host.mail.inbound.find(limit=100)) == 30
    assert "loop-suspected" in host.gets(letter()).risks


def test_old_mail_that_is_imported_is_never_answered(host: Host) -> None:
    event = host.gets(letter(), silent=True)

    assert event.silent
    assert not event.acknowledge.allowed


def test_only_our_own_server_is_believed_about_who_wrote(spool: str) -> None:
    host = Host(spool, trusted_servers=["mx.example.com"])
    proof = "mx.example.com; dmarc=pass header.from=example.net"

    proven = host.gets(b"Authentication-Results: " + proof.encode() + b"\r\n" + letter())
    forged = host.gets(b"Authentication-Results: mx.example.com; dmarc=fail header.from=example.net\r\n" + letter())
    silent = host.gets(b"Authentication-Results: mx.evil.example; dmarc=pass header.from=example.net\r\n" + letter())

    assert proven.author.authenticated == ("example.net",)
    assert proven.risks == ()
    assert "sender-forged" in forged.risks
    assert "sender-unproven" in silent.risks
    host.mail.close()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, b"no header at all", b"\r\n\r\n", b"From: a@b\r\nFrom: c@d\r\n\r\nx", b"\xff\xfe" * 50],
    ids=["empty", "zeros", "no header", "blank", "two authors", "no text"],
)
def test_anything_becomes_an_event(host: Host, content: bytes) -> None:
    assert host.gets(content, source="x").inbound_id


def test_a_mailbox_that_no_settings_name_is_refused(host: Host) -> None:
    with pytest.raises(SettingsError, match=r"no mailbox 'nobody'.*help, sales"):
        host.mail.inbound.receive("nobody", letter())
