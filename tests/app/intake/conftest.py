"""A spool with the settings of a mail service, and what takes jobs into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.intake.kit import Service
from ticketmail import TicketMail


@pytest.fixture(params=["memory", "sqlite"])
def mail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TicketMail]:
    """A spool with the settings of a mail service."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/spool.db"
    with TicketMail(spool=url, accounts={"support": "null://"}, settings={}) as one:
        yield one


@pytest.fixture
def service(mail: TicketMail) -> Service:
    """Takes whatever comes, signed or not."""
    return Service(mail)
