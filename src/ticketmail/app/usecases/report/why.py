"""Why is it not sent, and when will it be? Sentences, each with a time."""

from __future__ import annotations

from collections.abc import Sequence

from ticketmail.app.usecases.report.etas import Eta, Place, leaves, place_of
from ticketmail.app.usecases.report.holds import Surroundings, holds_of, recipients_of
from ticketmail.app.usecases.report.models import Answer, Hold, Sentence
from ticketmail.app.usecases.report.outlook import Outlook
from ticketmail.app.usecases.report.times import Times, span
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.ports.reading import DeliveryView, HistoryRow, Reading

_S = DeliveryState


def why(reading: Reading, view: DeliveryView, around: Surroundings, times: Times, *, outlook: Outlook | None = None) -> Answer:
    """What happened to one delivery, what holds it now, and when it should leave. Raises SpoolError kin.

    ``outlook``: one for a whole report, so that each account's pace is computed once."""
    rows = reading.history(view.submission_id, view.number)
    holds = holds_of(view, around, times, recipients=recipients_of(reading, view, around))
    place = place_of(reading, view, around) if view.state is _S.QUEUED else Place(0)
    eta = (outlook or Outlook(around, times)).of_view(view, place, holds)
    told = [*_story(rows, times), *_now(view, place, holds, around, times), *_ending(view, eta, times, around.now_us)]
    return Answer(view.submission_id, view.number, view.recipient, view.state, view.ticket, tuple(told), holds, eta.at_us)


# --- what happened ----------------------------------------------------------------------------------------------------------


def _story(rows: Sequence[HistoryRow], times: Times) -> list[Sentence]:
    told = []
    for row in rows:
        text = _happened(row, rows, times)
        if text:
            told.append(Sentence(row.at_us, f"{times.at(row.at_us)}: {text}"))
    return told


def _happened(row: HistoryRow, rows: Sequence[HistoryRow], times: Times) -> str:
    if row.kind == "attempt":
        return _attempt(row, times)
    if row.kind in ("sent", "deferred") and any(_same_attempt(row, other) for other in rows):
        return ""  # the attempt row tells it
    words = _KINDS.get(row.kind, row.kind.replace("-", " "))
    through = f" through account {row.account!r}" if row.account and row.kind in ("sent", "evidence") else ""
    by = f" by {row.actor}" if row.actor else ""
    said = row.reply if row.reply and row.reply not in row.reason else ""
    because = ": " + "; ".join(part for part in (row.reason.rstrip("."), said) if part) if row.reason or said else ""
    cause = f" ({row.cause})" if row.cause and row.cause != row.kind else ""
    return f"{words}{through}{by}{cause}{because}."


def _same_attempt(row: HistoryRow, other: HistoryRow) -> bool:
    return other.kind == "attempt" and other.fence == row.fence and other.state == row.state


def _attempt(row: HistoryRow, times: Times) -> str:
    through = f"attempt through account {row.account!r}" if row.account else "attempt"
    if row.ended_us is None:
        return f"{through} began; its end is not recorded."
    # Begin is by the spool's clock, the end by the worker's copy of it: they may be a moment apart.
    took = f"after {span(max(0, row.ended_us - row.at_us) / 1_000_000)}"
    said = row.reply or row.reason
    match row.outcome:
        case "taken":
            as_ = f" as {row.remote_id}" if row.remote_id else ""
            return f"{through}: taken {took}{as_}{f' ({row.reply})' if row.reply else ''}."
        case "refused":
            return f"{through}: the server said {said!r} {took}{_at_phase(row)} ({row.cause})."
        case "not-reached":
            return f"{through}: no answer {took}{_at_phase(row)}: {said} ({row.cause})."
        case "unclear":
            return f"{through}: the body was on its way and no final reply was read{_at_phase(row)}: {said}."
    return f"{through}: {row.outcome or row.state} {took}{f': {said}' if said else ''}."


def _at_phase(row: HistoryRow) -> str:
    return f" at {row.phase.upper()}" if row.phase else ""


