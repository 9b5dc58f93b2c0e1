"""Fault: what the domain makes of an outcome that is not Taken. Classification is a table of rules with sources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FaultScope(StrEnum):
    """Whose fault it is. A recipient's never touches an account's health, an account's never a recipient's."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    ACCOUNT = "account"  #: this login, mailbox or key
    GATEWAY = "gateway"  #: the server or provider, or the way to it


class Advice(StrEnum):
    """What should become of the delivery."""

    RETRY = "retry"  #: try again by the schedule of the cause; spends an attempt
    WAIT = "wait"  #: hold the account (limit, quota, breaker); the delivery goes back untouched
    FAIL = "fail"  #: FAILED: the recipient's fault
    DEAD = "dead"  #: DEAD: waits for a human
    UNKNOWN = "unknown"  #: it may have been taken
    SPLIT = "split"  #: the rest of the recipients in a transaction of their own, at once


@dataclass(frozen=True, slots=True)
class Fault:
    """A classified outcome.

    ``cause`` is a stable code (``throttled-rate``, ``unknown-recipient``), listed in docs/reference/causes.md.
    ``retry_after_s``: the other side's own word, seconds. ``suppress``: the address should not be written to again.
    ``alarm``: administrators should hear of it at once. ``text``: the evidence, for people.
    """

    cause: str
    scope: FaultScope
    advice: Advice
    retry_after_s: float | None = None
    suppress: bool = False
    alarm: bool = False
    text: str = ""
