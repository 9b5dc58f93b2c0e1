"""Watching mailboxes: one thread each, that polls, waits for what is announced, and comes back after every trouble."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ticketmail.domain.errors import MailboxError, MailboxFolderError, MailboxRefused, SettingsError, SpoolError
from ticketmail.domain.ports.receiving import Inbox, Ledger, Letter, Mailbox, RawMail
from ticketmail.domain.ports.timing import Clock

#: Seconds before the second, third, ... try after a trouble; each is taken with a chance of half to whole of it.
BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
#: A look that takes longer hangs, and so does a wait that is over for so long: the connection is cut (seconds).
HANGS_S = 900.0
_log = logging.getLogger("ticketmail.mailbox")


class MailboxInbox:
    """The ledger, seen from one mailbox. ``came`` is called when something was stored."""

    def __init__(self, ledger: Ledger, mailbox: str, tenant: str, came: Callable[[], None] = lambda: None) -> None:
        self._ledger = ledger
        self._mailbox = mailbox
        self._tenant = tenant
        self._came = came
        self.places: dict[str, str] = {}  #: how far each folder was read

    def has(self, sources: Sequence[str]) -> frozenset[str]:
        """As the port says."""
        return self._ledger.has(self._mailbox, sources, tenant=self._tenant)

    def store(self, letters: Sequence[Letter]) -> None:
        """As the port says."""
        self._ledger.store([self._raw(one) for one in letters])
        self._came()

    def cursor(self, name: str) -> str:
        """As the port says."""
        place = self._ledger.cursor(self._mailbox, name)
        if place:
            self.places[name] = place
        return place

    def move_cursor(self, name: str, value: str) -> None:
        """As the port says."""
        self._ledger.move_cursor(self._mailbox, name, value)
        self.places[name] = value

    def _raw(self, letter: Letter) -> RawMail:
        return RawMail(
            mailbox=self._mailbox,
            source=letter.source,
            content=letter.content,
            tenant=self._tenant,
            received_us=letter.received_us,
            trouble=letter.trouble,
        )


@dataclass
class Health:
    """How it goes with a mailbox. ``trouble`` '' means well; times are UTC microseconds, None for not yet."""

    trouble: str = ""
    failures: int = 0
    stored: int = 0
    well_us: int | None = None
    stored_us: int | None = None  #: when mail last came in
    since_us: int | None = None  #: since when there is trouble
    refused: bool = False
    waiting: bool = False  #: all that was there is stored; the next mail is waited for


class Watcher:
    """Watches one mailbox in a thread of its own, from :meth:`start` to :meth:`stop`."""

    def __init__(
        self,
        name: str,
        open_: Callable[[], Mailbox],
        inbox: Inbox,
        *,
        poll_s: float,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self.name = name
        self.health = Health()
        self._open = open_
        self._inbox = inbox
        self._poll_s = poll_s
        self._clock = clock
        self._chance = chance
        self._ending = threading.Event()
        self._mailbox: Mailbox | None = None
        self._hangs_at_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"mailbox-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End soon: what is stored is stored. Cuts the connection if it does not end by itself."""
        self._ending.set()
        mailbox = self._mailbox
        if mailbox is not None:
            mailbox.abort()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def look(self) -> None:
        """A watchdog's look: a call that hangs is cut."""
        at_s, mailbox = self._hangs_at_s, self._mailbox
        if at_s is not None and mailbox is not None and self._clock.monotonic_s() > at_s:
            _log.warning("mailbox %s hangs, its connection is cut", self.name)
            mailbox.abort()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._mailbox = self._mailbox or self._open()
                self._turn(self._mailbox)
            except (MailboxError, SpoolError, SettingsError) as error:
                self._rest(error)
            except Exception:
                _log.exception("mailbox %s", self.name)
                self._rest(None)
        self._close()

    def _turn(self, mailbox: Mailbox) -> None:
        self._hangs_at_s = self._clock.monotonic_s() + HANGS_S
        try:
            self._well(mailbox.poll(self._inbox))
        except MailboxFolderError as error:  # the others were read, and are watched
            self._ill(error)
            self._took(error.came)
        self._hangs_at_s = self._clock.monotonic_s() + self._poll_s + HANGS_S
        if self._ending.is_set():
            return
        self.health.waiting = True
        try:
            if not mailbox.wait(self._poll_s) and not mailbox.capabilities.watches:
                self._ending.wait(self._poll_s)
        finally:
            self.health.waiting = False
            self._hangs_at_s = None

    def _well(self, count: int) -> None:
        health = self.health
        if health.trouble:
            _log.warning("mailbox %s is well again", self.name)
        health.trouble, health.failures, health.refused, health.since_us = "", 0, False, None
        health.well_us = self._clock.now_us()
        self._took(count)

    def _took(self, count: int) -> None:
        self.health.stored += count
        if count:
            self.health.stored_us = self._clock.now_us()

    def _rest(self, error: Exception | None) -> None:
        """After a trouble that ends the connection."""
        self._hangs_at_s = None
        wait_s = BACK_OFF_S[min(self.health.failures, len(BACK_OFF_S) - 1)]
        self._close()
        if not self._ending.is_set():
            self._ill(error)
            self._ending.wait(wait_s * (0.5 + self._chance() / 2))

    def _ill(self, error: Exception | None) -> None:
        text = str(error) if error is not None else "a fault of ours, see the log"
        if not self.health.trouble:
            _log.warning("mailbox %s cannot be read: %s", self.name, text)
            self.health.since_us = self._clock.now_us()
        self.health.trouble, self.health.failures = text, self.health.failures + 1
        self.health.refused = isinstance(error, MailboxRefused)

    def _close(self) -> None:
        """Its connection; it opens another one when it is used again, and knows what it has tried."""
        if self._mailbox is not None:
            self._mailbox.close()