_KINDS = {
    "accepted": "accepted",
    "sent": "sent",
    "deferred": "deferred",
    "failed": "failed",
    "dead": "dead: it waits for a human",
    "unknown": "unknown: it may have been taken",
    "lease-lost": "its worker was lost while it was sending",
    "evidence": "evidence came in",
    "resolved": "resolved",
    "expired": "expired: its deadline passed",
    "suppressed": "suppressed",
    "cancelled": "cancelled",
    "superseded": "superseded by a later mail",
    "replayed": "replayed",
    "edited": "edited",
    "dismissed": "dismissed",
    "erased": "erased",
}


# --- what is so now ---------------------------------------------------------------------------------------------------------


def _now(view: DeliveryView, place: Place, holds: Sequence[Hold], around: Surroundings, times: Times) -> list[Sentence]:
    now_us = around.now_us
    if view.state is _S.QUEUED:
        since = view.due_us if view.due_us is not None and view.due_us <= now_us else view.accepted_us
        texts = [f"Queued since {times.at(view.accepted_us)}, lane {view.lane!r}, route {view.route!r}."]
        if since == view.due_us and view.due_us != view.accepted_us:
            texts = [f"{texts[0][:-1]}, due since {times.at(since)}."]
        texts += [f"Now {_with_end(hold, times)}." for hold in holds]
        if view.due_us is not None and view.due_us <= now_us:
            texts.append(_in_lane(place))
        return [Sentence(now_us, text) for text in texts if text]
    if view.state in (_S.CLAIMED, _S.SENDING):
        verb = "has it and will begin" if view.state is _S.CLAIMED else f"is sending it through account {view.account!r}"
        return [Sentence(now_us, f"Now worker {view.worker_id} {verb}.")]
    if view.state is _S.UNKNOWN:
        return [Sentence(now_us, f"Now {_with_end(hold, times)}.") for hold in holds]
    return []


def _with_end(hold: Hold, times: Times) -> str:
    if hold.until_us is None:
        return f"{hold.text}; that lasts until somebody acts: {hold.decision}"
    end = times.at(hold.until_us)
    return hold.text if end in hold.text else f"{hold.text}, until {end}"


def _in_lane(place: Place) -> str:
    """How many of the same lane and route are due before it."""
    if not place.exact:
        return f"At most {place.count} in the same lane are due before it; the oldest go first."
    return f"{place.count} earlier in the same lane." if place.count else "It is the first in its lane."


# --- when it will be --------------------------------------------------------------------------------------------------------


def _ending(view: DeliveryView, eta: Eta, times: Times, now_us: int) -> list[Sentence]:
    if view.state in _ENDS:
        return [Sentence(view.ended_us or now_us, _ENDS[view.state].format(id=f"{view.submission_id}/{view.number}"))]
    if view.state is not _S.QUEUED:
        return []
    if eta.at_us is None:
        return [Sentence(now_us, f"When it leaves cannot be said: {eta.reason}. {_deadline(view, times)}")]
    if eta.at_us > view.deadline_us:
        return [Sentence(now_us, f"It will not leave in time. {_deadline(view, times)}")]
    return [Sentence(now_us, f"It should leave {leaves(eta, times)}. {_deadline(view, times)}")]


def _deadline(view: DeliveryView, times: Times) -> str:
    return f"Its deadline is {times.at(view.deadline_us)}."


_ENDS = {
    _S.SENT: "It was sent: the mail server has taken it. Whether it was read is not known.",
    _S.FAILED: "It failed for good: the recipient's side will not take it. To correct the address: "
    "`ticketmail dead edit {id} --to ADDRESS --reason ...`.",
    _S.DEAD: "It waits for a human: `ticketmail dead show {id}`, then replay, edit or dismiss.",
    _S.EXPIRED: "It expired: its lane lets late mail go. To send it all the same: "
    "`ticketmail dead replay {id} --state expired --reason ...`.",
    _S.SUPPRESSED: "It was not sent: the address is suppressed. See `ticketmail suppressions list`.",
    _S.CANCELLED: "It was cancelled before it began.",
    _S.SUPERSEDED: "It was replaced by a later mail before it began.",
}
