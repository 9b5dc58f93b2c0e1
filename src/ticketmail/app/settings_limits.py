"""An account's profile and limits: what settings say, over what its vendor's profile says, over what is shipped."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ticketmail.app.plugins import profiles
from ticketmail.app.settings import Settings
from ticketmail.app.settings_values import host_of
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.account import AccountLimits
from ticketmail.domain.outbound.profile import NONE, Combined, Profile, Said, combine, profile_of_host
from ticketmail.domain.outbound.server import NO_CAP, Server
from ticketmail.domain.outbound.windows import Window


def profile_of(settings: Settings, name: str) -> Profile | None:
    """The profile that ``[accounts.X]`` names, else that of its host; None: nobody's, or ``profile = "none"``.

    Raises SettingsError for a name that no installed package brings.
    """
    account = settings.accounts[name]
    if account.profile == NONE:
        return None
    known = profiles()
    if not account.profile:
        url = account.url if not account.gateway else settings.gateways[account.gateway].url
        return profile_of_host(host_of(url.get_secret_value()), known)
    if account.profile not in known:
        near = difflib.get_close_matches(account.profile, [*known, NONE], n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}, and 'none'."
        raise SettingsError(f"There is no profile {account.profile!r}.", name=f"accounts.{name}.profile", remedy=hint)
    return known[account.profile]


def combined_of(settings: Settings, name: str) -> Combined:
    """The account's limits, each with its source. Raises SettingsError naming the account's setting."""
    account = settings.accounts[name]
    profile = profile_of(settings, name)
    shared = settings.gateways[account.gateway].connections if account.gateway else None
    try:
        said = Said(
            windows=tuple(Window.parse(text) for text in account.limits),
            connections=account.connections or shared,
            messages_per_connection=account.messages_per_connection,
            max_recipients=account.max_recipients,
            max_size_bytes=account.max_size,
            share=account.share,
        )
        combined = combine(said, profile)
    except SettingsError as error:
        raise SettingsError(str(error), name=f"accounts.{name}.limits") from error
    if shared is None or account.connections is not None:
        return combined
    return Combined(combined.limits, {**combined.sources, "connections": f"gateway {account.gateway}"})


def limits_of(settings: Settings, name: str) -> AccountLimits:
    """The account's limits. Raises SettingsError naming the account's setting."""
    return combined_of(settings, name).limits


def limits_by_account(settings: Settings) -> dict[str, AccountLimits]:
    """The limits of all accounts. Raises SettingsError naming the setting."""
    return {name: limits_of(settings, name) for name in settings.accounts}


def profiles_of(settings: Settings) -> Mapping[str, Profile]:
    """The profile of each account that has one."""
    found = {name: profile_of(settings, name) for name in settings.accounts}
    return {name: one for name, one in found.items() if one is not None}


def servers_of(settings: Settings) -> dict[str, Server]:
    """By account: the server that it shares with others, where settings limit that."""
    limits = gateway_limits_of(settings)
    return {
        name: Server(account.gateway, limits[account.gateway])
        for name, account in settings.accounts.items()
        if account.gateway in limits
    }


def gateway_limits_of(settings: Settings) -> Mapping[str, AccountLimits]:
    """What all accounts of a gateway may do together, for gateways that say so. Raises SettingsError naming the gateway's."""
    found: dict[str, AccountLimits] = {}
    for name, gateway in settings.gateways.items():
        if gateway.connections is None and not gateway.limits:
            continue
        try:
            found[name] = AccountLimits.parse(gateway.limits, connections=gateway.connections or NO_CAP)
            if found[name].of_tenant:
                raise SettingsError("a gateway's limits count all its accounts; write `per tenant` under an account.")
        except SettingsError as error:
            raise SettingsError(str(error), name=f"gateways.{name}.limits") from error
    return found
