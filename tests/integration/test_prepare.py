"""A host's first minute: what it may count on after ``prepare()``."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ticketmail import Message, Scope, TicketMail


@pytest.mark.parametrize("settings", [{}, {"secret": "a key of the host's own, long enough"}], ids=["spool's keys", "own secret"])
def test_prepare_makes_the_tables_so_that_the_first_mail_may_join_a_transaction(settings: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "spool.db"
    with TicketMail(settings={"spool": f"sqlite:///{file}", "accounts": {"desk": "null://"}, **settings}) as mail:
        mail.prepare()
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            receipt = mail.submit(
                Message(sender="a@example.com", to="b@example.net", subject="s", text="t"), connection=connection
            )
            connection.execute("COMMIT")
        assert mail.reading.find(Scope.parse(f"id:{receipt.submission_id}"))[0].recipient == "b@example.net"
