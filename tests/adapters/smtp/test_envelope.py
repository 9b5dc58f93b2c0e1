"""A mail fitted to what a server offers, and what is refused before a word is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.adapters.smtp.envelope import canonical, plan
from ticketmail.adapters.smtp.session import Offers, offers_of
from ticketmail.adapters.smtp.transaction import stuffed
from ticketmail.domain.outbound.outcome import Phase, Taken
from ticketmail.domain.ports.sending import GatewayOptions
from ticketmail.testing.gateway_contract import no_matter, outgoing

ALL = Offers(
    pipelining=True, eight_bit=True, smtputf8=True, dsn=True, size_limit_bytes=1000, names=("8BITMIME", "DSN", "SIZE", "SMTPUTF8")
)
NONE = Offers()
PLAIN = b"Subject: x\r\n\r\nplain\r\n"
EIGHT = "Subject: x\r\n\r\nGrüße\r\n".encode()


def test_to_a_server_that_offers_nothing_only_the_address_is_said() -> None:
    fitted = plan(outgoing("ann@example.net", mime=EIGHT), NONE, dsn=True)

    assert fitted.mail == b"MAIL FROM:<help@example.com>"
    assert fitted.recipients == ((0, b"RCPT TO:<ann@example.net>"),)


def test_to_a_server_that_offers_all_the_size_and_eight_bits_are_said() -> None:
    assert plan(outgoing(mime=PLAIN), ALL, dsn=False).mail == b"MAIL FROM:<help@example.com> SIZE=21"
    assert plan(outgoing(mime=EIGHT), ALL, dsn=False).mail == b"MAIL FROM:<help@example.com> SIZE=23 BODY=8BITMIME"


def test_dsn_asks_for_failures_and_delays_by_our_id() -> None:
    mail = outgoing(mime=PLAIN)

    fitted = plan(mail, ALL, dsn=True)

    assert fitted.mail.endswith(f" RET=HDRS ENVID={mail.submission_id.hex}".encode())
    assert fitted.recipients[0][1] == b"RCPT TO:<ann@example.net> NOTIFY=FAILURE,DELAY"


def test_the_null_sender_is_two_brackets() -> None:
    assert plan(outgoing(mime=PLAIN, return_path=""), NONE, dsn=False).mail == b"MAIL FROM:<>"


def test_too_large_a_mail_is_refused_for_all_without_a_word() -> None:
    fitted = plan(outgoing("a@b.c", "d@e.f", mime=PLAIN * 100), ALL, dsn=False)

    assert fitted.recipients == ()
    assert {(refused.reply.code, refused.reply.enhanced, refused.phase) for refused in fitted.refused.values()} == {
        (552, "5.3.4", Phase.MAIL)
    }
    assert set(fitted.refused) == {0, 1}
    assert "at most 1000" in fitted.refused[0].reply.text


def test_an_address_that_needs_smtputf8_is_refused_alone_where_it_is_not_offered() -> None:
    fitted = plan(outgoing("änn@example.net", "bob@example.net", mime=PLAIN), NONE, dsn=False)

    assert [index for index, _ in fitted.recipients] == [1]
    assert (fitted.refused[0].reply.code, fitted.refused[0].reply.enhanced, fitted.refused[0].phase) == (550, "5.6.7", Phase.RCPT)


def test_where_smtputf8_is_offered_it_is_asked_for_only_when_needed() -> None:
    needing = plan(outgoing("änn@exämple.net", mime=PLAIN), ALL, dsn=False)
    ascii_only = plan(outgoing("ann@exämple.net", mime=PLAIN), ALL, dsn=False)
    header = plan(outgoing(mime="To: änn@example.net\r\n\r\nx\r\n".encode()), ALL, dsn=False)

    assert needing.mail.endswith(b" BODY=8BITMIME SMTPUTF8")
    assert needing.recipients[0][1] == "RCPT TO:<änn@exämple.net>".encode()
    assert b"SMTPUTF8" not in ascii_only.mail
    assert ascii_only.recipients[0][1] == b"RCPT TO:<ann@xn--exmple-cua.net>"
    assert header.mail.endswith(b"SMTPUTF8")


def test_a_return_path_that_needs_smtputf8_stops_all_where_it_is_not_offered() -> None:
    fitted = plan(outgoing("a@b.c", mime=PLAIN, return_path="hälp@example.com"), NONE, dsn=False)

    assert (fitted.refused[0].reply.enhanced, fitted.refused[0].phase) == ("5.6.7", Phase.MAIL)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.c>\r\nRCPT TO:<x@y.z",
        "a@b.c\r\nDATA",
        "a\0@b.c",
        "a b@c.d",
        "a@b c",
        "<a@b.c>",
        "a@b.c> SIZE=1",
        "@b.c",
        "a",
        "a\ud800@b.c",
        "a@b\ud800.c",
        "",
    ],
)
def test_an_address_never_says_more_than_an_address(address: str) -> None:
    fitted = plan(outgoing(address, "bob@example.net", mime=PLAIN), ALL, dsn=False)

    assert fitted.refused[0].reply.code == 553
    assert fitted.recipients == ((1, b"RCPT TO:<bob@example.net>"),)
    if address:
        assert plan(outgoing(mime=PLAIN, return_path=address), ALL, dsn=False).refused[0].reply.enhanced == "5.1.7"


def test_a_blank_in_a_quoted_local_part_is_lawful() -> None:
    assert plan(outgoing('"a b"@c.d', mime=PLAIN), NONE, dsn=False).recipients == ((0, b'RCPT TO:<"a b"@c.d>'),)


@given(st.text(max_size=30))
def test_no_text_makes_a_second_command(address: str) -> None:
    fitted = plan(outgoing(address, mime=PLAIN, return_path=address), ALL, dsn=True)

    for line in (fitted.mail, *(line for _, line in fitted.recipients)):
        assert not set(line) & set(range(32))
        assert line.count(b"<") == line.count(b">") == 1


@given(st.binary(max_size=200) | st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a"])).map(b"".join))
def test_a_body_has_crlf_ends_only_and_comes_out_of_stuffing_as_it_went_in(mime: bytes) -> None:
    body = canonical(mime)

    assert body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r")
    assert body.endswith(b"\r\n")
    lines = (stuffed(body) + b".\r\n").split(b"\r\n")[:-1]
    assert lines.index(b".") == len(lines) - 1
    assert b"\r\n".join(line.removeprefix(b".") for line in lines[:-1]) + b"\r\n" == body


@pytest.mark.parametrize(("value", "limit"), [("1000", 1000), ("", 0), ("0", 0), ("many", 0), ("²", 0)])
def test_the_size_limit_is_read(value: str, limit: int) -> None:
    assert offers_of({"size": value}).size_limit_bytes == limit


async def test_the_kits_server_takes_what_was_fitted_for_it(server) -> None:  # type: ignore[no-untyped-def]
    from ticketmail.adapters.smtp import create

    gateway = create(f"smtp://127.0.0.1:{server.port}", GatewayOptions(dsn=True))

    outcomes = await gateway.send(outgoing("änn@exämple.net", "bob@example.net", mime=EIGHT), on_body=no_matter)
    await gateway.aclose()

    assert [type(outcome) for outcome in outcomes] == [Taken, Taken]
    assert "SMTPUTF8" in server.taken[0].parameters
    assert server.taken[0].recipient_parameters == ("NOTIFY=FAILURE,DELAY",) * 2
