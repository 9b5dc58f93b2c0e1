"""Mails with more recipients than a limit lets through at once go all the same, and what is over is waited for."""

from __future__ import annotations

import pytest

from ticketmail import Message
from ticketmail.testing.sandbox import memory


@pytest.mark.parametrize("limit", ["30/min recipients", "9/min recipients"])
def test_a_mail_to_many_is_not_held_for_ever_by_a_limit_of_recipients(limit: str) -> None:
    everybody = [f"a{number}@example.net" for number in range(12)]
    with memory(accounts={"desk": {"url": "null://", "limits": [limit]}}) as tm:
        for _ in range(3):
            tm.mail.submit(Message(sender="desk@example.com", to=everybody, subject="Maintenance", text="Tonight."))
        tm.run_until_idle(600)
        assert len(tm.sent) == 36
