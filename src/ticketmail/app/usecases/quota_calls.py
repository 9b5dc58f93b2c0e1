"""Asking providers what they still take, where that can be asked: once a minute for each account, by any worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, cast

from ticketmail.app.usecases.health import AccountHealth
from ticketmail.domain.outbound.allowance import Allowance
from ticketmail.domain.ports.sending import Gateway, TellsAllowance

EVERY_S: Final = 60.0
#: A provider that does not answer in time is asked again at the next turn (seconds).
PATIENCE_S: Final = 20.0
_log = logging.getLogger("ticketmail.accounts")


class QuotaCalls:
    """``turn`` is called every minute. ``gateways`` may change between turns."""

    def __init__(self, gateways: Mapping[str, Gateway], health: AccountHealth, now_us: Callable[[], int]) -> None:
        self._gateways = gateways
        self._health = health
        self._now_us = now_us

    async def turn(self) -> None:
        """Ask all at once, and note what they say. Raises SpoolError kin."""
        tell = {name: cast(TellsAllowance, one) for name, one in self._gateways.items() if one.capabilities.tells_allowance}
        asked = {name: self._asked(name, one) for name, one in tell.items() if not self._told_lately(name)}
        for name, said in zip(asked, await asyncio.gather(*asked.values()), strict=True):
            if said is not None:
                await self._health.said(name, said)

    def _told_lately(self, account: str) -> bool:
        told = self._health.state(account).told
        return told is not None and self._now_us() - told.told_us < EVERY_S * 1e6 / 2

    async def _asked(self, account: str, gateway: TellsAllowance) -> Allowance | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await gateway.allowance()
        except Exception as error:  # an adapter of anybody's; what is known of the account stays in force
            _log.warning("account %s: its provider does not say what it still takes: %s", account, error)
            return None
