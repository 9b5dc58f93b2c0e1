"""Profiles: what a vendor says of its limits, as data with sources; and how settings, profile and defaults make an account's.

A profile that is applied because its host was recognised must slow nobody: it holds what is true for every customer of the
vendor. What differs by plan is left to settings and to learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.rule import Rule
from ticketmail.domain.outbound.windows import Window

#: The profile that holds nothing, for accounts whose host would be recognised.
NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, the page or report that says so, and when that was read (ISO date). ``value`` is a number, a size in bytes,
    or a window as settings write it."""

    value: int | str
    source: str
    read: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a vendor. None: nothing is known, or it differs by customer (``note`` may say how).

    ``hosts`` are those that the profile is taken for unasked: a name, or ``*`` for one label (``email-smtp.*.amazonaws.com``).
    ``rules`` classify replies that the general tables would misread; they come first.
    """

    name: str
    title: str
    hosts: tuple[str, ...] = ()
    windows: tuple[Figure, ...] = ()
    connections: Figure | None = None
    messages_per_connection: Figure | None = None
    max_recipients: Figure | None = None
    max_size_bytes: Figure | None = None
    rules: tuple[Rule, ...] = ()
    note: str = ""

    def knows(self, host: str) -> bool:
        """Whether ``host`` (lower case) is the vendor's."""
        labels = host.split(".")
        return any(_fits(pattern.split("."), labels) for pattern in self.hosts)


@dataclass(frozen=True, slots=True)
class Said:
    """What settings say of an account; None and () where they say nothing."""

    windows: tuple[Window, ...] = ()
    connections: int | None = None
    messages_per_connection: int | None = None
    max_recipients: int | None = None
    max_size_bytes: int | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Combined:
    """An account's limits, and where each figure came from: ``settings``, ``profile office365`` or ``default``, by the name of
    the field, windows by their text (``windows.30/min``)."""

    limits: AccountLimits
    sources: Mapping[str, str] = field(default_factory=dict)


def profile_of_host(host: str, profiles: Mapping[str, Profile]) -> Profile | None:
    """The profile whose vendor ``host`` is, None if nobody's."""
    return next((one for one in profiles.values() if host and one.knows(host.lower())), None)


def combine(said: Said, profile: Profile | None) -> Combined:
    """Settings win over the profile, field by field; a window wins over the profile's of the same unit and period."""
    sources: dict[str, str] = {}
    windows = [(window, "settings") for window in said.windows]
    told = {(window.unit, window.period_s) for window in said.windows if not window.per_tenant}
    for figure in profile.windows if profile is not None else ():
        window = Window.parse(str(figure.value))
        if (window.unit, window.period_s) not in told:
            windows.append((window, _named(profile)))
    sources |= {f"windows.{window}": source for window, source in windows}
    values: dict[str, int | None] = {}
    for name in ("connections", "messages_per_connection", "max_recipients", "max_size_bytes"):
        known: Figure | None = getattr(profile, name) if profile is not None else None
        values[name], sources[name] = _first(getattr(said, name), known, profile, name)
    limits = AccountLimits(tuple(window for window, _ in windows), share=said.share, **values)  # type: ignore[arg-type]
    return Combined(limits, sources)


def _first(said: int | None, figure: Figure | None, profile: Profile | None, name: str) -> tuple[int | None, str]:
    if said is not None:
        return said, "settings"
    if figure is not None:
        return int(figure.value), _named(profile)
    return _DEFAULTS[name], "default"


def _named(profile: Profile | None) -> str:
    return f"profile {profile.name}" if profile is not None else "default"


def _fits(pattern: list[str], labels: list[str]) -> bool:
    return len(pattern) == len(labels) and all(one in ("*", other) for one, other in zip(pattern, labels, strict=True))


_DEFAULTS: Final = {
    one.name: getattr(AccountLimits(), one.name)
    for one in fields(AccountLimits)
    if one.name in ("connections", "messages_per_connection", "max_recipients", "max_size_bytes")
}
