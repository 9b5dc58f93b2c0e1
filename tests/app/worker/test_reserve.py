"""A part of a day's quota is left to the lanes that ask for it."""

from __future__ import annotations

import pytest

from ticketmail import Message
from ticketmail.testing.sandbox import memory

ACCOUNTS = {"desk": {"url": "null://", "limits": ["10/day"]}}


def test_lower_lanes_leave_the_reserve_of_a_days_quota_to_the_lane_that_asks_for_it() -> None:
    with memory(accounts=ACCOUNTS, lanes={"reply": {"reserve": 0.3}}) as tm:
        message = Message(sender="desk@example.com", to="ann@example.net", subject="Your printer", text="On its way.")
        for _ in range(12):
            tm.mail.submit(message, lane="bulk")
        with pytest.raises(TimeoutError):  # the rest is held
            tm.run_until_idle(60)
        assert len(tm.sent) == 7

        for _ in range(5):
            tm.mail.submit(message, lane="reply")
        with pytest.raises(TimeoutError):
            tm.run_until_idle(60)
        assert [view.lane for view in tm.sent].count("reply") == 3
        assert len(tm.sent) == 10
