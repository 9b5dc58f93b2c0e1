"""Accounts that change while a worker runs: it asks the host, puts what is new to work, and writes down what has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ticketmail.app.facade import TicketMail
from ticketmail.app.guarding import Retiring
from ticketmail.app.housekeeping import Housekeeping
from ticketmail.app.settings import AccountSettings, Settings
from ticketmail.app.settings_limits import limits_of, profile_of, servers_of
from ticketmail.app.settings_outbound import routes_of
from ticketmail.app.settings_source import public_of
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.app.usecases.pump import Pump
from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.profile import Profile
from ticketmail.domain.ports.delivering import Book, Change
from ticketmail.domain.ports.sending import Gateway
from ticketmail.domain.ports.timing import Threads

_log = logging.getLogger("ticketmail.accounts")
#: A worker asks the host this often (seconds).
EVERY_S = 15.0
#: It answers within this, or is told of (seconds).
PATIENCE_S = 30.0
#: The documents that hold what was last known of each account, without secrets.
KIND = "settings"
#: Several workers see a changed password; one of them writes it down (microseconds).
SAME_US = 60_000_000
_ALARM = "accounts-of-the-host"


@dataclass
class Desk:
    """What the parts of a worker share by account. They look here at each mail, so a change is in force at the next one."""

    gateways: dict[str, Gateway]
    limits: dict[str, AccountLimits]
    profiles: dict[str, Profile]


def desk_of(settings: Settings, gateways: Mapping[str, Gateway]) -> Desk:
    """The desk for ``settings``."""
    desk = Desk({name: Retiring(one) for name, one in gateways.items()}, {}, {})
    for name in settings.accounts:
        _told(desk, settings, name)
    return desk


class Refreshing:
    """``turn`` is called every few seconds. ``open_gateway(settings, name)`` makes an account's gateway."""

    def __init__(
        self,
        mail: TicketMail,
        desk: Desk,
        *,
        open_gateway: Callable[[Settings, str], Gateway],
        health: AccountHealth,
        pump: Pump,
        house: Housekeeping,
        alerts: Alerts,
        book: Book,
        threads: Threads,
    ) -> None:
        self._mail = mail
        self._desk = desk
        self._open = open_gateway
        self._health = health
        self._pump = pump
        self._house = house
        self._alerts = alerts
        self._book = book
        self._threads = threads
        self._settings: Settings | None = None
        self._asking: asyncio.Future[Mapping[str, str]] | None = None
        self._troubled = True  # an alarm of a worker before us may be open

    async def turn(self) -> None:
        """Ask, apply, write down. Raises SpoolError kin; the next turn goes on."""
        trouble = await self._asked()
        settings = self._mail.settings
        if self._settings is None:
            self._settings = settings
            await self._start(settings)
        elif settings.accounts != self._settings.accounts:
            before, self._settings = self._settings, settings
            trouble = {**trouble, **self._apply(before, settings)}
            await self._write_down(before.accounts, settings.accounts)
        elif settings is not self._settings:  # mailboxes, which others see to
            self._settings = settings
            self._house.use(settings, routes_of(settings))
        await self._alarm(trouble)

    async def _asked(self) -> Mapping[str, str]:
        """What is wrong with what the host says. One that does not answer is asked once, and told of."""
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._threads.apart(self._mail.refresh_accounts))
        done, _ = await asyncio.wait({self._asking}, timeout=PATIENCE_S)
        if not done:
            text = f"The host's callable has not returned for {PATIENCE_S:.0f} s or longer; the last list stays in force."
            return {"": text}
        asked, self._asking = self._asking, None
        return asked.result()

    def _apply(self, before: Settings, settings: Settings) -> dict[str, str]:
        """Put changed accounts to work. Returns what could not be."""
        trouble: dict[str, str] = {}
        for name, account in settings.accounts.items():
            if before.accounts.get(name) == account:
                continue
            try:
                gateway = Retiring(self._open(settings, name))
                _told(self._desk, settings, name)
            except TicketmailError as error:
                trouble[name] = str(error)
                continue
            self._replace(name, gateway)
        for name in before.accounts.keys() - settings.accounts.keys():
            self._replace(name, None)
        routes, limits = routes_of(settings), {name: self._desk.limits[name] for name in self._desk.gateways}
        self._health.use(limits, servers_of(settings))
        self._pump.use(routes, limits)
        self._house.use(settings, routes)
        return trouble

    def _replace(self, name: str, gateway: Gateway | None) -> None:
        old = self._desk.gateways.pop(name, None)
        if gateway is not None:
            self._desk.gateways[name] = gateway
        if isinstance(old, Retiring):
            # Not one of the worker's loops: it ends with the last mail on the old gateway, or with the process.
            self._pump.later(_closed(old))

    async def _start(self, settings: Settings) -> None:
        """What changed while no worker ran, by the settings' own history."""
        known = {name: _facts(content) for name, content in (await self._book.load(KIND)).items()}
        for name, account in settings.accounts.items():
            facts = public_of(account)
            if known.get(name) != facts:
                note = "" if not known else _differences(known.get(name), facts) or "added"
                await self._noted(name, facts, note)

    async def _write_down(self, before: Mapping[str, AccountSettings], after: Mapping[str, AccountSettings]) -> None:
        for name, account in after.items():
            old = before.get(name)
            if old == account:
                continue
            facts = public_of(account)
            told = "added" if old is None else _differences(public_of(old), facts) or f"{_secrets(old, account)} changed"
            await self._noted(name, facts, told)
        for name in before.keys() - after.keys():
            await self._noted(name, {}, "removed")

    async def _noted(self, name: str, facts: dict[str, str], note: str) -> None:
        _log.info("account %s: %s", name, note or "noted")
        await self._book.change(KIND, name, partial(_step, name, facts, note))
        if note:
            await self._health.changed(name)

    async def _alarm(self, trouble: Mapping[str, str]) -> None:
        if trouble:
            text = " ".join(trouble.values())
            kinds = {"mailboxes" if name.startswith("mailboxes") else "accounts" for name in trouble}
            title = f"{' and '.join(sorted(kinds)).capitalize()} of the host cannot be used"
            await self._alerts.occurred(_ALARM, level="warn", title=title, text=text)
        elif self._troubled:
            await self._alerts.over(_ALARM)
        self._troubled = bool(trouble)


