"""A provider that says in each answer what it still takes is never asked for more, and nothing is left over."""

from __future__ import annotations

import pytest

from ticketmail import Message, Submission
from ticketmail.app.usecases.report import Times, limits_view, surroundings
from ticketmail.app.wiring.facts import facts_of
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.outbound.outcome import Phase, Refused, Reply, Taken
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.sandbox import Sandbox, memory
from ticketmail.testing.world import Act


class Provider:
    """Takes ``limit`` mails in each ``window_s`` seconds, and says with each answer how many are left till when."""

    def __init__(self, clock: FakeClock, limit: int, window_s: int) -> None:
        self._clock, self._limit, self._window_s = clock, limit, window_s
        self.taken: dict[int, int] = {}
        self.refused = 0

    def __call__(self, account: str, recipient: str) -> Act:
        window, into_us = divmod(self._clock.now_us(), self._window_s * 1_000_000)
        left_s = self._window_s - into_us / 1e6
        count = self.taken.get(window, 0)
        if count >= self._limit:
            self.refused += 1
            said = Allowance(0, left_s, self._limit)
            return Act(Refused(Reply(450, "Too many requests", "4.7.1"), Phase.DOT, allowance=said), delay_s=0.1)
        self.taken[window] = count + 1
        return Act(Taken(allowance=Allowance(self._limit - count - 1, left_s, self._limit)), delay_s=0.1)


def _submission(number: int) -> Submission:
    message = Message(sender="desk@example.com", to=f"c{number}@example.net", subject="Your printer", text="On its way.")
    return Submission(message=message)


@pytest.mark.parametrize(("limit", "window_s"), [(20, 60), (5, 1)])
def test_all_that_the_provider_allows_is_used_and_hardly_a_mail_refused(limit: int, window_s: int) -> None:
    with memory(accounts={"desk": {"url": "null://"}}) as tm:
        provider = Provider(tm.clock, limit, window_s)
        desk = Sandbox(tm.mail, tm.clock, script=provider)
        tm.mail.submit_many([_submission(number) for number in range(6 * limit)])
        desk.run_until_idle(10 * window_s + 60)

        whole = list(provider.taken.values())[1:-1]
        assert sum(provider.taken.values()) == 6 * limit
        assert provider.refused <= 5, "what was on its way when the first answer came"
        assert sum(whole) >= 0.95 * limit * len(whole)


def test_people_see_what_the_provider_said_and_why_mail_waits() -> None:
    with memory(accounts={"desk": {"url": "null://"}}) as tm:
        desk = Sandbox(tm.mail, tm.clock, script=Provider(tm.clock, 10, 86_400))
        tm.mail.submit_many([_submission(number) for number in range(30)])
        with pytest.raises(TimeoutError):
            desk.run_until_idle(60)

        around = surroundings(tm.mail.reading, facts_of(tm.mail.settings))
        view = limits_view("desk", around, Times(around.now_us))
        (hold,) = view.holds
        assert view.told is not None
        assert (view.told.remaining, view.told.limit) == (0, 10)
        assert hold.until_us == view.told.reset_us
        assert "provider said" in hold.text
