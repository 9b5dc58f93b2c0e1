"""Which ticket a mail belongs to, what each clue is worth, and what it takes to get into somebody else's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.inbound.conversation import Earlier, Known, Place, Ticket, Writer, decide, look, refs_of
from ticketmail.domain.inbound.mail import HeaderField, ParsedMail
from ticketmail.domain.inbound.partner import number_ref
from ticketmail.domain.inbound.policy import Policy
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


def test_two_addresses_at_a_public_provider_make_no_colleagues() -> None:
    parsed = mail(in_reply_to=("first@example.net",))
    known = Known(KNOWN.places, {"T7": Ticket(frozenset({"ann@gmail.com"}))})

    assert verdict(parsed, Writer("carl@gmail.com", proven=True), known=known).ticket is None
    assert verdict(parsed, Writer("ann@gmail.com"), known=known).ticket == "T7"


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


DESK = "desk@partner.example"
NUMBER = number_ref("", "partner.example", "inc0012345")
WITH_NUMBER = Known({NUMBER: Place("", "T7", None)}, {"T7": Ticket(frozenset({ANN, DESK}))})
HALF_A_YEAR_S = 180 * 86_400.0


@pytest.mark.parametrize(
    ("writer", "joins"),
    [
        (Writer(DESK), True),
        (Writer("other@partner.example"), False),
        (Writer("other@partner.example", proven=True), True),
        (Writer("other@sub.partner.example", proven=True), False),
        (Writer(DESK, forged=True), False),
        (Writer(DESK, category="notice"), False),
        (Writer(ANN), False),
    ],
)
def test_a_partners_number_leads_whoever_takes_part_or_is_proven_to_be_the_partner(writer: Writer, joins: bool) -> None:
    found = verdict(mail(subject="INC0012345 resolved"), writer, known=WITH_NUMBER, partners=frozenset({"partner.example"}))

    assert (found.ticket, found.rule, found.strength) == (("T7", "partner-number", "medium") if joins else (None, "", "none"))


def test_a_partners_machine_is_led_by_its_own_header_field_but_not_by_the_subject() -> None:
    known = Known({number_ref("", "partner.example", "desk #17"): Place("", "T7", None)}, {"T7": Ticket(frozenset({DESK}))})
    machine = Writer(DESK, category="notice")

    assert verdict(mail(headers=[("RT-Ticket", "desk #17")]), machine, known=known).ticket == "T7"
    assert verdict(mail(subject="[desk #17] hello"), machine, known=known).ticket is None


def same_subject(age_s: float = 60.0, **more: Any) -> Known:
    return Known({}, {"T7": Ticket(frozenset({ANN}))}, (Earlier("T7", **{"subject": "Printer", "age_s": age_s, **more}),))


@pytest.mark.parametrize(
    ("known", "writer", "window_s", "joins"),
    [
        (same_subject(), BY_ANN, 3600.0, True),
        (same_subject(), BY_ANN, 0.0, False),
        (same_subject(7200.0), BY_ANN, 3600.0, False),
        (same_subject(subject="Scanner"), BY_ANN, 3600.0, False),
        (same_subject(category="auto_reply"), BY_ANN, 3600.0, False),
        (same_subject(), Writer(ANN, category="auto_reply"), 3600.0, False),
        (same_subject(), Writer(ANN, forged=True), 3600.0, False),
    ],
)
def test_the_same_subject_of_the_same_author_is_weak_and_only_within_a_window_that_is_asked_for(
    known: Known, writer: Writer, window_s: float, joins: bool
) -> None:
    found = verdict(mail(subject="AW: Printer"), writer, known=known, same_subject_s=window_s)

    assert (found.ticket, found.rule, found.strength) == (("T7", "same-subject", "weak") if joins else (None, "", "none"))


def test_no_subject_at_all_is_nobodys_subject() -> None:
    assert verdict(mail(subject="Re: "), known=same_subject(subject=""), same_subject_s=3600.0).ticket is None


@pytest.mark.parametrize(
    ("subject", "age_s", "policy", "joins"),
    [
        ("Invoice", HALF_A_YEAR_S, {"topic": "link"}, False),
        ("Invoice", HALF_A_YEAR_S, {}, True),
        ("Re: [EXTERNAL] Printer", HALF_A_YEAR_S, {"topic": "link"}, True),
        ("Invoice", 60.0, {"topic": "link"}, True),
        ("Invoice", 60.0, {"topic": "link", "topic_after_s": 30.0}, False),
    ],
)
def test_a_new_subject_after_a_long_silence_is_another_topic_where_the_mailbox_says_so(
    subject: str, age_s: float, policy: dict[str, Any], joins: bool
) -> None:
    ticket = Ticket(frozenset({ANN}), earlier=(Earlier("T7", "Printer", age_s),))

    found = verdict(mail(subject=subject, in_reply_to=(OWN_ID,)), known=Known(KNOWN.places, {"T7": ticket}), **policy)

    assert (found.ticket, found.related) == (("T7", None) if joins else (None, "T7"))


def test_what_we_sent_yesterday_breaks_the_silence() -> None:
    earlier = (Earlier("T7", age_s=60.0, ours=True), Earlier("T7", "Printer", HALF_A_YEAR_S))
    known = Known(KNOWN.places, {"T7": Ticket(frozenset({ANN}), earlier=earlier)})

    assert verdict(mail(subject="Invoice", in_reply_to=(OWN_ID,)), known=known, topic="link").ticket == "T7"


def test_a_merged_ticket_is_only_linked_where_the_mailbox_says_so() -> None:
    known = Known(KNOWN.places, {"T7": Ticket(frozenset({ANN}), merged_into="T8")})

    found = verdict(mail(in_reply_to=(OWN_ID,)), known=known, merged="link")

    assert (found.ticket, found.related, found.handling) == (None, "T7", "open")


def test_an_answer_to_a_closed_ticket_may_be_refused() -> None:
    known = Known(KNOWN.places, {"T7": Ticket(frozenset({ANN}), closed=True)})

    assert verdict(mail(in_reply_to=(OWN_ID,)), known=known, closed="refuse").handling == "refuse"


@pytest.mark.parametrize("unknown", ["open", "review", "refuse"])
def test_mail_of_somebody_new_is_handled_as_the_mailbox_says(unknown: str) -> None:
    new = Writer(BOB, familiar=False)

    assert verdict(mail(), new, unknown=unknown).handling == unknown
    assert verdict(mail(), Writer(BOB), unknown=unknown).handling == "open"
    assert verdict(mail(in_reply_to=(OWN_ID,)), new, unknown=unknown).handling == "join"
    assert verdict(mail(), Writer("", category="bounce", familiar=False), unknown=unknown).handling == "open"


@given(forged_key=st.sampled_from([ANN, DESK]), subject=_TEXT, knows_ids=st.booleans(), window_s=st.sampled_from([0.0, 1e6]))
def test_a_forged_address_opens_no_ticket_that_is_not_held_open_by_a_token(
    forged_key: str, subject: str, knows_ids: bool, window_s: float
) -> None:
    tickets = {"T7": Ticket(frozenset({ANN, DESK}))}
    known = Known({**KNOWN.places, NUMBER: Place("", "T7", None)}, tickets, (Earlier("T7", "Printer", 1.0),))
    told = mail(subject=f"Printer {subject} INC0012345 {TAG}", references=("first@example.net",) if knows_ids else ())

    found = verdict(told, Writer(forged_key, forged=True), known=known, same_subject_s=window_s)

    assert found.ticket is None


@given(held=st.lists(st.sampled_from(["token", "id", "number", "tag"]), unique=True), policy=st.sampled_from(["join", "link"]))
def test_a_verdict_joins_one_ticket_or_names_it_and_says_which_rule_and_how_sure(held: list[str], policy: str) -> None:
    known = Known({**KNOWN.places, NUMBER: Place("", "T7", None)}, {"T7": Ticket(frozenset({ANN}), closed=True)})
    references = [one for name, one in (("token", OWN_ID), ("id", "first@example.net")) if name in held]
    subject = " ".join(one for name, one in (("number", "INC0012345"), ("tag", TAG)) if name in held)

    found = verdict(mail(subject=subject, references=tuple(references)), known=known, closed=policy)

    leads = bool({"token", "id", "tag"}.intersection(held))
    assert (found.ticket or found.related) == ("T7" if leads else None)
    assert (found.ticket is None) == (policy == "link" or not leads)
    assert found.handling == ("join" if found.ticket else "open")
    assert (found.strength == "none") == (not leads)
    assert all(clue.detail for clue in found.clues)
