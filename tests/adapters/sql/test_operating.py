"""Acts of people, the outbox, retention, erasure, administration."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sql_support import HOUR, HandClock, claims, entry

from ticketmail.adapters.sql import create
from ticketmail.adapters.sql.transaction import Tx
from ticketmail.domain.errors import SchemaMismatch, SpoolError
from ticketmail.domain.events import MailFailed
from ticketmail.domain.outbound.delivery import DeliveryState as S
from ticketmail.domain.ports.delivering import Completion
from ticketmail.domain.ports.spooling import SpoolOptions
from ticketmail.domain.scope import Scope

ALL = Scope.parse("all")
DAY = 24 * HOUR


async def end_all(spool: Any, worker: Any, state: S, **more: Any) -> None:
    for mail in await worker.claim():
        done = [Completion(c, state, spends=True, account="a", outcome="refused", **more) for c in claims(mail)]
        await worker.deliveries.record(worker.id, done)


def event_of(mail: Any) -> MailFailed:
    return MailFailed(event_id=uuid4(), at_us=1, submission_id=mail.submission_id, recipient=mail.recipients[0])


def test_a_corrupt_blob_is_not_handed_out(spool: Any) -> None:
    digest = spool.blobs.put("", b"x")
    database = spool._database
    database.write(lambda tx: tx.run_once(database.tables.blob.update().values(content=b"y")))
    with pytest.raises(SpoolError, match="corrupt"):
        spool.blobs.get("", digest)


def test_tables_are_made_once_checked_and_dropped(spool: Any, url: str, clock: HandClock) -> None:
    spool.administering.drop()  # a server may have them from the test before
    strict = create(url, SpoolOptions(site="desk", clock=clock, create=False))
    with pytest.raises(SchemaMismatch, match="db upgrade"):
        strict.reading.overview()
    assert strict.administering.check()
    assert strict.administering.upgrade()
    assert strict.administering.upgrade() == []
    assert strict.administering.check() == []
    assert strict.administering.ddl().count("CREATE TABLE") == len(strict._database.tables.metadata.tables) > 13
    assert strict.administering.secrets() == spool.administering.secrets()
    strict.administering.drop()
    with pytest.raises(SchemaMismatch):
        strict.reading.overview()
    strict.close()


def test_tables_of_a_later_release_are_refused(spool: Any, url: str, clock: HandClock) -> None:
    spool.reading.overview()
    meta = spool._database.tables.meta
    spool._database.write(lambda tx: tx.run_once(meta.update().where(meta.c.name == "min_reader").values(value="99")))
    late = create(url, SpoolOptions(site="desk", clock=clock))
    with pytest.raises(SchemaMismatch, match="Upgrade the package"):
        late.intake.accept([entry()])
    late.close()


def test_an_overview_sees_one_moment(spool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that is claimed between two statements counts once."""
    mails = [entry(f"{number}@example.net") for number in range(9)]
    spool.intake.accept(mails)
    database, waiting = spool._database, [mail.submission_id.hex for mail in mails]
    d = database.tables.delivery
    rows = Tx.rows

    def meanwhile(tx: Tx, *args: Any, **params: Any) -> Any:
        found = rows(tx, *args, **params)
        claimed = d.update().where(d.c.submission_id == waiting.pop()).values(state="claimed", worker_id="0" * 32)
        database.write(lambda tx: tx.run_once(claimed))
        return found

    monkeypatch.setattr(Tx, "rows", meanwhile)
    assert sum(spool.reading.overview().counts.values()) == len(mails)
    assert waiting != [mail.submission_id.hex for mail in mails]


def test_two_prefixes_share_a_database(url: str, clock: HandClock) -> None:
    one, two = (create(url, SpoolOptions(prefix=prefix, clock=clock)) for prefix in ("one_", "two_"))
    one.intake.accept([entry()])
    assert (len(one.reading.find(ALL)), len(two.reading.find(ALL))) == (1, 0)
    one.close()
    two.close()
