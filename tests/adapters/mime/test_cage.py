"""The process that reads mail: bounded, replaced, told no secrets; every mail is read with as much as it can bear."""

from __future__ import annotations

import os
import threading

import pytest

from ticketmail.adapters.mime.cage import Bounds, Cage
from ticketmail.adapters.mime.child import ChildDied
from ticketmail.domain.inbound.mail import Tier

MAIL = b"From: Ann <ann@example.net>\r\nSubject: hi\r\n\r\nhello\r\n"


@pytest.fixture
def cage() -> Cage:
    return Cage()


def test_a_mail_is_read_in_another_process_and_comes_back_whole(cage: Cage) -> None:
    content = b"MIME-Version: 1.0\r\nContent-Type: application/x; name=n\r\nContent-Transfer-Encoding: base64\r\n\r\nAP8AgA==\r\n"

    assert cage.read(MAIL).mail.subject == "hi"
    (part,) = cage.read(content).mail.attachments
    assert part.content == b"\x00\xff\x00\x80"
    cage.close()


def test_what_a_reader_is_told_holds_no_secret(monkeypatch: pytest.MonkeyPatch, cage: Cage) -> None:
    monkeypatch.setenv("TICKETMAIL_SPOOL", "postgresql://u:canary@h/d")
    cage.read(MAIL)
    assert cage._child.process is not None
    with open(f"/proc/{cage._child.process.pid}/environ", "rb") as file:
        assert b"canary" not in file.read()
    cage.close()


def test_a_reader_that_is_killed_is_replaced_and_the_mail_is_read(cage: Cage) -> None:
    cage.read(MAIL)
    assert cage._child.process is not None
    os.kill(cage._child.process.pid, 9)
    cage._child.process.wait()

    found = cage.read(MAIL)

    assert (found.mail.subject, found.mail.tier, found.error) == ("hi", Tier.FULL, "")
    cage.close()


@pytest.mark.parametrize("endings", [1, 2, 3])
def test_a_mail_that_ends_its_readers_is_read_with_less_each_time(
    monkeypatch: pytest.MonkeyPatch, cage: Cage, endings: int
) -> None:
    """As if it had ended the first readers; a real one is below."""
    tiers: list[Tier] = []
    ask = cage._ask

    def asked(raw: bytes, tier: Tier) -> object:
        tiers.append(tier)
        if len(tiers) <= endings:
            raise ChildDied("The reader was ended by signal 24.")
        return ask(raw, tier)

    monkeypatch.setattr(cage, "_ask", asked)

    found = cage.read(MAIL)

    assert found.mail.subject == "hi"
    assert found.mail.tier == (Tier.DEGRADED if endings == 1 else Tier.MINIMAL)
    assert bool(found.error) == (endings > 1)
    assert tiers == [Tier.FULL, Tier.DEGRADED, Tier.MINIMAL][: endings + 1]
    cage.close()


def test_a_reader_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    cage = Cage()
    cage.read(MAIL)
    assert cage._child.process is not None
    cage._bounds = Bounds(wall_s=0.5)
    os.kill(cage._child.process.pid, 19)  # SIGSTOP

    found = cage.read(MAIL)

    assert found.mail.subject == "hi"
    assert any("ended after" in one for one in found.evidence)
    cage.close()


def test_a_reader_that_takes_too_much_memory_or_time_is_ended_by_the_system() -> None:
    cage = Cage(Bounds(memory_bytes=1, cpu_s=30))
    found = cage.read(MAIL.replace(b"hello", b"x" * 30_000_000))
    assert found.mail.subject == "hi"
    assert found.mail.tier is not Tier.FULL
    cage.close()


def test_many_threads_share_one_reader(cage: Cage) -> None:
    found: list[str] = []

    def read(number: int) -> None:
        found.extend(cage.read(f"Subject: {number}\r\n\r\nx".encode()).mail.subject for _ in range(5))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == sorted(str(number) for number in range(4) for _ in range(5))
    cage.close()
