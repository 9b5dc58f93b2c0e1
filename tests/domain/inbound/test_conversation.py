"""Which ticket a mail belongs to, what each clue is worth, and what it takes to get into somebody else's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.inbound.conversation import Known, Place, Policy, Ticket, Writer, decide, look, refs_of
from ticketmail.domain.inbound.mail import HeaderField, ParsedMail
from ticketmail.domain.received import Thread
from ticketmail.domain.ticket import (
    body_marker,
    bounce_address,
    id_ref,
    message_id,
    ref_for,
    references_root,
    reply_address,
    root_ref,
    subject_tag,
    x_header,
)

SECRETS = (b"k" * 32,)
SENT = UUID(int=4711)
ANN, BOB = "ann@example.net", "bob@example.org"
BY_ANN = Writer(ANN)


def ident(text: str) -> str:
    return text.strip("<>")


OWN_ID = ident(message_id(SECRETS, SENT, "mail.example.com", recipients=[ANN]))
ROOT = ident(references_root(SECRETS, "", "T7", "mail.example.com"))
KNOWN = Known(
    {
        ref_for(SECRETS[0], SENT): Place("", "T7", SENT),
        root_ref(SECRETS[0], "", "T7"): Place("", "T7", None),
        id_ref("", "0100-1234@eu-west-1.amazonses.com"): Place("", "T7", SENT),
        id_ref("", "first@example.net"): Place("", "T7", None),
    },
    {"T7": Ticket(frozenset({ANN}))},
)


def mail(**more: Any) -> ParsedMail:
    headers = tuple(HeaderField(name, value.encode(), value) for name, value in more.pop("headers", ()))
    return ParsedMail(**{"headers": headers, **more})


def verdict(
    parsed: ParsedMail,
    writer: Writer = BY_ANN,
    *,
    to: tuple[str, ...] = (),
    quoted: str = "",
    returned: tuple[str, ...] = (),
    known: Known = KNOWN,
    **policy: Any,
) -> Thread:
    traces = look(parsed, envelope_to=to, quoted=quoted, secrets=SECRETS, tenant="", returned=returned)
    return decide(traces, known, writer, tenant="", secrets=SECRETS, policy=Policy(**policy))


REPLY_TO = reply_address(SECRETS, SENT, "support@example.com", recipients=[ANN])
MARKER = body_marker(SECRETS, SENT, recipients=[ANN])
TAG = subject_tag(SECRETS, "", "T7")


@pytest.mark.parametrize(
    ("parsed", "where", "rule", "strength"),
    [
        (mail(), {"to": (REPLY_TO,)}, "recipient", "proven"),
        (mail(headers=[("Delivered-To", REPLY_TO)]), {}, "recipient", "proven"),
        (mail(headers=[("To", f"Help <{REPLY_TO.upper()}>")]), {}, "recipient", "proven"),
        (mail(in_reply_to=(OWN_ID,)), {}, "in-reply-to", "proven"),
        (mail(references=("a@b", OWN_ID, "c@d")), {}, "references", "proven"),
        (mail(references=(ROOT, "rewritten@provider.example")), {}, "references", "proven"),
        (mail(in_reply_to=("0100-1234@eu-west-1.amazonses.com",)), {}, "sent-id", "strong"),
        (mail(in_reply_to=("first@example.net",)), {}, "received-id", "medium"),
        (mail(), {"quoted": f"> reply above\n> {MARKER}"}, "body-marker", "medium"),
        (mail(subject=f"Re: Printer {TAG}"), {}, "subject-tag", "weak"),
    ],
)
def test_each_clue_leads_to_the_ticket_and_is_worth_what_it_proves(
    parsed: ParsedMail, where: dict[str, Any], rule: str, strength: str
) -> None:
    found = verdict(parsed, **where)

    assert (found.ticket, found.rule, found.strength) == ("T7", rule, strength)
    assert [clue.rule for clue in found.clues if clue.held] == [rule]


def test_the_strongest_clue_counts_and_all_are_kept() -> None:
    found = verdict(mail(subject=TAG, in_reply_to=("first@example.net",), references=("first@example.net", OWN_ID)))

    assert found.rule == "references"
    assert {clue.rule for clue in found.clues} == {"references", "received-id", "subject-tag"}


def test_somebody_else_with_a_token_is_strong_at_most_and_a_policy_may_keep_them_apart() -> None:
    stranger = Writer(BOB)

    assert verdict(mail(in_reply_to=(OWN_ID,)), stranger).strength == "strong"
    apart = verdict(mail(in_reply_to=(OWN_ID,)), stranger, strangers="link")
    assert (apart.ticket, apart.related) == (None, "T7")


def test_a_token_is_proven_for_whoever_it_was_sent_to_though_nothing_else_is_known_of_them() -> None:
    known = Known(KNOWN.places, {})

    assert verdict(mail(in_reply_to=(OWN_ID,)), known=known).strength == "proven"


@pytest.mark.parametrize(
    "parsed",
    [
        mail(subject=f"Re: {TAG}"),
        mail(in_reply_to=("first@example.net",)),
        mail(in_reply_to=("first@example.net",), subject="Re: hello", references=("x@y",)),
    ],
)
def test_what_a_stranger_could_know_leads_nowhere_but_is_named(parsed: ParsedMail) -> None:
    found = verdict(parsed, Writer(BOB))

    assert (found.ticket, found.related, found.strength) == (None, "T7", "none")


def test_a_colleague_counts_only_if_the_domain_is_proven() -> None:
    parsed = mail(in_reply_to=("first@example.net",))

    assert verdict(parsed, Writer("carl@example.net", proven=True)).ticket == "T7"
    assert verdict(parsed, Writer("carl@example.net")).ticket is None


@pytest.mark.parametrize("wrong", ["[#T7-AA]", "[#T7]", "#T7", "[#T8-QQ]"])
def test_a_number_without_its_letters_is_no_tag(wrong: str) -> None:
    if wrong == TAG:
        pytest.skip("the letters of this key")
    assert verdict(mail(subject=f"Re: {wrong}")).ticket is None


def test_automatic_mail_is_never_joined_by_its_subject() -> None:
    assert verdict(mail(subject=TAG), Writer(ANN, category="auto_reply")).ticket is None
    assert verdict(mail(in_reply_to=(OWN_ID,)), Writer(ANN, category="auto_reply")).ticket == "T7"


def test_a_marker_counts_only_where_it_is_quoted_and_nothing_else_does_there() -> None:
    assert verdict(mail(text=f"hello {MARKER}")).ticket is None
    assert verdict(mail(), quoted=f"> Message-ID: <{OWN_ID}>").ticket is None


def test_a_bounce_is_about_the_mail_whose_return_path_it_came_to() -> None:
    to = bounce_address(SECRETS, SENT, "bounces@example.com", recipients=[ANN])

    found = verdict(mail(), Writer("mailer-daemon@mx.example.net", category="bounce"), to=(to,), strangers="link")

    assert (found.rule, found.submission_id, found.ticket) == ("bounce-address", str(SENT), "T7")


def test_a_bounce_is_about_the_mail_that_it_returns() -> None:
    returned = ("rewritten@provider.example", x_header(SECRETS, SENT, recipients=[ANN])[1])

    found = verdict(mail(), Writer("", category="bounce"), returned=returned)

    assert (found.rule, found.submission_id) == ("returned-mail", str(SENT))


def test_a_merged_ticket_is_followed_and_rings_end() -> None:
    tickets = {"T7": Ticket(frozenset({ANN}), merged_into="T8"), "T8": Ticket(merged_into="T9"), "T9": Ticket(merged_into="T7")}

    assert verdict(mail(in_reply_to=(OWN_ID,)), known=Known(KNOWN.places, tickets)).ticket == "T9"


@pytest.mark.parametrize(
    ("ticket", "policy"),
    [
        (Ticket(frozenset({ANN}), closed=True), {"closed": "link"}),
        (Ticket(frozenset({ANN}), exists=False), {}),
        (None, {"least": "proven"}),
    ],
)
def test_what_the_host_says_of_a_ticket_may_keep_a_mail_apart(ticket: Ticket | None, policy: dict[str, Any]) -> None:
    known = Known(KNOWN.places, {"T7": ticket} if ticket else {})
    who = Writer(ANN) if ticket else Writer(BOB)

    found = verdict(mail(in_reply_to=(OWN_ID,)), who, known=known, **policy)

    assert (found.ticket, found.related) == (None, "T7")
    assert found.clues[-1].rule == "policy"


def test_what_a_stranger_passes_on_is_linked() -> None:
    found = verdict(mail(references=(OWN_ID,), subject="WG: Printer"), Writer(BOB, forwarded=True))

    assert (found.ticket, found.related) == (None, "T7")


def test_ids_of_another_tenant_lead_nowhere() -> None:
    known = Known({ref: Place("other", place.ticket, place.submission_id) for ref, place in KNOWN.places.items()}, KNOWN.tickets)

    assert verdict(mail(in_reply_to=(OWN_ID,), references=("first@example.net",)), known=known).ticket is None


_TEXT = st.text(max_size=60)


@given(
    in_reply_to=st.lists(_TEXT, max_size=4),
    references=st.lists(_TEXT, max_size=40),
    subject=_TEXT,
    to=st.lists(_TEXT, max_size=3),
    quoted=_TEXT,
)
def test_a_stranger_who_does_not_hold_a_token_never_gets_in(
    in_reply_to: list[str], references: list[str], subject: str, to: list[str], quoted: str
) -> None:
    parsed = mail(in_reply_to=tuple(in_reply_to), references=(*references, "first@example.net"), subject=f"{subject} {TAG}")

    found = verdict(parsed, Writer(BOB), to=tuple(to), quoted=quoted)

    assert found.ticket is None
    assert len(refs_of(look(parsed, envelope_to=(), quoted="", secrets=SECRETS, tenant=""), "")) <= 64
