"""What ``doctor`` sees of mailboxes: it logs in and counts, and changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from ticketmail.app.cli.context import Context
from ticketmail.app.settings import MailboxSettings
from ticketmail.app.usecases.report import Finding, Level
from ticketmail.app.wiring.mailboxes import make_mailbox
from ticketmail.domain.errors import TicketmailError


def mailbox_findings(context: Context) -> Iterator[Finding]:
    """One for each mailbox of the settings that has a URL; how it was last watched is told by status."""
    settings = context.mail.settings
    try:
        context.mail.inbound.interpret.equipped()
    except TicketmailError as error:
        yield Finding(Level.BAD, "signatures", str(error))
    yield from _read_twice(settings.mailboxes)
    for name, box in settings.mailboxes.items():
        if box.url.get_secret_value():
            try:
                yield _finding(context, name)
            except TicketmailError as error:  # the others are looked at all the same
                yield Finding(Level.BAD, f"mailbox {name}", str(error))


def _read_twice(boxes: Mapping[str, MailboxSettings]) -> Iterator[Finding]:
    """A folder that two mailboxes of the settings watch: each of its mails is two events, which is hardly ever meant."""
    seen: dict[tuple[str, str, str], str] = {}
    for name, box in boxes.items():
        parts = urlsplit(box.url.get_secret_value())
        for folder in box.folders if parts.hostname else ():
            place = (parts.hostname or "", (unquote(parts.username or "") or box.user).lower(), folder)
            if (other := seen.setdefault(place, name)) != name:
                text = f"It reads {folder!r} of {place[1]} at {place[0]}, as mailbox {other} does: each mail is told twice."
                yield Finding(Level.WARN, f"mailbox {name}", text, "Remove one of them, or correct its user or folders.")


def _finding(context: Context, name: str) -> Finding:
    source = make_mailbox(context.mail.settings, name, context.mail.host.tokens, read_only=True)
    try:
        count = sum(1 for _ in source.census())
    finally:
        source.close()
    return Finding(Level.OK, f"mailbox {name}", f"It lets us in; {count} mails of its history are there.")
