"""Only what our own server says above all else is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpu_time import cpu_s
from ticketmail.domain.inbound.authentication import authenticated, vouched
from ticketmail.domain.received import Signature

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


def dkim(domain: str = "example.net", result: Any = "pass") -> Signature:
    return Signature(method="dkim", domain=domain, result=result)


def chain(said: str, domain: str = "list.example.org", result: Any = "pass") -> Signature:
    return Signature(method="arc", domain=domain, result=result, said=said)


def test_a_signature_that_holds_proves_its_domain_and_those_below_it() -> None:
    proof = vouched([dkim(result="fail"), dkim("mailer.example")], (), "example.net")
    assert proof.domains == ("mailer.example",)
    assert proof.verdicts == ("dkim=fail", "dkim=pass")
    assert not proof.covers("example.net")

    assert vouched([dkim()], (), "example.net").covers("desk.example.net")


@pytest.mark.parametrize("result", ["fail", "neutral", "temperror", "permerror"])
def test_a_signature_that_does_not_hold_proves_neither_sender_nor_forgery(result: str) -> None:
    proof = vouched([dkim(result=result)], (), "example.net")

    assert (proof.domains, proof.failed) == ((), False)


def test_what_a_sealer_found_counts_if_it_is_trusted_and_the_chain_holds() -> None:
    said = "list.example.org; dkim=pass header.d=example.net; dmarc=pass header.from=example.net"

    assert vouched([chain(said)], ["List.example.org"], "example.net").domains == ("example.net",)
    assert vouched([chain(said)], [], "example.net").domains == ()
    assert vouched([chain(said)], ["example.org"], "example.net").domains == ()
    assert vouched([chain(said, result="fail")], ["list.example.org"], "example.net").domains == ()
    assert vouched([chain("")], ["list.example.org"], "example.net").domains == ()
    assert not vouched([chain("list.example.org; dmarc=fail")], ["list.example.org"], "example.net").failed


@pytest.mark.parametrize(
    "said",
    [
        'spf=pass smtp.mailfrom="example.net"@evil.example',
        'spf=pass smtp.mailfrom="a@example.net"@evil.example',
        'spf=pass smtp.mailfrom="x; dmarc=pass header.from=example.net; y"@evil.example',
        r'spf=pass smtp.mailfrom="x\"; dmarc=pass header.from=example.net; y"@evil.example',
        'dkim=pass reason="header.d=example.net" header.d=evil.example',
        'dkim=pass header.d=evil.example reason="header.d=example.net"',
        "spf=pass (((((of x; dmarc=pass header.from=example.net; y))))) smtp.mailfrom=a@evil.example",
        r"spf=pass (of x\); dmarc=pass header.from=example.net; y) smtp.mailfrom=a@evil.example",
        'spf=pass (of "x); dmarc=pass header.from=example.net',
        'spf=pass smtp.mailfrom="x; dmarc=pass header.from=example.net',
    ],
)
def test_what_a_sender_put_into_a_trusted_servers_words_proves_nothing(said: str) -> None:
    assert not authenticated([f"mx.example.com; {said}"], ["mx.example.com"], "example.net").covers("example.net")


@pytest.mark.parametrize("path", ['"("@evil.example', '"x\\"("@evil.example'])
def test_a_sender_cannot_hide_what_a_trusted_server_found(path: str) -> None:
    said = f"mx.example.com; spf=pass smtp.mailfrom={path}; dmarc=fail header.from=example.net (p=none)"

    assert authenticated([said], ["mx.example.com"], "example.net").failed


@pytest.mark.parametrize("words", ['\\"', '"\\"', ' a=\\"', 'a=""', "a ", ' \\"', '" ', "("])
def test_many_quotes_take_little_time(words: str) -> None:
    said = f"mx.example.com; spf=pass {words * 4000}"[:8192]

    assert cpu_s(lambda: authenticated([said] * 20, ["mx.example.com"], "example.net")) < 2


def test_values_may_be_quoted() -> None:
    said = 'mx.example.com; dkim=pass header.d="example.net"; dkim=pass header.i="@example.org"'

    assert authenticated([said], ["mx.example.com"], "example.net").domains == ("example.net", "example.org")


@given(st.text('();"\\ a=.', max_size=40))
def test_a_quoted_word_never_ends_where_it_wants_to(word: str) -> None:
    local = '"' + word.replace("\\", r"\\").replace('"', r"\"") + '"'
    said = f"mx.us; spf=pass smtp.mailfrom={local}@evil.example; dmarc=fail header.from=example.net"

    proof = authenticated([said], ["mx.us"], "example.net")

    assert (proof.domains, proof.failed) == (("evil.example",), True)
