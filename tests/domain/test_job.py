"""Jobs: what comes out is what went in, and nothing that is not ours gets in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import InvalidJob
from ticketmail.domain.job import (
    CancelOrder,
    Parcel,
    SubmitOrder,
    SuppressOrder,
    cancel_from,
    decode,
    encode,
    order_from,
    payload_of,
    spooled_from,
    spooled_payload,
    suppress_from,
)
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.scope import Scope
from ticketmail.domain.submission import Submission
from ticketmail.testing.strategies import submissions

ID = UUID("018f4e5a-0000-7000-8000-000000000001")
SECRET, OTHER = b"a secret of many bytes", b"another secret of bytes"
PARCEL = Parcel("cancel", ID, 1_800_000_000_000_000, {"scope": "ticket:47ü"})


def test_a_job_is_what_went_in() -> None:
    assert decode(encode(PARCEL)) == PARCEL


@given(submissions())
def test_every_submission_survives_the_road(submission: Submission) -> None:
    order = SubmitOrder(submission, ID, "<a@example.com>", "00-abc")
    body = encode(Parcel("submit", ID, 1, payload_of(order)), secret=SECRET)

    assert body.isascii()
    assert order_from(decode(body, secrets=[OTHER, SECRET])) == order


def test_bytes_and_times_survive_exactly() -> None:
    message = Message(
        sender="a@example.com",
        to="b@example.net",
        text="x",
        attachments=(Attachment(filename="ä.bin", content=bytes(range(256))),),
    )
    submission = Submission(message=message, not_before=datetime(2027, 1, 1, 12, 0, 0, 123456, tzinfo=UTC))

    order = order_from(decode(encode(Parcel("submit", ID, 1, payload_of(SubmitOrder(submission, ID))))))

    assert order.submission == submission


@given(st.binary(max_size=200))
def test_no_bytes_at_all_crash_the_reader(body: bytes) -> None:
    with pytest.raises(InvalidJob):
        decode(body)


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": True}, {"v": None}, {"kind": "explode"}, {"id": "x"}, {"id": 7}, {"at_us": "now"}, {"payload": []}],
)
def test_what_is_not_a_job_of_ours_is_refused(changes: dict[str, object]) -> None:
    whole = json.loads(encode(PARCEL)) | changes

    with pytest.raises(InvalidJob):
        decode(json.dumps(whole).encode())


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(InvalidJob):
        decode(b'{"v":1,"payload":' + b"[" * 100_000)


@pytest.mark.parametrize("payload", [{}, {"message": 7}, {"message": {}, "submission": []}, {"message": {"to": [1]}}])
def test_a_submit_job_without_a_submission_is_refused_without_quoting_it(payload: dict[str, object]) -> None:
    with pytest.raises(InvalidJob):
        order_from(Parcel("submit", ID, 1, {**payload, "message_id": 7}))


def test_a_signature_of_any_known_secret_will_do() -> None:
    assert decode(encode(PARCEL, secret=SECRET), secrets=[OTHER, SECRET]) == PARCEL


def test_an_unsigned_or_wrongly_signed_job_is_refused() -> None:
    for body in (encode(PARCEL), encode(PARCEL, secret=OTHER)):
        with pytest.raises(InvalidJob):
            decode(body, secrets=[SECRET])


def test_a_changed_byte_breaks_the_signature() -> None:
    body = encode(PARCEL, secret=SECRET).replace(b"ticket:47", b"ticket:48")

    with pytest.raises(InvalidJob, match="wrong"):
        decode(body, secrets=[SECRET])


def test_a_second_signature_does_not_hide_the_first() -> None:
    body = encode(PARCEL, secret=OTHER)[:-1] + b',"sig":"hmac-sha256:' + b"0" * 64 + b'"}'

    with pytest.raises(InvalidJob):
        decode(body, secrets=[OTHER])


def test_no_text_of_the_mail_is_in_an_error() -> None:
    whole = {"v": 1, "kind": "submit", "id": ID.hex, "at_us": 1, "payload": {"message": {"text": "canary", "to": ["canary"]}}}
    parcel = decode(json.dumps(whole).encode())

    with pytest.raises(InvalidJob) as caught:
        order_from(parcel)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "order",
    [
        SuppressOrder("ann@example.net", "host", "asked for it"),
        SuppressOrder("ann@example.net", "host", "again", tenant="acme", until_us=1_800_000_000_000_000, lift=True),
    ],
)
def test_a_suppression_survives_the_road(order: SuppressOrder) -> None:
    assert suppress_from(decode(encode(Parcel("suppress", ID, 1, payload_of(order))))) == order


def test_a_cancel_survives_the_road() -> None:
    order = CancelOrder(Scope.parse("ticket:47ü"), "host", "closed")

    assert cancel_from(decode(encode(Parcel("cancel", ID, 1, payload_of(order))))) == order


def test_the_word_that_jobs_are_in_the_spool_survives_the_road() -> None:
    assert spooled_from(decode(encode(Parcel("spooled", ID, 1, spooled_payload([ID]))))) == [ID]


@given(
    st.dictionaries(
        st.sampled_from(["scope", "actor", "reason", "address", "until_us", "tenant", "lift", "jobs"]),
        st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.booleans(),
    )
)
def test_no_payload_crashes_a_reader(payload: dict[str, object]) -> None:
    for read in (cancel_from, suppress_from, spooled_from):
        try:
            read(Parcel("cancel", ID, 1, payload))
        except InvalidJob:
            continue


def test_a_message_id_that_would_forge_a_header_is_no_job() -> None:
    order = SubmitOrder(Submission(message=Message(sender="a@example.com", to="b@example.net", text="x")), ID, "<a@b>\r\nBcc: c")

    with pytest.raises(InvalidJob):
        order_from(Parcel("submit", ID, 1, payload_of(order)))
