"""Signatures checked where the mailbox wants it: from bytes that came in to the event, with a name server of our own."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from injector import Module, provider, singleton

from app.ingest.world import Host, letter
from signing import RSA_RECORD, name_server, sealed, signed
from ticketmail import TicketMail
from ticketmail.adapters.dkim import Checker
from ticketmail.adapters.dkim.checking import Checking
from ticketmail.adapters.dkim.lookup import Resolver
from ticketmail.app.cli import main
from ticketmail.domain.ports.receiving import SignatureCheck
from ticketmail.domain.received import Signature

RECORDS = {"s._domainkey.example.net": RSA_RECORD, "a._domainkey.list.example": RSA_RECORD}


class Counted:
    """A checker that asks one name server, without a process of its own; how often it was used is counted."""

    def __init__(self, nameserver: str) -> None:
        self.used = 0
        self._checking = Checking(Resolver([nameserver]))

    def __call__(self, raw: bytes, author: bytes) -> tuple[Signature, ...]:
        self.used += 1
        return tuple(self._checking.check(raw, author))

    def close(self) -> None:
        """Nothing is held."""


class Asking(Module):
    """Checks as it is told to."""

    def __init__(self, check: SignatureCheck) -> None:
        self._check = check

    @singleton
    @provider
    def check(self) -> SignatureCheck:
        return self._check


@pytest.fixture
def counted() -> Iterator[Counted]:
    with name_server(RECORDS) as where:
        yield Counted(where)


def test_an_aligned_signature_proves_its_author_and_another_one_does_not(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted), check_signatures=True)

    proven = host.gets(signed(letter()))
    strange = host.gets(sealed(letter(), "list.example", "dmarc=pass header.from=example.net"))
    unsigned = host.gets(letter())

    assert proven.author.authenticated == ("example.net",)
    assert [(one.method, one.result, one.domain) for one in proven.signatures] == [("dkim", "pass", "example.net")]
    assert proven.risks == ()
    assert [one.result for one in strange.signatures] == ["pass"]
    assert (strange.author.authenticated, strange.risks) == ((), ("sender-unproven",))
    assert (unsigned.signatures, unsigned.risks) == ((), ("sender-unproven",))
    host.mail.close()


def test_a_broken_signature_proves_nothing_and_calls_nobody_a_forger(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted), check_signatures=True)

    event = host.gets(signed(letter()).replace(b"Thanks", b"Thinks"))

    assert event.author.verdicts == ("dkim=fail",)
    assert event.risks == ("sender-unproven",)
    host.mail.close()


def test_seals_of_trusted_domains_prove_what_these_saw(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted), check_signatures=True, trusted_sealers=["List.example"])

    event = host.gets(sealed(letter(), "list.example", "dmarc=pass header.from=example.net"))

    assert event.author.authenticated == ("example.net",)
    assert event.risks == ()
    host.mail.close()


@pytest.mark.parametrize("said", ["dkim=fail header.d=example.net", "dmarc=fail header.from=example.net", "dkim=none"])
def test_where_a_trusted_server_spoke_of_signatures_nothing_is_checked(spool: str, counted: Counted, said: str) -> None:
    host = Host(spool, Asking(counted), check_signatures=True, trusted_servers=["mx.example.com"])

    event = host.gets(f"Authentication-Results: mx.example.com; {said}\r\n".encode() + signed(letter()))

    assert counted.used == 0
    assert event.author.authenticated == ()
    host.mail.close()


def test_a_server_that_looked_at_the_path_alone_leaves_the_signature_to_us(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted), check_signatures=True, trusted_servers=["mx.example.com"])

    event = host.gets(b"Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=a@b.example\r\n" + signed(letter()))

    assert set(event.author.authenticated) == {"b.example", "example.net"}
    assert event.risks == ()
    host.mail.close()


def test_it_is_off_until_a_mailbox_wants_it(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted))

    assert host.gets(signed(letter())).signatures == ()
    assert counted.used == 0
    host.mail.close()


def test_read_again_a_mail_keeps_what_was_found_when_it_came(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted), check_signatures=True)
    host.gets(signed(letter()))
    (view,) = host.mail.inbound.find()
    assert '"pass"' in view.signatures

    again = host.mail.inbound.interpret.one(view, host.mail.inbound.raw(view))
    unchecked = host.mail.inbound.interpret.one(dataclasses.replace(view, signatures=""), host.mail.inbound.raw(view))

    assert [one.result for one in again.reading.signatures] == ["pass"]
    assert unchecked.reading.signatures == ()  # it was settled without, so it stays without
    assert counted.used == 1
    host.mail.close()


def test_whoever_is_forgotten_leaves_no_signature(spool: str, counted: Counted) -> None:
    host = Host(spool, Asking(counted), check_signatures=True)
    host.gets(signed(letter()))

    host.mail.spool.operating.erase("ann@example.net", actor="ops", reason="asked")

    assert [view.signatures for view in host.mail.inbound.find()] == [""]
    host.mail.close()


def test_a_dns_that_gives_no_answer_loses_and_delays_no_mail(spool: str) -> None:
    with name_server(RECORDS, refusing=True) as where:
        host = Host(spool, Asking(Counted(where)), check_signatures=True)

        event = host.gets(signed(letter()))

        assert [one.result for one in event.signatures] == ["temperror"]
        assert (event.text, event.risks) == ("Thanks, it works.", ("sender-unproven",))
        host.mail.close()


def test_from_the_pipe_to_the_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = 'spool = "sqlite:///spool.db"\n[accounts.a]\nurl = "null://"\n[mailboxes.help]\ncheck_signatures = true\n'
    Path("ticketmail.toml").write_text(settings)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(signed(letter()).replace(b"\r\n", b"\n"))))

    assert main(["pipe", "help"]) == 0
    with name_server(RECORDS) as where, TicketMail(overrides=[Asking(Checker([where]))]) as mail:
        assert mail.inbound.settle().done == 1
        (view,) = mail.inbound.find()

    (found,) = json.loads(view.signatures)
    assert (found["result"], found["domain"], found["selector"]) == ("pass", "example.net", "s")


def test_inspect_shows_them_when_it_is_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mail = tmp_path / "a.eml"
    mail.write_bytes(signed(letter()))
    with name_server(RECORDS) as where:
        assert main(["inspect", "--check-signatures", "--dns", where, "--json", str(mail)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["inspect", "--check-signatures", "--dns", where, str(mail)]) == 0
        lines = capsys.readouterr().out
    assert main(["inspect", "--json", str(mail)]) == 0

    assert (told["author_proven"], [one["result"] for one in told["signatures"]]) == (True, ["pass"])
    assert "signature    dkim pass example.net" in lines
    assert "signatures" not in json.loads(capsys.readouterr().out)


# --- without the extra -------------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra were not installed."""
    for name in [name for name in sys.modules if name.startswith("ticketmail.adapters.dkim")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dkim", None)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(("command", "code"), [("worker", 2), ("doctor", 2)])
def test_worker_and_doctor_name_the_extra(
    command: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = 'spool = "sqlite:///spool.db"\n[accounts.a]\nurl = "null://"\n[mailboxes.help]\ncheck_signatures = true\n'
    Path("ticketmail.toml").write_text(settings)

    assert main([command]) == code
    said = "".join(capsys.readouterr())
    assert "check_signatures" in said
    assert "ticketmail[dkim]" in said


@pytest.mark.usefixtures("bare")
def test_mail_that_comes_all_the_same_is_told(spool: str) -> None:
    host = Host(spool, check_signatures=True)

    (one,) = host.gets(signed(letter())).signatures

    assert one.result == "temperror"
    assert "ticketmail[dkim]" in one.reason
    host.mail.close()
