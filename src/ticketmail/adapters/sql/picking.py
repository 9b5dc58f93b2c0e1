"""The pick: which due mails a claim takes. Tenants in turn, each one's oldest first; all by two indexes, whatever waits.

On servers the submissions of what is picked are locked, and what another worker is claiming is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Select, and_, func, literal, select, true
from sqlalchemy.sql import Executable
from sqlalchemy.sql.elements import ColumnElement

from ticketmail.adapters.sql.scans import Scans
from ticketmail.adapters.sql.schema import Tables
from ticketmail.adapters.sql.transaction import Language, Row, Tx, bound
from ticketmail.domain.outbound.turns import from_there, in_turn
from ticketmail.domain.ports.delivering import Want
from ticketmail.domain.scope import Scope, ScopeKind

Lane: TypeAlias = tuple[str, str]  #: route, lane
#: So many tenants are looked at in one claim of a lane.
TENANTS = 64
#: So many held tenants at most are named in a statement; of more, some are claimed in vain.
_BUT = 500


class PickStatements:
    """Kept statements."""

    def __init__(self, t: Tables, language: Language) -> None:
        self.of_tenant = of_tenant(t, language, true())
        self.oldest = oldest(t, language, true())
        if language.probes_recursively:
            self.tenants = _tenants(t, true())
            self.tenants_after = _tenants(t, t.delivery.c.tenant > bound("p_tenant"))
        else:
            self.tenant = _queued(t, func.min(t.delivery.c.tenant))
            self.tenant_after = self.tenant.where(t.delivery.c.tenant > bound("p_tenant"))


def of_tenant(t: Tables, language: Language, allowed: ColumnElement[bool]) -> Executable:
    """What one tenant has due in a lane, oldest first."""
    return _pick(t, language, allowed, t.delivery.c.tenant == bound("p_tenant"), "delivery_turn")


def oldest(t: Tables, language: Language, allowed: ColumnElement[bool]) -> Executable:
    """What is due in a lane, oldest first."""
    return _pick(t, language, allowed, true(), "delivery_claim")


def _pick(t: Tables, language: Language, allowed: ColumnElement[bool], whose: ColumnElement[bool], index: str) -> Executable:
    """On servers their submissions are locked, in a materialised CTE: a plan may otherwise run the LIMIT more than once."""
    d, s = t.delivery.c, t.submission.c
    due = (
        select(d.submission_id, d.number, d.due_us)
        .where(d.state == "queued", d.route == bound("p_route"), d.lane == bound("p_lane"), whose)
        .where(d.due_us <= bound("p_now"), d.due_us >= bound("p_floor"), d.deadline_us > bound("p_now"), allowed)
        .order_by(d.due_us, d.submission_id)
        .limit(bound("p_limit"))
    )
    if not language.locks_rows:
        return due
    locked = due.join(t.submission, s.id == d.submission_id).with_for_update(skip_locked=True, of=t.submission)
    if not language.returns:  # MariaDB locks whatever a plan looks at: it must not sort
        hint = f"FORCE INDEX (ix_{t.prefix}{index})"
        return locked.with_hint(t.delivery, hint, "mariadb").prefix_with("STRAIGHT_JOIN")
    picked = locked.cte("picked").prefix_with("MATERIALIZED")
    return select(picked.c.submission_id, picked.c.number, picked.c.due_us)


def _queued(t: Tables, column: ColumnElement[str]) -> Select[Any]:
    d = t.delivery.c
    return select(column).where(d.state == "queued", d.route == bound("p_route"), d.lane == bound("p_lane"))


def _tenants(t: Tables, beyond: ColumnElement[bool]) -> Executable:
    """Tenants with queued mail in a lane, in order, at most ``p_most``: a probe of the index for each."""
    one = _queued(t, t.delivery.c.tenant).order_by(t.delivery.c.tenant).limit(1)
    first = one.where(beyond).scalar_subquery()
    turn = select(first.label("tenant"), literal(1).label("place")).cte("turn", recursive=True)
    following = one.where(t.delivery.c.tenant > turn.c.tenant).correlate(turn).scalar_subquery()
    more = select(following, turn.c.place + 1).where(turn.c.tenant.is_not(None), turn.c.place < bound("p_most"))
    turn = turn.union_all(more)
    return select(turn.c.tenant).where(turn.c.tenant.is_not(None))


def tenants_of(tx: Tx, lane: Lane, after: str | None, most: int) -> list[str]:
    """The first ``most`` tenants with queued mail in a lane, in order, or those behind ``after``."""
    book = tx.book(PickStatements)
    params: dict[str, Any] = {"p_route": lane[0], "p_lane": lane[1]}
    if tx.language.probes_recursively:
        params["p_most"] = most
        rows = tx.rows(book.tenants, **params) if after is None else tx.rows(book.tenants_after, **params, p_tenant=after)
        return [tenant for (tenant,) in rows]
    found: list[str] = []
    while len(found) < most:
        ((after,),) = tx.rows(book.tenant, **params) if after is None else tx.rows(book.tenant_after, **params, p_tenant=after)
        if after is None:
            break
        found.append(after)
    return found


@dataclass(slots=True)
class _Look:
    """What one tenant has due: the first ``asked`` at most."""

    asked: int
    rows: list[Row]


class Picker:
    """Picks for several wants of one claim. ``turns`` begins as given, and ends with whom this claim served last."""

    def __init__(
        self,
        tx: Tx,
        paused: Sequence[Scope],
        allowed: ColumnElement[bool] | None,
        turns: Mapping[Lane, str],
        scans: Scans,
    ) -> None:
        self._tx = tx
        self._scans = scans.under(paused)
        self._paused = {scope.value for scope in paused if scope.kind is ScopeKind.TENANT}
        self._allowed = allowed
        self.turns = dict(turns)

    def pick(self, want: Want) -> list[str]:
        """At most ``want.limit`` submissions, in the order in which they should go."""
        if want.limit <= 0:
            return []
        looks: dict[str, _Look] = {}
        passed_over = self._look_round(want, looks)
        self._look_deeper(want, looks)
        served = in_turn([[(tenant, row[0]) for row in look.rows] for tenant, look in looks.items()], want.limit)
        if passed_over is not None or served:
            self.turns[want.route, want.lane] = served[-1][0] if passed_over is None else passed_over
        ids = [id_ for _, id_ in served]
        if passed_over is not None and len(ids) < want.limit:
            ids += [row[0] for row in self._oldest(want)]
        return list(dict.fromkeys(ids))[: want.limit]

    def _look_round(self, want: Want, looks: dict[str, _Look]) -> str | None:
        """One turn of each tenant, until these are enough. Where that takes too many tenants: the last one of them, else None."""
        seen: list[str] = []
        for tenants, each in self._pages((want.route, want.lane), want.limit):
            if len(seen) >= TENANTS:
                return seen[-1]
            seen += tenants
            self._look(want, tenants, each, looks)
            if _count(looks) >= want.limit:
                break
        return None

    def _look_deeper(self, want: Want, looks: dict[str, _Look]) -> None:
        """Further rounds, of those that may have more due."""
        while (missing := want.limit - _count(looks)) > 0:
            more = [tenant for tenant, look in looks.items() if len(look.rows) == look.asked]
            if not more:
                return
            self._look(want, more, max(looks[tenant].asked for tenant in more) - (-missing // len(more)), looks)

    def _look(self, want: Want, tenants: Sequence[str], each: int, looks: dict[str, _Look]) -> None:
        open_ = [tenant for tenant in tenants if tenant not in self._paused and tenant not in want.but]
        rows = self._rows(want, "of_tenant", [{"p_tenant": tenant, "p_limit": each} for tenant in open_])
        looks.update((tenant, _Look(each, found)) for tenant, found in zip(open_, rows, strict=True))

    def _pages(self, lane: Lane, size: int) -> Iterator[tuple[list[str], int]]:
        """Tenants by the page in the order of their turns, and how many mails of each are worth a look."""
        last, first = self.turns.get(lane), tenants_of(self._tx, lane, None, size)
        if first and len(first) < size:  # these are all
            yield from_there(first, last), -(-size // len(first))
            return
        for page in self._behind(lane, last, size):
            yield page, 1
        for page in chain([first], self._behind(lane, first[-1] if first else None, size)):
            before = [tenant for tenant in page if last is None or tenant <= last]
            if before:
                yield before, 1
            if len(before) < len(page):
                return

    def _behind(self, lane: Lane, tenant: str | None, size: int) -> Iterator[list[str]]:
        while tenant is not None:
            page = tenants_of(self._tx, lane, tenant, size)
            if page:
                yield page
            tenant = page[-1] if len(page) == size else None

    def _oldest(self, want: Want) -> list[Row]:
        if not want.but:
            return self._rows(want, "oldest", [{"p_limit": want.limit}])[0]
        tenant = self._tx.tables.delivery.c.tenant
        allowed = and_(true() if self._allowed is None else self._allowed, *(tenant != one for one in sorted(want.but)[:_BUT]))
        place = {"p_route": want.route, "p_lane": want.lane, "p_now": self._tx.now_us, "p_floor": 0, "p_limit": want.limit}
        return self._tx.each_rows_once(oldest(self._tx.tables, self._tx.language, allowed), [place])[0]

    def _rows(self, want: Want, name: str, several: Sequence[Mapping[str, object]]) -> list[list[Row]]:
        """Rows of the kept statement, or of one built for the pauses of the moment, for each of ``several``."""
        tx = self._tx
        shared = {"p_route": want.route, "p_lane": want.lane, "p_now": tx.now_us, "p_floor": 0}
        params = [{**shared, **one} for one in several]
        if self._allowed is None:
            return tx.each_rows(getattr(tx.book(PickStatements), name), params)
        places = [(want.route, want.lane, *([str(one["p_tenant"])] if "p_tenant" in one else [])) for one in several]
        floors = [{**one, "p_floor": self._scans.floor_us(place)} for one, place in zip(params, places, strict=True)]
        began_s = time.monotonic()
        found = tx.each_rows_once(_BUILDERS[name](tx.tables, tx.language, self._allowed), floors)
        seconds = (time.monotonic() - began_s) / max(1, len(floors))
        for place, rows in zip(places, found, strict=True):
            self._scans.looked(place, first_us=rows[0][2] if rows else None, now_us=tx.now_us, seconds=seconds)
        return found


_BUILDERS = {"of_tenant": of_tenant, "oldest": oldest}


def _count(looks: Mapping[str, _Look]) -> int:
    return sum(len(look.rows) for look in looks.values())
