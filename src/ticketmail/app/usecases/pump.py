"""The pump: claims what accounts have room for, and sets it going. Waiting mail stays in the spool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from ticketmail.app.usecases.account_lane import AccountLane, Slots
from ticketmail.app.usecases.admission import Admission
from ticketmail.app.usecases.claiming import Claims
from ticketmail.app.usecases.deliver import Errand, Report
from ticketmail.app.usecases.health import AccountHealth
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.holds import Hold
from ticketmail.domain.outbound.lanes import Lanes
from ticketmail.domain.outbound.permits import Grant
from ticketmail.domain.outbound.routing import Routes, preferred, serving
from ticketmail.domain.ports.delivering import ClaimedMail, Deliveries, Fenced
from ticketmail.domain.ports.sending import Gateway
from ticketmail.domain.ports.timing import Sleeper

_log = logging.getLogger("ticketmail.pump")
#: A mail whose lease was lost this often is sent with nothing else in flight, so that it proves itself poison or not.
LONE_AFTER = 2
#: How long a worker that finds mail goes by the routes and lanes that it has seen waiting (seconds).
_PAIRS_S = 0.1
#: Mails for which a window has no room are claimed again when it has, or after this: smaller ones may have come (microseconds).
_NO_ROOM_US = 5_000_000
#: How long a mail waits that only another account, which is held, may send (microseconds).
ELSEWHERE_US = 5_000_000


class Delivering(Protocol):
    """What sends one mail: the use case ``Deliver``, or something round it that watches."""

    async def deliver(self, worker_id: UUID, errand: Errand, *, slot: Slots | None = None) -> Report:
        """As ``Deliver.deliver``."""
        ...


class Pump:
    """One per worker. ``started(task)`` is told of each errand; ``report`` hears what came of it."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        health: AccountHealth,
        gateways: Mapping[str, Gateway],
        deliver: Delivering,
        routes: Routes,
        lanes: Lanes,
        limits: dict[str, AccountLimits],
        now_us: Callable[[], int],
        monotonic_s: Callable[[], float],
        sleeper: Sleeper,
        report: Callable[[Errand, Report], None],
    ) -> None:
        self._deliveries = deliveries
        self._claiming = Claims(deliveries, lanes)
        self._health = health
        self._admission = Admission(health, gateways, monotonic_s)
        self._deliver = deliver
        self._routes = routes
        self._lanes = lanes
        self._now_us = now_us
        self._monotonic_s = monotonic_s
        self._sleeper = sleeper
        self._report = report
        self._accounts = {name: AccountLane(name, one) for name, one in limits.items()}
        self._lone: list[Errand] = []
        self._headroom: dict[str, float] = {}
        self._equals: dict[str, tuple[str, ...]] = {}  # by route: the accounts that share its mail now
        self._pairs: Sequence[tuple[str, str]] = ()
        self._pairs_until_s = -1e9
        self.tasks: set[asyncio.Task[None]] = set()
        self.freed = asyncio.Event()
        self.left_behind = False  #: claims could not be given back: they stay with this worker's row until it is retired

    @property
    def in_flight(self) -> int:
        """Mails claimed by this worker and not finished."""
        return len(self.tasks)

    @property
    def full(self) -> bool:
        """No account would take another mail now: a round would find nothing to do, and ask the spool for nothing."""
        now_us = self._now_us()
        return not self._lone and bool(self._accounts) and all(one.is_full(now_us) for one in self._accounts.values())

    def use(self, routes: Routes, limits: Mapping[str, AccountLimits]) -> None:
        """Other routes and accounts from now on. What is in flight ends as it began."""
        self._routes = routes
        lanes = {name: self._accounts.get(name) or AccountLane(name, one) for name, one in limits.items()}
        for name, lane in lanes.items():
            if lane.limits != limits[name]:
                lane.limits, lane.ask_at_s = limits[name], -1e9
        self._accounts = lanes

    async def round(self, worker_id: UUID) -> bool:
        """Claim once for every account that may send and has room. True if anything was set going. Raises SpoolError kin."""
        self.freed.clear()
        if self._lone:
            return self._run_lone(worker_id)
        if self.full:
            for account in self._accounts.values():
                await self._admission.lease(worker_id, account)
            return False
        if self._monotonic_s() < self._pairs_until_s and await self._serve(worker_id):
            return True
        self._pairs, self._pairs_until_s = await self._deliveries.routes(), self._monotonic_s() + _PAIRS_S
        return await self._serve(worker_id)

    async def _serve(self, worker_id: UUID) -> bool:
        plan = self._plan(self._pairs)
        started = False
        # Accounts that share a server's limit take turns: who was served longest ago asks first.
        for (name, reserve), pairs in sorted(plan.items(), key=lambda one: self._accounts[one[0][0]].served_us):
            if await self._feed(worker_id, self._accounts[name], pairs, reserve):
                self._accounts[name].served_us, started = self._now_us(), True
        return started

    def _plan(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, float], list[tuple[str, str]]]:
        """By account, and by the part of a day's quota that is left to other lanes: the (route, lane) pairs to serve now."""
        holds: dict[float, dict[str, Hold | None]] = {}
        self._headroom = self._health.headroom()
        plan: dict[tuple[str, float], list[tuple[str, str]]] = {}
        for route, lane in pairs:
            reserve = self._lanes.reserved_from(lane)
            if reserve not in holds:
                holds[reserve] = self._health.holds(reserve=reserve)
            names = serving(self._routes.groups_of(route), holds[reserve], self._headroom)
            self._equals[route] = names
            for account in names:
                if account in self._accounts:
                    plan.setdefault((account, reserve), []).append((route, lane))
        return plan

    async def _feed(self, worker_id: UUID, account: AccountLane, pairs: list[tuple[str, str]], reserve: float) -> bool:
        await self._admission.lease(worker_id, account)
        room, issued_us = account.room, self._now_us()
        if account.connections <= 0 or account.is_full(issued_us):
            return False
        grant, wanted = None, room
        if account.backlog and self._health.metered(account.name):
            grant = await self._admission.permits(worker_id, account, room, reserve)
            wanted = grant.permits
            if wanted <= 0:
                return False
        held = self._health.tenants.held(account.name)
        claimed = await self._claiming.claim(worker_id, account.name, pairs, wanted, held)
        mails, began = await self._shared(worker_id, account, claimed, reserve)
        if grant is None and not self._admission.counted(account):
            grant = Grant(len(mails), account.connections, issued_us)
        elif grant is None and mails:
            grant = await self._admission.permits(worker_id, account, len(mails), reserve)
        elif grant is not None and len(mails) < wanted:
            await self._health.give_back(account.name, worker_id.hex, wanted - len(mails))
        account.backlog = self._health.metered(account.name) and len(claimed) >= wanted
        if grant is not None:
            began |= await self._set_going(worker_id, account, mails, grant, issued_us)
        return began

    async def _shared(
        self, worker_id: UUID, account: AccountLane, claimed: Sequence[ClaimedMail], reserve: float
    ) -> tuple[list[ClaimedMail], bool]:
        """Hand over the mails of tickets that keep to an equal account, as far as that has room. Those that stay, and whether
        others were set going."""
        kept: list[ClaimedMail] = []
        began = False
        handed: dict[str, list[ClaimedMail]] = {}
        for mail in claimed:
            keeps_to = self._keeps_to(mail, account.name)
            (kept if keeps_to == account.name else handed.setdefault(keeps_to, [])).append(mail)
        for name, mails in handed.items():
            other, issued_us = self._accounts[name], self._now_us()
            await self._admission.lease(worker_id, other)
            free = other.connections > 0 and not other.waits(issued_us)
            count = len(mails) if free else 0  # more than it has room for: it claims none until they have left
            grant = await self._admission.permits(worker_id, other, count, reserve) if count else None
            taken = min(grant.permits, count) if grant is not None else 0
            if grant is not None and taken:
                began |= await self._set_going(worker_id, other, mails[:taken], grant, issued_us)
            kept += mails[taken:]
        return kept, began

    def _keeps_to(self, mail: ClaimedMail, account: str) -> str:
        """The account among equals that the mail's ticket keeps to. What has no ticket stays where it is."""
        equals = self._equals.get(mail.route, ())
        if not mail.ticket or len(equals) < 2 or account not in equals:
            return account
        keeps_to = preferred(mail.ticket, equals)
        may_go = keeps_to in self._accounts and mail.tenant not in self._health.tenants.held(keeps_to)
        return keeps_to if may_go else account

    async def _set_going(
        self, worker_id: UUID, account: AccountLane, mails: Sequence[ClaimedMail], grant: Grant, issued_us: int
    ) -> bool:
        """True if there was anything but mails to give back: those are there again at once, if the clocks differ."""
        account.backlog = account.backlog or grant.permits < len(mails)
        back, begun, no_room_us = list(mails[grant.permits :]), False, list[int]()
        turns_us = await self._health.tenants.let(account.name, worker_id.hex, mails[: grant.permits])
        back += [mail for place, mail in enumerate(mails[: grant.permits]) if place not in turns_us]
        await self._health.give_back(account.name, worker_id.hex, min(grant.permits, len(mails)) - len(turns_us))
        for number, place in enumerate(sorted(turns_us)):
            mail, errand = mails[place], Errand(account.name, mails[place], issued_us)
            turn_us = max(turns_us[place], grant.first_us + number * grant.interval_us if grant.interval_us else 0)
            if elsewhere(mail, account.name, self._routes.accounts_of(mail.route)):
                await self._admission.not_by(worker_id, errand)
                begun |= await self._pass_on(worker_id, mail)
            elif (hold := await self._admission.charge(worker_id, account, mail)) is not None:
                await self._admission.not_by(worker_id, errand)
                others = self._instead_of(account.name, mail, hold)
                if await self._taken_by(others, worker_id, mail):
                    begun = True
                    continue
                back.append(mail)
                if all(self._accounts[name].room > 0 for name in others):
                    no_room_us.append(hold.until_us or issued_us + _NO_ROOM_US)
            else:
                begun = True
                self._start_or_keep(worker_id, account, errand, turn_us)
        if back:
            await self._deliveries.release(worker_id, [claim for mail in back for claim in _claims(mail)])
        if no_room_us and not begun:
            account.no_room_until_us = min(*no_room_us, issued_us + _NO_ROOM_US)
        return begun

    def _start_or_keep(self, worker_id: UUID, account: AccountLane, errand: Errand, turn_us: int) -> None:
        if any(one.lost >= LONE_AFTER for one in errand.mail.deliveries):
            self._lone.append(errand)
        else:
            self._start(worker_id, account, errand, turn_us)

    async def _pass_on(self, worker_id: UUID, mail: ClaimedMail) -> bool:
        """To the account that may have sent it, or back. Routes may never choose that account while a better is well: it is
        asked here."""
        owner = next(one.last_account for one in mail.deliveries if one.unknowns)
        known = owner in self._accounts and self._health.holds().get(owner) is None
        if known and await self._taken_by([owner], worker_id, mail):
            return True
        await self._deliveries.release(worker_id, _claims(mail), due_us=self._now_us() + ELSEWHERE_US)
        return False

    def _instead_of(self, account: str, mail: ClaimedMail, hold: Hold) -> Sequence[str]:
        """The accounts that may send a mail for which ``account`` has no room, as if that were held; it has room for smaller
        ones. What it may have taken stays with it."""
        if any(one.unknowns for one in mail.deliveries):
            return ()
        holds = {**self._health.holds(reserve=self._lanes.reserved_from(mail.lane)), account: hold}
        return [name for name in serving(self._routes.groups_of(mail.route), holds, self._headroom) if name in self._accounts]

    async def _taken_by(self, names: Sequence[str], worker_id: UUID, mail: ClaimedMail) -> bool:
        """The first of these accounts that has room for it sends it."""
        for account in (self._accounts[name] for name in names):
            await self._admission.lease(worker_id, account)
            free = account.room > 0 and account.connections > 0 and not account.waits(self._now_us())
            grant = await self._admission.permits(worker_id, account, 1) if free else None
            if grant is not None and grant.permits and await self._let(worker_id, account, mail, grant):
                return True
        return False

    async def _let(self, worker_id: UUID, account: AccountLane, mail: ClaimedMail, grant: Grant) -> bool:
        """Set going with a permit for it, unless the account has no room for its tenant or its size."""
        errand = Errand(account.name, mail, self._now_us())
        turns_us = await self._health.tenants.let(account.name, worker_id.hex, [mail])
        if not turns_us:
            await self._health.give_back(account.name, worker_id.hex, 1)
        elif await self._admission.charge(worker_id, account, mail) is not None:
            await self._admission.not_by(worker_id, errand)
        else:
            self._start_or_keep(worker_id, account, errand, max(turns_us[0], grant.first_us if grant.interval_us else 0))
            return True
        return False

    def _run_lone(self, worker_id: UUID) -> bool:
        if self.tasks:
            return False
        errand = self._lone.pop(0)
        account = self._accounts.get(errand.account) or AccountLane(errand.account, AccountLimits())
        self._start(worker_id, account, errand)
        return True

    def _start(self, worker_id: UUID, account: AccountLane, errand: Errand, turn_us: int = 0) -> None:
        """Now, or at the mail's turn."""
        wait_s = max(0.0, (turn_us - self._now_us()) / 1_000_000)
        account.turns_until_us = max(account.turns_until_us, turn_us)
        account.sleeping += wait_s > 0
        account.in_flight += wait_s <= 0
        task = asyncio.ensure_future(self._run(worker_id, account, errand, wait_s))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, worker_id: UUID, account: AccountLane, errand: Errand, wait_s: float) -> None:
        if wait_s > 0:
            await self._turn(account, wait_s)
        try:
            if wait_s > 0 and self._health.stopped_since(account.name, errand.issued_us):
                await self._unsent(worker_id, errand)
                return
            report = await self._deliver.deliver(worker_id, errand, slot=account.slots)
            self._report(errand, report)
            if not report.asked:
                await self._admission.not_by(worker_id, errand)
        except Exception:  # one mail never stops the worker; its lease ends with this worker's, or it was recorded
            _log.exception("delivery of %s failed unexpectedly", errand.mail.submission_id)
            await self._give_back(worker_id, errand)
        finally:
            account.in_flight -= 1
            self.freed.set()

    async def _unsent(self, worker_id: UUID, errand: Errand) -> None:
        """The server began to refuse before the mail's turn: it waits in the spool instead."""
        await self._deliveries.release(worker_id, _claims(errand.mail))
        await self._admission.not_by(worker_id, errand)

    async def _turn(self, account: AccountLane, wait_s: float) -> None:
        try:
            await self._sleeper.sleep(wait_s)
        finally:
            account.sleeping -= 1
            account.in_flight += 1

    async def _give_back(self, worker_id: UUID, errand: Errand) -> None:
        try:
            await self._deliveries.release(worker_id, _claims(errand.mail))
        except Exception:
            self.left_behind = True
            _log.exception("claims of %s could not be released", errand.mail.submission_id)

    @property
    def waits_alone(self) -> bool:
        """Mails are claimed that wait for their lonely turn."""
        return bool(self._lone)

    async def release_lone(self, worker_id: UUID) -> None:
        """Give back what waited for its lonely turn. For an orderly end."""
        lone, self._lone = self._lone, []
        if lone:
            await self._deliveries.release(worker_id, [claim for one in lone for claim in _claims(one.mail)])

    def later(self, call: Coroutine[Any, Any, None]) -> None:
        """Run ``call`` beside the mails; it counts as in flight."""
        task = asyncio.ensure_future(call)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def elsewhere(mail: ClaimedMail, account: str, listed: Sequence[str]) -> bool:
    """It may have been taken by another account of its route: never sent by this one, for that would be a copy no one expects."""
    return any(one.unknowns and one.last_account not in ("", account) and one.last_account in listed for one in mail.deliveries)


def _claims(mail: ClaimedMail) -> list[Fenced]:
    return [Fenced(mail.submission_id, one.number, one.fence) for one in mail.deliveries]
