"""When to try again: schedules as people write them, ``30s, 1m, 5m*2, 1h``; the last step repeats until the deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ticketmail.domain.errors import SettingsError
from ticketmail.domain.units import format_duration, parse_duration

#: A wait is the step's +- this part, so that mail that failed together does not come back together.
JITTER: Final = 0.2
_MAX_STEPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Schedule:
    """Waits in seconds, one per spent attempt. A ``RetryPolicy``."""

    steps_s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.steps_s or len(self.steps_s) > _MAX_STEPS or min(self.steps_s) < 0:
            raise SettingsError("a schedule has 1 to 1000 waits.", remedy="Write 30s, 1m, 5m*2, 1h.")

    @classmethod
    def parse(cls, text: str | Sequence[str]) -> Schedule:
        """Read ``"30s, 1m, 5m*2, 1h"``, or its steps one by one.

        Raises:
            SettingsError: a step that is no duration, or none at all.
        """
        steps = text.split(",") if isinstance(text, str) else [step for part in text for step in part.split(",")]
        waits: list[float] = []
        for step in steps:
            wait, star, times = step.partition("*")
            count = times.strip() if star else "1"
            if not (count.isascii() and count.isdigit() and 1 <= int(count) <= _MAX_STEPS):
                raise SettingsError(f"{step.strip()[:40]!r} is not a step.", remedy="Write 30s, 1m, 5m*2, 1h.")
            waits += [parse_duration(wait.strip())] * int(count)
        return cls(tuple(waits))

    def delay_s(self, attempts: int, jitter: float) -> float:
        """Seconds to wait after ``attempts`` spent attempts (1 = after the first), +-20 % by ``jitter`` in [0, 1)."""
        step = self.steps_s[min(max(attempts, 1), len(self.steps_s)) - 1]
        return step * (1 - JITTER + 2 * JITTER * jitter)

    def __str__(self) -> str:
        return ", ".join(format_duration(step) for step in self.steps_s)


#: By class of cause. Causes name their class (``domain/outbound/causes.py``); settings replace a class or a single cause.
DEFAULTS: Final[Mapping[str, Schedule]] = {
    "transient": Schedule.parse("30s, 1m, 2m, 5m, 10m, 20m, 40m, 1h"),
    "greylist": Schedule.parse("5m, 10m, 20m, 1h"),
    "mailbox-full": Schedule.parse("1h, 4h"),
    "recipient-busy": Schedule.parse("15m"),
    "connection": Schedule.parse("10s, 30s, 1m, 5m, 15m"),
    "account": Schedule.parse("1m, 5m, 15m, 30m, 1h"),
    "domain": Schedule.parse("5m, 10m, 15m, 30m, 1h"),
    "split": Schedule.parse("0s, 30s, 5m, 1h"),
    "protocol": Schedule.parse("1m, 10m, 1h"),
}


def schedule_for(schedules: Mapping[str, Schedule], cause: str, kind: str) -> Schedule:
    """The schedule of a cause: its own, else its class's, else that of ``transient``; ``schedules`` over ``DEFAULTS``."""
    for name in (cause, kind, "transient"):
        found = schedules.get(name) or DEFAULTS.get(name)
        if found is not None:
            return found
    return DEFAULTS["transient"]  # pragma: no cover (DEFAULTS has it)
