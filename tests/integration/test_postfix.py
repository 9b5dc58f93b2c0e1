"""Through a real Postfix that limits and greylists: everything arrives once, nothing is a dead letter."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chaos.harness import Site, until
from ticketmail import DeliveryState, Message, Submission

pytestmark = pytest.mark.postfix

RATE_LIMITED = "4.7.1 Error: too much mail"


class PostfixSite(Site):
    """A site whose account is Postfix on loopback, where nobody logs in."""

    def __init__(self, directory: Path, url: str, **fields: Any) -> None:
        self.account_url = url
        super().__init__(directory, f"sqlite:///{directory}/spool.db", **fields)

    def write_settings(self) -> None:
        super().write_settings()
        text = self.settings.read_text().splitlines()
        lines = [f'url = "{self.account_url}"' if line.startswith('url = "smtp://') else line for line in text]
        self.settings.write_text("\n".join(lines) + "\n")


@pytest.mark.timeout(180)
def test_a_message_rate_limit_delays_and_dead_letters_nothing(postfix: str, arrived: str, tmp_path: Path) -> None:
    """20 messages in 2 s is Postfix's word; 70 are handed over at once. All arrive, each once."""
    with PostfixSite(tmp_path / "site", postfix) as site:
        marks = _hand_over(site, 70)
        site.workers[0].start()
        until(lambda: site.counts() == {DeliveryState.SENT: 70}, 120, "all are sent", every_s=0.25)
        assert site.workers[0].stop() == 0
        assert _replies_with(site, RATE_LIMITED) > 0, "the limit was never met, so this proves nothing"
        assert _attempts_spent_by_throttle(site) == 0
        _all_arrived_once(arrived, marks)


@pytest.mark.timeout(120)
def test_a_limit_in_the_settings_below_the_servers_is_never_refused(postfix: str, arrived: str, tmp_path: Path) -> None:
    """``limits`` holds the mail in the spool: the server never has to say no."""
    with PostfixSite(tmp_path / "site", postfix, connections='2\nlimits = ["5/s"]') as site:  # half of what the server bears
        time.sleep(2.5)  # what another test has spent of the server's window runs out
        marks = _hand_over(site, 40)
        began = time.monotonic()
        site.workers[0].start()
        until(lambda: site.counts() == {DeliveryState.SENT: 40}, 60, "all are sent", every_s=0.25)
        assert site.workers[0].stop() == 0
        assert time.monotonic() - began > 40 / 5 - 2, "faster than the limit allows"
        assert _replies_with(site, RATE_LIMITED) == 0
        _all_arrived_once(arrived, marks)


@pytest.mark.timeout(120)
def test_greylisting_delays_strangers_and_dead_letters_nothing(greylisting_postfix: str, arrived: str, tmp_path: Path) -> None:
    """Each recipient is sent away once, for three seconds."""
    with PostfixSite(tmp_path / "site", greylisting_postfix) as site:
        marks = _hand_over(site, 30)
        site.workers[0].start()
        until(lambda: site.counts() == {DeliveryState.SENT: 30}, 90, "all are sent", every_s=0.25)
        assert site.workers[0].stop() == 0
        assert _replies_with(site, "Greylisted") >= 30
        assert {row.cause for row in _attempts(site) if "Greylisted" in row.reply} == {"greylisted"}
        _all_arrived_once(arrived, marks)


@pytest.mark.timeout(60)
def test_doctor_finds_postfix_well(postfix: str, tmp_path: Path) -> None:
    with PostfixSite(tmp_path / "site", postfix) as site:
        code, said = site.command("doctor", "--json")
        assert code in (0, 1), said
        assert "desk" in said


def _hand_over(site: Site, count: int) -> list[str]:
    marks = [uuid.uuid4().hex for _ in range(count)]
    mails = [
        Submission(message=Message(sender="help@example.com", to=f"{mark}@example.net", subject=mark, text="Hello."), key=mark)
        for mark in marks
    ]
    with site.mail() as mail:
        receipts = mail.submit_many(mails)
    assert all(getattr(receipt, "submission_id", None) for receipt in receipts), receipts[:3]
    return marks


def _attempts(site: Site) -> list[Any]:
    views = site.views()
    with site.mail() as mail:
        return [row for view in views for row in mail.reading.history(view.submission_id) if row.kind == "attempt"]


def _replies_with(site: Site, words: str) -> int:
    return sum(words in row.reply for row in _attempts(site))


def _attempts_spent_by_throttle(site: Site) -> int:
    """Each was taken at its first attempt that counts: throttling spends none (invariant 5)."""
    return sum(view.attempts > 1 for view in site.views())


def _all_arrived_once(arrived: str, marks: list[str]) -> None:
    wanted = set(marks)
    found: Counter[str] = Counter()

    def look() -> bool:
        found.clear()
        found.update(mark for path in Path(arrived).iterdir() if (mark := _subject_in(path)) in wanted)
        return len(found) == len(wanted)

    until(look, 30, "Postfix has passed all on", every_s=0.5)
    assert set(found.values()) == {1}


def _subject_in(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("subject:")), "")
