"""Handing over through the facade, on every embedded spool."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ticketmail import (
    Attachment,
    Envelope,
    InvalidSubmission,
    KeyReused,
    Message,
    NaiveTime,
    Receipt,
    SettingsError,
    SpoolBusy,
    Submission,
    TicketMail,
    TooLarge,
    attach,
)
from ticketmail.domain.scope import Scope

NOTE = Message(sender="Help <help@example.com>", to="ann@example.net", subject="Your printer", text="On its way.")


@pytest.fixture(params=["memory", "sqlite"])
def mail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TicketMail]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/spool.db"
    with TicketMail(spool=url, accounts={"support": "null://"}, settings={"max_size": "1MiB"}) as one:
        yield one


def views(mail: TicketMail, scope: str = "all") -> list[Any]:
    return list(mail.reading.find(Scope.parse(scope)))


def test_a_submitted_mail_waits_in_the_spool_as_the_receipt_says(mail: TicketMail) -> None:
    receipt = mail.submit(NOTE, ticket="4711", lane="reply", key="note-991")

    (view,) = views(mail)
    assert (receipt.durable, receipt.new, receipt.eta_us) == ("spool", True, None)
    assert receipt.eta_unknown
    assert (view.submission_id, view.message_id) == (receipt.submission_id, receipt.message_id)
    assert (view.state, view.recipient, view.sender, view.ticket, view.lane, view.key) == (
        "queued", "ann@example.net", "help@example.com", "4711", "reply", "note-991",
    )  # fmt: skip


def test_the_same_key_and_content_is_one_mail_and_the_first_receipt_again(mail: TicketMail) -> None:
    first, second = mail.submit(NOTE, key="k"), mail.submit(NOTE, key="k")

    assert second == first.model_copy(update={"new": False})
    assert len(views(mail)) == 1


@pytest.mark.parametrize(
    "change",
    [{"subject": "Other"}, {"text": "Other"}, {"to": ("bob@example.net",)}, {"attachments": (attach(b"x", filename="x"),)}],
)
def test_the_same_key_with_other_content_is_refused_and_the_first_stands(mail: TicketMail, change: dict[str, Any]) -> None:
    mail.submit(NOTE, key="k")

    with pytest.raises(KeyReused):
        mail.submit(Message.model_validate(NOTE.model_dump() | change), key="k")

    assert len(views(mail)) == 1


def test_keys_are_apart_per_tenant(mail: TicketMail) -> None:
    ids = {mail.submit(NOTE, key="k", tenant=tenant).submission_id for tenant in ("", "a", "b")}

    assert len(ids) == 3


def test_without_a_key_each_submit_is_a_mail(mail: TicketMail) -> None:
    assert mail.submit(NOTE).submission_id != mail.submit(NOTE).submission_id


def test_a_submission_is_taken_as_it_is_and_names_beside_it_replace_its_own(mail: TicketMail) -> None:
    mail.submit(Submission(message=NOTE, ticket="1", lane="notice"), ticket="2")

    assert [(view.ticket, view.lane) for view in views(mail)] == [("2", "notice")]


@pytest.mark.parametrize(
    ("message", "names", "field"),
    [
        (Message(sender="help@example.com", text="x"), {}, "to"),
        (NOTE.model_copy(update={"subject": "a\r\nBcc: x@y.z"}), {}, "subject"),
        (NOTE.model_copy(update={"headers": (("X-A", "b\nc"),)}), {}, "X-A"),
        (NOTE.model_copy(update={"text": None}), {}, "message"),
        (NOTE.model_copy(update={"sender": None}), {}, "sender"),
        (NOTE, {"lane": "no-such-lane"}, "lane"),
        (NOTE, {"ticket": 4711}, "ticket"),
        (NOTE, {"key": "x" * 201}, "key"),
        (NOTE, {"tenant": "x" * 65}, "tenant"),
    ],
)
def test_bad_input_is_refused_by_its_field_and_nothing_is_stored(
    mail: TicketMail, message: Message, names: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidSubmission) as caught:
        mail.submit(message, **names)

    assert field in str(caught.value)
    assert views(mail) == []


def test_a_naive_time_is_refused(mail: TicketMail) -> None:
    with pytest.raises(NaiveTime):
        mail.submit(NOTE, not_before=datetime(2030, 1, 1))  # noqa: DTZ001


def test_not_before_and_deadline_are_kept(mail: TicketMail) -> None:
    begin, end = datetime(2100, 1, 1, tzinfo=UTC), datetime(2100, 1, 2, tzinfo=UTC)

    mail.submit(NOTE, not_before=begin, deadline=end)

    (view,) = views(mail)
    assert (view.due_us, view.deadline_us) == (int(begin.timestamp() * 1e6), int(end.timestamp() * 1e6))


def test_a_mail_that_begins_later_has_its_lanes_lifetime_from_then_on(mail: TicketMail) -> None:
    begin = datetime(2100, 1, 1, tzinfo=UTC)

    mail.submit(NOTE, not_before=begin, lane="code")

    (view,) = views(mail)
    assert view.deadline_us == int((begin + timedelta(minutes=15)).timestamp() * 1e6)


def test_blind_copies_are_in_the_envelope_and_not_in_the_stored_message(mail: TicketMail) -> None:
    receipt = mail.submit(NOTE.model_copy(update={"bcc": NOTE.to[:0] + (Message(bcc="boss@example.org").bcc)}))

    assert {view.recipient for view in views(mail)} == {"ann@example.net", "boss@example.org"}
    assert b"boss@" not in (mail.reading.body(receipt.submission_id) or b"")


def test_a_recipient_named_twice_gets_one_mail(mail: TicketMail) -> None:
    mail.submit(
        Message(sender="help@example.com", to=("ann@example.net", "Ann <Ann@Example.net>"), cc="ann@example.net", text="x")
    )

    assert len(views(mail)) == 1


def test_an_envelope_given_wins_over_the_one_implied(mail: TicketMail) -> None:
    mail.submit(NOTE, envelope=Envelope(return_path=None, recipients=("other@example.org",)))

    assert [view.recipient for view in views(mail)] == ["other@example.org"]


def test_per_recipient_makes_single_mails_with_ids_of_their_own(mail: TicketMail) -> None:
    message = Message(sender="help@example.com", to=("a@example.net", "b@example.net"), cc="c@example.net", text="x")

    receipt = mail.submit(message, key="k", per_recipient=True)

    found = views(mail)
    assert {view.submission_id for view in found} == set(receipt.parts)
    assert len({view.message_id for view in found}) == 3
    assert receipt.submission_id == receipt.parts[0]
    assert mail.submit(message, key="k", per_recipient=True).new is False
    with pytest.raises(KeyReused):
        mail.submit(message.model_copy(update={"cc": ()}), key="k", per_recipient=True)


def test_a_later_submission_supersedes_one_that_has_not_begun(mail: TicketMail) -> None:
    mail.submit(NOTE, key="draft")
    mail.submit(NOTE, key="final", supersedes="draft")

    assert {view.key: view.state.value for view in views(mail)} == {"draft": "superseded", "final": "queued"}


def test_the_hosts_own_message_id_wins(mail: TicketMail) -> None:
    assert mail.submit(NOTE.model_copy(update={"message_id": "<mine@example.com>"})).message_id == "<mine@example.com>"


def test_the_message_id_of_a_key_is_computed_alike_every_time_and_after_a_restart(tmp_path: Path) -> None:
    ids = set()
    for _ in range(2):
        with TicketMail(spool=f"sqlite:///{tmp_path}/spool.db", settings={}) as one:
            ids.add(one.submit(NOTE, key="k").message_id)

    assert len(ids) == 1


def test_large_content_goes_to_the_blob_store(mail: TicketMail) -> None:
    content = bytes(range(256)) * 1024

    receipt = mail.submit(NOTE.model_copy(update={"attachments": (attach(content, filename="big.bin"),)}))

    body = mail.reading.body(receipt.submission_id)
    assert body is not None
    assert len(body) < 4096
    assert mail.reading.overview().counts["queued"] == 1


def test_a_mail_over_the_limit_is_refused(mail: TicketMail) -> None:
    with pytest.raises(TooLarge, match="max_size"):
        mail.submit(NOTE.model_copy(update={"attachments": (attach(b"x" * 900_000, filename="big.bin"),)}))

    assert views(mail) == []


def test_ready_mime_is_taken_with_what_its_header_says(mail: TicketMail) -> None:
    raw = b"From: help@example.com\r\nTo: ann@example.net\r\nMessage-ID: <own@example.com>\r\nSubject: x\r\n\r\nHi\r\n"

    receipt = mail.submit(Message(raw=raw))

    (view,) = views(mail)
    assert (view.recipient, view.sender, receipt.message_id) == ("ann@example.net", "help@example.com", "<own@example.com>")


def test_many_get_a_result_each_and_bad_ones_do_not_stop_good_ones(mail: TicketMail) -> None:
    good = [Submission(message=NOTE, key=f"k{number}") for number in range(600)]
    bad = Submission(message=NOTE.model_copy(update={"to": ()}))

    results = mail.submit_many([bad, *good, bad, good[0]])

    assert [isinstance(one, Receipt) for one in results] == [False] + [True] * 600 + [False, True]
    assert isinstance(results[-1], Receipt)
    assert results[-1].new is False
    assert mail.reading.overview().counts["queued"] == 600


def test_many_of_nothing_is_nothing(mail: TicketMail) -> None:
    assert mail.submit_many([]) == []


async def test_asubmit_is_submit_for_asyncio(mail: TicketMail) -> None:
    receipt = await mail.asubmit(NOTE, ticket="7")

    assert [view.submission_id for view in views(mail, "ticket:7")] == [receipt.submission_id]
    with pytest.raises(InvalidSubmission, match="connection"):
        await mail.asubmit(NOTE, connection=object())


def test_many_threads_hand_over_at_once(mail: TicketMail) -> None:
    threads = [threading.Thread(target=lambda: [mail.submit(NOTE) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert mail.reading.overview().counts["queued"] == 80


def test_cancelled_mail_does_not_wait_any_more_and_the_host_is_told(mail: TicketMail) -> None:
    mail.submit(NOTE, ticket="1")
    mail.submit(NOTE, ticket="2")

    assert mail.cancel("ticket:1", reason="closed") == 1
    told: list[Any] = []
    stop = threading.Event()

    def handler(event: Any) -> None:
        told.append((event.kind, event.ticket))
        stop.set()

    mail.listen(handler, stop=stop)
    assert told == [("cancelled", "1")]


def test_closing_ends_listeners_and_the_next_use_opens_again(tmp_path: Path) -> None:
    mail = TicketMail(spool=f"sqlite:///{tmp_path}/spool.db", settings={})
    mail.submit(NOTE)
    thread = threading.Thread(target=mail.listen, args=(print,))
    thread.start()
    while not mail._stops:
        pass

    mail.close()
    thread.join(timeout=10)

    assert not thread.is_alive()
    assert len(views(mail)) == 1
    mail.close()


def test_in_the_hosts_own_transaction_a_rollback_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with TicketMail(spool=f"sqlite:///{path}", settings={}) as mail:
        mail.prepare()
        connection = sqlite3.connect(path, isolation_level=None)
        for end, expected in (("ROLLBACK", 0), ("COMMIT", 1)):
            connection.execute("BEGIN IMMEDIATE")
            receipt = mail.submit(NOTE, key="k", connection=connection)
            connection.execute(end)
            assert (receipt.durable, len(views(mail))) == ("transaction", expected)
        connection.close()


def test_a_new_spool_within_the_hosts_transaction_names_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with TicketMail(spool={"url": f"sqlite:///{path}", "busy_timeout": "50ms"}, settings={}) as mail:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(SpoolBusy, match=r"TicketMail\.prepare\(\)"):
            mail.submit(NOTE, connection=connection)
        connection.close()


def test_a_child_after_a_fork_hands_over_too(tmp_path: Path) -> None:
    import os

    with TicketMail(spool=f"sqlite:///{tmp_path}/spool.db", settings={}) as mail:
        mail.submit(NOTE, key="parent")
        child = os.fork()
        if child == 0:
            try:
                mail.submit(NOTE, key="child")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert {view.key for view in views(mail)} == {"parent", "child"}


def test_wrong_settings_are_refused_when_the_object_is_made() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'spool'"):
        TicketMail(spol="memory://", settings={})


def test_nothing_is_opened_before_the_first_use(tmp_path: Path) -> None:
    TicketMail(spool=f"sqlite:///{tmp_path}/spool.db", settings={}).close()

    assert list(tmp_path.iterdir()) == []


def test_attachments_by_reference_are_left_to_the_worker(mail: TicketMail) -> None:
    mail.submit(NOTE.model_copy(update={"attachments": (Attachment(filename="x.pdf", reference="s3://bucket/x.pdf"),)}))

    assert len(views(mail)) == 1


def test_a_deadline_in_the_past_is_refused(mail: TicketMail) -> None:
    with pytest.raises(InvalidSubmission, match="deadline"):
        mail.submit(NOTE, deadline=datetime.now(UTC) - timedelta(hours=1))


def test_status_and_why_answer_without_a_worker(mail: TicketMail) -> None:
    receipt = mail.submit(NOTE, ticket="4711")

    (answer,) = mail.why("ticket:4711")
    assert (answer.submission_id, answer.state) == (receipt.submission_id, "queued")
    assert [one.submission_id for one in mail.why(receipt.submission_id)] == [receipt.submission_id]
    assert mail.status().counts == {"queued": 1}


@pytest.mark.parametrize("given", [b"Subject: x\r\n\r\ny", "Subject: x\r\n\r\ny", None, {"to": "ann@example.net"}])
def test_what_is_no_mail_is_refused_with_what_to_pass(mail: TicketMail, given: Any) -> None:
    with pytest.raises(InvalidSubmission, match=r"message: \w+ is no mail. Pass a Message; ready MIME bytes"):
        mail.submit(given)
    with pytest.raises(InvalidSubmission, match="is no mail"):
        mail.submit_many([NOTE, given])
    assert mail.reading.find(Scope.parse("all")) == []
