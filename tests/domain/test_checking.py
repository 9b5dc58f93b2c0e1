"""What cannot become a mail is refused at the hand-over, by the name of its field and with a remedy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ticketmail.domain.address import parse_address
from ticketmail.domain.checking import check, envelope_of
from ticketmail.domain.envelope import Envelope
from ticketmail.domain.errors import (
    InvalidAddress,
    InvalidHeader,
    InvalidMessage,
    InvalidSubmission,
    NaiveTime,
    TooLarge,
)
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.outbound.lanes import SHIPPED
from ticketmail.domain.submission import Submission, as_refusal

GOOD: dict[str, Any] = {"sender": "help@example.com", "to": "ann@example.net", "subject": "Your printer", "text": "On its way."}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def submission(*, message: dict[str, Any] | None = None, **fields: Any) -> Submission:
    return Submission(message=Message(**GOOD | (message or {})), **fields)


def attachment(**fields: Any) -> dict[str, Any]:
    return {"attachments": [Attachment(**{"filename": "a.pdf", "content": b"x"} | fields)]}


def refuse(one: Submission, **names: Any) -> InvalidSubmission:
    with pytest.raises(InvalidSubmission) as caught:
        check(one, lanes=SHIPPED, **names)
    assert caught.value.remedy, "each refusal says what to do"
    assert str(caught.value).startswith(f"{caught.value.field}: ")
    return caught.value


@pytest.mark.parametrize(
    ("message", "kind", "field"),
    [
        ({"to": ()}, InvalidMessage, "message.to"),
        ({"sender": None}, InvalidMessage, "message.sender"),
        ({"text": None}, InvalidMessage, "message.text"),
        ({"raw": b"", "text": None}, InvalidMessage, "message.raw"),
        ({"raw": b"From: a@b.c\r\n\r\nx"}, InvalidMessage, "message.raw"),
        ({"subject": "a\r\nBcc: evil@example.org"}, InvalidMessage, "message.subject"),
        ({"subject": "a\nb"}, InvalidMessage, "message.subject"),
        ({"subject": "a\0b"}, InvalidMessage, "message.subject"),
        ({"subject": "a\u2028b"}, InvalidMessage, "message.subject"),
        ({"subject": "a\x85b"}, InvalidMessage, "message.subject"),
        ({"subject": "a\ud800b"}, InvalidMessage, "message.subject"),
        ({"text": "a\0b"}, InvalidMessage, "message.text"),
        ({"html": "<p>\0</p>"}, InvalidMessage, "message.html"),
        ({"text": "half \udc00"}, InvalidMessage, "message.text"),
        ({"headers": {"X-A": "b\r\nBcc: evil@example.org"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": [("X-A", "b"), ("X-B", "c\nd")]}, InvalidHeader, "message.headers[1]"),
        ({"headers": {"X-A": "b\0"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": {"X-A": "\ud800"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": {"X A": "b"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": {"X-A:": "b"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": {"X-A\r\nBcc": "b"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": {"X-Ä": "b"}}, InvalidHeader, "message.headers[0]"),
        ({"headers": {"": "b"}}, InvalidHeader, "message.headers[0]"),
        ({"message_id": "<a@b>\r\nX: y"}, InvalidHeader, "message.message_id"),
        ({"message_id": "no-at"}, InvalidHeader, "message.message_id"),
        ({"message_id": "<a@b"}, InvalidHeader, "message.message_id"),
        ({"message_id": ""}, InvalidHeader, "message.message_id"),
        ({"in_reply_to": "a b@c"}, InvalidHeader, "message.in_reply_to"),
        ({"references": ("<a@b>", "<c@d>\n")}, InvalidHeader, "message.references[1]"),
        (attachment(filename="a\r\nb.pdf"), InvalidMessage, "message.attachments[0].filename"),
        (attachment(filename="a\0.pdf"), InvalidMessage, "message.attachments[0].filename"),
        (attachment(filename=" "), InvalidMessage, "message.attachments[0].filename"),
        (attachment(filename="ü" * 128), InvalidMessage, "message.attachments[0].filename"),
        (attachment(content_type="pdf"), InvalidMessage, "message.attachments[0].content_type"),
        (attachment(content_type="a/b\r\nX: y"), InvalidMessage, "message.attachments[0].content_type"),
        (attachment(content_id="a b"), InvalidHeader, "message.attachments[0].content_id"),
        (attachment(content_id="a\nb"), InvalidHeader, "message.attachments[0].content_id"),
        (attachment(content=None), InvalidMessage, "message.attachments[0]"),
        (attachment(reference="s3://x"), InvalidMessage, "message.attachments[0]"),
        (attachment(content=None, reference="a\nb"), InvalidMessage, "message.attachments[0].reference"),
    ],
)
def test_a_bad_message_is_refused_by_its_field(message: dict[str, Any], kind: type[InvalidSubmission], field: str) -> None:
    error = refuse(submission(message=message))

    assert (type(error), error.field) == (kind, field)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "From",
        "TO",
        "Cc",
        "Bcc",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "content-x",
        "DKIM-Signature",
        "Received",
        "Return-Path",
        "X-Ticketmail-Id",
        "x-ticketmail-anything",
        "Reply-To",
        "In-Reply-To",
        "References",
    ],
)
def test_names_that_ticketmail_writes_are_refused(name: str) -> None:
    error = refuse(submission(message={"headers": {name: "x"}}))

    assert type(error) is InvalidHeader


@pytest.mark.parametrize(("name", "field"), [("Reply-To", "reply_to"), ("References", "references"), ("From", "sender")])
def test_a_reserved_name_points_to_the_field_of_the_message(name: str, field: str) -> None:
    assert f"`{field}`" in refuse(submission(message={"headers": {name: "x"}})).remedy


def test_inline_images_need_ids_of_their_own() -> None:
    twice = [Attachment(filename=name, content=b"x", content_id=ident) for name, ident in (("a", "<pic@x>"), ("b", "pic@x"))]

    assert refuse(submission(message={"attachments": twice})).field == "message.attachments[1].content_id"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tenant": "x" * 65}, "tenant"),
        ({"tenant": "ü" * 33}, "tenant"),
        ({"key": "x" * 201}, "key"),
        ({"ticket": "x" * 256}, "ticket"),
        ({"lane": "x" * 65}, "lane"),
        ({"ticket": "4711\0"}, "ticket"),
        ({"ticket": "4711\n"}, "ticket"),
        ({"ticket": ""}, "ticket"),
        ({"key": ""}, "key"),
        ({"key": "\ud800"}, "key"),
        ({"supersedes": "x" * 201}, "supersedes"),
        ({"key": "a", "supersedes": "a"}, "supersedes"),
        ({"lane": "nowhere"}, "lane"),
        ({"deadline": NOON, "not_before": NOON}, "deadline"),
        ({"deadline": NOON, "not_before": NOON + timedelta(seconds=1)}, "deadline"),
    ],
)
def test_a_bad_wish_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    assert refuse(submission(**fields)).field == field


def test_an_unknown_lane_is_answered_with_the_nearest() -> None:
    assert refuse(submission(lane="repyl")).remedy == "Did you mean 'reply'?"


@pytest.mark.parametrize("field", ["not_before", "deadline"])
def test_a_naive_time_is_refused(field: str) -> None:
    naive: dict[str, Any] = {field: datetime(2026, 11, 24)}  # noqa: DTZ001
    error = refuse(submission(**naive))

    assert (type(error), error.field) == (NaiveTime, field)


def test_a_deadline_that_has_passed_is_refused() -> None:
    now_us = int(NOON.timestamp() * 1e6)

    assert refuse(submission(deadline=NOON), now_us=now_us).field == "deadline"
    check(submission(deadline=NOON + timedelta(seconds=1)), lanes=SHIPPED, now_us=now_us)


@pytest.mark.parametrize("moment", [datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("field", ["not_before", "deadline"])
def test_a_time_at_the_end_of_the_calendar_is_refused(field: str, moment: datetime) -> None:
    """``not_before`` and the lane's lifetime gave OverflowError; a reader with another offset could not show it."""
    assert refuse(submission(**{field: moment})).field == field


