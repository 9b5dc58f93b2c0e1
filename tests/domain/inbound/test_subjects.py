"""Subjects of one topic are equal, whatever mail programs, gateways and lists put before them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.inbound.subjects import bare, is_forward


@pytest.mark.parametrize(
    "subject",
    [
        "Printer broken",
        "Re: printer  broken",
        "AW: WG: Printer broken",
        "Re[2]: Printer broken",
        "RE^3: Printer broken",
        "[EXTERNAL] Re: Printer broken",
        "Re: [EXT] Antw: Printer broken",
        "[desk-list] Sv: Printer broken",
        "Re: [#4711-QF] Printer broken",
        "回复：Printer broken",
        "Odp: Printer broken",
    ],
)
def test_subjects_of_one_topic_are_equal(subject: str) -> None:
    assert bare(subject) == "printer broken"


@pytest.mark.parametrize("subject", ["Return of goods", "Refund", "Resignation: mine", "[urgent]"])
def test_words_that_only_begin_alike_stay(subject: str) -> None:
    assert bare(subject) == subject.lower()


@pytest.mark.parametrize(
    ("subject", "forward"), [("Fwd: x", True), ("WG: x", True), ("[EXTERNAL] Tr: x", True), ("Re: Fwd: x", False)]
)
def test_a_forward_is_told_by_its_outermost_prefix(subject: str, forward: bool) -> None:
    assert is_forward(subject) is forward


@given(st.text())
def test_any_text_is_taken_and_settles(subject: str) -> None:
    assert bare(bare(subject)) == bare(subject)