def _told(desk: Desk, settings: Settings, name: str) -> None:
    profile = profile_of(settings, name)
    desk.limits[name] = limits_of(settings, name)
    desk.profiles.pop(name, None)
    if profile is not None:
        desk.profiles[name] = profile


def _step(name: str, facts: dict[str, str], note: str, content: bytes | None, now_us: int) -> tuple[Change | None, None]:
    """One worker writes the row: the others find the same facts, and the same words a moment ago."""
    known = json.loads(content) if content is not None else {}
    same = known.get("facts") == facts and (known.get("note") == note or note == "added")
    if same and now_us - known.get("at_us", 0) < SAME_US:
        return None, None
    document = json.dumps({"facts": facts, "note": note, "at_us": now_us}).encode()
    said = f"Settings of the account: {note}." if note else ""
    return Change(document, note=said, scope=f"account:{name}", actor="settings"), None


def _facts(content: bytes) -> dict[str, str]:
    facts = json.loads(content).get("facts")
    return dict(facts) if isinstance(facts, dict) else {}


def _differences(before: Mapping[str, str] | None, after: Mapping[str, str]) -> str:
    """What people may see of it: ``limits 30/min, now 20/min``."""
    if not before:
        return ""
    names = [name for name in {**before, **after} if before.get(name, "") != after.get(name, "")]
    return "; ".join(f"{name} {before.get(name) or 'unset'}, now {after.get(name) or 'unset'}" for name in names)


def _secrets(before: AccountSettings, after: AccountSettings) -> str:
    names = [name for name in AccountSettings.model_fields if getattr(before, name) != getattr(after, name)]
    return " and ".join("the login in url" if name == "url" else name for name in names)


async def _closed(gateway: Retiring) -> None:
    try:
        await gateway.retire()
    finally:
        with contextlib.suppress(Exception):
            await gateway.aclose()