def test_deadlines_compare_across_offsets() -> None:
    later = NOON.astimezone(timezone(timedelta(hours=5))) + timedelta(minutes=1)

    check(submission(not_before=NOON, deadline=later), lanes=SHIPPED)


def test_an_attachment_over_the_limit_is_refused_by_its_place() -> None:
    files = [Attachment(filename="s", content=b"x"), Attachment(filename="l", content=b"x" * 101)]

    error = refuse(submission(message={"attachments": files}), max_size_bytes=100)

    assert (type(error), error.field) == (TooLarge, "message.attachments[1]")


def test_all_content_together_is_held_to_the_limit() -> None:
    files = [Attachment(filename="s", content=b"x" * 60), Attachment(filename="l", content=b"x" * 60)]

    assert refuse(submission(message={"attachments": files}), max_size_bytes=100).field == "message"


def test_each_mailbox_gets_one_delivery_in_the_order_of_to_cc_bcc() -> None:
    message = {"to": ["a@x.org", "B <b@x.org>"], "cc": ["A@X.org", "c@x.org"], "bcc": "d@x.org"}

    envelope = check(submission(message=message), lanes=SHIPPED)

    assert [one.addr_spec for one in envelope.recipients] == ["a@x.org", "b@x.org", "c@x.org", "d@x.org"]
    assert envelope.return_path == parse_address("help@example.com")


