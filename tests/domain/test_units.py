"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.units import format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("5min", 300),
        ("2h", 7200),
        ("14d", 1_209_600),
        ("2w", 1_209_600),
        ("250ms", 0.25),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("90", 90),
        (90, 90),
        (0.5, 0.5),
        ("0s", 0),
        (" 2 H ", 7200),
    ],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "5 parsecs", "-5s", -1, "1e9", "nan", float("inf"), float("nan"), None, True, "5m x", [], "٣s"]
)
def test_what_is_no_duration_is_refused_with_a_remedy(text: object) -> None:
    with pytest.raises(SettingsError, match="Write 30s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("25MiB", 26_214_400),
        ("25MB", 25_000_000),
        ("64 KiB", 65_536),
        ("1GiB", 2**30),
        ("512", 512),
        (512, 512),
        ("10kb", 10_000),
        ("7B", 7),
    ],
)
def test_sizes_are_bytes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "25M", "MiB", "-1", -1, "1.2.3MB", None, True, float("nan"), "5 parsecs"])
def test_what_is_no_size_is_refused_with_a_remedy(text: object) -> None:
    with pytest.raises(SettingsError, match="Write 25MiB"):
        parse_size(text)


@given(st.integers(0, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]))
def test_a_number_with_a_unit_is_that_many_of_it(number: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{number}{unit[0]}") == number * unit[1]


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "0.2 s"), (45, "45 s"), (90, "1.5 min"), (7200, "2 h"), (259_200, "3 d")])
def test_durations_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
