"""What a host's own tests use."""

from __future__ import annotations

from ticketmail import Message
from ticketmail.testing import memory


def letter(to: str) -> Message:
    return Message(sender="help@example.com", to=to, subject="Your printer", text="On its way.")


def test_what_was_handed_over_is_sent_when_the_worker_has_run() -> None:
    with memory() as tm:
        tm.mail.submit(letter("ann@example.net"), ticket="1")
        assert tm.sent == []

        tm.run_until_idle()

        assert [view.recipient for view in tm.sent] == ["ann@example.net"]
        assert [event.kind for event in tm.events] == ["sent"]
        assert tm.events == []


def test_two_sandboxes_share_nothing() -> None:
    with memory() as one, memory() as other:
        one.mail.submit(letter("ann@example.net"))

        assert (len(one.deliveries), len(other.deliveries)) == (1, 0)


def test_a_refusal_is_a_fact_of_the_recipient() -> None:
    with memory(accounts={"sandbox": {"url": "null://?refuse=gone"}}) as tm:
        tm.mail.submit(letter("gone@example.net"))
        tm.run_until_idle()

        assert [view.state.value for view in tm.deliveries] == ["failed"]
