"""What mail programs send, rule by rule: small mails of our own, each with what must be read."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime

import pytest

from ticketmail.adapters.mime.reading import body_alone, parse
from ticketmail.adapters.mime.reading.charsets import codec_of, decode
from ticketmail.adapters.mime.reading.flowed import unflow
from ticketmail.domain.inbound.limits import ReadingLimits
from ticketmail.domain.inbound.mail import ParsedMail, Party, Tier


def mail(header: str, body: str = "body", *, charset: str = "utf-8") -> ParsedMail:
    return parse((header.strip("\n") + "\n\n" + body).replace("\n", "\r\n").encode(charset))


def codes(read: ParsedMail) -> list[str]:
    return [one.code for one in read.defects]


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"Subject: plain", "plain"),
        (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b'Subject: "=?utf-8?q?Gr=C3=BC=C3=9Fe?="', '"Grüße"'),
        (b"Subject: =?iso-8859-1?Q?Gr=FC=DFe?==?iso-8859-1?Q?_aus?=", "Grüße aus"),
        (b"Subject: =?utf-8?b?R3LDvA==?=\r\n =?utf-8?b?w59l?=", "Grüße"),
        (b"Subject: =?utf-8?b?R3LD?= =?utf-8?b?vMOfZQ==?=", "Grüße"),  # a character split between two words
        (b"Subject: =?utf-8?q?with raw blanks?= and text", "with raw blanks and text"),
        (b"Subject: =?utf-8?q?no end", "no end"),
        (b"Subject: =?iso-8859-1?q?raw_\xfc_in_it?=", "raw ü in it"),
        (b"Subject: Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        (b"Subject: Gr\xfc\xdfe aus M\xfcnchen", "Grüße aus München"),
        (b"Subject: \xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0", "Привет, как дела"),
        (b"Subject: \xc4\xe3\xba\xc3\xca\xc0\xbd\xe7\xd5\xe2\xca\xc7", "你好世界这是"),
        (b"Subject: =?x-unknown?q?abc?=", "abc"),
        (b"Subject : blank before the colon", "blank before the colon"),
        (b"Subject: folded\r\n\tby a tab", "folded by a tab"),
        (b"Subject: a\x00b\x1bc", "a b c"),
        (b"Subject: \x1b$B$3$s$K$A$O\x1b(B", "こんにちは"),  # not encoded after all
    ],
)
def test_subjects(raw: bytes, subject: str) -> None:
    assert parse(raw + b"\r\n\r\nbody").subject == subject


@pytest.mark.parametrize(
    ("text", "parties"),
    [
        ("ann@example.net", [("", "ann@example.net")]),
        ("Ann <ann@example.net>", [("Ann", "ann@example.net")]),
        ("<ann@example.net> (Ann)", [("Ann", "ann@example.net")]),
        ("ann@example.net (Ann (of Example))", [("Ann (of Example)", "ann@example.net")]),
        ('"Example, Ann" <ann@example.net>, bob@example.net', [("Example, Ann", "ann@example.net"), ("", "bob@example.net")]),
        ("Example, Ann <ann@example.net>", [("Example, Ann", "ann@example.net")]),  # no quotes around the comma
        ("a@example.net; b@example.net", [("", "a@example.net"), ("", "b@example.net")]),  # Outlook's way
        ("team: a@example.net, b@example.net;, c@example.net", [("", f"{one}@example.net") for one in "abc"]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?Ann=2C_B=3A?= <ann@example.net>", [("Ann, B:", "ann@example.net")]),
        ("=?utf-8?q?Ann_(:)?= <ann@example.net>", [("Ann (:)", "ann@example.net")]),
        ("'ann@example.net' <ann@example.net>", [("", "ann@example.net")]),
        ("Ann ann@example.net", [("Ann", "ann@example.net")]),
        ("ann", [("", "ann")]),
        ("<@relay.example:ann@example.net>", [("", "ann@example.net")]),
        ("Ann <mailto:ann@example.net>", [("Ann", "ann@example.net")]),
        ("=?utf-8?q?ann=40evil.example?=@example.net", [("", "=?utf-8?q?ann=40evil.example?=@example.net")]),  # never decoded
        ("A\u202enn <ann@example.net>", [("Ann", "ann@example.net")]),
        ("Ann <ann@example.net", [("Ann", "ann@example.net")]),
        ("Ann <<ann@example.net>>", [("Ann", "ann@example.net")]),
        ("", []),
    ],
)
def test_parties(text: str, parties: list[tuple[str, str]]) -> None:
    assert [(one.name, one.address) for one in mail(f"To: {text}").to] == parties


def test_a_party_says_whether_mail_can_be_sent_there() -> None:
    assert Party("", "ann@example.net").strict is not None
    assert Party("", "ann@ex ample.net").strict is None
    assert Party("", "ann").strict is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 26 Nov 2026 10:00:00 +0100", datetime(2026, 11, 26, 9, tzinfo=UTC)),
        ("26 Nov 26 10:00 GMT", datetime(2026, 11, 26, 10, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10:00:00 -0000 (UTC)", datetime(2026, 11, 26, 10, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10:00:00 +01:00", datetime(2026, 11, 26, 9, tzinfo=UTC)),
        ("2026-11-26T10:00:00+01:00", datetime(2026, 11, 26, 9, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10.00.00 +0000", datetime(2026, 11, 26, 10, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10:00:00 +9999", datetime(2026, 11, 26, 10, tzinfo=UTC)),
        ("Thu, 99 Nov 2026 10:00:00 +0000", None),
        ("Thu, 26 Nov 2026 10:00:00 GMT+01:00", datetime(2026, 11, 26, 9, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10:00:00 CET", datetime(2026, 11, 26, 9, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10:00:00 EST", datetime(2026, 11, 26, 15, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 10:00:00 XYZ", datetime(2026, 11, 26, 10, tzinfo=UTC)),
        ("Thu, 26 Nov 2026 2:05:33 PM +0100", datetime(2026, 11, 26, 13, 5, 33, tzinfo=UTC)),
        ("26 Nov 2026 12:30 AM GMT", datetime(2026, 11, 26, 0, 30, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_dates(text: str, moment: datetime | None) -> None:
    assert mail(f"Date: {text}").date == moment


def test_ids_lose_their_brackets_and_what_folded_them() -> None:
    read = mail(
        "Message-ID: <a@example.net>\nIn-Reply-To: <b@\n example.net>\nReferences: <b@example.net>,<c@example.net> d@example.net"
    )

    assert (read.message_id, read.in_reply_to) == ("a@example.net", ("b@example.net",))
    assert read.references == ("b@example.net", "c@example.net")


def test_of_many_references_the_first_and_the_newest_stay() -> None:
    ids = " ".join(f"<{number}@example.net>" for number in range(100))

    read = parse(f"References: {ids}\n\n".encode(), ReadingLimits(references=3))

    assert read.references == ("0@example.net", "98@example.net", "99@example.net")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('Content-Disposition: attachment; filename="a b.pdf"', "a b.pdf"),
        ("Content-Disposition: attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.csv", "größe.csv"),
        ("Content-Disposition: attachment; filename*0*=utf-8''gr%C3%B6; filename*1*=%C3%9Fe; filename*2=.csv", "größe.csv"),
        ("Content-Disposition: attachment; filename*1=b.csv; filename*0=a", "ab.csv"),
        ("Content-Disposition: attachment; filename==?utf-8?q?gr=C3=B6=C3=9Fe.csv?=", "größe.csv"),
        ('Content-Disposition: attachment; filename="=?utf-8?q?gr=C3=B6=C3=9Fe.csv?="', "größe.csv"),
        ('Content-Disposition: attachment; filename="größe.csv"', "größe.csv"),
        ('Content-Disposition: attachment; filename="C:\\docs\\a.pdf"', "a.pdf"),
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "passwd"),
        ('Content-Disposition: attachment; filename="exe\u202efdp.a"', "exefdp.a"),
        ("Content-Disposition: attachment; filename=no quotes.pdf; size=3", "no quotes.pdf"),
        ('Content-Type: application/pdf; name="a.pdf"', "a.pdf"),
        ('Content-Type: application/pdf name="a.pdf"', "a.pdf"),
        ('Content-Disposition: attachment; filename="=?utf-8?b?YQpiLnBkZg==?="', "a b.pdf"),
        ("Content-Disposition: attachment", None),
    ],
)
def test_file_names(header: str, name: str | None) -> None:
    kind = "" if "Content-Type" in header else "Content-Type: application/pdf\n"

    (file,) = mail(f"{kind}{header}").attachments

    assert file.filename == name


ALTERNATIVE = """
--b
Content-Type: text/plain

