"""Mailboxes on the status screen: who watches them, when mail last came, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ticketmail.app.usecases.boxwatch import KIND, MailboxLook, look_from
from ticketmail.app.usecases.report.models import Facts, Finding, Level, MailboxStatus
from ticketmail.app.usecases.report.times import span
from ticketmail.domain.ports.reading import Reading

#: A mailbox that was not read for so long is bad, whatever the reason (seconds); a glitch is shorter.
AWAY_S = 300.0


def mailboxes_of(reading: Reading, facts: Facts, now_us: int) -> tuple[MailboxStatus, ...]:
    """The mailboxes of the settings that are watched, as their workers last saw them. Raises SpoolError kin."""
    looks = reading.documents(KIND) if facts.mailboxes else {}
    return tuple(_one(name, look_from(looks.get(name)), now_us) for name in facts.mailboxes)


def _one(name: str, look: MailboxLook, now_us: int) -> MailboxStatus:
    held = look.held(now_us)
    lag_s = None if look.well_us is None else max(0.0, (now_us - look.well_us) / 1e6)
    level, state = _state(look, held, now_us)
    return MailboxStatus(
        name=name,
        level=level,
        state=state,
        worker=look.worker if held else "",
        host=look.host if held else "",
        connected=held and not look.trouble and look.well_us is not None,
        well_us=look.well_us,
        lag_s=lag_s,
        last_mail_us=look.stored_us,
        trouble=look.trouble,
        since_us=look.since_us,
        places=dict(look.places),
    )


def _state(look: MailboxLook, held: bool, now_us: int) -> tuple[Level, str]:
    if not held:
        return Level.WARN, "nobody watches it"
    if look.trouble:
        long = look.since_us is not None and (now_us - look.since_us) / 1e6 > AWAY_S
        return Level.BAD if look.refused or long else Level.WARN, "refused" if look.refused else "away"
    return (Level.OK, "watched") if look.well_us is not None else (Level.OK, "connecting")


def on_mailboxes(mailboxes: Sequence[MailboxStatus], now_us: int) -> Iterable[Finding]:
    """One finding each."""
    for one in mailboxes:
        subject = f"mailbox {one.name}"
        if one.trouble and one.worker:
            since = f"for {span((now_us - one.since_us) / 1e6)}" if one.since_us is not None else "now"
            yield Finding(one.level, subject, f"In trouble {since}: {one.trouble}")
        elif not one.worker:
            yield Finding(one.level, subject, "No worker watches it.", "Start one: `ticketmail worker`.")
        else:
            last = f"the last mail came {span((now_us - one.last_mail_us) / 1e6)} ago" if one.last_mail_us else "no mail came yet"
            yield Finding(one.level, subject, f"{one.state.capitalize()}; {last}.")
