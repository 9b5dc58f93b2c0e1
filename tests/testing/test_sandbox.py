"""What a host's own tests use."""

from __future__ import annotations

import time

import pytest

from ticketmail import Message
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.outcome import NotReached, Unclear
from ticketmail.domain.ports.reading import Pause
from ticketmail.domain.scope import Scope
from ticketmail.testing import Kill, memory

NAMES = ("ann", "bob", "cai", "dee")


def letter(to: str) -> Message:
    return Message(sender="help@example.com", to=to, subject="Your printer", text="On its way.")


def test_what_was_handed_over_is_sent_when_the_worker_has_run() -> None:
    with memory() as tm:
        tm.mail.submit(letter("ann@example.net"), ticket="1")
        assert tm.sent == []

        tm.run_until_idle()

        assert [view.recipient for view in tm.sent] == ["ann@example.net"]
        assert b"Subject: Your printer" in tm.arrived[0].mime
        assert [event.kind for event in tm.events] == ["sent"]
        assert tm.events == []


def test_two_sandboxes_share_nothing() -> None:
    with memory() as one, memory() as other:
        one.mail.submit(letter("ann@example.net"))

        assert (len(one.deliveries), len(other.deliveries)) == (1, 0)


def test_a_database_is_refused_for_it_lives_in_real_time() -> None:
    with pytest.raises(ValueError, match="in memory"), memory(spool="sqlite:///x.db"):
        pass


def test_nobody_is_mailed_whatever_the_account_says() -> None:
    with memory(accounts={"live": {"url": "smtp://127.0.0.1:1"}}) as tm:
        tm.mail.submit(letter("ann@example.net"))
        tm.run_until_idle()

        assert [(one.account, one.recipient) for one in tm.arrived] == [("live", "ann@example.net")]


def test_a_refusal_is_a_fact_of_the_recipient() -> None:
    with memory(accounts={"sandbox": {"url": "null://?refuse=gone"}}) as tm:
        tm.mail.submit(letter("gone@example.net"))
        tm.run_until_idle()

        assert [view.state.value for view in tm.deliveries] == ["failed"]


def test_a_refusal_for_now_comes_due_when_time_has_passed() -> None:
    with memory() as tm:
        tm.fail_next("451 4.3.0 Try again later")
        tm.mail.submit(letter("ann@example.net"))
        tm.run_until_idle()
        assert tm.sent == []

        tm.clock.advance(3600)
        tm.run_until_idle()

        assert [(view.recipient, view.attempts) for view in tm.sent] == [("ann@example.net", 2)]


def test_a_refusal_may_be_one_recipient_s() -> None:
    with memory() as tm:
        tm.fail_next("550 5.1.1 No such user", to="gone@example.net")
        for name in ("ann", "gone"):
            tm.mail.submit(letter(f"{name}@example.net"))
        tm.run_until_idle()

        assert {view.recipient: view.cause for view in tm.deliveries} == {
            "ann@example.net": "",
            "gone@example.net": "unknown-recipient",
        }


def test_a_line_that_refuses_nothing_is_not_taken_for_a_refusal() -> None:
    with memory() as tm, pytest.raises(ValueError, match="no refusal"):
        tm.fail_next("250 ok")


def test_an_outage_longer_than_a_deadline_ends_in_a_dead_letter() -> None:
    with memory() as tm:
        tm.fail_next(NotReached("connection refused"), times=1000)
        tm.mail.submit(letter("ann@example.net"), lane="code")
        tm.run_for(1000)

        assert [(view.state.value, view.cause) for view in tm.deliveries] == [("dead", "expired")]


def test_an_answer_that_was_lost_is_looked_into_and_the_copy_is_owned_up_to() -> None:
    with memory() as tm:
        tm.fail_next(Unclear("cut after the dot"), arrives=True)
        tm.mail.submit(letter("ann@example.net"))
        tm.run_for(7200)

        assert len(tm.arrived) == 2
        tm.check_books()


