"""No window ever lets more through than its limit, counted by when permits are used."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.windows import Window, WindowState, available, next_us, refund, spend

SECOND = 1_000_000
START = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("30/s", Window(30, 1)),
        ("10/min", Window(10, 60)),
        ("10 / minute", Window(10, 60)),
        ("500/h", Window(500, 3600)),
        ("10000/10min", Window(10_000, 600)),
        ("2000/day", Window(2000, 86_400)),
        ("2_000/day", Window(2000, 86_400)),
        ("2000/day rolling recipients", Window(2000, 86_400, "recipients")),
        ("2000/day recipients", Window(2000, 86_400, "recipients")),
        ("2000/day@Europe/Berlin", Window(2000, 86_400, zone="Europe/Berlin")),
        ("2000/day@UTC recipients", Window(2000, 86_400, "recipients", "UTC")),
        ("100000/month@UTC", Window(100_000, 2_592_000, zone="UTC")),
        ("150MiB/5min", Window(150 * 2**20, 300, "bytes")),
        ("1000000 / day bytes", Window(10**6, 86_400, "bytes")),
    ],
)
def test_a_limit_is_read(text: str, window: Window) -> None:
    assert Window.parse(text) == window


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "10/",
        "/min",
        "0/min",
        "-1/min",
        "10/fortnight",
        "10/min@Berlin/Europe",
        "10/day@../../etc/passwd",
        "1.5/min",
        "10/0min",
        "10/2day@UTC",
        "10/day@UTC rolling",
        "10/s@UTC",
        "10/min please",
        "many/min",
        "10 per min",
        "10/day@",
    ],
)
def test_what_is_no_limit_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(SettingsError, match=r"Write (10/min|one such as)"):
        Window.parse(text)


WINDOWS = st.builds(
    Window,
    limit=st.integers(1, 40),
    period_s=st.sampled_from([1.0, 10.0, 60.0, 300.0, 3600.0, 86_400.0]),
    zone=st.just(""),
)
#: (what, how long since the step before as a part of the period, how many, when in their life they are used)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take all", "take and give back", "wait until it may"]),
        st.floats(0, 0.6),
        st.integers(1, 12),
        st.floats(0, 1),
    ),
    max_size=40,
)


def uses(window: Window, steps: list[tuple[str, float, int, float]]) -> list[int]:
    """When permits were used, as a set of workers would that take, use late, and give back what they do not use."""
    state, now_us, used = WindowState(), START, []
    for what, gap, count, late in steps:
        now_us += int(gap * window.period_s * SECOND)
        if what == "wait until it may":
            now_us = next_us(window, state, now_us)
        free = available(window, state, now_us)
        taken = free if what == "take all" else min(count, free)
        if taken <= 0:
            continue
        before, state = state, spend(window, state, now_us, taken, "w")
        if what == "take and give back":
            back = max(1, taken // 2)
            state, taken = refund(state, now_us, back, "w"), taken - back
        used += [at_us + int(late * window.life_us) for at_us in turns(window, before, now_us, taken)]
    return sorted(used)


def turns(window: Window, before: WindowState, now_us: int, count: int) -> list[int]:
    """When each of ``count`` permits may be used, at the earliest."""
    if not window.paced:
        return [now_us] * count
    return [max(before.tat_us, now_us) + place * window.interval_us for place in range(count)]


@given(WINDOWS, STEPS)
def test_never_more_than_the_limit_in_any_window(window: Window, steps: list[tuple[str, float, int, float]]) -> None:
    used = uses(window, steps)
    period_us = int(window.period_s * SECOND)

    for first, at_us in enumerate(used):
        assert sum(at_us <= other <= at_us + period_us for other in used[first:]) <= window.limit


@given(WINDOWS, st.floats(0, 3))
def test_not_even_the_greediest_gets_more_than_the_limit(window: Window, idle: float) -> None:
    """First all at once, used as late as can be; then each as soon as it may go, used at once: the most that a span can hold."""
    state, now_us, period_us = WindowState(), START, int(window.period_s * SECOND)
    used: list[int] = []
    while now_us <= START + 2 * period_us:
        free = available(window, state, now_us)
        late_us = window.life_us if now_us == START else 0
        used += [at_us + late_us for at_us in turns(window, state, now_us, free)]
        state = spend(window, state, now_us, free, "w")
        now_us = max(next_us(window, state, now_us), now_us + 1)
        if idle and now_us > START + period_us:
            now_us, idle = now_us + int(idle * period_us), 0

    used.sort()
    for first, at_us in enumerate(used):
        assert sum(other <= at_us + period_us for other in used[first:]) <= window.limit


@given(WINDOWS)
def test_a_window_that_is_always_asked_gives_nearly_its_limit(window: Window) -> None:
    state, now_us, got = WindowState(), START, 0
    end_us = START + 10 * int(window.period_s * SECOND)
    while now_us < end_us:
        free = available(window, state, now_us)
        if free:
            state, got = spend(window, state, now_us, free, "w"), got + free
        now_us = max(next_us(window, state, now_us), now_us + 1)

    # A tenth is lost to permits that may be used late, a sixtieth to slots; of small limits the first period counts less.
    least = 0.95 if window.paced else 0.85
    assert got >= 10 * window.limit * least - window.burst - 1


@given(WINDOWS, STEPS)
def test_when_it_says_that_one_may_go_one_may_go_and_not_before(
    window: Window, steps: list[tuple[str, float, int, float]]
) -> None:
    state, now_us = WindowState(), START
    for _, gap, count, _ in steps:
        now_us += int(gap * window.period_s * SECOND)
        state = spend(window, state, now_us, count, "w")
        then_us = next_us(window, state, now_us)
        assert available(window, state, then_us) >= 1
        assert then_us == now_us or available(window, state, then_us - 1) == 0


@given(WINDOWS, st.integers(1, 10), st.integers(0, 12))
def test_what_is_given_back_at_once_is_as_if_never_taken(window: Window, count: int, back: int) -> None:
    taken = min(count, available(window, WindowState(), START))
    state = refund(spend(window, WindowState(), START, taken, "w"), START, min(back, taken), "w")

    assert available(window, state, START) == available(window, WindowState(), START) - taken + min(back, taken)


def test_an_older_grant_of_a_smooth_window_is_left_to_time() -> None:
    window = Window(30, 60)
    state = spend(window, WindowState(), START, 2, "a")
    later = spend(window, state, START + 1, 1, "b")

    assert refund(later, START, 2, "a") == later


def test_nobody_gives_back_more_than_was_counted() -> None:
    for window in (Window(30, 60), Window(30, 3600), Window(30, 86_400, zone="UTC")):
        state = refund(spend(window, WindowState(), START, 2, "a"), START, 99, "a")

        assert available(window, state, START) == available(window, WindowState(), START)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC", "Asia/Kathmandu"])
def test_a_calendar_day_ends_at_midnight_where_the_zone_says(zone: str) -> None:
    window = Window.parse(f"10/day@{zone}")
    midnight_us = int(datetime(2026, 11, 25, tzinfo=ZoneInfo(zone)).timestamp()) * SECOND
    state = spend(window, WindowState(), midnight_us - 10 * SECOND, 10, "w")

    assert next_us(window, state, midnight_us - 9 * SECOND) == midnight_us
    assert available(window, state, midnight_us) == 10


def test_no_permit_of_a_calendar_day_can_be_used_on_the_next() -> None:
    window = Window.parse("10/day@UTC")
    midnight_us = int(datetime(2026, 11, 25, tzinfo=UTC).timestamp()) * SECOND

    assert available(window, WindowState(), midnight_us - window.life_us) == 0
    assert available(window, WindowState(), midnight_us - window.life_us - 1) == 10


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_day_may_have_23_or_25_hours(day: tuple[int, int, int], hours: int) -> None:
    window = Window.parse("10/day@Europe/Berlin")
    begin_us = int(datetime(*day, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * SECOND
    state = spend(window, WindowState(), begin_us, 10, "w")

    assert next_us(window, state, begin_us) == begin_us + hours * 3600 * SECOND


def test_a_calendar_month_ends_with_the_month() -> None:
    window = Window.parse("10/month@UTC")
    state = spend(window, WindowState(), START, 10, "w")

    assert next_us(window, state, START) == int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND


def test_a_calendar_hour_begins_with_the_hour_even_where_zones_are_odd() -> None:
    window = Window.parse("10/h@Asia/Kathmandu")
    state = spend(window, WindowState(), START, 10, "w")

    assert next_us(window, state, START) == START + 900 * SECOND, "Kathmandu is 5 h 45 min ahead"


def test_a_part_of_a_long_window_is_kept_for_others() -> None:
    window = Window(100, 86_400)

    assert available(window, WindowState(), START, reserve=0.2) == 80
    full = spend(window, WindowState(), START, 80, "w")
    assert available(window, full, START, reserve=0.2) == 0
    assert next_us(window, full, START, reserve=0.2) > START + 86_400 * SECOND
    assert available(window, full, START) == 20


def test_our_share_is_at_least_one() -> None:
    assert Window(30, 60).shared(0.7).limit == 21
    assert Window(1, 60).shared(0.1).limit == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("30/s", "30/s"),
        ("9/h recipients", "9/h recipients"),
        ("2000/day@UTC", "2000/day@UTC"),
        ("7/10min", "7/10min"),
        ("5/month@UTC", "5/month@UTC"),
        ("1/90s", "1/90s"),
        ("9/2day", "9/2day"),
    ],
)
def test_a_limit_says_itself_to_people(text: str, shown: str) -> None:
    assert str(Window.parse(text)) == shown


def test_a_window_of_parts_of_a_second_says_itself_too() -> None:
    assert str(Window(3, 0.5)) == "3/0.5s"


@pytest.mark.parametrize(
    ("zone", "meant"), [("europe/berlin", "Europe/Berlin"), ("Europe/Berln", "Europe/Berlin"), ("Berlin", "Europe/Berlin")]
)
def test_a_zone_that_is_misspelt_is_asked_about(zone: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"Did you mean {meant}\\?"):
        Window.parse(f"2000/day@{zone}")


def test_a_zone_that_is_like_none_is_told_what_zones_look_like() -> None:
    with pytest.raises(SettingsError, match="Write one such as Europe/Berlin or UTC"):
        Window.parse("2000/day@qqqqqqqq")


@pytest.mark.parametrize("text", ["10/min messages recipients", "5MiB/min recipients"])
def test_a_limit_of_two_units_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a limit"):
        Window.parse(text)
