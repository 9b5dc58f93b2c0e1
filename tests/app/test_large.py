"""Large content goes apart and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail import Attachment, Message
from ticketmail.app.usecases.large import BLOB_BYTES, put_back, set_apart
from ticketmail.domain.body import decode_body, encode_body

LARGE = "ä" * BLOB_BYTES


def test_small_content_stays_where_it_is() -> None:
    message = Message(text="x" * BLOB_BYTES, attachments=(Attachment(filename="a", content=b"x" * BLOB_BYTES),))

    assert set_apart(message) == (message, ())


@given(
    text=st.sampled_from([None, "", "small", LARGE]),
    html=st.sampled_from([None, "<p>", LARGE]),
    contents=st.lists(st.sampled_from([b"", b"small", b"x" * (BLOB_BYTES + 1)]), max_size=3),
)
def test_a_message_comes_back_from_its_stored_body_and_blobs(text: str | None, html: str | None, contents: list[bytes]) -> None:
    files = tuple(Attachment(filename=f"{at}.bin", content=content) for at, content in enumerate(contents))
    message = Message(sender="a@example.com", text=text, html=html, attachments=files)

    stored, blobs = set_apart(message)
    body = encode_body(stored)
    store = {blob.digest: blob.content for blob in blobs}
    back = put_back(decode_body(body), store)

    assert len(body) < 3 * BLOB_BYTES
    assert (back.text, back.html) == (text, html)
    assert [one.content if one.content is not None else store[one.blob or ""] for one in back.attachments] == contents


def test_a_ready_mail_comes_back_byte_by_byte() -> None:
    raw = bytes(range(256)) * 1024

    stored, (blob,) = set_apart(Message(raw=raw))

    assert stored.raw is None
    assert put_back(stored, {blob.digest: blob.content}) == Message(raw=raw)


def test_equal_content_is_one_blob() -> None:
    files = tuple(Attachment(filename=name, content=b"x" * (BLOB_BYTES + 1)) for name in "ab")

    stored, blobs = set_apart(Message(text="x", attachments=files))

    assert len(blobs) == 1
    assert {one.blob for one in stored.attachments} == {blobs[0].digest}


def test_a_missing_blob_is_a_key_error_never_an_empty_mail() -> None:
    stored, _ = set_apart(Message(text=LARGE))

    with pytest.raises(KeyError):
        put_back(stored, {})
