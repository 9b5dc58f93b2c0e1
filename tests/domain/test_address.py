"""An address is exactly one mailbox, or it is refused; parsing and writing are each other's inverse."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.address import Address, ascii_domain, parse_address, parse_parts
from ticketmail.domain.errors import InvalidAddress

ATEXT = string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-"
ATOMS = st.text(ATEXT + "äßжλ中", min_size=1, max_size=12)
LOCALS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join).filter(lambda local: len(local.encode()) <= 64)
QUOTED = st.text(string.ascii_letters + ' @.<>()[],;:\\"', max_size=20)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=1, max_size=5).map(".".join).filter(lambda name: not name.rpartition(".")[2].isdigit())
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(' .,"\\<>@'), max_size=40).map(str.strip)


@pytest.mark.parametrize(
    ("text", "name", "local", "domain"),
    [
        ("ann@example.net", "", "ann", "example.net"),
        ("  ann@example.net\t", "", "ann", "example.net"),
        ("<ann@example.net>", "", "ann", "example.net"),
        ("Ann Example <ann@example.net>", "Ann Example", "ann", "example.net"),
        ("Ann   Example<ann@example.net>", "Ann Example", "ann", "example.net"),
        ("John Q. Public <john@example.net>", "John Q. Public", "john", "example.net"),
        ('"Doe, Jane" <jane@example.net>', "Doe, Jane", "jane", "example.net"),
        ('"a \\"b\\" \\\\c" <x@example.net>', 'a "b" \\c', "x", "example.net"),
        ('"Ann@home" <ann@example.net>', "Ann@home", "ann", "example.net"),
        ("Ann+tag@EXAMPLE.net", "", "Ann+tag", "example.net"),
        ('"john doe"@example.net', "", '"john doe"', "example.net"),
        ('"a@b"@example.net', "", '"a@b"', "example.net"),
        ('"john"@example.net', "", "john", "example.net"),
        ('"j\\ohn"@example.net', "", "john", "example.net"),
        ('""@example.net', "", '""', "example.net"),
        ("jürgen@bücher.de", "", "jürgen", "bücher.de"),
        ("Jürgen <j@BÜCHER.de>", "Jürgen", "j", "bücher.de"),
        ("x@xn--bcher-kva.de", "", "x", "xn--bcher-kva.de"),
        ("x@bu\u0308cher.de", "", "x", "bücher.de"),
        ("我買@屋企.香港", "", "我買", "屋企.香港"),
        ("root@localhost", "", "root", "localhost"),
        ("a@[192.0.2.1]", "", "a", "[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "", "a", "[ipv6:2001:db8::1]"),
        ("=?utf-8?q?J=C3=BCrgen?= <j@example.net>", "=?utf-8?q?J=C3=BCrgen?=", "j", "example.net"),
        ("a" * 64 + "@example.net", "", "a" * 64, "example.net"),
        ("x@" + "a" * 63 + ".de", "", "x", "a" * 63 + ".de"),
        ("x@3com.example", "", "x", "3com.example"),
    ],
)
def test_one_address_is_read(text: str, name: str, local: str, domain: str) -> None:
    assert parse_parts(text) == {"name": name, "local": local, "domain": domain}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ann",
        "@example.net",
        "ann@",
        "ann@.",
        "ann@example..net",
        "ann@example.net.",
        "ann@.example.net",
        ".ann@example.net",
        "ann.@example.net",
        "an..n@example.net",
        "an n@example.net",
        "ann@exam ple.net",
        "ann@-example.net",
        "ann@example-.net",
        "ann@exam_ple.net",
        "ann@example.net, bob@example.org",
        "ann@example.net bob@example.org",
        "ann@example.net;bob@example.org",
        "Ann <ann@example.net>, Bob <bob@example.org>",
        "Ann <ann@example.net> Bob",
        "Ann <ann@example.net",
        "ann@example.net>",
        "<>",
        ">",
        "<<ann@example.net>>",
        "alice@c)evil@a",
        "alice@example.org)bob@evil.example",
        "alice@example.org]<bob@evil.example>",
        "alice@example.org <bob@evil.example>",
        "alice(comment)@example.org",
        "Ann (Sales) <ann@example.net>",
        "Doe, Jane <jane@example.net>",
        "Friends: ann@example.net;",
        "@relay.example:ann@example.net",
        '"ann@example.net',
        '"Ann <ann@example.net>',
        '"ann"x@example.net',
        '"ann" @example.net',
        "a@b@c",
        "a@192.0.2.1",
        "a@[192.0.2.256]",
        "a@[192.0.2.1",
        "a@[IPv6:2001:db8::1%eth0]",
        "a@[IPv6:zz]",
        "a@[tag:1.2.3.4]",
        "ann@example.net\r\nBcc: bob@example.org",
        "ann\n@example.net",
        "ann\0@example.net",
        "ann@exam\0ple.net",
        "Ann\x1b[31m <ann@example.net>",
        "Ann\u202e <ann@example.net>",
        "ann\u200b@example.net",
        "ann\u00a0x@example.net",
        "ann@example\u3002net",
        "ann@ｅxample.net",
        "ann@exam\u2100ple.net",
        "ann@\ud800example.net",
        "a" * 65 + "@example.net",
        "ü" * 33 + "@example.net",
        "x@" + "a" * 64 + ".de",
        "x@" + "ü" * 60 + ".de",
        "x@" + ".".join(["a" * 60] * 5),
        "x" * 5000,
        '"' + "a" * 62 + 'b c"@example.net',
    ],
)
def test_anything_else_is_refused_by_name_of_its_field(text: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        parse_address(text, field="message.to[2]")

    assert caught.value.field == "message.to[2]"
    assert caught.value.remedy
    assert str(caught.value).isprintable(), "what is refused must not get into a log as it is"


def test_several_addresses_in_one_text_are_answered_with_a_list() -> None:
    with pytest.raises(InvalidAddress, match="as a list"):
        parse_address("ann@example.net, bob@example.org")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"local": "a b", "domain": "example.net"}, "local"),
        ({"local": "a\r\nb", "domain": "example.net"}, "local"),
        ({"local": "a", "domain": "example.net\r\nRCPT TO:<x>"}, "domain"),
        ({"local": "a", "domain": "b@c"}, "domain"),
        ({"name": "A\nB", "local": "a", "domain": "example.net"}, "name"),
        ({"name": "x" * 999, "local": "a", "domain": "example.net"}, "name"),
        ({"local": "", "domain": "example.net"}, "local"),
        ({"local": "a", "domain": ""}, "domain"),
    ],
)
def test_fields_given_one_by_one_pass_the_same_rules(fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Address(**fields)

    assert caught.value.field == field


@given(LOCALS, DOMAINS)
def test_an_addr_spec_is_read_as_it_was_written(local: str, domain: str) -> None:
    address = parse_address(f"{local}@{domain}")

    assert (address.local, address.domain) == (local, domain)
    assert parse_address(address.addr_spec) == address


@given(NAMES, LOCALS, DOMAINS)
def test_str_and_parse_are_inverse(name: str, local: str, domain: str) -> None:
    address = Address(name=name, local=local, domain=domain)

    assert parse_address(str(address)) == address


@given(QUOTED, DOMAINS)
def test_a_quoted_local_part_says_the_same_after_any_number_of_readings(content: str, domain: str) -> None:
    quoted = '"' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'
    address = parse_address(f"{quoted}@{domain}")

    assert parse_address(address.addr_spec) == address
    assert Address(local=address.local, domain=address.domain) == address


@given(st.text(max_size=200))
def test_any_text_is_either_one_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidAddress:
        return
    assert parse_address(address.addr_spec).key == address.key
    assert not set("\r\n\0") & set(str(address))


@given(st.text(st.sampled_from('ab@.<>"\\ ,()[]'), max_size=24))
def test_what_is_read_has_one_at_outside_of_quotes(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidAddress:
        return
    assert "@" not in address.domain
    assert address.local.startswith('"') or "@" not in address.local


NASTY = ['"' * 2000, "(" * 2000, "<" * 2000, "a." * 1000, '"\\' * 1000, "@" * 2000, " " * 2000 + "<@>", "a" * 10**6]


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_is_refused_in_a_moment(text: str) -> None:
    begin = time.process_time()
    for _ in range(20):
        with pytest.raises(InvalidAddress):
            parse_address(text)

    assert time.process_time() - begin < 2.0


def test_key_is_equal_for_spellings_of_one_mailbox() -> None:
    assert parse_address("Ann <Ann@Example.NET>").key == parse_address("ann@example.net").key


def test_ascii_domains_are_what_dns_and_ids_need() -> None:
    assert ascii_domain("bücher.de") == "xn--bcher-kva.de"
    assert ascii_domain("example.net") == "example.net"


def test_addresses_need_smtputf8_only_if_something_in_them_does() -> None:
    assert parse_address("Jürgen <j@example.net>").is_ascii
    assert not parse_address("jürgen@example.net").is_ascii
