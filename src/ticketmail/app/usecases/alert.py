"""Telling administrators: one cause once, again after a growing while, and a word when it is over.

What was told when is a document of the spool, so that several workers tell it once and a restart tells nothing twice.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ticketmail.domain.errors import TicketmailError
from ticketmail.domain.ports.alerting import Alert, AlertSink
from ticketmail.domain.ports.delivering import Book, Change

KIND = "alert"
#: When a cause that goes on is told again, in cool-downs: 1 h, then 4 h, then daily with the default of 1 h.
REMIND_AFTER = (1, 4, 24)
#: Nobody was reached: tried again so much later (microseconds).
UNHEARD_US = 300 * 1_000_000

_log = logging.getLogger("ticketmail.alert")


@dataclass(frozen=True, slots=True)
class AlertState:
    """A cause's document. ``told`` counts tellings, ``count`` what happened since the last; times UTC microseconds."""

    level: Literal["page", "warn", "info"]
    title: str
    text: str
    accounts: tuple[str, ...]
    since_us: int
    last_us: int
    next_us: int  #: before this it is not told again
    told: int = 0
    count: int = 0
    over_us: int | None = None

    @classmethod
    def from_json(cls, content: bytes) -> AlertState:
        """Read a document back. Raises ValueError, KeyError or TypeError for anything else."""
        values: dict[str, Any] = json.loads(content)
        return cls(**{**values, "accounts": tuple(values["accounts"])})

    def to_json(self) -> bytes:
        """The document."""
        return json.dumps(dataclasses.asdict(self)).encode()


class Alerts:
    """Raises and resolves alerts. ``log`` hears everything, ``sinks`` are the ways to people.

    ``server_of(account)`` names the server behind an account ('' if it has none of its own).

    Methods never raise: a worker does not stop because nobody could be told.
    """

    def __init__(
        self,
        book: Book,
        sinks: Sequence[AlertSink],
        *,
        log: AlertSink,
        site: str,
        cool_down_s: float = 3600.0,
        server_of: Callable[[str], str] = lambda account: "",
    ) -> None:
        self._book = book
        self._sinks = tuple(sinks)
        self._log = log
        self._site = site
        self._cool_down_us = int(cool_down_s * 1_000_000)
        self._server_of = server_of

    async def occurred(
        self,
        fingerprint: str,
        *,
        level: Literal["page", "warn", "info"],
        title: str,
        text: str = "",
        accounts: Sequence[str] = (),
    ) -> bool:
        """It happened (again). Tells it if it is time to. True if somebody was told."""

        def step(content: bytes | None, now_us: int) -> tuple[Change | None, Alert | None]:
            before = _read(content)
            now = _again(before, now_us, level, _plain(title), _plain(text), tuple(accounts), self._cool_down_us)
            return self._tell_if_due(fingerprint, before, now, now_us)

        return await self._change_and_send(fingerprint, step)

    async def over(self, fingerprint: str, *, text: str = "") -> bool:
        """It is over. Says so if it had been told; nothing otherwise. True if somebody was told."""

        def step(content: bytes | None, now_us: int) -> tuple[Change | None, Alert | None]:
            state = _read(content)
            if state is None or state.over_us is not None:
                return None, None
            ended = dataclasses.replace(state, over_us=now_us, text=_plain(text) or state.text)
            note = f"over: {state.title}"
            # Kept until the cool-down has passed, so that a cause that flaps is not told at every turn.
            change = Change(ended.to_json(), note=note, scope=_scope(state, fingerprint), actor="ticketmail")
            return change, self._alert(fingerprint, ended, now_us) if state.told else None

        return await self._change_and_send(fingerprint, step)

    async def remind(self) -> int:
        """Tell what is due to be told (again), and forget what has long been over. Called every minute or so. How many told."""
        try:
            documents = await self._book.load(KIND)
        except TicketmailError as error:
            _log.warning("alerts cannot be read: %s", error)
            return 0
        return sum([await self._change_and_send(name, self._reminder(name)) for name in documents])

    def _reminder(self, fingerprint: str) -> Callable[[bytes | None, int], tuple[Change | None, Alert | None]]:
        def step(content: bytes | None, now_us: int) -> tuple[Change | None, Alert | None]:
            state = _read(content)
            if content is None:
                return None, None
            if state is None or (state.over_us is not None and state.next_us <= now_us):
                return Change(None), None
            if state.over_us is not None or not state.count:
                return None, None
            return self._tell_if_due(fingerprint, state, state, now_us)

        return step

    def _tell_if_due(
        self, fingerprint: str, before: AlertState | None, now: AlertState, now_us: int
    ) -> tuple[Change | None, Alert | None]:
        new = before is None or before.over_us is not None
        note = f"{now.level}: {now.title}" if new else ""
        scope = _scope(now, fingerprint)
        if now_us < now.next_us:
            return Change(now.to_json(), note=note, scope=scope, actor="ticketmail"), None
        wait = REMIND_AFTER[min(now.told, len(REMIND_AFTER) - 1)] * self._cool_down_us
        told = dataclasses.replace(now, told=now.told + 1, count=0, next_us=now_us + wait)
        return Change(told.to_json(), note=note, scope=scope, actor="ticketmail"), self._alert(fingerprint, now, now_us)

    def _alert(self, fingerprint: str, state: AlertState, now_us: int) -> Alert:
        return Alert(
            fingerprint=fingerprint,
            level=state.level,
            title=state.title,
            text=state.text,
            site=self._site,
            at_us=now_us,
            since_us=state.since_us,
            count=max(state.count, 1),
            accounts=state.accounts,
            resolved=state.over_us is not None,
        )

    async def _change_and_send(
        self, fingerprint: str, step: Callable[[bytes | None, int], tuple[Change | None, Alert | None]]
    ) -> bool:
        try:
            alert = await self._book.change(KIND, fingerprint, step)
        except TicketmailError as error:
            _log.warning("alert %s cannot be noted: %s", fingerprint, error)
            return False
        if alert is None:
            return False
        heard = await self._send(alert)
        if not heard and not alert.resolved:
            await self._note_unheard(alert)
        return heard

    async def _send(self, alert: Alert) -> bool:
        """To the log always, and through every sink that is safe. False: there were such, and none got through."""
        sinks = safe_sinks(self._sinks, alert.accounts, self._server_of)
        await _attempt(self._log, alert)
        if not sinks and self._sinks:
            _log.warning(
                "alert %s: each way to administrators leads through the sick account; only this log tells it", alert.fingerprint
            )
        results = [await _attempt(sink, alert) for sink in sinks]
        return any(results) or not results

    async def _note_unheard(self, alert: Alert) -> None:
        def step(content: bytes | None, now_us: int) -> tuple[Change | None, None]:
            state = _read(content)
            if state is None:
                return None, None
            unheard = dataclasses.replace(
                state, next_us=now_us + UNHEARD_US, told=max(state.told - 1, 0), count=state.count + alert.count
            )
            return Change(unheard.to_json()), None

        try:
            await self._book.change(KIND, alert.fingerprint, step)
        except TicketmailError as error:
            _log.warning("alert %s cannot be noted: %s", alert.fingerprint, error)


