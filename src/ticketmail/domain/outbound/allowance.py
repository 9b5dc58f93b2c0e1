"""What a provider says it still takes of an account until when, and how that is kept to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

#: After a reset a full allowance is taken for granted this long (microseconds); then the provider has said so, or says nothing.
UNHEARD_US: Final = 5_000_000
#: A reset that moves by less is the same (microseconds).
_SAME_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """An observation of a gateway: the provider takes ``remaining`` more mails until ``reset_s`` seconds from now, and ``limit``
    (None: it does not say) from one reset to the next."""

    remaining: int
    reset_s: float
    limit: int | None = None


class Told(BaseModel):
    """The provider's word in force, less the mails that were let through since: ``remaining`` until ``reset_us``. ``limit`` 0:
    unknown. ``told_us``: when it said so; ``guessed``: its reset has passed, and it has said nothing since."""

    model_config = ConfigDict(frozen=True, extra="allow")

    remaining: int
    reset_us: int
    limit: int = 0
    told_us: int = 0
    guessed: bool = False


def heard(old: Told | None, said: Allowance, *, now_us: int, in_flight: int) -> Told | None:
    """After an answer. The same object where it says nothing new, so that nothing need be written. ``in_flight``: mails that may
    be on their way, at most: the provider has not counted these yet, and we have, but for the first answer of all."""
    if said.reset_s <= 0:
        return old
    reset_us = now_us + int(said.reset_s * 1e6)
    least = max(0, said.remaining - in_flight)
    known = left(old, now_us)
    if known is None:
        known = least if said.limit else said.remaining
    remaining = max(min(known, said.remaining), least)
    fresh = Told(remaining=remaining, reset_us=reset_us, limit=said.limit or 0, told_us=now_us)
    same = old is not None and not old.guessed and (old.remaining, old.limit) == (fresh.remaining, fresh.limit)
    return old if same and old is not None and abs(old.reset_us - reset_us) < _SAME_US else fresh


def left(told: Told | None, now_us: int) -> int | None:
    """How many mails the provider takes now; None: it has not said, or that is over."""
    if told is None:
        return None
    if now_us < told.reset_us:
        return told.remaining
    return told.limit if told.limit and not told.guessed else None


def let_through(told: Told | None, count: int, now_us: int) -> Told | None:
    """After ``count`` more mails were. None: its word is over."""
    rest = left(told, now_us)
    if told is None or rest is None:
        return None
    update: dict[str, object] = {"remaining": max(0, rest - count)}
    if now_us >= told.reset_us:
        update |= {"reset_us": now_us + UNHEARD_US, "guessed": True}
    return told.model_copy(update=update)


def taken_back(told: Told | None, count: int) -> Told | None:
    """After ``count`` permits came back unused."""
    return told and told.model_copy(update={"remaining": told.remaining + count})
