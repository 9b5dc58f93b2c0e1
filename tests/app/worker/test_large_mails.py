"""Mails with more recipients or bytes than a limit lets through at once go all the same, and what is over is waited for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from ticketmail import Message
from ticketmail.adapters.memory.deliveries import MemoryDeliveries
from ticketmail.domain.ports.delivering import ClaimedMail, Want
from ticketmail.testing.sandbox import memory

LINE = "x" * 69 + "\n"


def note(size_bytes: int) -> Message:
    text = LINE * (size_bytes // len(LINE))
    return Message(sender="desk@example.com", to="ann@example.net", subject="Logs", text=text)


@pytest.mark.parametrize("limit", ["30/min recipients", "9/min recipients"])
def test_a_mail_to_many_is_not_held_for_ever_by_a_limit_of_recipients(limit: str) -> None:
    everybody = [f"a{number}@example.net" for number in range(12)]
    with memory(accounts={"desk": {"url": "null://", "limits": [limit]}}) as tm:
        for _ in range(3):
            tm.mail.submit(Message(sender="desk@example.com", to=everybody, subject="Maintenance", text="Tonight."))
        tm.run_until_idle(600)
        assert len(tm.sent) == 36


@pytest.mark.parametrize("names", [["desk"], ["desk", "other"], ["desk", "other", "third"]])
def test_mails_without_room_are_looked_at_again_when_there_is_some_and_not_all_the_time(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[UUID] = []
    claim = MemoryDeliveries.claim

    async def counted(self: MemoryDeliveries, worker_id: UUID, wants: Sequence[Want]) -> Sequence[ClaimedMail]:
        mails = await claim(self, worker_id, wants)
        claimed.extend(mail.submission_id for mail in mails)
        return mails

    monkeypatch.setattr(MemoryDeliveries, "claim", counted)
    accounts = {name: {"url": "null://", "limits": ["100kB/10min"]} for name in names}
    with memory(accounts=accounts, routes={"*": [names]}) as tm:
        for number in range(3 * len(names)):
            tm.mail.submit(note(60_000), ticket=str(number))
        tm.run_until_idle(3600)
        assert len(tm.sent) == 3 * len(names)

    # Two mails for each wait for ten minutes, then one: each account looks each fifth second, not each time the worker polls.
    looks = len(names) ** 2 * (2 * 600 + 600) / 5
    assert len(claimed) < 1.1 * looks + 20


def test_a_small_mail_goes_before_a_large_one_that_waits_for_room() -> None:
    with memory(accounts={"desk": {"url": "null://", "limits": ["100kB/10min"]}}) as tm:
        for size_bytes in (60_000, 60_000, 1_000):
            tm.mail.submit(note(size_bytes), ticket=str(size_bytes + len(tm.deliveries)))
        start_us = tm.clock.now_us()
        tm.run_until_idle(3600)
        went = [arrived.at_us - start_us for arrived in tm.arrived]

    assert [at_us < 60_000_000 for at_us in sorted(went)] == [True, True, False]
