"""The checker with its process and a name server: it answers in time, whatever is asked of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from signing import RSA_RECORD, name_server, signed
from ticketmail.adapters.dkim import Checker
from ticketmail.adapters.dkim.checker import BURST_S, SHARE
from ticketmail.adapters.dkim.lookup import Away, Resolver

MAIL = b"From: Ann <ann@example.net>\r\nTo: help@example.com\r\nSubject: Printer\r\n\r\nIt works.\r\n"
AUTHOR = b" Ann <ann@example.net>\r\n"
RECORDS = {"s._domainkey.example.net": RSA_RECORD}


@pytest.fixture
def checker() -> Iterator[Checker]:
    with name_server(RECORDS) as where:
        made = Checker([where])
        yield made
        made.close()


def results(checker: Checker, mail: bytes) -> list[str]:
    return [one.result for one in checker(mail, AUTHOR)]


def test_it_asks_the_name_server_it_is_told_to(checker: Checker) -> None:
    assert results(checker, signed(MAIL)) == ["pass"]
    assert results(checker, signed(MAIL, selector="gone")) == ["permerror"]
    assert results(checker, signed(MAIL, domain="gone.example")) == ["permerror"]


def test_for_a_mail_without_signatures_nothing_is_started(checker: Checker) -> None:
    assert checker(MAIL, AUTHOR) == ()
    assert checker._child.process is None


def test_a_child_that_died_is_replaced(checker: Checker) -> None:
    assert results(checker, signed(MAIL)) == ["pass"]
    assert checker._child.process is not None
    os.kill(checker._child.process.pid, 9)
    checker._child.process.wait()

    assert results(checker, signed(MAIL)) == ["pass"]


def test_a_mail_that_takes_too_long_is_given_up() -> None:
    with name_server(RECORDS, silent=True) as where:
        checker = Checker([where], mail_s=1.0)

        assert results(checker, signed(MAIL)) == ["temperror"]
        assert checker._child.process is None
        checker.close()


def test_a_name_server_without_a_word_costs_so_much_time_and_later_none() -> None:
    now = iter([0.0, 0.0, BURST_S + 1, BURST_S + 2, BURST_S + 2, BURST_S + 3 + 2 / SHARE, BURST_S + 4 + 2 / SHARE])
    with name_server(RECORDS) as where:
        checker = Checker([where], clock=lambda: next(now))

        assert results(checker, signed(MAIL)) == ["pass"]  # it took more than is allowed, by this clock
        assert [one.reason for one in checker(signed(MAIL), AUTHOR)] == ["Checks took too long lately; there is a pause."]
        checker.close()


@pytest.mark.parametrize("fault", ["refusing", "silent"])
def test_a_name_server_that_is_ill_is_told_from_a_name_that_is_not_there(fault: str) -> None:
    with name_server(RECORDS, **{fault: True}) as where, pytest.raises(Away):
        Resolver([where])("s._domainkey.example.net.", 0.3)


def test_names_that_are_none_have_no_records() -> None:
    with name_server(RECORDS) as where:
        assert [Resolver([where])(name, 3.0) for name in ("a..b.", f"{'x' * 64}.example.", "gone.example.")] == [(), (), ()]
        assert Resolver([where])("s._domainkey.example.net.", 3.0) == (RSA_RECORD,)
