"""The domain's values, made of settings: lanes, routes, retry schedules. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from ticketmail.app.settings import LaneSettings, Settings
from ticketmail.app.settings_limits import limits_of
from ticketmail.domain.errors import SettingsError
from ticketmail.domain.outbound.causes import CAUSES
from ticketmail.domain.outbound.deciding import Policy
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.lanes import SHIPPED, Lane, Lanes
from ticketmail.domain.outbound.retry import DEFAULTS, Schedule
from ticketmail.domain.outbound.routing import ANY, Groups, Listed, Routes, groups_of, may_send
from ticketmail.domain.ports.delivering import LaneEnd, Retention

#: The route of mail to administrators. It is ours, so that an alarm never takes a host's route through a sick account.
ALERT_ROUTE: Final = "alerts"
_LANE_FIELDS: Final = frozenset(one.name for one in fields(Lane)) - {"name"}


def lanes_of(settings: Settings) -> Lanes:
    """The shipped lanes, changed and added to by ``[lanes.X]``. Raises SettingsError."""
    lanes = SHIPPED
    for name, given in settings.lanes.items():
        lanes = lanes.changed(name, **_lane_fields(given))
    return lanes


def routes_of(settings: Settings) -> Routes:
    """``[routes]``, and a route for each of an account's ``senders`` that has none; without ``[routes]`` the accounts that may
    send as anybody serve the rest. And the alarms' own route.

    An account that is not there, or may not send as the route's sender, is left out: its mail waits, or goes by the others.
    """
    senders = {name: account.senders for name, account in settings.accounts.items()}
    table: dict[str, Listed] = dict(settings.routes) or {ANY: tuple(senders)}
    for sender, names in _by_sender(senders).items():
        table.setdefault(sender, names)
    usable = {route: _usable(route, listed, senders) for route, listed in table.items()}
    if settings.alerts.mail_account in settings.accounts:
        usable[ALERT_ROUTE] = ((settings.alerts.mail_account,),)
    return Routes(usable)


def _by_sender(senders: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """The accounts that list each sender or, for an address, its domain, in order of the settings: a host may have thousands."""
    listing: dict[str, dict[str, None]] = {}
    for name, listed in senders.items():
        for sender in listed:
            listing.setdefault(sender, {})[name] = None
    place = {name: place for place, name in enumerate(senders)}
    domains = {sender: sender.rpartition("@")[2] for sender in listing}
    return {
        sender: sorted({**names, **listing.get(domains[sender], {})}, key=place.__getitem__) for sender, names in listing.items()
    }


def missing_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    """By route of ``[routes]``: the accounts that it names and may not use, for they are gone or may not send as its sender."""
    routes = routes_of(settings)
    named = {route: [name for group in groups_of(listed) for name in group] for route, listed in settings.routes.items()}
    lost = {route: tuple(name for name in names if name not in routes.accounts_of(route)) for route, names in named.items()}
    return {route: names for route, names in lost.items() if names}


def _usable(route: str, listed: Listed, senders: Mapping[str, tuple[str, ...]]) -> Groups:
    groups = groups_of(listed)
    return groups_of([[name for name in group if name in senders and may_send(senders[name], route)] for group in groups])


def schedules_of(settings: Settings) -> dict[str, Schedule]:
    """``[retry]``: by class of cause, or by single cause, over the shipped ones. Raises SettingsError."""
    return {name: _schedule(name, steps) for name, steps in settings.retry.items()}


def policy_of(settings: Settings) -> Policy:
    """``[retry]`` and ``[unknown]`` as decisions need them. Raises SettingsError."""
    unknown = settings.unknown
    return Policy(schedules_of(settings), evidence_after_s=unknown.evidence_after, second_unknown=unknown.second)


def retention_of(settings: Settings) -> Retention:
    """``[retention]`` in days."""
    kept = settings.retention
    return Retention(
        sent_body_days=kept.sent_body,
        dead_body_days=kept.dead_body,
        history_days=kept.history,
        event_days=kept.events,
        key_days=kept.keys,
        blob_days=kept.blobs,
        inbound_days=kept.inbound,
        inbound_days_by={kind.value: days for kind, days in kept.inbound_by.items()},
    )


def lane_ends(settings: Settings) -> tuple[LaneEnd, ...]:
    """How each lane ends mail whose deadline has passed."""
    return tuple(LaneEnd(name, lane.ends_as) for name, lane in lanes_of(settings).items())


def route_sizes(settings: Settings) -> dict[str, int]:
    """The most bytes that any account of a route takes, for routes of which every account's is known."""
    routes = routes_of(settings)
    sizes: dict[str, int] = {}
    for route in routes.names():
        limits = [limits_of(settings, name).max_size_bytes for name in routes.accounts_of(route)]
        known = [limit for limit in limits if limit is not None]
        if known and len(known) == len(limits):
            sizes[route] = max(known)
    return sizes


def _lane_fields(given: LaneSettings) -> dict[str, Any]:
    values = {name: getattr(given, name) for name in type(given).model_fields if getattr(given, name) is not None}
    if "deadline" in values:
        values["deadline_s"] = values.pop("deadline")
    if "ends_as" in values:
        values["ends_as"] = DeliveryState(values["ends_as"])
    return {name: value for name, value in values.items() if name in _LANE_FIELDS}


def _schedule(name: str, steps: tuple[str, ...]) -> Schedule:
    known = sorted({*DEFAULTS, *CAUSES})
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Classes: {', '.join(DEFAULTS)}."
        raise SettingsError("There is no class of causes, and no cause, of this name.", name=f"retry.{name}", remedy=hint)
    try:
        return Schedule.parse(steps)
    except SettingsError as error:
        raise SettingsError(str(error), name=f"retry.{name}") from error