def test_an_envelope_given_wins_and_must_have_a_recipient() -> None:
    given_one = Envelope(return_path=None, recipients=(parse_address("z@x.org"),))

    assert check(submission(envelope=given_one, message={"to": ()}), lanes=SHIPPED) == given_one
    with pytest.raises(InvalidMessage, match=r"envelope\.recipients"):
        envelope_of(submission(envelope=Envelope(return_path=None, recipients=())))


@pytest.mark.parametrize(
    ("make", "kind", "field"),
    [
        (lambda: Message(to=["a@x.org", "b@x.org", "c@@x.org"]), InvalidAddress, "to[2]"),
        (lambda: Message(to="Ann <ann@example.net>, bob@x.org"), InvalidAddress, "to[0]"),
        (lambda: Message(sender={"local": "a b", "domain": "x.org"}), InvalidAddress, "sender.local"),
        (lambda: Submission(message={"reply_to": "x"}), InvalidAddress, "message.reply_to[0]"),
        (lambda: Submission(message={"attachments": [{"content": b""}]}), InvalidMessage, "message.attachments[0].filename"),
        (lambda: Message(headers=[("a",)]), InvalidHeader, "headers[0][1]"),
        (lambda: Message(text=3), InvalidMessage, "text"),
        (lambda: Submission(message=Message(**GOOD), deadline="soon"), NaiveTime, "deadline"),
    ],
)
def test_a_constructor_raises_our_errors_and_names_the_field(make: Any, kind: type[InvalidSubmission], field: str) -> None:
    with pytest.raises(InvalidSubmission) as caught:
        make()

    assert (type(caught.value), caught.value.field) == (kind, field)
    assert caught.value.remedy


def test_what_pydantic_says_becomes_a_refusal_without_the_text_of_the_mail() -> None:
    with pytest.raises(ValidationError) as caught:
        Submission.model_validate({"message": {"text": ["a secret of the mail"], "to": "x@y.org"}})

    error = as_refusal(caught.value)

    assert (type(error), error.field) == (InvalidMessage, "message.text")
    assert "secret" not in str(error)


def test_a_mail_of_a_subject_and_an_empty_text_is_one() -> None:
    check(submission(message={"text": ""}), lanes=SHIPPED)


@given(st.text(max_size=60))
def test_a_subject_is_taken_or_refused_and_never_breaks_its_header(subject: str) -> None:
    try:
        check(submission(message={"subject": subject}), lanes=SHIPPED)
    except InvalidMessage:
        return
    assert len(f"Subject: {subject}".splitlines()) == 1
    subject.encode()


@given(st.text(max_size=30), st.text(max_size=60))
def test_a_header_is_taken_or_refused_and_never_breaks_the_block(name: str, value: str) -> None:
    try:
        check(submission(message={"headers": {name: value}}), lanes=SHIPPED)
    except InvalidHeader:
        return
    assert not set(":\r\n\0 ") & set(name)
    assert not set("\r\n\0\x0b\x0c\x85\u2028\u2029") & set(value)
    (name + value).encode()


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_names_that_are_taken_fit_the_tables(tenant: str, key: str, ticket: str) -> None:
    try:
        check(submission(tenant=tenant, key=key, ticket=ticket), lanes=SHIPPED)
    except InvalidSubmission:
        return
    assert len(tenant.encode()) <= 64
    assert key
    assert ticket
    assert "\0" not in tenant + key + ticket
