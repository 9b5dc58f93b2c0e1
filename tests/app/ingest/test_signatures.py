"""A mailbox that checks signatures by itself, where no server of ours did."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from injector import Module, provider, singleton

sys.path.insert(0, str(Path(__file__).parent))

from adapters.dkim.signing import Names, sealed, signed
from conftest import Host, letter
from ticketmail import MissingExtra, TicketMail
from ticketmail.adapters.dkim import SignatureChecker
from ticketmail.app.usecases.ingest import Interpret
from ticketmail.domain.ports.receiving import SignatureCheck

KEY = "s1._domainkey.example.net."


class CheckedBy(Module):
    def __init__(self, names: Names) -> None:
        self._names = names

    @singleton
    @provider
    def check(self) -> SignatureCheck:
        return SignatureChecker(self._names)


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def host(spool: str, names: Names) -> Iterator[Host]:
    trusted = {"trusted_sealers": ["list.example.org"], "trusted_servers": ["mx.example.com"]}
    made = Host(spool, CheckedBy(names), check_signatures=True, **trusted)
    yield made
    made.mail.close()


def test_a_signed_mail_is_proven_and_says_by_what(host: Host) -> None:
    event = host.gets(signed(letter()))

    assert event.author.authenticated == ("example.net",)
    assert event.author.verdicts == ("dkim=pass",)
    assert [(one.domain, one.selector, one.result) for one in event.signatures] == [("example.net", "s1", "pass")]
    assert "sender-unproven" not in event.risks


@pytest.mark.parametrize("changed", [b"The other text", b""])
def test_a_mail_whose_signature_does_not_hold_is_unproven_never_forged(host: Host, changed: bytes) -> None:
    event = host.gets(signed(letter()).replace(b"Thanks, it works.", changed))

    assert event.author.authenticated == ()
    assert "sender-unproven" in event.risks
    assert "sender-forged" not in event.risks


def test_the_word_of_our_own_server_wins(host: Host, names: Names) -> None:
    said = b"Authentication-Results: mx.example.com; dmarc=fail header.from=example.net\r\n"

    event = host.gets(said + signed(letter()))

    assert event.author.authenticated == ()
    assert "sender-forged" in event.risks


def test_what_a_trusted_list_found_before_it_changed_the_mail_counts(host: Host) -> None:
    changed = signed(letter()).replace(b"Thanks, it works.", b"Thanks, it works.\r\n-- \r\nstaff list")

    event = host.gets(sealed(changed, "dkim=pass header.d=example.net; dmarc=pass header.from=example.net"))

    assert event.author.authenticated == ("example.net",)
    assert event.author.verdicts == ("dkim=fail", "arc=pass")


def test_a_mail_that_is_read_again_is_judged_by_the_keys_of_its_time(host: Host, names: Names) -> None:
    host.gets(signed(letter()))
    names.records[KEY] = None  # withdrawn meanwhile
    asked = len(names.asked)
    (view,) = host.mail.inbound.find()

    again = host.mail.inbound.interpret.one(view, host.mail.inbound.raw(view))

    assert again.proof.domains == ("example.net",)
    assert len(names.asked) == asked


def test_a_dns_that_is_away_keeps_no_mail_waiting(host: Host, names: Names) -> None:
    names.silent.add(KEY)

    event = host.gets(signed(letter()))

    assert [one.result for one in event.signatures] == ["temperror"]
    assert "sender-unproven" in event.risks


def test_nobody_is_asked_where_signatures_are_not_to_be_checked(spool: str, names: Names) -> None:
    host = Host(spool, CheckedBy(names))
    event = host.gets(signed(letter()))

    assert (event.signatures, names.asked) == ((), [])
    host.mail.close()


def test_without_the_extra_a_worker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ticketmail.adapters.dkim", "ticketmail.adapters.dkim.checking"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "dkim", None)
    box = {"help": {"check_signatures": True}}
    settings: dict[str, Any] = {"spool": "memory://", "accounts": {"a": "null://"}, "mailboxes": box}

    with TicketMail(settings=settings) as mail, pytest.raises(MissingExtra, match=r"ticketmail\[dkim\]"):
        mail.injector.get(Interpret).equipped()
