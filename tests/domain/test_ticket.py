"""A token leads back to its ticket, only we can make one, and a retry bears the same one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.ticket import (
    NO_TAG,
    TOKEN_CHARS,
    Token,
    TokenKind,
    body_marker,
    bounce_address,
    find,
    find_tag,
    id_ref,
    message_id,
    recipient_tag,
    ref_for,
    references_root,
    reply_address,
    root_ref,
    seal,
    subject_tag,
    unseal,
    x_header,
)

SECRETS = st.binary(min_size=16, max_size=64)
TOKENS = st.builds(
    Token, kind=st.sampled_from(TokenKind), ref=st.binary(min_size=9, max_size=9), tag=st.binary(min_size=4, max_size=4)
)
SECRET, OTHER = b"k" * 32, b"o" * 32
SUBMISSION = UUID(int=4711)


@given(SECRETS, TOKENS)
def test_a_token_comes_back_as_it_was_sealed(secret: bytes, token: Token) -> None:
    text = seal(secret, token)

    assert len(text) == TOKEN_CHARS
    assert text == text.lower()
    assert unseal(text, [secret]) == token


@given(SECRETS, SECRETS, TOKENS)
def test_an_older_key_still_opens_it_and_a_strangers_does_not(secret: bytes, other: bytes, token: Token) -> None:
    text = seal(secret, token)

    assert unseal(text, [other, secret]) == token
    assert other == secret or unseal(text, [other]) is None
    assert unseal(text, []) is None


@given(SECRETS, TOKENS, st.integers(0, TOKEN_CHARS - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_changed_character_breaks_it(secret: bytes, token: Token, place: int, char: str) -> None:
    text = seal(secret, token)
    forged = text[:place] + char + text[place + 1 :]

    assert forged == text or unseal(forged, [secret]) is None


@given(st.text(max_size=60))
def test_any_text_is_no_token(text: str) -> None:
    assert unseal(text, [SECRET]) is None
    assert find(text, [SECRET]) is None


def test_a_token_survives_case_folding() -> None:
    token = Token(TokenKind.REPLY, b"9" * 9)

    assert unseal(seal(SECRET, token).upper(), [SECRET]) == token


@pytest.mark.parametrize(
    "around",
    [
        "<{}@mail.example.com>",
        "support+{}@example.com",
        "<root.{}@x.org>",
        "bounce+{}@b.org",
        "  {} ",
        "[ref {}]",
        "x@y <{}@z> a@b",
    ],
)
def test_a_token_is_found_where_it_stood(around: str) -> None:
    token = Token(TokenKind.REPLY, b"9" * 9, b"tagg")

    assert find(around.format(seal(SECRET, token)), [OTHER, SECRET]) == token


def test_a_token_is_found_behind_one_that_is_not_ours() -> None:
    token = Token(TokenKind.MESSAGE, b"9" * 9)

    assert find(f"<{seal(OTHER, token)}@a> <{seal(SECRET, token)}@b>", [SECRET]) == token


@given(st.uuids(), SECRETS)
def test_the_message_id_of_a_submission_never_changes(submission_id: UUID, secret: bytes) -> None:
    ident = message_id([secret], submission_id, "mail.example.com", tenant="t", recipients=["ann@example.net"])

    assert ident == message_id([secret], submission_id, "mail.example.com", tenant="t", recipients=["ann@example.net"])
    found = find(ident, [secret])
    assert found is not None
    assert (found.kind, found.ref) == (TokenKind.MESSAGE, ref_for(secret, submission_id))
    assert len(ident) <= 200
    assert ident.isascii()


@given(st.lists(st.uuids(), min_size=2, max_size=20, unique=True))
def test_submissions_have_ids_of_their_own(ids: list[UUID]) -> None:
    assert len({message_id([SECRET], one, "x.org") for one in ids}) == len(ids)


def test_the_newest_key_makes_and_every_key_opens() -> None:
    old = message_id([OTHER], SUBMISSION, "x.org")
    new = message_id([SECRET, OTHER], SUBMISSION, "x.org")

    assert old != new
    assert find(old, [SECRET, OTHER]) is not None
    assert find(new, [OTHER]) is None


def test_the_x_header_bears_the_token_of_the_message_id() -> None:
    name, value = x_header([SECRET], SUBMISSION, recipients=["ann@example.net"])

    assert name == "X-Ticketmail-Id"
    assert value in message_id([SECRET], SUBMISSION, "x.org", recipients=["ann@example.net"])


def test_a_thread_has_one_root_per_tenant_and_ticket() -> None:
    root = references_root([SECRET], "t", "4711", "x.org")

    assert root.startswith("<root.")
    assert root == references_root([SECRET], "t", "4711", "x.org")
    found = find(root, [SECRET])
    assert found == Token(TokenKind.ROOT, root_ref(SECRET, "t", "4711"))
    assert root_ref(SECRET, "t", "4711") != root_ref(SECRET, "t4", "711"), "parts must not run into one another"
    assert root_ref(SECRET, "t", "4711") != root_ref(OTHER, "t", "4711")


def test_a_tag_binds_a_token_to_its_one_recipient() -> None:
    assert recipient_tag(SECRET, "", ["ann@example.net"]) != recipient_tag(SECRET, "", ["bob@example.net"])
    assert recipient_tag(SECRET, "", ["ann@example.net"]) != recipient_tag(OTHER, "", ["ann@example.net"])
    assert recipient_tag(SECRET, "", ["ann@example.net", "bob@example.net"]) == NO_TAG


def test_an_international_domain_stands_in_an_id_in_ascii() -> None:
    assert message_id([SECRET], SUBMISSION, "bücher.de").endswith("@xn--bcher-kva.de>")


def test_an_id_without_a_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a domain"):
        message_id([SECRET], SUBMISSION, "")


def test_a_ref_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="9 bytes"):
        seal(SECRET, Token(TokenKind.ROOT, b"short"))


def test_refs_are_unlike_each_other() -> None:
    refs = {ref_for(SECRET, uuid5(SUBMISSION, str(number))) for number in range(1000)}

    assert len(refs) == 1000
    assert all(len(ref) == 9 for ref in refs)


@pytest.mark.parametrize(("make", "kind"), [(reply_address, TokenKind.REPLY), (bounce_address, TokenKind.BOUNCE)])
def test_an_address_of_one_mail_leads_back_whatever_case_it_comes_in(make: Callable[..., str], kind: TokenKind) -> None:
    address = make([SECRET], SUBMISSION, "help@example.com", recipients=["ann@example.net"])

    assert address.startswith("help+")
    assert len(address.partition("@")[0]) <= 64
    token = find(address.upper(), [OTHER, SECRET])
    assert token == Token(kind, ref_for(SECRET, SUBMISSION), recipient_tag(SECRET, "", ["ann@example.net"]))


def test_an_address_that_leaves_no_room_for_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="21 bytes"):
        reply_address([SECRET], SUBMISSION, f"{'x' * 22}@example.com")


def test_a_body_marker_is_of_its_own_kind() -> None:
    token = find(body_marker([SECRET], SUBMISSION), [SECRET])

    assert token is not None
    assert token.kind is TokenKind.MARKER


@given(st.text("abcXYZ0123456789._:/", min_size=1, max_size=64), SECRETS)
def test_a_subject_tag_names_its_ticket_and_no_other_key_or_tenant_makes_it(ticket: str, secret: bytes) -> None:
    subject = f"Re: {subject_tag([secret], 'acme', ticket)} printer"

    assert find_tag(subject, [OTHER, secret], "acme") == ticket
    assert find_tag(subject.replace("-", "- "), [secret], "acme") is None


def test_an_id_that_we_did_not_make_has_a_ref_by_tenant() -> None:
    assert id_ref("", "<a@b>") == id_ref("", " a@b ") != id_ref("acme", "a@b")
