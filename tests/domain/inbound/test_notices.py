"""Notices for people in the forms of about a hundred programs and services, after their documentation; written by us."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from ticketmail.adapters.mime.reading import parse
from ticketmail.domain.inbound.classify import classify


class Notice(NamedTuple):
    """One of ``notices.txt``: ``=== name | kind | permanent, temporary or - | status | recipients``, then the mail."""

    name: str
    kind: str
    permanent: str
    status: str
    recipients: str
    mail: str


def _notices() -> list[Notice]:
    records = (Path(__file__).parent / "notices.txt").read_text(encoding="utf-8").split("=== ")[1:]
    heads = (record.partition("\n") for record in records)
    return [Notice(*(one.strip() for one in head.split("|")), mail=mail) for head, _, mail in heads]


@pytest.mark.parametrize("path", ["", "Return-Path: <>\n"], ids=["", "null path"])
@pytest.mark.parametrize("notice", _notices(), ids=lambda notice: notice.name)
def test_each_program_is_understood(notice: Notice, path: str) -> None:
    head = "To: help@example.com\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"

    verdict = classify(parse(f"{path}{head}{notice.mail}".encode()))

    report = verdict.report
    assert report is not None
    assert verdict.kind.value + " expired" * report.expired == notice.kind
    assert sorted(one.address for one in report.recipients) == sorted(notice.recipients.split())
    assert report.permanent is {"permanent": True, "temporary": False}.get(notice.permanent, report.permanent)
    assert notice.status in ("-", *(one.status for one in report.recipients))
