"""A message comes back from the spool as it was put there; its fingerprint is the content's and nothing else's."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.body import decode_body, encode_body, fingerprint
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.message import Attachment, Message
from ticketmail.domain.submission import Submission

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ADDRESSES = st.lists(
    st.sampled_from(["ann@example.net", "Jürgen <j@bücher.de>", '"a b"@x.org', '"Doe, J." <d@x.org>']), max_size=3
)
FILES = st.builds(
    Attachment, filename=TEXT, content=st.binary(max_size=50), content_id=st.none() | TEXT, content_type=st.just("image/png")
)
MESSAGES = st.builds(
    Message,
    sender=st.none() | st.just("help@example.com"),
    to=ADDRESSES,
    bcc=ADDRESSES,
    subject=TEXT,
    text=st.none() | TEXT,
    html=st.none() | TEXT,
    attachments=st.lists(FILES, max_size=2),
    headers=st.lists(st.tuples(TEXT, TEXT), max_size=2),
    references=st.lists(TEXT, max_size=2),
    raw=st.none() | st.binary(max_size=50),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    body = encode_body(message)

    assert decode_body(body) == message
    assert encode_body(decode_body(body)) == body


def test_a_body_is_json_with_a_version() -> None:
    assert encode_body(Message(text="x")) == b'{"v":1,"message":{"text":"x"}}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"v":2,"message":{}}', "version 2"),
        (b"", "version None"),
        (b"{", "version None"),
        (b"[]", "version None"),
        (b"\xff", "version None"),
        (b'{"v":1,"message":{"text":["a secret of the mail"]}}', "1 errors"),
        (b'{"v":1,"message":{"text":"a secret of the mail"', "version None"),
    ],
)
def test_a_body_of_another_release_is_named_and_its_text_is_not(body: bytes, said: str) -> None:
    with pytest.raises(ContractBroken) as caught:
        decode_body(body)

    assert said in str(caught.value)
    assert "Upgrade" in caught.value.remedy
    assert "secret" not in str(caught.value)


def _submission(**fields: object) -> Submission:
    names = {"lane", "tenant", "ticket", "deadline", "not_before", "key", "supersedes", "per_recipient"}
    message = {"sender": "help@example.com", "to": "ann@example.net", "text": "x"} | {
        key: value for key, value in fields.items() if key not in names
    }
    return Submission(message=Message(**message), **{key: value for key, value in fields.items() if key in names})


@given(MESSAGES)
def test_equal_content_has_equal_fingerprints(message: Message) -> None:
    again = Message.model_validate(message.model_dump())

    assert fingerprint(Submission(message=message)) == fingerprint(Submission(message=again))
    assert len(fingerprint(Submission(message=message))) == 32


@given(MESSAGES, MESSAGES)
def test_other_content_has_another_fingerprint(one: Message, other: Message) -> None:
    same = fingerprint(Submission(message=one)) == fingerprint(Submission(message=other))

    assert same == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "y"},
        {"subject": "s"},
        {"to": "Ann <ann@example.net>"},
        {"bcc": "b@x.org"},
        {"headers": {"X-A": "b"}},
        {"lane": "notice"},
        {"tenant": "t"},
        {"ticket": "4711"},
        {"per_recipient": True},
        {"attachments": [Attachment(filename="a", content=b"1")]},
    ],
)
def test_each_part_of_the_content_counts(change: dict[str, object]) -> None:
    assert fingerprint(_submission(**change)) != fingerprint(_submission())


@pytest.mark.parametrize(
    "change",
    [
        {"deadline": datetime(2030, 1, 1, tzinfo=UTC)},
        {"not_before": datetime(2030, 1, 1, tzinfo=UTC)},
        {"key": "k"},
        {"supersedes": "k"},
    ],
)
def test_times_and_keys_are_not_content(change: dict[str, object]) -> None:
    assert fingerprint(_submission(**change)) == fingerprint(_submission())


@given(st.binary(max_size=100))
def test_it_makes_no_difference_where_an_attachments_bytes_live(content: bytes) -> None:
    inside = Attachment(filename="a", content=content)
    outside = Attachment(filename="a", blob=f"sha256:{hashlib.sha256(content).hexdigest()}", size_bytes=len(content))

    assert fingerprint(_submission(attachments=[inside])) == fingerprint(_submission(attachments=[outside]))


def test_attachments_do_not_run_into_one_another() -> None:
    one = [Attachment(filename="ab", content=b""), Attachment(filename="c", content=b"")]
    other = [Attachment(filename="a", content=b""), Attachment(filename="bc", content=b"")]

    assert fingerprint(_submission(attachments=one)) != fingerprint(_submission(attachments=other))