plain
--b
Content-Type: multipart/related; boundary=c

--c
Content-Type: text/html

<p>html <img src="cid:i1"></p>
--c
Content-Type: image/png
Content-ID: <i1>
Content-Disposition: inline; filename=i.png

\x89PNG
--c--
--b--
"""


def test_alternatives_and_related_parts() -> None:
    read = mail("Content-Type: multipart/alternative; boundary=b", ALTERNATIVE)

    assert ((read.text or "").strip(), (read.html or "")[:7]) == ("plain", "<p>html")
    assert [(one.path, one.filename, one.content_id) for one in read.attachments] == [("2.2", "i.png", "i1")]
    assert (read.tier, codes(read)) == (Tier.FULL, [])


def test_a_text_with_a_file_name_is_read_where_nothing_else_is() -> None:
    named = "--b\nContent-Disposition: inline; filename=note.txt\n\nfrom the file\n"

    alone = mail("Content-Type: multipart/mixed; boundary=b", f"{named}--b--")
    beside = mail("Content-Type: multipart/mixed; boundary=b", f"--b\n\nwords\n{named}--b--")

    assert (alone.text, alone.attachments) == ("from the file", ())
    assert (beside.text, [one.filename for one in beside.attachments]) == ("words", ["note.txt"])


def test_what_only_one_vendor_shows_is_no_file() -> None:
    body = "--b\n\nplain\n--b\nContent-Type: text/x-amp-html\n\n<html amp4email>\n--b--"

    assert mail("Content-Type: multipart/alternative; boundary=b", body).attachments == ()


def test_text_that_stands_alone_among_related_parts_is_read() -> None:
    body = "--b\nContent-Type: image/png\n\nx\n--b\nContent-Type: text/plain\n\nread me\n--b--"

    read = mail("Content-Type: multipart/related; boundary=b", body)

    assert read.text == "read me"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ('Content-Type: multipart/mixed; boundary="b"', "--b\n\nseen\n--b--"),
        ("Content-Type: multipart/mixed; boundary=b", "--b\n\nseen"),  # never closed
        ("Content-Type: multipart/mixed; boundary=b", "--b  \n\nseen\n--b--  \nepilogue"),
        ("Content-Type: multipart/mixed", "--other\nContent-Type: text/plain\n\nseen\n--other--"),  # no boundary given
        ("Content-Type: multipart/mixed; boundary=x", "--other\nContent-Type: text/plain\n\nseen\n--other--"),  # a wrong one
        ("Content-Type: multipart/*; boundary=b", "--b\n\nseen\n--b--"),
        ("Content-Type: multipart/mixed; boundary=b", "seen"),  # not divided at all
        ("Content-Type: text", "seen"),
        ("Content-Type: text/plain; charset=x-no-such", "seen"),
        ("", "seen"),
        ("\n\nX-A: 1", "seen"),  # an empty line first
        ("From ann Thu Nov 26 10:00:00 2026\nX-A: 1", "seen"),  # a line of an mbox
        ("X-A: 1\nnot a field\nSubject: x", "seen"),
        ("X-A: 1\nseen", ""),  # no empty line before the body
    ],
)
def test_broken_structure_is_read_all_the_same(header: str, body: str) -> None:
    read = mail(header, body)

    assert (read.text or "").strip() == "seen"


def test_a_field_that_was_folded_without_a_blank_is_whole() -> None:
    read = mail("X-Long: one\ntwo three\nFrom: ann@example.net")

    assert (read.value("x-long"), read.senders[0].address) == ("one two three", "ann@example.net")
    assert codes(read) == ["stray-line"]


def test_old_line_ends() -> None:
    old = b"From: ann@example.net\rSubject: x\r\rbody\r"

    assert parse(old).subject == "x"
    assert parse(b"Received: from a\r\n" + old).text == "body\n"


def test_line_ends_with_one_cr_too_many() -> None:
    read = parse(b"From: ann@example.net\r\r\nSubject: a\r\r\n\r\r\none\r\r\ntwo\r\r\n")

    assert (read.subject, (read.text or "").split("\n")) == ("a", ["one", "two", ""])


def test_an_attached_mail_is_opened() -> None:
    inner = "From: bob@example.net\nSubject: inner\n\ninner body"
    body = f"--b\n\nouter\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b--"

    read = mail("Content-Type: multipart/mixed; boundary=b", body)

    (attached,) = read.nested()
    assert (read.text, attached.subject, attached.text) == ("outer", "inner", "inner body")


def test_an_encoded_attached_mail_is_opened_too() -> None:
    inner = base64.b64encode(b"Subject: inner\r\n\r\ninner body").decode()

    read = mail("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", inner)

    assert [one.subject for one in read.nested()] == ["inner"]


def test_mails_within_mails_end_somewhere() -> None:
    read = parse(b"Content-Type: message/rfc822\r\n\r\n" * 10 + b"x")

    assert len(list(read.nested())) == ReadingLimits().nested_mails
    assert any("mail-not-opened" in codes(one) for one in (read, *read.nested()))


def test_a_report_is_for_machines() -> None:
    body = "--b\n\nfor people\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n--b--"

    read = mail("Content-Type: multipart/report; boundary=b", body)

    assert (read.text, [one.text for one in read.reports]) == ("for people", ["Reporting-MTA: dns; mx.example.net"])
    assert read.attachments == ()


def test_files_in_the_text_become_attachments() -> None:
    read = mail("Subject: x", "before\nbegin 644 a.txt\n#86)C\n`\nend\nafter\n")

    assert read.text == "before\nafter\n"
    assert [(one.filename, one.content, one.origin) for one in read.attachments] == [("a.txt", b"abc", "uuencode")]


def test_a_name_that_turns_is_set_right_and_told() -> None:
    read = mail('Content-Type: application/pdf; name="invoice\u202efdp.exe"', "x")

    assert [one.filename for one in read.attachments] == ["invoicefdp.exe"]
    assert codes(read) == ["name-turned"]


def test_prose_that_looks_like_the_beginning_of_a_file_stays() -> None:
    assert mail("Subject: x", "begin 644 times\nand more\nend\n").attachments == ()


@pytest.mark.parametrize("part", ["", "=ypart begin=1 end=256\r\n"], ids=["whole", "a part"])
def test_yencoded_files_become_attachments(part: str) -> None:
    content = bytes(range(256))
    shifted = bytes((one + 42) % 256 for one in content)
    written = b"".join(b"=" + bytes(((one + 64) % 256,)) if one in b"\0\n\r=" else bytes((one,)) for one in shifted)
    body = f"before\r\n=ybegin line=128 size=256 name=a.bin\r\n{part}".encode() + written[:130] + b"\r\n" + written[130:]

    read = parse(b"Content-Type: text/plain; charset=latin1\r\n\r\n" + body + b"\r\n=yend size=256\r\nafter\r\n")

    assert read.text == "before\nafter\n"
    assert [(one.filename, one.content, one.origin) for one in read.attachments] == [("a.bin", content, "yenc")]


@pytest.mark.parametrize("body", ["=ybegin line=128 size=3 name=a\nxyz\n", "=ybegin name=a\nxyz\n=yend size=3\n"])
def test_what_only_begins_as_a_yencoded_file_stays(body: str) -> None:
    read = mail("Subject: x", body)

    assert (read.text, read.attachments) == (body, ())


def test_winmail_dat_is_opened_and_kept() -> None:
    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("<BII", 2, kind, len(value)) + value + b"\0\0"

    body_within = attribute(0x2800C, b"words within\0")
    wrapped = (
        b"\x78\x9f\x3e\x22\0\0"
        + body_within
        + attribute(0x69002, b"")
        + attribute(0x18010, b"a.txt\0")
        + attribute(0x6800F, b"abc")
    )
    body = base64.b64encode(wrapped).decode()

    read = mail("Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64", body)

    assert [(one.filename, one.origin) for one in read.attachments] == [("winmail.dat", "mime"), ("a.txt", "tnef")]
    assert (read.attachments[1].content, read.text) == (b"abc", "words within")


def tlv(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content


SIGNED_DATA, DATA = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701")


@pytest.mark.parametrize("whole", [True, False], ids=["in one piece", "in pieces"])
def test_a_mail_within_an_opaque_signature_is_read_and_called_unverified(whole: bool) -> None:
    inner = b"Content-Type: text/plain\r\n\r\nsigned words"
    octets = tlv(0x04, inner) if whole else b"\x24\x80" + tlv(0x04, inner[:10]) + tlv(0x04, inner[10:]) + b"\0\0"
    der = tlv(0x30, SIGNED_DATA + tlv(0xA0, tlv(0x30, b"\x02\x01\x01" + tlv(0x31, b"") + tlv(0x30, DATA + tlv(0xA0, octets)))))
    body = base64.b64encode(der).decode()

    read = mail("Content-Type: application/pkcs7-mime; smime-type=signed-data\nContent-Transfer-Encoding: base64", body)

    assert (read.text, codes(read)) == ("signed words", ["signature-unverified"])


def test_an_encrypted_mail_stays_a_file() -> None:
    read = mail("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "x")

    assert [one.filename for one in read.attachments] == ["smime.p7m"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("one \ntwo\nthree", "one two\nthree"),
        ("> one \n> two\nthree", "> one two\nthree"),
        ("> one \n>> two", "> one \n>> two"),
        (" >not quoted", ">not quoted"),
        ("-- \nAnn", "-- \nAnn"),
    ],
)
def test_flowed_lines_are_joined(text: str, read: str) -> None:
    assert unflow(text) == read


@pytest.mark.parametrize(
    ("data", "label", "text", "charset"),
    [
        ("Grüße".encode(), "utf-8", "Grüße", "utf-8"),
        ("Grüße".encode(), "us-ascii", "Grüße", "utf-8"),
        ("“Grüße”".encode("cp1252"), "iso-8859-1", "“Grüße”", "cp1252"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße", "cp1252"),
        ("こんにちは".encode("cp932"), "x-sjis", "こんにちは", "cp932"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어", "cp949"),
        ("中文".encode("gb18030"), "GB2312", "中文", "gb18030"),
        ("привет".encode("koi8-r"), "koi8", "привет", "koi8-r"),
        (b"\x1b$B\x2d\x21\x1b(B", "iso-2022-jp", "①", "iso2022_jp_ext"),
        ("привет".encode("cp1251"), "", "привет", "cp1251"),
        ("Καλημέρα, ο εκτυπωτής".encode("cp1253"), "", "Καλημέρα, ο εκτυπωτής", "cp1253"),
        ("שלום, המדפסת לא עובדת".encode("cp1255"), "", "שלום, המדפסת לא עובדת", "cp1255"),
        ("مرحبا، الطابعة لا تعمل".encode("cp1256"), "", "مرحبا، الطابعة لا تعمل", "cp1256"),
        ("สวัสดีครับ เครื่องพิมพ์".encode("cp874"), "", "สวัสดีครับ เครื่องพิมพ์", "cp874"),
        ("Grüße aus Köln, Änne".encode() + b"\xc3", "utf-8", "Grüße aus Köln, Änne\ufffd", "utf-8"),
        ("очень длинное имя".encode()[:-1], "", "очень длинное им\ufffd", "utf-8"),
        ("こんにちは、世界".encode("euc_jp"), "", "こんにちは、世界", "euc_jp"),
        ("\ufeffabcü".encode("utf-16"), "", "abcü", "utf-16"),
    ],
)
def test_charsets(data: bytes, label: str, text: str, charset: str) -> None:
    found = decode(data, label)

    assert (found.text, found.charset) == (text, charset)


@pytest.mark.parametrize("label", ["unicode_escape", "zlib", "idna", "rot13", "mbcs", "undefined", "raw_unicode_escape"])
def test_codecs_that_are_no_charsets_are_never_asked(label: str) -> None:
    assert codec_of(label) == ""


def test_a_charset_that_html_declares_itself_is_a_hint() -> None:
    html = '<html><head><meta charset="iso-8859-2"></head><body>řšřš</body></html>'

    assert "řšřš" in (mail("Content-Type: text/html", html, charset="iso-8859-2").html or "")


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (ReadingLimits(fields=1), "too-many-fields"),
        (ReadingLimits(field_bytes=10), "field-too-long"),
        (ReadingLimits(header_bytes=40), "header-too-long"),
        (ReadingLimits(parts=1), "too-many-parts"),
        (ReadingLimits(depth=0), "too-deep"),
        (ReadingLimits(decoded_bytes=5), "too-much-content"),
        (ReadingLimits(text_bytes=5), "text-too-long"),
        (ReadingLimits(attachments=0), "too-many-attachments"),
    ],
)
def test_beyond_a_limit_a_mail_is_degraded_and_says_so(limits: ReadingLimits, code: str) -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\nX-A: 1234567890\r\n\r\n--b\r\n\r\nwords to read\r\n"
        b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--"
    )

    read = parse(raw, limits)

    assert code in codes(read)
    assert read.tier is Tier.DEGRADED


def test_a_mail_that_is_too_large_has_its_header() -> None:
    read = parse(b"From: ann@example.net\r\nSubject: big\r\n\r\n" + b"x" * 200, ReadingLimits(raw_bytes=100))

    assert (read.tier, read.subject, read.senders[0].address, read.text) == (Tier.MINIMAL, "big", "ann@example.net", None)
    assert codes(read) == ["too-large"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        (b"MZ\x90", "application/vnd.microsoft.portable-executable"),
        (b"<!DOCTYPE html><p>", "text/html"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"hello", ""),
    ],
)
def test_a_file_is_what_its_first_bytes_say(content: bytes, kind: str) -> None:
    body = base64.b64encode(content).decode()

    (file,) = mail("Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64", body).attachments

    assert (file.content_type.value, file.sniffed) == ("image/png", kind)


def test_base64_with_padding_and_rubbish_in_the_middle() -> None:
    (file,) = mail("Content-Type: image/png\nContent-Transfer-Encoding: base64", "YWI=\n!!\nY2Q=").attachments

    assert file.content == b"abcd"


def test_a_body_without_a_mail() -> None:
    assert body_alone("Grüße".encode(), html=False).text == "Grüße"
    assert body_alone(b"<p>x</p>", html=True).html == "<p>x</p>"
