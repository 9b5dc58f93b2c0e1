"""What any worker does beside sending: deadlines, delay notices, retention, free space, old mail, reminders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Literal

from ticketmail.app.settings import Settings
from ticketmail.app.settings_outbound import lane_ends, retention_of
from ticketmail.app.usecases.alert import KIND as ALERTS
from ticketmail.app.usecases.alert import Alerts
from ticketmail.app.usecases.quota import QuotaAlarms
from ticketmail.app.usecases.report import Facts, Level, on_grants, surroundings
from ticketmail.app.wiring.facts import facts_of
from ticketmail.app.wiring.timing import Timing
from ticketmail.domain.outbound.routing import Routes
from ticketmail.domain.ports.delivering import Upkeep
from ticketmail.domain.ports.reading import Overview, Reading

LEAST_FREE_BYTES = 64 * 1024 * 1024
DELAY_TOLD_US = 3600 * 1_000_000
#: Retention is looked at every hour, and so soon after the start: a worker that never lives for an hour must do it, too.
FIRST_PURGE_S = 600.0
OLD_REPLY_S = 600.0
BATCH = 200


class Housekeeping:
    """``turn`` is called every few seconds. ``full``: too little room to record outcomes, so nothing may be sent."""

    def __init__(
        self,
        upkeep: Upkeep,
        settings: Settings,
        *,
        routes: Routes,
        alerts: Alerts,
        reading: Reading,
        timing: Timing,
    ) -> None:
        self._upkeep = upkeep
        self._settings = settings
        self._routes = routes
        self._ends = lane_ends(settings)
        self._alerts = alerts
        self._reading = reading
        self._quotas = QuotaAlarms(alerts)
        self._facts = _facts(settings)
        self._monotonic_s = timing.clock.monotonic_s
        self._threads = timing.threads
        self._minute_s = -1e9
        self._hour_s = self._monotonic_s() - 3600 + FIRST_PURGE_S
        self._rerouted = False
        self._troubles: dict[str, set[str]] = {}
        self._told: frozenset[str] = frozenset()
        self.full = False

    def troubled(self, account: str, cause: str) -> None:
        """An alarm about ``account`` is open."""
        self._troubles.setdefault(account, set()).add(cause)

    def well(self, account: str) -> set[str]:
        """The account sends: the causes whose alarms are over."""
        return self._troubles.pop(account, set())

    def hurry(self) -> None:
        """Something happened that administrators should hear of: the next turn looks at what is else looked at once a minute."""
        self._minute_s = -1e9

    def use(self, settings: Settings, routes: Routes) -> None:
        """Other accounts from now on: waiting mail whose sender now has another route gets it at the next turn."""
        self._settings, self._routes, self._rerouted = settings, routes, False
        self._facts = _facts(settings)

    async def turn(self) -> None:
        """Raises SpoolError kin; the next turn goes on."""
        await self._look_at_room()
        if not self._rerouted:
            self._rerouted = await self._upkeep.reroute(self._routes.route_of, BATCH) < BATCH
        await _all(lambda: self._upkeep.expire(self._ends, BATCH))
        now_s = self._monotonic_s()
        if now_s - self._minute_s >= 60:
            self._minute_s = now_s
            await _all(lambda: self._upkeep.tell_delayed(DELAY_TOLD_US, BATCH))
            await self._recall_troubles()
            around = await self._threads.run(lambda: surroundings(self._reading, self._facts()))
            await self._look_at_age(around.overview)
            await self._quotas.look(around, self._told)
            await self._look_at_grants(around.now_us)
            await self._alerts.remind()
        if now_s - self._hour_s >= 3600:
            self._hour_s = now_s
            await _all(self._purged)

    async def _purged(self) -> int:
        return max((await self._upkeep.purge(retention_of(self._settings), BATCH)).values(), default=0)

    async def _recall_troubles(self) -> None:
        """Alarms about accounts that are open, whoever raised them: the worker that did may be gone when they are over."""
        self._told = frozenset(await self._threads.run(lambda: self._reading.documents(ALERTS)))
        for name in self._told:
            kind, _, rest = name.partition(":")
            account, _, cause = rest.rpartition(":")
            if kind == "account" and account:
                self.troubled(account, cause)

    async def _look_at_room(self) -> None:
        free = await self._upkeep.free_bytes()
        full = free is not None and free < LEAST_FREE_BYTES
        if full:
            text = f"{free} bytes are free where the spool lives; sending pauses below {LEAST_FREE_BYTES}."
            await self._alerts.occurred("spool-room", level="page", title="The spool's disk is nearly full", text=text)
        elif self.full:
            await self._alerts.over("spool-room")
        self.full = full

    async def _look_at_grants(self, now_us: int) -> None:
        """Tokens are got until the day on which the grant behind them ends: nothing else would say so before."""
        grants = self._facts().grants
        ending = {one.subject: one for one in on_grants(grants, now_us)}
        for name, found in ending.items():
            level: Literal["page", "warn"] = "page" if found.level is Level.BAD else "warn"
            text = f"{found.text} {found.remedy}"
            await self._alerts.occurred(f"grant:{name}", level=level, title=f"OAuth2 of {name} ends", text=text)
        for fingerprint in self._told:
            if fingerprint.startswith("grant:") and fingerprint.removeprefix("grant:") not in ending:
                await self._alerts.over(fingerprint)

    async def _look_at_age(self, overview: Overview) -> None:
        """Whatever holds it: a reply that waits for ten minutes, and any mail that has lost half of its lane's time."""
        late = [(age_s / self._late_s(lane), lane, age_s) for lane, age_s in _oldest(overview) if age_s > self._late_s(lane)]
        if not late:
            await self._alerts.over("old-mail")
            return
        _, lane, age_s = max(late)
        page = age_s > min(6 * OLD_REPLY_S, self._deadline_s(lane) / 2)
        text = (
            f"The oldest mail of lane {lane!r} has been due for {age_s / 60:.0f} minutes. `ticketmail status` says what holds it."
        )
        await self._alerts.occurred("old-mail", level="page" if page else "warn", title="Mail is late", text=text)

    def _late_s(self, lane: str) -> float:
        half_s = self._deadline_s(lane) / 2
        return min(OLD_REPLY_S, half_s) if lane == "reply" else half_s

    def _deadline_s(self, lane: str) -> float:
        return self._facts().lanes.get(lane, 86_400.0)


def _oldest(overview: Overview) -> list[tuple[str, float]]:
    """How long the oldest that is due of each route and lane has been due (seconds)."""
    found = [(load.lane, load.oldest_due_us) for load in overview.lanes if load.oldest_due_us is not None]
    return [(lane, (overview.now_us - due_us) / 1_000_000) for lane, due_us in found]


def _facts(settings: Settings) -> Callable[[], Facts]:
    """Found once, when they are asked for: gateways are made to ask them what they are."""
    return cache(lambda: facts_of(settings))


async def _all(batch: Callable[[], Awaitable[int]]) -> None:
    """Short transactions, one after another, until there is nothing left to do; others get their turn between them."""
    while await batch() >= BATCH:
        pass
