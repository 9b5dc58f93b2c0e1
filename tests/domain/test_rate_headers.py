"""What providers say of their limits in headers, and how it is kept to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.outbound.account import AccountState, Block
from ticketmail.domain.outbound.allowance import UNHEARD_US, Allowance, Told, heard, left, let_through, taken_back
from ticketmail.domain.outbound.leases import Lease
from ticketmail.domain.outbound.rate_headers import MOST_S, allowance_of, retry_after_of
from ticketmail.domain.outbound.settling import settle_allowance

NOW_S = 1_800_000_000.0
NOW = 1_800_000_000_000_000
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        # SendGrid: the reset in seconds since 1970
        ({"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599", "X-RateLimit-Reset": "1800000030"}, (599, 30, 600)),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "1800000030500"}, (5, 30.5, None)),  # milliseconds
        # Resend: the reset in seconds from now, and a policy
        ({"ratelimit-limit": "5", "ratelimit-remaining": "4", "ratelimit-reset": "1", "ratelimit-policy": "5;w=1"}, (4, 1, 5)),
        (
            {"x-sib-ratelimit-limit": "100", "x-sib-ratelimit-remaining": "0", "x-sib-ratelimit-reset": "42"},
            (0, 42, 100),
        ),  # Brevo
        # MailerSend: by the minute, and by the day
        (
            {
                "x-ratelimit-limit": "120",
                "x-ratelimit-remaining": "119",
                "x-ratelimit-reset": "60",
                "x-apiquota-remaining": "3",
                "x-apiquota-reset": "2027-01-15T09:00:00Z",
            },
            (3, 3600, None),
        ),
        (
            {"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "7", "RateLimit-Reset": "12"},
            (7, 12, 100),
        ),  # drafts 00 to 03
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, (50, 5, 100)),  # drafts 04 to 07
        ({"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'}, (50, 30, 100)),  # from draft 08 on
        (
            {"RateLimit": '"burst";r=50;t=30, "day";r=9;t=7000', "RateLimit-Policy": '"burst";q=100;w=60,"day";q=1000;w=86400'},
            (9, 7000, 1000),
        ),
        ({"RateLimit": '"p";r=5', "RateLimit-Policy": '"p";q=10;w=60'}, (5, 60, 10)),  # t may be left out
        ({"RateLimit-Remaining": "7", "RateLimit-Policy": "10;w=60"}, (7, 60, None)),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "Fri, 15 Jan 2027 08:00:10 GMT"}, (5, 10, None)),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "1799999000"}, (5, 0, None)),  # over already
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "99999999"}, (5, MOST_S, None)),
    ],
)
def test_what_is_left_is_read(headers: dict[str, str], said: tuple[int, float, int | None]) -> None:
    assert allowance_of(headers, now_s=NOW_S) == Allowance(*said)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-RateLimit-Limit": "600"},
        {"X-RateLimit-Remaining": "5"},  # until when?
        {"X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "30"},
        {"X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "30"},
        {"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "soon"},
        {"RateLimit": "limit=100, reset=5"},
        {"RateLimit": '"default"'},
    ],
)
def test_what_does_not_say_is_as_if_it_were_not_there(headers: dict[str, str]) -> None:
    assert allowance_of(headers, now_s=NOW_S) is None


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:02:00 GMT"}, 120.0),
        ({"retry-after": "Friday, 15-Jan-27 08:02:00 GMT"}, 120.0),
        ({"retry-after": "Fri Jan 15 08:02:00 2027"}, 120.0),
        ({"retry-after": "2027-01-15T09:02:00+01:00"}, 120.0),
        ({"retry-after": "Fri, 15 Foo 2027 08:02:00 GMT"}, None),
        ({"Retry-After": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"Retry-After": "9999999999999999999"}, None),
        ({"Retry-After": "later"}, None),
        ({"Retry-After": "later", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}, 7.0),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "7"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back_is_read(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_of(headers, now_s=NOW_S) == wait_s


NAMES = st.sampled_from(
    ["RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Limit"]
)
VALUES = st.text(max_size=60) | st.text('0123456789;=,"rtqw. -:TZ', max_size=40) | st.integers(0, 10**20).map(str)


@given(st.dictionaries(NAMES, VALUES))
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    said, wait_s = allowance_of(headers, now_s=NOW_S), retry_after_of(headers, now_s=NOW_S)
    assert said is None or (said.remaining >= 0 and 0 <= said.reset_s <= MOST_S)
    assert wait_s is None or 0 <= wait_s <= MOST_S


# --- and kept to ------------------------------------------------------------------------------------------------------------


def told(said: Allowance, old: Told | None = None, *, in_flight: int = 5) -> Told:
    found = heard(old, said, now_us=NOW, in_flight=in_flight)
    assert found is not None
    return found


def test_at_the_first_answer_of_all_what_is_on_its_way_is_taken_to_be_gone() -> None:
    assert left(told(Allowance(20, 60.0, 100)), NOW) == 15
    assert left(told(Allowance(3, 60.0, 5)), NOW) == 0
    assert left(told(Allowance(3, 60.0)), NOW) == 3, "who knows whether there is more after the reset"


def test_a_worker_that_was_given_no_permit_has_nothing_on_its_way() -> None:
    lease = Lease(held=5, wanted=5, until_us=NOW + 60 * SECOND)
    idle = AccountState(leases={"w1": lease})
    sending = idle.model_copy(update={"blocks": {"w1": Block(issued_us=NOW, permits=1)}})

    assert left(settle_allowance(idle, Allowance(2, 60.0, 200), now_us=NOW).told, NOW) == 2
    assert left(settle_allowance(sending, Allowance(12, 60.0, 200), now_us=NOW).told, NOW) == 2


def test_what_was_let_through_since_is_gone_though_the_provider_has_not_counted_it_yet() -> None:
    state = let_through(told(Allowance(15, 60.0, 100)), 3, NOW)
    assert left(told(Allowance(9, 60.0, 100), state), NOW) == 7
    assert left(told(Allowance(4, 60.0, 100), state), NOW) == 4  # another client
    assert left(told(Allowance(99, 60.0, 100), state), NOW) == 94  # a window that began anew


def test_what_is_known_is_not_written_again() -> None:
    state = let_through(told(Allowance(15, 60.0, 100)), 3, NOW)
    assert heard(state, Allowance(9, 60.4, 100), now_us=NOW, in_flight=5) is state
    assert heard(state, Allowance(9, 0.0, 100), now_us=NOW, in_flight=5) is state


def test_after_the_reset_there_is_a_whole_allowance_or_nothing_is_known() -> None:
    after = NOW + 60 * SECOND
    state = told(Allowance(0, 60.0, 100))
    assert (left(state, NOW), left(state, after)) == (0, 100)
    assert left(told(Allowance(0, 60.0)), after) is None
    again = let_through(state, 30, after)
    assert (left(again, after), left(again, after + UNHEARD_US)) == (70, None), "a provider that says nothing any more"
    assert let_through(again, 1, after + UNHEARD_US) is None


def test_permits_that_come_back_may_go_again() -> None:
    state = let_through(told(Allowance(10, 60.0)), 3, NOW)
    assert left(taken_back(state, 2), NOW) == 9
    assert taken_back(None, 2) is None
