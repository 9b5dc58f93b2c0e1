"""An account's document as people see it: what holds it, and how much of its limits is used."""

from __future__ import annotations

from collections.abc import Iterable

from ticketmail.app.usecases.report.models import AccountFacts, AccountStatus, Facts, Hold, HoldKind, Level
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.outbound import holds as domain
from ticketmail.domain.outbound.account import AccountLimits, AccountState, slots_of
from ticketmail.domain.outbound.windows import WindowState, available

#: Holds of an account that are trouble, not pace.
_TROUBLE = (HoldKind.BREAKER, HoldKind.ACCOUNT)
_UNLISTED = AccountFacts()


def account_status(name: str, content: bytes | None, facts: Facts, now_us: int) -> AccountStatus:
    """What ``content`` (None: nothing has happened to it yet) says of the account ``name``. Never raises for what is in it."""
    of_settings = facts.accounts.get(name, _UNLISTED)
    try:
        state = AccountState.from_json(content)
    except ContractBroken as error:
        decision = f"`ticketmail accounts clear {name} --reason ...`"
        hold = Hold(HoldKind.ACCOUNT, f"account:{name}", f"account {name!r} cannot be used: {error}", decision=decision)
        return AccountStatus(name, Level.BAD, "unreadable", of_settings.network, (hold,))
    found = domain.hold_of(state, of_settings.limits, now_us=now_us)
    holds = () if found is None else (_hold(name, found, state, now_us),)
    return AccountStatus(
        name,
        _level(holds, of_settings),
        _state(holds, state, listed=name in facts.accounts),
        of_settings.network,
        holds,
        tuple(_used(state, of_settings.limits, now_us)),
    )


def state_in(content: bytes) -> AccountState | None:
    """The state in an account's document; None if it cannot be read."""
    try:
        return AccountState.from_json(content)
    except ContractBroken:
        return None


def _hold(name: str, found: domain.Hold, state: AccountState, now_us: int) -> Hold:
    kind = HoldKind(found.kind)
    said = _said(kind, found.cause, state)
    text = f"account {name!r} is held because {_because(said, found.reason)}"
    if state.quota is not None and found.cause == state.quota.cause and domain.quota_back_us(state, now_us) is None:
        text += "; when its quota resets is not known"
    since_us = state.breaker.since_us or None if kind is HoldKind.BREAKER else None
    if found.until_us is None:
        return Hold(kind, f"account:{name}", text, decision=f"`ticketmail accounts clear {name} --reason ...`", since_us=since_us)
    return Hold(kind, f"account:{name}", text, until_us=found.until_us, since_us=since_us)


def _because(said: str, reason: str) -> str:
    """A clause: the other side's own words where there are any."""
    if said[:3].isdigit():
        return f"the server said {said.rstrip('.')}"
    return f"of {said.rstrip('.')}" if said else f"{reason[:1].lower()}{reason[1:].rstrip('.')}"


def _said(kind: HoldKind, cause: str, state: AccountState) -> str:
    """The other side's own words; '' where it is a limit that we were told."""
    if kind is HoldKind.BREAKER:
        return state.breaker.reason
    slowdowns = [one for one in (state.quota, state.throttle) if one is not None and one.cause == cause]
    return slowdowns[0].reason if slowdowns else ""


def _level(holds: tuple[Hold, ...], of_settings: AccountFacts) -> Level:
    if any(one.kind in _TROUBLE for one in holds):
        return Level.BAD
    if not of_settings.network:
        return Level.BAD
    return Level.WARN if any(one.kind is HoldKind.QUOTA for one in holds) else Level.OK


def _state(holds: tuple[Hold, ...], state: AccountState, *, listed: bool) -> str:
    if not listed:
        return "not in the settings"
    if holds:
        return f"held ({holds[0].kind.value})"
    return "being tried" if state.breaker.phase != "closed" else "well"


def _used(state: AccountState, limits: AccountLimits, now_us: int) -> Iterable[str]:
    held = sum(lease.held for lease in state.leases.values() if lease.until_us > now_us)
    yield f"{held} of {slots_of(state, limits)} connections"
    for window in limits.ours:
        left = available(window, state.windows.get(window.key, WindowState()), now_us)
        if window.kind == "smooth":  # a bucket's content means nothing a second later
            yield f"{window}{'' if left else ' (used up now)'}"
        else:
            yield f"{window.limit - left} of {window}"
