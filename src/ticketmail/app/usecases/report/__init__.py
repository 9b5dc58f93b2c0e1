"""Reports: is mail leaving, and why is this one not? Pure but for the spool's reading side."""

from __future__ import annotations

from ticketmail.app.usecases.report.accounts import account_status
from ticketmail.app.usecases.report.etas import DeliveryEta, Eta, LaneEta, leaves
from ticketmail.app.usecases.report.grants import on_grants
from ticketmail.app.usecases.report.holds import Surroundings, holds_of
from ticketmail.app.usecases.report.limits import LearnedPace, LimitsView, ToldByProvider, WindowUse, limits_view
from ticketmail.app.usecases.report.models import (
    AccountFacts,
    AccountStatus,
    Answer,
    Facts,
    Finding,
    Hold,
    HoldKind,
    LaneStatus,
    Level,
    MailboxStatus,
    Sentence,
    SpoolStatus,
    Status,
    WorkerStatus,
    worst,
)
from ticketmail.app.usecases.report.outlook import Outlook
from ticketmail.app.usecases.report.status import status, surroundings, worker_status
from ticketmail.app.usecases.report.times import Times, iso, span
from ticketmail.app.usecases.report.why import why

__all__ = [
    "AccountFacts",
    "AccountStatus",
    "Answer",
    "DeliveryEta",
    "Eta",
    "Facts",
    "Finding",
    "Hold",
    "HoldKind",
    "LaneEta",
    "LaneStatus",
    "LearnedPace",
    "Level",
    "LimitsView",
    "MailboxStatus",
    "Outlook",
    "Sentence",
    "SpoolStatus",
    "Status",
    "Surroundings",
    "Times",
    "ToldByProvider",
    "WindowUse",
    "WorkerStatus",
    "account_status",
    "holds_of",
    "iso",
    "leaves",
    "limits_view",
    "on_grants",
    "span",
    "status",
    "surroundings",
    "why",
    "worker_status",
    "worst",
]