def safe_sinks(sinks: Sequence[AlertSink], sick: Sequence[str], server_of: Callable[[str], str]) -> list[AlertSink]:
    """The sinks that use no sick account and no server of one (invariant 7). Pure."""
    accounts = set(sick)
    servers = {server_of(account) for account in sick} - {""}
    return [sink for sink in sinks if not any(via in accounts or server_of(via) in servers for via in sink.via_accounts)]


def _again(
    before: AlertState | None,
    now_us: int,
    level: Literal["page", "warn", "info"],
    title: str,
    text: str,
    accounts: tuple[str, ...],
    cool_down_us: int,
) -> AlertState:
    fresh = AlertState(level, title, text, accounts, since_us=now_us, last_us=now_us, next_us=now_us, count=1)
    if before is None:
        return fresh
    if before.over_us is not None:
        # It came back: a new story, but told only when the last telling has cooled down.
        return dataclasses.replace(fresh, next_us=min(before.next_us, before.over_us + cool_down_us), count=before.count + 1)
    rose = _RANK[level] > _RANK[before.level]
    return dataclasses.replace(
        fresh,
        since_us=before.since_us,
        next_us=now_us if rose else before.next_us,
        told=before.told,
        count=before.count + 1,
    )


_RANK = {"info": 0, "warn": 1, "page": 2}


def _read(content: bytes | None) -> AlertState | None:
    """A document that cannot be read (a later release's, say) counts as absent: better told once more than never."""
    if content is None:
        return None
    try:
        return AlertState.from_json(content)
    except (ValueError, KeyError, TypeError):
        return None


def _plain(text: str) -> str:
    """``text`` without control characters: it may be a server's word, and databases refuse NUL."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _scope(state: AlertState, fingerprint: str) -> str:
    return f"account:{state.accounts[0]}" if len(state.accounts) == 1 else f"alert:{fingerprint}"


async def _attempt(sink: AlertSink, alert: Alert) -> bool:
    try:
        await sink.send(alert)
    except Exception as error:  # a sink of the host's own may raise anything; the others must still be tried
        _log.warning("alert %s did not go through %s: %s", alert.fingerprint, type(sink).__name__, error)
        return False
    return True