def test_two_hours_take_no_time() -> None:
    with memory() as tm:
        tm.fail_next(times=5)
        tm.mail.submit(letter("ann@example.net"))
        began_us, began_s = tm.clock.now_us(), time.process_time()
        tm.run_for(7200)

        assert tm.clock.now_us() - began_us >= 7200 * 1_000_000
        assert time.process_time() - began_s < 5  # by the work of a hundred waits; measured 0.05


def test_limits_pass_in_virtual_time() -> None:
    with memory(accounts={"slow": {"url": "null://", "limits": ["10/min"]}}) as tm:
        for number in range(30):
            tm.mail.submit(letter(f"u{number}@example.net"))
        began_s = tm.clock.monotonic_s()
        tm.run_until_idle()

        assert len(tm.sent) == 30
        assert tm.clock.monotonic_s() - began_s > 100


def test_mail_that_is_held_is_named() -> None:
    with memory() as tm:
        tm.mail.operating.pause(Pause(Scope.parse("all"), tm.clock.now_us(), None, "moving house", "ann"))
        tm.mail.submit(letter("ann@example.net"))

        with pytest.raises(TimeoutError, match=r"ann@example.net \(queued\)"):
            tm.run_until_idle(seconds=60)


def test_a_mail_that_waits_for_another_of_its_ticket_goes_in_its_order() -> None:
    with memory() as tm:
        tm.mail.submit(letter("ann@example.net"), ticket="1", key="first")
        tm.mail.submit(letter("ann@example.net"), ticket="1", key="second")
        tm.run_until_idle()

        assert [view.key for view in sorted(tm.sent, key=lambda view: view.ended_us or 0)] == ["first", "second"]


def killed(seed: int) -> tuple[Kill, list[tuple[str, str, int]], int]:
    """A worker killed with four mails at hand, and what is left two hours later."""
    with memory() as tm:
        for name in NAMES:
            tm.mail.submit(letter(f"{name}@example.net"), ticket=name, key=name)
        kill = tm.kill_anywhere(seed)
        tm.run_for(7200)

        tm.check_books()
        assert {view.state for view in tm.deliveries} == {DeliveryState.SENT}, kill
        assert len(tm.arrived) - len(NAMES) <= len(kill.in_flight), kill
        return kill, [(view.recipient, view.state.value, view.attempts) for view in tm.deliveries], len(tm.arrived)


@pytest.mark.parametrize("seed", range(40))
def test_wherever_a_worker_is_killed_the_books_balance(seed: int) -> None:
    killed(seed)


def test_kills_fall_all_over_the_code_and_in_mid_flight() -> None:
    kills = [killed(seed)[0] for seed in range(100, 140)]

    assert len({kill.where for kill in kills}) >= 8
    assert sum(bool(kill.in_flight) for kill in kills) >= len(kills) // 4
    assert any(not kill.in_flight for kill in kills)


def test_the_same_seed_kills_at_the_same_place_with_the_same_end() -> None:
    assert killed(7) == killed(7)
    assert killed(7)[0].step != killed(8)[0].step


def test_books_that_do_not_balance_are_told() -> None:
    with memory() as tm:
        tm.mail.submit(letter("ann@example.net"))
        tm.run_until_idle()
        tm.world.arrived *= 2

        with pytest.raises(AssertionError, match="arrived 2 times"):
            tm.check_books()

        tm.world.arrived.clear()
        with pytest.raises(AssertionError, match="said to be sent, but never arrived"):
            tm.check_books()


def test_mail_that_is_handed_in_becomes_an_event_and_no_real_mailbox_is_read() -> None:
    with memory(mailboxes={"help": {"url": "imaps://u:p@127.0.0.1:1", "addresses": ["help@example.com"]}}) as tm:
        sent = tm.mail.submit(Message(sender="help@example.com", to="ann@example.net", text="Hi."), ticket="4711")
        tm.run_until_idle()
        tm.mail.inbound.receive("help", f"From: ann@example.net\r\nIn-Reply-To: {sent.message_id}\r\n\r\nThanks.\r\n".encode())
        tm.run_for(5)
        received = [event for event in tm.events if event.kind == "received"]

    assert [(event.ticket, event.text) for event in received] == [("4711", "Thanks.")]
