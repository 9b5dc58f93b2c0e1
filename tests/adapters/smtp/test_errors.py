"""Every foreign exception has a meaning, written down in one table."""

from __future__ import annotations

import socket
import ssl

import aiosmtplib
import pytest
from aiosmtplib import errors as foreign

from ticketmail.adapters.smtp.errors import TABLE, translate
from ticketmail.domain.outbound.outcome import NotReached, Phase, Refused


def test_every_error_of_aiosmtplib_is_in_the_table() -> None:
    known = {getattr(foreign, name) for name in foreign.__all__}

    assert known - {kind for kind, _ in TABLE} == set()


def test_no_entry_hides_a_later_more_special_one() -> None:
    for number, (kind, _) in enumerate(TABLE):
        assert not [later for later, _ in TABLE[number + 1 :] if issubclass(later, kind) and later is not kind]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiosmtplib.SMTPAuthenticationError(535, "5.7.8 wrong"), Refused),
        (aiosmtplib.SMTPConnectResponseError(421, "busy"), Refused),
        (aiosmtplib.SMTPHeloError(550, "no"), Refused),
        (aiosmtplib.SMTPResponseException(-1, "Malformed"), NotReached),
        (aiosmtplib.SMTPServerDisconnected("gone"), NotReached),
        (aiosmtplib.SMTPReadTimeoutError("late"), NotReached),
        (ConnectionRefusedError(111, "refused"), NotReached),
        (TimeoutError(), NotReached),
        (socket.gaierror(-2, "Name or service not known"), NotReached),
        (UnicodeError("label too long"), NotReached),
        (ValueError("prohibited"), NotReached),
        (RuntimeError("something new"), NotReached),
    ],
)
def test_a_foreign_error_becomes(error: Exception, expected: type) -> None:
    failure = translate(error, Phase.AUTH)

    assert isinstance(failure, expected)
    assert failure.phase is Phase.AUTH


@pytest.mark.parametrize("error", [ssl.SSLCertVerificationError("bad"), ssl.SSLError("handshake")])
def test_what_failed_in_tls_is_a_matter_of_trust_even_when_wrapped(error: Exception) -> None:
    wrapped = aiosmtplib.SMTPConnectError("Error connecting")
    wrapped.__cause__ = error

    for failure in (translate(error, Phase.TLS), translate(wrapped, Phase.BANNER)):
        assert isinstance(failure, NotReached)
        assert failure.tls


def test_the_lines_of_a_reply_are_joined_and_its_enhanced_code_is_read() -> None:
    failure = translate(aiosmtplib.SMTPAuthenticationError(535, "5.7.8 Username wrong\n5.7.8 https://help.example"), Phase.AUTH)

    assert isinstance(failure, Refused)
    assert str(failure.reply) == "535 5.7.8 Username wrong https://help.example"
