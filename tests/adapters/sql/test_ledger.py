"""The ledger on servers: what two say of one mail at once."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sql_support import mariadb_connection

from ticketmail.adapters.sql import create
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.testing.spool_contract.incoming import raw, settlement, take_one

SERVERS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("postgresql", "mariadb")]
_WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


def _connect(url: str) -> Any:
    if url.startswith("mariadb"):
        return mariadb_connection(url)
    import psycopg

    return psycopg.connect(url)


def _wait_for_a_wait(kind: str, url: str) -> None:
    with contextlib.closing(_connect(url)) as c, c.cursor() as cursor:
        for _ in range(1000):
            cursor.execute(_WAITING[kind])
            if cursor.fetchone()[0]:
                return
            c.rollback()
            time.sleep(0.01)
    raise AssertionError("nobody waited for the row")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_mail_that_another_gives_a_ticket_meanwhile_is_not_given_a_second_one(request: Any, kind: str) -> None:
    url = str(request.getfixturevalue(f"{kind}_url"))
    spool = create(url, SpoolOptions(site="desk"))
    spool.ledger.store([raw()])
    item = take_one(spool)
    told = settlement(item)
    spool.ledger.settle(item, told)
    with contextlib.closing(_connect(url)) as host, ThreadPoolExecutor(1) as elsewhere:
        assert spool.ledger.assign(told.event.event_id, "4711", connection=host)
        other = elsewhere.submit(spool.ledger.assign, told.event.event_id, "4712")
        _wait_for_a_wait(kind, url)
        host.commit()
        assert other.result(30) is False
    assert [row.reason for row in spool.reading.history(item.view.inbound_id) if row.kind == "assigned"] == ["It is ticket 4711."]
    spool.close()
