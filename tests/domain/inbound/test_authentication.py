"""Only what our own server says above all else is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.inbound.authentication import authenticated

OURS = (
    "mx.example.com; dmarc=pass (p=REJECT) header.from=example.net; dkim=pass header.d=example.net; spf=fail smtp.mailfrom=x@y.z"
)


def test_the_topmost_block_of_a_trusted_server_counts() -> None:
    found = authenticated([OURS], ["MX.example.com"], "example.net")

    assert found.domains == ("example.net",)
    assert found.verdicts == ("dmarc=pass", "dkim=pass", "spf=fail")
    assert found.covers("example.net")
    assert not found.failed


@pytest.mark.parametrize(
    ("headers", "trusted"),
    [
        ([OURS], []),
        ([OURS], ["mx.example.org"]),
        (["mx.evil.example; dmarc=fail", OURS], ["mx.example.com"]),
        (["mx.example.com.evil.example; dmarc=pass header.from=example.net"], ["mx.example.com"]),
        (["(mx.example.com); dmarc=pass header.from=example.net"], ["mx.example.com"]),
        (["mx.example.com; none"], ["mx.example.com"]),
        (["mx.example.com; spf=pass (dmarc=pass header.from=example.net)"], ["mx.example.com"]),
    ],
)
def test_nobody_else_is_believed(headers: list[str], trusted: list[str]) -> None:
    assert not authenticated(headers, trusted, "example.net").covers("example.net")


def test_a_server_that_writes_several_headers_is_read_to_the_last() -> None:
    found = authenticated(
        ["mx.example.com; spf=pass smtp.mailfrom=a@b.example", OURS, "evil; dkim=pass header.d=bank.example"],
        ["mx.example.com"],
        "example.net",
    )

    assert found.domains == ("b.example", "example.net")


def test_a_failed_dmarc_is_told() -> None:
    assert authenticated(["mx.example.com; dmarc=fail header.from=example.net"], ["mx.example.com"], "example.net").failed


@pytest.mark.parametrize(
    ("own", "covers"), [("mail.example.net", True), ("example.net", True), ("net", False), ("badexample.net", False)]
)
def test_a_domain_proves_those_above_and_below_it(own: str, covers: bool) -> None:
    assert authenticated([OURS], ["mx.example.com"], own).covers(own) is covers


@given(st.text(max_size=300))
def test_any_text_is_taken(value: str) -> None:
    assert authenticated([value, f"mx.example.com; {value}"], ["mx.example.com"], "example.net").verdicts is not None


def test_a_domain_is_proven_by_one_above_it_and_never_by_one_below() -> None:
    found = authenticated(["mx.us; dkim=pass header.d=example.com"], ["mx.us"], "desk.example.com")
    assert found.covers("desk.example.com")

    tenant = authenticated(["mx.us; dkim=pass header.d=evil.github.io"], ["mx.us"], "github.io")
    assert not tenant.covers("github.io")
