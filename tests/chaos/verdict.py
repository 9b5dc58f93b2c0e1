"""What became of every accepted mail, held against what the mail server has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from chaos.harness import ALL, InFlight, Site
from chaos.submitter import read_record
from ticketmail import DeliveryState
from ticketmail.domain.ports.reading import DeliveryView, HistoryRow, Reading

#: A mail that is in one of these is listed and waits: not lost, even if it never arrives.
WAITS = frozenset({DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING, DeliveryState.UNKNOWN, DeliveryState.DEAD})
#: A worker has it: of a site that has come to rest none may be left.
HELD = frozenset({DeliveryState.CLAIMED, DeliveryState.SENDING})
#: History rows that own up to a second copy.
OWNS_UP = frozenset({"unknown", "lease-lost"})


@dataclass
class Verdict:
    """The account of a run. Lists name mails, so that a failure says which."""

    accepted: int
    arrived: int
    copies: int
    bound: int
    lost: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)  #: SENT in the spool, but the mail server never had it
    unowned: list[str] = field(default_factory=list)  #: copies without an ``unknown`` or ``lease-lost`` row
    faultless: list[str] = field(default_factory=list)  #: copies of what was never in flight at a fault
    strangers: list[str] = field(default_factory=list)  #: at the mail server, but nobody handed it over
    doubled: list[str] = field(default_factory=list)  #: a key with two submissions, or two ids
    disordered: list[str] = field(default_factory=list)  #: a ticket whose first attempts began out of order
    unexplained: list[str] = field(default_factory=list)  #: state and history do not fit
    unfinished: list[str] = field(default_factory=list)  #: somebody's still, though nobody will end it
    states: Mapping[str, int] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """What must be empty, as sentences; [] is a pass."""
        named = ("lost", "lies", "unowned", "faultless", "strangers", "doubled", "disordered", "unexplained", "unfinished")
        found = [
            f"{name}: {len(getattr(self, name))}, such as {getattr(self, name)[:5]}" for name in named if getattr(self, name)
        ]
        if self.copies > self.bound:
            found.append(f"{self.copies} copies, but only {self.bound} sends were in flight at a fault")
        return found


def judge(site: Site, in_flight: Iterable[InFlight], submitters: Iterable[str]) -> Verdict:
    """The account of ``site``. ``in_flight``: claims that were sending at any fault."""
    faults = set(in_flight)
    views = site.views()
    copies = site.journal.copies()
    verdict = Verdict(
        accepted=0,
        arrived=len(copies),
        copies=sum(count - 1 for count in copies.values()),
        bound=len(faults),
        states=dict(sorted(Counter(view.state.value for view in views).items())),
    )
    verdict.unfinished = [f"{view.key}: {view.state}" for view in views if view.state in HELD]
    _judge_records(site, submitters, views, copies, verdict)
    _judge_copies(site, views, copies, {(id_, number) for id_, number, _ in faults}, verdict)
    known = {_mark(view) for view in views}
    verdict.strangers = [message_id for message_id, recipient in copies if (message_id, recipient) not in known]
    return verdict


def _mark(view: DeliveryView) -> tuple[str, str]:
    return view.message_id.strip("<>"), view.recipient.lower()


def _judge_records(
    site: Site, submitters: Iterable[str], views: list[DeliveryView], copies: Counter[tuple[str, str]], verdict: Verdict
) -> None:
    by_id: dict[str, list[DeliveryView]] = defaultdict(list)
    for view in views:
        by_id[view.submission_id.hex].append(view)
    ids_of: dict[str, set[str]] = defaultdict(set)
    for name in submitters:
        for line in read_record(site.record_of(name)):
            ids_of[line["key"]].add(line["id"])
    verdict.accepted = len(ids_of)
    verdict.doubled = [key for key, ids in ids_of.items() if len(ids) > 1]
    keys = Counter(view.key for view in views)
    verdict.doubled += [str(key) for key, count in keys.items() if count > 1]
    for key, ids in ids_of.items():
        for id_ in ids:
            deliveries = by_id.get(id_, [])
            if not deliveries or any(_lost(view, copies) for view in deliveries):
                verdict.lost.append(key)
    verdict.lies = [str(view.key) for view in views if view.state is DeliveryState.SENT and not copies[_mark(view)]]


def _lost(view: DeliveryView, copies: Counter[tuple[str, str]]) -> bool:
    return not copies[_mark(view)] and view.state not in WAITS


def _judge_copies(
    site: Site, views: list[DeliveryView], copies: Counter[tuple[str, str]], at_faults: set[tuple[UUID, int]], verdict: Verdict
) -> None:
    first_attempts: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    with closing(site.mail()) as mail:
        for view in views:
            rows = mail.reading.history(view.submission_id, view.number)
            extra = copies[_mark(view)] - 1
            if extra > sum(row.kind in OWNS_UP for row in rows):
                verdict.unowned.append(f"{view.key}: {extra} extra, {[row.kind for row in rows]}")
            if extra > 0 and (view.submission_id, view.number) not in at_faults:
                verdict.faultless.append(f"{view.key}: {[(row.kind, row.reason) for row in rows]}")
            verdict.unexplained += _unexplained(view, rows)
            begun = [row.at_us for row in rows if row.kind == "attempt"]
            if begun and view.ticket:
                first_attempts[(view.ticket, view.recipient)].append((_turn(view), min(begun)))
    for (ticket, _), in_ticket in first_attempts.items():
        begun_at = [at for _, at in sorted(in_ticket)]
        if any(later <= sooner for sooner, later in pairwise(begun_at)):
            verdict.disordered.append(f"{ticket}: {begun_at}")


def _turn(view: DeliveryView) -> int:
    """When it was handed over: submitters count in their keys."""
    return int(str(view.key).rpartition("-")[2])


def _unexplained(view: DeliveryView, rows: Iterable[HistoryRow]) -> list[str]:
    """A state without a history that leads there, or an attempt that never ended."""
    kinds = [row.kind for row in rows]
    found = []
    if "accepted" not in kinds:
        found.append(f"{view.key}: accepted without a row")
    if view.state is DeliveryState.SENT and not {"sent", "evidence", "resolved"} & set(kinds) and not _taken(rows):
        found.append(f"{view.key}: sent, but {kinds}")
    open_ = [row for row in rows if row.kind == "attempt" and row.ended_us is None]
    if open_ and view.state is not DeliveryState.SENDING:
        found.append(f"{view.key}: {view.state}, but {len(open_)} attempts never ended")
    return found


def _taken(rows: Iterable[HistoryRow]) -> bool:
    return any(row.kind == "attempt" and row.outcome == "taken" for row in rows)


def joined_and_rolled_back(host_keys: set[str], reading: Reading) -> list[str]:
    """The host's rows and its mails are the same set: a commit gave both, a rollback neither."""
    keys = {
        str(view.key)
        for view in reading.find(ALL, limit=1_000_000)
        if str(view.key).removeprefix("rolled-back-").startswith("joined")
    }
    only_rows, only_mails = sorted(host_keys - keys), sorted(keys - host_keys)
    found = [f"a row without its mail: {key}" for key in only_rows] + [f"a mail without its row: {key}" for key in only_mails]
    return found + [f"rolled back, but there: {key}" for key in sorted(keys | host_keys) if key.startswith("rolled-back")]
