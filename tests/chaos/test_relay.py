"""``ticketmail relay``, killed while it publishes and frozen until another took over: no mail is lost, every key is sent once."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from chaos import databases
from chaos.harness import Child, until
from chaos.road import CutTarget, RoadSite, judge
from chaos.submitter import submission
from ticketmail import TicketMail

pytestmark = [pytest.mark.chaos, pytest.mark.postgresql]

FULL = os.environ.get("TICKETMAIL_TEST_CHAOS") == "full"
MAILS, KILLS = (12_000, 24) if FULL else (1400, 4)
#: About; at twice that a second, a batch is half a second on its way.
BATCH_BYTES = 300_000
PATIENCE_S = 900.0 if FULL else 90.0
#: Short times: what a dead relay held is due again after twice their sum and a little.
TIMES = 'connect_timeout = "1s"\nconfirm_timeout = "2s"'


@pytest.fixture
def target() -> Iterator[CutTarget]:
    """RabbitMQ, by a link that can be cut."""
    url = os.environ.get("TICKETMAIL_TEST_RABBITMQ")
    if not url:
        pytest.skip("no such server: `scripts/services start`, or set TICKETMAIL_TEST_RABBITMQ")
    made = CutTarget(url)
    yield made
    made.close()


class Relays:
    """The outbox of a host, and the processes that empty it."""

    def __init__(self, site: RoadSite, outbox_url: str) -> None:
        self._site = site
        self._database = databases.connect(outbox_url)
        self._database.autocommit = True
        command = [sys.executable, "-m", "ticketmail", "--settings", str(site.host_settings), "relay"]
        self.one, self.other = (self._child(name, command) for name in ("relay0", "relay1"))

    def _child(self, name: str, command: list[str]) -> Child:
        child = Child(name, command, self._site.directory / f"{name}.log")
        self._site.children.append(child)
        return child

    def close(self) -> None:
        """The look into the outbox."""
        self._database.close()

    @property
    def left(self) -> int:
        """Rows of the outbox."""
        return self._asked("SELECT count(*) FROM ticketmail_road_outbox")

    def await_publishing(self) -> int:
        """Until a relay has taken a batch; when the newest batch before that was due again. Returns at once when all is gone."""
        before_us = self._asked("SELECT coalesce(max(due_us), 0) FROM ticketmail_road_outbox WHERE tries > 0")
        until(lambda: self.held(before_us) > 0 or not self.left, PATIENCE_S, f"it publishes; {self.one.said()}", 0.0)
        return before_us

    def held(self, after_us: int) -> int:
        """How many of the batches that were taken since are still there."""
        return self._asked(f"SELECT count(*) FROM ticketmail_road_outbox WHERE tries > 0 AND due_us > {after_us}")

    def _asked(self, question: str) -> int:
        return int(databases.run(self._database, question).fetchone()[0])


@pytest.mark.timeout(3600 if FULL else 200)
def test_relays_that_are_killed_or_frozen_lose_nothing(
    target: CutTarget, postgresql_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = RoadSite(tmp_path / "site", f"sqlite:///{tmp_path}/spool.db", target, 1, outbox_url=postgresql_url, times=TIMES)
    keys = {f"desk-{number}" for number in range(MAILS)}
    with site, TicketMail(settings=site.host_settings) as host, ExitStack() as stack:
        host.prepare()
        host.submit_many([submission("desk", number) for number in range(MAILS)])
        relays = stack.enter_context(closing(Relays(site, postgresql_url)))
        assert relays.left == MAILS
        site.workers[0].start()

        held = []
        target.link.slow(BATCH_BYTES * 2)
        for number in range(KILLS):
            relays.one.start()
            before_us = relays.await_publishing()
            time.sleep(0.1 * (number % 4))
            relays.one.kill()
            held.append(relays.held(before_us))
        relays.one.start()
        relays.await_publishing()
        relays.one.send(signal.SIGSTOP)
        target.link.heal()
        relays.other.start()
        until(lambda: relays.left == 0, PATIENCE_S, f"the outbox is empty; {relays.other.said()}", 0.1)
        relays.one.send(signal.SIGCONT)
        until(lambda: site.all_sent(MAILS), PATIENCE_S, f"all is sent ({site.counts()}); {site.workers[0].said()}", 0.25)
        ended = [relays.one.stop(), relays.other.stop(), site.workers[0].stop()]
        verdict = judge(site, keys)

    with capsys.disabled():
        print(f"\nrelay: {MAILS} mails, {KILLS} kills (held after each: {held}), one frozen; lost {len(verdict.lost)}")
    assert (verdict.lost, verdict.doubled, verdict.unowned, verdict.copies, verdict.parked) == ([], [], [], 0, 0)
    assert sum(count > 0 for count in held) > KILLS // 2  # they fell where jobs were on their way
    assert ended == [0, 0, 0]
