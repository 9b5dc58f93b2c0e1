"""An alert in words, the same for every sink."""

from __future__ import annotations

from datetime import UTC, datetime

from ticketmail.domain.ports.alerting import Alert


def headline(alert: Alert) -> str:
    """One line: ``[desk-prod] RESOLVED: Login refused at support``. Control characters are blanks, at most 200 characters."""
    state = "RESOLVED" if alert.resolved else alert.level.upper()
    line = f"[{alert.site}] {state}: {alert.title}"
    return _readable(line).replace("\n", " ")[:200]


def paragraphs(alert: Alert) -> str:
    """What, since when, how often, what about: for people."""
    lines = [_readable(alert.text.strip()), "", f"Since {utc(alert.since_us)}, now {utc(alert.at_us)}."]
    if alert.count > 1:
        lines.append(f"Happened {alert.count} times since the last notice.")
    if alert.accounts:
        lines.append(f"Accounts: {', '.join(alert.accounts)}.")
    return "\n".join([*lines, f"Cause: {_readable(alert.fingerprint)}", ""])


def _readable(text: str) -> str:
    """``text`` without what no mail may hold: a server's words, which may be in here, are not always text."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def utc(at_us: int) -> str:
    """``2026-11-24 18:00:00Z``, for readers of whom no zone is known."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
