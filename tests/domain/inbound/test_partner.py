"""Numbers of other ticketing systems: what is taken for one, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.inbound.mail import HeaderField, ParsedMail
from ticketmail.domain.inbound.partner import Number, number_ref, numbers_of


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        ("[Ticket#2026010112000017] Printer", ["2026010112000017"]),
        ("Re: Ticket #48213: Printer", ["48213"]),
        ("Case 00123456 - Printer [ ref:_00D ]", ["00123456"]),
        ("Ihre Anfrage Nr. 48213", ["48213"]),
        ("Votre demande n°", []),
        ("INC0012345 has been resolved", ["inc0012345"]),
        ("[JIRA] (SUP-17) Printer", ["sup-17"]),
        ("[SUP-17] Printer", ["sup-17"]),
        ("[Acme Support] [#48213] Printer", ["48213"]),
        ("[example.com #17] Printer", ["17"]),
        ("Re: [Request ID :##48213##] : Printer", ["48213"]),
        ("Request INC0012345 [#99]", ["inc0012345", "99"]),
        ("Order of 2026-01-12, 17 pieces", []),
        ("Meeting at 10:30 (room A-1)", []),
        ("#1 in the charts", []),
        ("", []),
    ],
)
def test_a_number_is_known_by_how_systems_write_it(subject: str, numbers: list[str]) -> None:
    assert [one.text for one in numbers_of(ParsedMail(subject=subject), None)] == numbers


def test_a_systems_own_header_field_is_surer_than_the_subject() -> None:
    headers = (HeaderField("RT-Ticket", b"example.com #17", "example.com  #17"), HeaderField("RT-Ticket", b"none", "none"))

    assert numbers_of(ParsedMail(headers=headers, subject="[#17]"), None) == (
        Number("example.com #17", in_header=True),
        Number("17"),
    )


def test_our_own_tag_is_no_partners_number() -> None:
    assert numbers_of(ParsedMail(subject="Re: [#4711]"), "4711") == ()


def test_the_same_number_of_two_partners_or_tenants_is_two() -> None:
    refs = {number_ref("", "a.example", "17"), number_ref("", "b.example", "17"), number_ref("t", "a.example", "17")}
    assert len(refs) == 3
    assert number_ref("", "A.example", "17") in refs


@given(st.text(max_size=600), st.none() | st.text(max_size=5))
def test_any_subject_has_few_numbers_and_none_twice(subject: str, own: str | None) -> None:
    texts = [one.text for one in numbers_of(ParsedMail(subject=subject), own)]

    assert len(texts) == len(set(texts)) <= 5
