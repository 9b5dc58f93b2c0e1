"""The limits that an HTTP provider says of itself, read from the headers of an answer. Pure.

Known are ``X-RateLimit-Limit/-Remaining/-Reset`` under the names that vendors give them, ``RateLimit`` and
``RateLimit-Policy`` of the IETF's drafts (draft-ietf-httpapi-ratelimit-headers, 00 to 10), and ``Retry-After`` (RFC 9110
section 10.2.3). A time is seconds from now, seconds or milliseconds since 1970, or a date. What cannot be read is as if it
were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from ticketmail.domain.outbound.allowance import Allowance

#: Nobody waits longer than this by a provider's word (seconds).
MOST_S: Final = 86_400.0
#: ``x-sib-``: Brevo; ``x-apiquota-``: MailerSend's daily quota.
_FAMILIES: Final = ("ratelimit-", "x-ratelimit-", "x-rate-limit-", "x-sib-ratelimit-", "x-apiquota-")
_CHARS: Final = 1000
_EPOCH_S, _EPOCH_MS = 1e9, 1e12
_NUMBER: Final = re.compile(r"\d{1,18}(?:\.\d{1,9})?", re.ASCII)
_ITEM: Final = re.compile(r'"([^"]*)"|([a-z*][a-z0-9_-]*)\s*=\s*"?(\d{1,18})"?|(\d{1,18})', re.ASCII | re.IGNORECASE)

_DATE: Final = re.compile(
    r"(?P<day>\d{1,2})[ -](?P<month>[a-z]{3})[ -](?P<year>\d{4}|\d\d) (?P<time>\d\d:\d\d:\d\d) GMT", re.A | re.I
)
_ASCTIME: Final = re.compile(r"(?P<month>[a-z]{3}) {1,2}(?P<day>\d{1,2}) (?P<time>\d\d:\d\d:\d\d) (?P<year>\d{4})$", re.A | re.I)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def allowance_of(headers: Mapping[str, str], *, now_s: float) -> Allowance | None:
    """What is left, by the limit of which least is left; None: the headers do not say. ``now_s``: UTC seconds since 1970."""
    known = {name.lower(): value[:_CHARS] for name, value in headers.items()}
    said = [*_of_families(known, now_s), *_of_drafts(known)]
    return min(said, key=lambda one: (one.remaining, -one.reset_s), default=None)


def retry_after_of(headers: Mapping[str, str], *, now_s: float) -> float | None:
    """Seconds that the answer asks to wait: its ``Retry-After``, else the reset of what is used up; None: it does not ask."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    asked = _from_now_s(value[:_CHARS], now_s)
    if asked is not None:
        return asked
    allowance = allowance_of(headers, now_s=now_s)
    return allowance.reset_s if allowance is not None and not allowance.remaining else None


def _of_families(known: Mapping[str, str], now_s: float) -> Iterator[Allowance]:
    """A header for each figure. Without a reset the policy's window says how long at the most."""
    window_s = min((window_s for _, window_s in _policies(known).values() if window_s), default=None)
    for family in _FAMILIES:
        remaining, limit = _whole(known.get(f"{family}remaining", "")), _whole(known.get(f"{family}limit", ""))
        reset_s = _from_now_s(known.get(f"{family}reset", ""), now_s)
        reset_s = window_s if reset_s is None else reset_s
        if remaining is not None and reset_s is not None:
            yield Allowance(remaining, reset_s, limit)


def _of_drafts(known: Mapping[str, str]) -> Iterator[Allowance]:
    """``RateLimit: "burst";r=50;t=30, "day";r=900;t=7000``, or ``limit=100, remaining=50, reset=5`` of drafts 04 to 07."""
    policies = _policies(known)
    whole: dict[str, int] = {}
    for item in known.get("ratelimit", "").split(","):
        name, figures = _item(item)
        whole |= figures
        limit, window_s = policies.get(name, (None, None))
        if "r" in figures:
            yield Allowance(figures["r"], _capped(figures.get("t", window_s or 1.0)), limit)
    if {"remaining", "reset"} <= whole.keys():
        yield Allowance(whole["remaining"], _capped(whole["reset"]), whole.get("limit"))


def _policies(known: Mapping[str, str]) -> dict[str, tuple[int | None, float | None]]:
    """By name ('' in older drafts): how many, and in how many seconds. ``"burst";q=100;w=60``, or ``100;w=60``."""
    found: dict[str, tuple[int | None, float | None]] = {}
    for item in known.get("ratelimit-policy", "").split(","):
        name, figures = _item(item)
        found.setdefault(name, (figures.get("q", figures.get("")), _capped(figures["w"]) if "w" in figures else None))
    return found


def _item(text: str) -> tuple[str, dict[str, int]]:
    """Its name, and its figures; a bare number is named ''."""
    name, figures = "", {}
    for quoted, key, value, bare in _ITEM.findall(text):
        if key or bare:
            figures[key.lower()] = int(value or bare)
        else:
            name = quoted
    return name, figures


def _whole(text: str) -> int | None:
    """Drafts 00 to 03 write ``100, 100;w=60``: the first counts."""
    match = _NUMBER.match(text.strip())
    return int(float(match[0])) if match else None


def _from_now_s(text: str, now_s: float) -> float | None:
    text = text.strip()
    if not text:
        return None
    match = _NUMBER.fullmatch(text)
    if match is None:
        at_s = _date_s(text)
        return None if at_s is None else _capped(at_s - now_s)
    value = float(text)
    if value >= _EPOCH_S:
        value = (value / 1000 if value >= _EPOCH_MS else value) - now_s
    return _capped(value)


def _date_s(text: str) -> float | None:
    """An HTTP date (RFC 9110 section 5.6.7: its own form and the two obsolete ones), or ISO 8601; UTC where it does not say."""
    match = _DATE.search(text) or _ASCTIME.search(text)
    try:
        moment = _moment(match) if match else datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _moment(match: re.Match[str]) -> datetime:
    year, month = int(match["year"]), _MONTHS.index(match["month"].title()) + 1
    if year < 100:  # of two digits: one that is near
        year += 2000 if year < 70 else 1900
    hour, minute, second = (int(one) for one in match["time"].split(":"))
    return datetime(year, month, int(match["day"]), hour, minute, min(second, 59), tzinfo=UTC)


def _capped(seconds: float) -> float:
    return float(min(max(seconds, 0.0), MOST_S))
