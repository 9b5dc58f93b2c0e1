"""What ``doctor`` sees of mailboxes: it logs in and counts, and changes nothing there."""

from __future__ import annotations

from collections.abc import Iterator

from ticketmail.app.cli.context import Context
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
    for name, box in settings.mailboxes.items():
        if box.url.get_secret_value():
            try:
                yield _finding(context, name)
            except TicketmailError as error:  # the others are looked at all the same
                yield Finding(Level.BAD, f"mailbox {name}", str(error))


def _finding(context: Context, name: str) -> Finding:
    source = make_mailbox(context.mail.settings, name, context.mail.host.tokens, read_only=True)
    try:
        count = sum(1 for _ in source.census())
    finally:
        source.close()
    return Finding(Level.OK, f"mailbox {name}", f"It lets us in; {count} mails of its history are there.")
