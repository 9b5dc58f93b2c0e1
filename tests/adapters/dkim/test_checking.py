"""What a signature is worth: real ones, and what is done to them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import signing
from signing import ED, ED_RECORD, RSA_RECORD, rsa_pair, sealed, signed
from ticketmail.adapters.dkim.checking import MOST_SIGNATURES, Allowed, Checking
from ticketmail.adapters.dkim.lookup import Away
from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.authentication import vouched
from ticketmail.domain.inbound.mail import ParsedMail
from ticketmail.domain.received import Signature

MAIL = (
    b"From: Ann <ann@example.net>\r\nTo: help@example.com\r\nSubject: My  printer\r\n"
    b"Message-ID: <1@example.net>\r\nContent-Type: text/plain\r\n\r\nIt works.  \r\nThanks, Ann\r\n\r\n"
)
RECORDS = {
    "s._domainkey.example.net.": RSA_RECORD,
    "a._domainkey.list.example.": RSA_RECORD,
    "e._domainkey.example.net.": ED_RECORD,
}
SMALL = b"""-----BEGIN RSA PRIVATE KEY-----
MIIBywIBAAJhALth+uiMPHguUekhBqSNqotYug1Zv5WioJ+9oWx84HOFX3Op6Bh1
1eCSJ8GP8GfUijI5TzGnbGm2AJ1ZtNz0VJwWH65XrgRkmBBCQ1JVDRO9W0IhhShQ
pTwSt8lcEU9d+QIDAQABAmAdDKOJSbRWLVglfCk7eXrm/2pYh4FcAUpFeXB9ER76
ycJye/SvVhVCK2Zea6Ipdplx9i99esrMvc0X9CTOqoYTunme1NVGpmp4785neDo5
gA3GvgW9xf4G2A0D+upGzMECMQDsEkKTa3FLrk0VrMczwcZWI2UWBqVUKbak+69C
T/DXUysQgDg9fnUXSeefJXgWuZMCMQDLM4KmCcghcRQkEP23UxdjXToort1DFcMy
+pntLpeOZfkxvGZr77lLVWpEnw7l0cMCMQCY+Wwy41jTVeuVtBSRsWu4vc7vavcP
hshYOM/lBLBol/g8BRpsntl5ceap9jnPYAkCMCobBlt5c2raj53Zl3lBUntYehCs
C1U3UTdjDjpDiUwMfVJ9A4wiJHcjv91wSBn/GQIxAKt4MLm2SBHfj5C3M4BCawnb
wduPmx/CvnwtkhKUoATnL6iLhfBb+HX9AKB+g+LMew==
-----END RSA PRIVATE KEY-----
"""
SMALL_RECORD = (
    b"v=DKIM1; p=MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhALth+uiMPHguUekhBqSNqotYug1Zv5WioJ+9o"
    b"Wx84HOFX3Op6Bh11eCSJ8GP8GfUijI5TzGnbGm2AJ1ZtNz0VJwWH65XrgRkmBBCQ1JVDRO9W0IhhShQpTwSt8lcEU9d+QIDAQAB"
)
ED_MAIL = signed(MAIL, selector="e", key=ED, algorithm=b"ed25519-sha256")


def look(name: str, timeout_s: float) -> Sequence[bytes]:
    return (RECORDS[name],) if name in RECORDS else ()


def check(mail: bytes, records: Callable[[str, float], Sequence[bytes]] = look) -> list[Signature]:
    senders = list(parse(mail).fields("from"))
    return Checking(records).check(mail, senders[0].raw if senders else b"")


def result(mail: bytes, records: Callable[[str, float], Sequence[bytes]] = look) -> tuple[str, str]:
    (one,) = check(mail, records)
    return one.result, one.reason


def having(record: bytes) -> Callable[[str, float], Sequence[bytes]]:
    return lambda name, timeout_s: (record,)


# --- signatures that hold ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("head", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
def test_a_signature_holds_however_it_was_made_and_the_mail_stored(head: bytes, body: bytes, ends: bytes) -> None:
    mail = signed(MAIL, canonicalize=(head, body)).replace(b"\r\n", ends)

    (one,) = check(mail)

    assert (one.method, one.result, one.domain, one.selector) == ("dkim", "pass", "example.net", "s")


def test_ed25519_holds() -> None:
    assert result(ED_MAIL) == ("pass", "")


def test_a_length_that_covers_all_of_the_body_holds() -> None:
    assert result(signed(MAIL, length=True)) == ("pass", "")


def test_relaxed_forms_forgive_what_servers_fold() -> None:
    mail = signed(MAIL, canonicalize=(b"relaxed", b"relaxed"))

    assert result(mail.replace(b"Subject: My  printer", b"subject:  My\r\n printer").replace(b"works.  ", b"works.")) == (
        "pass",
        "",
    )


def test_what_is_added_and_not_shown_as_the_author_s_does_no_harm() -> None:
    assert result(b"Received: from a by b\r\nX-Spam: no\r\n" + signed(MAIL)) == ("pass", "")


def test_as_gmail_signs_the_form_of_the_body_is_left_open_and_that_is_told() -> None:
    assert result(signed(MAIL, headers=[b"from", b"to", b"subject"])) == ("pass", "content-type is not signed")


# --- and that do not ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"It works", b"It burns"),
        (b"My  printer", b"Your printer"),
        (b"Ann <ann@", b"Ann <bob@"),
        (b"\r\n\r\nIt", b"\r\n\r\n\r\nIt"),
    ],
    ids=["body", "subject", "author", "a line more"],
)
def test_a_changed_mail_is_not_the_one_that_was_signed(old: bytes, new: bytes) -> None:
    assert result(signed(MAIL).replace(old, new))[0] == "fail"


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        (signed(MAIL, length=True) + b"Pay here.\r\n", "only a part of the body"),
        (b"Subject: Pay\r\n" + signed(MAIL), "subject came twice"),
        (signed(MAIL).replace(b"\r\n\r\nIt", b"\r\nSubject: Pay\r\n\r\nIt"), "subject came twice"),
        (b"From: boss@example.net\r\n" + signed(MAIL), "From is not one"),
        (signed(MAIL).replace(b"\r\n\r\nIt", b"\r\nFrom: boss@example.net\r\n\r\nIt"), "From is not one"),
        (b"Content-Type: text/html\r\n" + signed(MAIL), "content-type came twice"),
        (signed(MAIL, headers=[b"from", b"to"]), "subject is not signed"),
        (signed(MAIL.replace(b"Subject: My  printer\r\n", b"")).replace(b"From: Ann", b"Subject: Pay\r\nFrom: Ann"), ""),
        (signed(MAIL).replace(b"h=from", b"h=form"), "From is not signed"),
        (signed(MAIL, algorithm=b"rsa-sha1"), "rsa-sha1"),
        (signing.resigned(signed(MAIL), b"x=1000"), "expired"),
    ],
    ids=[
        "l=",
        "subject above",
        "subject below",
        "from above",
        "from below",
        "type",
        "no subject",
        "new subject",
        "h",
        "sha1",
        "x=",
    ],
)
def test_a_signature_that_covers_too_little_counts_for_nothing(mail: bytes, reason: str) -> None:
    found, why = result(mail)

    assert found == "neutral" if reason else found == "fail"
    assert reason in why


def test_fields_signed_once_more_than_they_stand_there_hold_and_keep_others_out() -> None:
    mail = signed(MAIL, headers=[*signing.HEADERS, b"from", b"subject"])

    assert result(mail) == ("pass", "")
    assert result(b"Subject: Pay\r\n" + mail)[0] == "fail"


def test_what_dkimpy_writes_again_is_what_it_wrote() -> None:
    assert result(signing.resigned(signed(MAIL), b"x=99999999999")) == ("pass", "")


def test_a_from_that_the_reader_sees_elsewhere_is_not_the_signed_one() -> None:
    (one,) = Checking(look).check(signed(MAIL), b" Boss <boss@example.net>\r\n")

    assert (one.result, one.reason) == ("neutral", "From is not one, or not the one that is read")


# --- keys --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected", "reason"),
    [
        (b"", "permerror", "no key"),
        (b"v=spf1 -all", "permerror", "no key"),
        (b"v=DKIM1; p=", "permerror", "revoked"),
        (b"v=DKIM1; p=AAAA", "permerror", "could not parse"),
        (b"v=DKIM1; p=!!!!", "permerror", ""),
        (b"v=DKIM9; " + RSA_RECORD.partition(b";")[2], "permerror", "version"),
        (b"p=" + b"A" * 9_000, "permerror", "too long"),
        (b"\xff\xfep=\0", "permerror", ""),
        (ED_RECORD, "permerror", "another kind"),
        (RSA_RECORD + b"; t=y", "neutral", "tests"),
        (RSA_RECORD + b"; h=sha1", "permerror", "SHA-256"),
        (RSA_RECORD + b"; s=tlsrpt", "permerror", "not for mail"),
        (rsa_pair()[1], "fail", "of something else"),
        (RSA_RECORD + b"; h=sha1:sha256; s=email; t=s; n=a note", "pass", ""),
    ],
)
def test_what_the_dns_has_decides(record: bytes, expected: str, reason: str) -> None:
    found, why = result(signed(MAIL), having(record))

    assert found == expected
    assert reason in why


def test_a_short_key_can_be_found_out_and_counts_for_nothing() -> None:
    assert result(signed(MAIL, key=SMALL), having(SMALL_RECORD)) == (
        "neutral",
        "its RSA key is of 768 bits, or of an odd exponent",
    )


def test_a_key_with_a_huge_exponent_is_not_tried() -> None:
    key = b"p=" + base64.b64encode(_der(2**1023 + 1, 2**1000 + 1))

    assert result(signed(MAIL), having(key)) == ("neutral", "its RSA key is of 1024 bits, or of an odd exponent")


def _der(modulus: int, exponent: int) -> bytes:
    """An RSAPublicKey (RFC 8017 appendix A.1.1)."""

    def piece(tag: int, content: bytes) -> bytes:
        size = len(content).to_bytes(2, "big")
        return bytes([tag, 0x82]) + size + content

    numbers = [one.to_bytes(one.bit_length() // 8 + 1, "big") for one in (modulus, exponent)]
    return piece(0x30, b"".join(piece(0x02, one) for one in numbers))


def test_a_key_that_is_not_for_domains_below_is_not() -> None:
    mail = signed(MAIL, identity=b"@mail.example.net")

    assert result(mail) == ("pass", "")
    assert result(mail, having(RSA_RECORD + b"; t=s"))[0] == "permerror"


def test_two_keys_of_one_name_are_none() -> None:
    assert result(signed(MAIL), lambda name, timeout_s: (RSA_RECORD, ED_RECORD))[0] == "permerror"


def test_without_the_library_for_it_ed25519_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("dkim.nacl")

    assert result(ED_MAIL)[0] == "neutral"


# --- many, and slow ----------------------------------------------------------------------------------------------------------


def test_each_signature_is_worth_what_it_is() -> None:
    mail = signed(signed(MAIL), domain="list.example", selector="a")
    mail = signed(mail, domain="gone.example")

    assert [(one.domain, one.result) for one in check(mail)] == [
        ("gone.example", "permerror"),
        ("list.example", "pass"),
        ("example.net", "pass"),
    ]


def test_the_number_of_signatures_is_bounded() -> None:
    asked: list[str] = []

    def records(name: str, timeout_s: float) -> Sequence[bytes]:
        asked.append(name)
        return ()

    found = check(
        b"".join(signed(MAIL, selector=f"s{n}").partition(b"\r\nFrom:")[0] + b"\r\n" for n in range(60)) + MAIL, records
    )

    assert len(asked) == MOST_SIGNATURES
    assert (found[-1].result, found[-1].reason) == ("neutral", "55 more were not looked at.")


def test_a_dns_that_gives_no_answer_is_no_word_on_the_signature() -> None:
    def away(name: str, timeout_s: float) -> Sequence[bytes]:
        raise Away("Timeout")

    assert result(signed(MAIL), away) == ("temperror", "the DNS could not be asked (Timeout)")
    assert result(sealed(MAIL, "list.example", "dkim=pass"), away)[0] == "temperror"


def test_the_dns_gets_so_much_time_for_a_mail_and_no_more() -> None:
    now = [0.0]

    def slow(name: str, timeout_s: float) -> Sequence[bytes]:
        now[0] += timeout_s
        raise Away("Timeout")

    mail = b"".join(signed(MAIL, selector=f"s{n}").partition(b"\r\nFrom:")[0] + b"\r\n" for n in range(5)) + MAIL
    found = Checking(slow, allowed=Allowed(lookup_s=3, mail_s=8), clock=lambda: now[0]).check(mail, b"Ann <ann@example.net>")

    assert {one.result for one in found} == {"temperror"}
    assert now[0] == 8


# --- ARC ---------------------------------------------------------------------------------------------------------------------


def test_seals_are_told_with_what_their_domains_saw() -> None:
    mail = sealed(MAIL, "list.example", "dkim=pass header.d=example.net")

    (one,) = check(mail)

    assert (one.method, one.result, one.domain) == ("arc", "pass", "list.example")
    assert "header.d=example.net" in one.said


def test_a_seal_proves_its_author_for_those_who_trust_the_sealer() -> None:
    found = check(sealed(MAIL, "list.example", "dmarc=pass header.from=example.net"))

    assert vouched(found, ("LIST.example",), "example.net").covers("example.net")
    assert not vouched(found, ("other.example",), "example.net").covers("example.net")
    assert not vouched(found, (), "example.net").covers("example.net")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"It works", b"It burns"),
        (b"header.d=example.net", b"header.d=example.org"),
        (b"My  printer", b"Pay"),
        (b"cv=none", b"cv=pass"),
    ],
)
def test_a_broken_chain_counts_for_nothing(old: bytes, new: bytes) -> None:
    mail = sealed(MAIL, "list.example", "dkim=pass header.d=example.net")
    assert old in mail

    assert [one.result for one in check(mail.replace(old, new))] == ["fail"]


def test_a_chain_that_leaves_the_mail_open_counts_for_nothing() -> None:
    mail = sealed(MAIL, "list.example", "dkim=pass header.d=example.net")

    assert result(b"Subject: Pay\r\n" + mail)[0] == "neutral"
    assert result(b"From: boss@example.net\r\n" + mail)[0] == "neutral"


def test_a_chain_of_hundreds_is_not_followed() -> None:
    assert result(b"ARC-Seal: i=1; a=rsa-sha256; d=a.example; s=s; cv=none; b=AAAA\r\n" * 300 + MAIL)[0] == "neutral"


# --- anything ----------------------------------------------------------------------------------------------------------------


HARD = {
    "blanks at the end": signed(MAIL, canonicalize=(b"relaxed", b"relaxed")) + b" " * 2_000_000 + b"x",
    "a header without end": b"DKIM-Signature: v=1\r\n" + b" x\r\n" * 500_000,
    "a signature without end": b"DKIM-Signature: a=rsa-sha256; b=" + b" " * 100_000 + b"x\r\n" + MAIL,
    "blanks in a signature": b"DKIM-Signature: v=1; a=rsa-sha256; b=" + b" \r\n" * 1_500 + b" =\r\n" + MAIL,
    "instances without end": b"ARC-Seal: i=999999999; cv=none\r\n" + MAIL,
    "nothing but the name": b"DKIM-Signature:\r\n\r\n",
    "no header": b"dkim-signature: \xff\xfe",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("hard", HARD)
def test_hostile_mail_is_looked_at_in_little_time_and_proves_nothing(hard: str) -> None:
    found = check(HARD[hard])

    assert found
    assert all(one.result != "pass" for one in found)


@given(st.binary(max_size=300), st.binary(max_size=60))
@example(b"DKIM-Signature: v=1", b"")
@example(b" DKIM-Signature: v=1\r\n\r\n", b"")
@example(b"From: a\r\nDKIM-Signature: v=1; a=rsa-sha256; i=x; d=x; s=s; h=from; bh=A; b=A\r\n\r\n", b"a")
@example(b"ARC-Seal: i=99999999999999999999999999999999\r\n\r\n", b"")
def test_no_bytes_raise_and_none_are_proven(raw: bytes, author: bytes) -> None:
    for mail in (raw, b"DKIM-Signature: " + raw + b"\r\n" + MAIL, b"ARC-Seal: i=1; " + raw + b"\r\n" + MAIL):
        assert all(one.result != "pass" for one in Checking(look).check(mail, author))


TAGS = st.sampled_from([b"v", b"a", b"b", b"bh", b"c", b"d", b"h", b"i", b"l", b"q", b"s", b"t", b"x"])


@given(
    st.lists(
        st.tuples(TAGS, st.sampled_from([b"", b"1", b"-1", b"from", b"@", b"a.b", b"\xff", b"9" * 90, b"simple", b":", b"="])),
        max_size=6,
    )
)
def test_no_tags_raise_and_none_are_proven(changes: list[tuple[bytes, bytes]]) -> None:
    mail = signed(MAIL)
    for name, value in changes:
        mail = re.sub(rb"(?<=[;\s])" + name + rb"=[^;]*?(?=;|\r\nFrom)", lambda _, n=name, v=value: n + b"=" + v, mail, count=1)

    assert all(one.result != "pass" or _same(mail) for one in check(mail))


def _same(mail: bytes) -> bool:
    """What a reader shows of it is what was signed."""
    read, was = parse(mail), parse(MAIL)
    return (read.subject, read.senders, read.to) == (was.subject, was.senders, was.to) and _words(read) == _words(was)


def _words(mail: ParsedMail) -> str:
    """Empty lines at the end are nobody's (RFC 6376 section 3.4.3)."""
    return (mail.text or "").rstrip()


LINES = st.sampled_from(
    [
        *(
            b"From: boss@example.net",
            b"from : boss@example.net",
            b"Subject: Pay",
            b"SUBJECT:Pay",
            b"To: all@example.com",
            b" folded",
        ),
        *(
            b"\r",
            b"From: a\rFrom: boss@example.net",
            b"X: 1\x00",
            b"",
            b"\tFrom: boss@example.net",
            b"=?utf-8?q?From?=: boss@example.net",
        ),
        *(b"Content-Type: text/html", b"MIME-Version: 1.0", b"Sender: boss@example.net", b"Received: x"),
    ]
)


@given(st.lists(st.tuples(st.integers(0, 20), LINES), min_size=1, max_size=3), st.booleans())
def test_whatever_lines_are_put_in_a_proven_mail_shows_what_was_signed(
    changes: list[tuple[int, bytes]], oversigned: bool
) -> None:
    names = [*signing.HEADERS, *((b"from", b"subject") if oversigned else ())]
    lines = signed(MAIL, headers=names).split(b"\r\n")
    for at, line in changes:
        lines.insert(min(at, len(lines)), line)
    mail = b"\r\n".join(lines)

    if any(one.result == "pass" for one in check(mail)):
        assert _same(mail)
