"""The shared state of tenants at accounts that limit them, as one worker sees it. All arithmetic is the domain's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.tenants import Amount, TenantState, Turns, document_of, is_idle, let, not_sent, whose
from ticketmail.domain.ports.delivering import Book, Change, ClaimedMail

KIND = "tenant"


class TenantHealth:
    """For one worker. Not thread-safe: one event loop. Raises SpoolError kin."""

    def __init__(self, book: Book, limits: Mapping[str, AccountLimits], now_us: Callable[[], int]) -> None:
        self._book = book
        self._limits = limits
        self._now_us = now_us
        self._held: dict[str, dict[str, int]] = {}

    def held(self, account: str) -> frozenset[str]:
        """Tenants of which no mail may go by the account now, as far as this worker has seen."""
        if account not in self._held:
            return frozenset()
        now_us = self._now_us()
        self._held[account] = {tenant: until_us for tenant, until_us in self._held[account].items() if until_us > now_us}
        return frozenset(self._held[account])

    async def let(self, account: str, worker: str, mails: Sequence[ClaimedMail]) -> dict[int, int]:
        """Count mails. By place: when each one's turn is (UTC microseconds); those that are not in it wait."""
        if not self._limits[account].of_tenant:
            return dict.fromkeys(range(len(mails)), 0)
        by_tenant: dict[str, list[int]] = {}
        for place, mail in enumerate(mails):
            by_tenant.setdefault(mail.tenant, []).append(place)
        turns_us: dict[int, int] = {}
        for tenant, places in by_tenant.items():
            turns = await self._let(account, worker, tenant, [_amount(mails[place]) for place in places])
            turns_us |= dict(zip(places, turns.at_us, strict=False))
            if turns.hold is not None and turns.hold.until_us is not None:
                self._held.setdefault(account, {})[tenant] = turns.hold.until_us
        return turns_us

    async def give_back(self, account: str, worker: str, mail: ClaimedMail, issued_us: int) -> None:
        """A mail that was counted stays here."""
        limits = self._limits.get(account)
        if limits is None or not limits.of_tenant:
            return

        def change(content: bytes | None, now_us: int) -> tuple[Change | None, None]:
            state = TenantState.from_json(content)
            after = not_sent(state, limits, _amount(mail), issued_us=issued_us, worker=worker)
            return Change(after.to_json()) if after != state else None, None

        await self._book.change(KIND, document_of(account, mail.tenant), change)

    async def forget_idle(self) -> None:
        """Delete the documents of tenants of which nothing counts any more: they do not grow with all tenants there ever were."""
        for document in await self._book.load(KIND):
            limits = self._limits.get(whose(document)[0], AccountLimits())
            await self._book.change(KIND, document, partial(_without_idle, limits))

    async def _let(self, account: str, worker: str, tenant: str, amounts: Sequence[Amount]) -> Turns:
        limits = self._limits[account]

        def change(content: bytes | None, now_us: int) -> tuple[Change | None, Turns]:
            after, turns = let(TenantState.from_json(content), limits, tenant, amounts, now_us=now_us, worker=worker)
            return Change(after.to_json()) if turns.at_us else None, turns

        return await self._book.change(KIND, document_of(account, tenant), change)


def _without_idle(limits: AccountLimits, content: bytes | None, now_us: int) -> tuple[Change | None, None]:
    return (Change(None) if is_idle(TenantState.from_json(content), limits.of_tenant, now_us) else None), None


def _amount(mail: ClaimedMail) -> Amount:
    return Amount(len(mail.deliveries), mail.size_bytes)
