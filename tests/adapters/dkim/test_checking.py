"""DKIM and ARC: what proves a sender, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dkim.signing import LETTER, Names, record, rsa_key, sealed, signed, signed_by_curve
from ticketmail.adapters.dkim import SignatureChecker
from ticketmail.adapters.dkim.checking import MOST_SIGNATURES
from ticketmail.adapters.dkim.records import ALL_S, MOST_LOOKUPS
from ticketmail.domain.received import Signature

KEY = "s1._domainkey.example.net."


@pytest.fixture
def names() -> Names:
    return Names()


def only(raw: bytes, names: Names) -> Signature:
    (found,) = SignatureChecker(names)(raw)
    return found


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_a_signature_proves_the_domain_that_made_it(names: Names, ends: bytes) -> None:
    found = only(signed().replace(b"\r\n", ends), names)

    assert (found.method, found.result, found.domain, found.selector) == ("dkim", "pass", "example.net", "s1")
    assert names.asked == [KEY]


def test_a_signature_by_an_elliptic_curve_counts_as_well(names: Names) -> None:
    raw, names.records[KEY] = signed_by_curve()

    assert only(raw, names).result == "pass"


def test_mail_without_a_signature_asks_nobody(names: Names) -> None:
    assert SignatureChecker(names)(LETTER) == ()
    assert SignatureChecker(names)(b"") == ()
    assert names.asked == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Thanks, it works.", b"Thanks. Wire the money."),
        (b"Subject: Re: Your printer", b"Subject: Invoice"),
        (b"From: Ann <ann@example.net>", b"From: Ann <ann@example.org>"),
        (b"From: Ann", b"From: Eve <eve@example.org>\r\nFrom: Ann"),
        (b"\r\n\r\nThanks", b"\r\nFrom: Eve <eve@example.org>\r\n\r\nThanks"),
    ],
)
def test_a_mail_that_was_changed_is_not_proven(names: Names, old: bytes, new: bytes) -> None:
    assert only(signed().replace(old, new, 1), names).result == "fail"


def test_what_covers_a_part_of_the_body_is_no_proof(names: Names) -> None:
    raw = signed(length=True) + b"Wire the money.\r\n"

    found = only(raw, names)

    assert found.result == "neutral"
    assert "l=" in found.reason


@pytest.mark.parametrize(
    ("key", "result", "word"),
    [
        (None, "permerror", "no key"),
        (b"v=DKIM1; p=", "permerror", "withdrawn"),
        (b"\xff\x00 nonsense", "permerror", ""),
        (b"v=DKIM1; k=rsa; p=AAAA", "fail", ""),
        (record(rsa_key(), b" t=y:s;"), "neutral", "tests"),
    ],
)
def test_a_key_that_is_none_says_why(names: Names, key: bytes | None, result: str, word: str) -> None:
    names.records[KEY] = key

    found = only(signed(), names)

    assert found.result == result
    assert word in found.reason


def test_weak_signatures_prove_nothing(names: Names) -> None:
    old = only(signed(signature_algorithm=b"rsa-sha1"), names)
    assert (old.result, "SHA-1" in old.reason) == ("neutral", True)

    names.records[KEY] = record(rsa_key(1024))
    assert only(signed(bits=1024), names).result == "pass"


def test_a_dns_that_does_not_answer_is_no_verdict_and_is_not_waited_for_long(names: Names) -> None:
    names.silent.add(KEY)
    found = only(signed(), names)
    assert (found.result, "DNS did not answer" in found.reason) == ("temperror", True)

    moments = iter([0.0, ALL_S + 1.0, ALL_S + 2.0])
    (late,) = SignatureChecker(names, lambda: next(moments))(signed())
    assert late.result == "temperror"
    assert len(names.asked) == 1


def test_the_signatures_of_one_mail_are_bounded_and_each_is_looked_at(names: Names) -> None:
    raw = LETTER
    for number in range(MOST_SIGNATURES + 3):
        domain = f"d{number}.example"
        names.records[f"s1._domainkey.{domain}."] = record(rsa_key())
        raw = signed(raw, domain=domain)

    found = SignatureChecker(names)(raw)

    assert [one.result for one in found] == ["pass"] * MOST_SIGNATURES
    assert len(names.asked) <= MOST_LOOKUPS


def test_a_list_that_changed_the_mail_seals_what_it_found(names: Names) -> None:
    broken = signed().replace(b"Your printer", b"[staff] Your printer")

    signature, chain = SignatureChecker(names)(
        sealed(broken, "dkim=pass header.d=example.net; dmarc=pass header.from=example.net")
    )

    assert (signature.method, signature.result) == ("dkim", "fail")
    assert (chain.method, chain.result, chain.domain) == ("arc", "pass", "list.example.org")
    assert chain.said.startswith("list.example.org; ")
    assert "dmarc=pass" in chain.said


def test_a_seal_over_another_text_is_none(names: Names) -> None:
    raw = sealed(LETTER, "dmarc=pass header.from=example.net").replace(b"it works", b"wire the money")

    assert only(raw, names).result == "fail"


HARD = {
    "bare carriage returns": signed().replace(b"Subject: Re:", b"Subject: Re:\rFrom: eve@example.org"),
    "NUL": signed().replace(b"Subject: Re:", b"Subject: \0Re:"),
    "blanks at the end": signed() + b" " * 2_000_000 + b"x",
    "a header without end": b"DKIM-Signature: v=1\r\n" + b" x\r\n" * 500_000,
    "a signature without end": b"DKIM-Signature: a=rsa-sha256; b=" + b" " * 100_000 + b"x\r\n" + LETTER,
    "blanks in a signature": b"DKIM-Signature: v=1; a=rsa-sha256; b=" + b" \r\n" * 1_500 + b" =\r\n" + LETTER,
    "instances without end": b"ARC-Seal: i=999999999; cv=none\r\n" + LETTER,
    "a chain without end": b"".join(b"ARC-Seal: i=%d; cv=pass\r\n" % number for number in range(1, 60)) + LETTER,
    "nothing but the name": b"DKIM-Signature:\r\n\r\n",
    "no header": b"dkim-signature: \xff\xfe",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("hard", HARD)
def test_hostile_mail_is_looked_at_in_little_time_and_proves_nothing(names: Names, hard: str) -> None:
    found = SignatureChecker(names)(HARD[hard])

    assert found
    assert all(one.result != "pass" for one in found)


@settings(max_examples=40)
@given(st.data())
def test_no_change_of_a_signed_mail_raises_or_is_proven(data: st.DataObject) -> None:
    raw = signed()
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = raw[:place] + bytes([byte]) + raw[place + 1 :]

    found = SignatureChecker(Names())(changed)

    same = b" ".join(changed.lower().split()) == b" ".join(raw.lower().split())
    assert same or all(one.result != "pass" for one in found)


@given(st.binary(max_size=400), st.binary(max_size=200))
def test_any_bytes_are_answered(head: bytes, body: bytes) -> None:
    for name in (b"DKIM-Signature: ", b"ARC-Seal: i=1;"):
        found = SignatureChecker(Names())(name + head + b"\r\n" + LETTER + body)
        assert all(one.result != "pass" for one in found)
