"""A worker's receiving side: mailboxes watched by one worker each, and stored mail made into events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping

from ticketmail.app.facade import TicketMail
from ticketmail.app.receiving import Doors
from ticketmail.app.settings import MailboxSettings, Settings
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.usecases.boxwatch import KIND, MailboxLook, claim, release
from ticketmail.app.usecases.ingest import Interpret, Settle
from ticketmail.app.watching import MailboxInbox, Watcher
from ticketmail.app.wiring.mailboxes import make_mailbox
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.errors import SpoolError
from ticketmail.domain.ports.delivering import Book
from ticketmail.domain.ports.observing import Meter

#: How often a worker looks for mail that another process stored (seconds).
LOOK_S = 0.5
#: A mailbox belongs to the worker that says so at least this often (seconds); after LEASE_S another one may take it.
CLAIM_S = 5.0
LEASE_S = 20.0
_BATCH = 32
_HOST = socket.gethostname()
_log = logging.getLogger("ticketmail.reception")


class Reception:
    """Nothing happens before :meth:`run`. ``outside`` False: no mailbox is read, no door is opened; what is handed in becomes
    events all the same."""

    def __init__(
        self, mail: TicketMail, *, book: Book, alerts: Alerts, meter: Meter, timing: Timing, outside: bool = True
    ) -> None:
        self._mail = mail
        settings = mail.settings
        self._live: Callable[[], Settings] = mail.host.live or (lambda: settings)
        self._settle = mail.injector.get(Settle)
        self._interpret = mail.injector.get(Interpret)
        self._interpret.equipped()
        self._book = book
        self._alerts = alerts
        self._meter = meter
        self._timing = timing
        self._id = timing.random_bytes(8).hex()  # not the worker's row, which may be made anew while we hold mailboxes
        self._outside = outside
        self._watchers: dict[str, Watcher] = {}
        self._inboxes: dict[str, MailboxInbox] = {}
        self._boxes: dict[str, MailboxSettings] = {}  #: by which settings they are watched
        self._doors = Doors(self._live, mail.inbound, timing.threads)
        self._came = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is anything to receive."""
        return bool(self._live().mailboxes) or self._mail.may_change("mailboxes")

    async def run(self) -> None:
        """Until cancelled: make events of what is stored; hold mailboxes."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._timing.threads.run(self._interpret.prepare)
            async with asyncio.TaskGroup() as both:
                if self._outside:
                    both.create_task(self._hold())
                both.create_task(self._settle_on())
        finally:
            await self._doors.close()
            await self._let_go()

    async def _settle_on(self) -> None:
        while True:
            self._came.clear()
            if not await self._round():
                await self._until_something_came()

    async def _round(self) -> int:
        try:
            done = await self._timing.threads.run(lambda: self._settle.round(_BATCH))
        except SpoolError as error:
            _log.warning("incoming mail waits, the spool is sick: %s", error)
            return 0
        for state in ("done", "duplicates", "dead", "failed"):
            count = getattr(done, state)
            if count:
                self._meter.count("received_total", count, state=state)
        if done.dead:
            text = f"{done.dead} incoming mails could not be read in full; `ticketmail inbound list --state dead` names them."
            await self._alerts.occurred("inbound-dead", level="warn", title="Incoming mail could not be read", text=text)
        return done.seen

    async def _until_something_came(self) -> None:
        came = asyncio.ensure_future(self._came.wait())
        look = asyncio.ensure_future(self._timing.sleeper.sleep(LOOK_S))
        try:
            await asyncio.wait({came, look}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            came.cancel()
            look.cancel()
            await asyncio.gather(came, look, return_exceptions=True)

    async def _hold(self) -> None:
        while True:
            await self._doors.turn()
            boxes = {name: box for name, box in self._live().mailboxes.items() if box.url.get_secret_value()}
            for name in [name for name in self._watchers if boxes.get(name) != self._boxes[name]]:
                await self._drop(name, changed=name in boxes)
            for name in boxes:
                with contextlib.suppress(SpoolError):  # the lease ends by itself, the next turn tries again
                    await self._hold_one(name)
            await self._timing.sleeper.sleep(CLAIM_S)

    async def _hold_one(self, name: str) -> None:
        watcher = self._watchers.get(name)
        look = None
        if watcher is not None:
            watcher.look()
            look = _look_of(watcher, self._inboxes[name].places)
        ours = await self._book.change(KIND, name, claim(self._id, LEASE_S, look))
        if ours and watcher is None:
            self._watchers[name] = self._watch(name)
        elif not ours and watcher is not None:
            _log.warning("mailbox %s is another worker's now", name)
            await self._timing.threads.run(self._watchers.pop(name).stop)
        elif watcher is not None:
            await self._tell(name, watcher)

    async def _drop(self, name: str, *, changed: bool) -> None:
        """The settings say otherwise now; a changed mailbox is opened anew at once, by whoever has it."""
        _log.info("mailbox %s: %s", name, "its settings have changed" if changed else "removed")
        await self._timing.threads.run(self._watchers.pop(name).stop)
        if not changed:
            await self._alerts.over(f"mailbox:{name}")
            with contextlib.suppress(SpoolError):
                await self._book.change(KIND, name, release(self._id))

    def _watch(self, name: str) -> Watcher:
        settings = self._live()
        box = self._boxes[name] = settings.mailboxes[name]
        inbox = MailboxInbox(self._mail.spool.ledger, name, box.tenant, self._ring)
        self._inboxes[name] = inbox
        loop = self._loop
        watcher = Watcher(
            name,
            lambda: make_mailbox(settings, name, self._mail.host.tokens, loop),
            inbox,
            poll_s=box.poll,
            clock=self._timing.clock,
            chance=self._timing.chance,
        )
        watcher.start()
        return watcher

    def _ring(self) -> None:
        """Called in a watcher's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._came.set)

    async def _tell(self, name: str, watcher: Watcher) -> None:
        """Administrators hear of a mailbox that does not let us in at once, of one that is out of reach after a while."""
        health = watcher.health
        self._meter.gauge("mailbox_up", 0 if health.trouble else 1, mailbox=name)
        if health.trouble and (health.refused or health.failures >= 5):
            title = f"Mailbox {name} cannot be read"
            await self._alerts.occurred(f"mailbox:{name}", level="page", title=title, text=health.trouble)
        elif not health.trouble:
            await self._alerts.over(f"mailbox:{name}")

    async def _let_go(self) -> None:
        """Another worker may have the mailboxes at once."""
        watchers, self._watchers = self._watchers, {}
        for name, watcher in watchers.items():
            await self._timing.threads.run(watcher.stop)
            with contextlib.suppress(SpoolError):
                await self._book.change(KIND, name, release(self._id))


def _look_of(watcher: Watcher, places: Mapping[str, str]) -> MailboxLook:
    health = watcher.health
    return MailboxLook(
        host=_HOST,
        well_us=health.well_us,
        stored_us=health.stored_us,
        trouble=health.trouble,
        since_us=health.since_us,
        refused=health.refused,
        places=dict(places),
    )
