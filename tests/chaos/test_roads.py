"""Whatever is killed on a road with a broker (consumers, hosts, the broker), no mail is lost, and every key is sent once."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.harness import ended, until
from chaos.road import CutTarget, KilledTarget, RoadKiller, RoadSite, Target, judge
from chaos.submitter import read_record

pytestmark = pytest.mark.chaos

FULL = os.environ.get("TICKETMAIL_TEST_CHAOS") == "full"
MAILS = int(os.environ.get("TICKETMAIL_TEST_CHAOS_ROAD_MAILS", "20000" if FULL else "300"))
KILLS = int(os.environ.get("TICKETMAIL_TEST_CHAOS_ROAD_KILLS", "54" if FULL else "4"))
SEED = int(os.environ.get("TICKETMAIL_TEST_CHAOS_SEED", "2"))
PATIENCE_S = 1500.0 if FULL else 100.0
HOSTS = 4 if FULL else 2
WORKERS = 3 if FULL else 2
#: Seconds for each mail: a host is no faster.
PACE_S = 0.02 if FULL else 0.01


@pytest.fixture(params=["rabbitmq", "redis"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """In the full form a server of our own that is killed; else the shared one, whose connections are cut."""
    variable = f"TICKETMAIL_TEST_{request.param.upper()}"
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"no such server: `scripts/services start`, or set {variable}")
    made: Target = KilledTarget(request.param, tmp_path / "broker") if FULL else CutTarget(url)
    yield made
    made.close()


@pytest.fixture
def road_spool(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """PostgreSQL, as several workers want it; the short form does with SQLite."""
    return str(request.getfixturevalue("postgresql_url")) if FULL else f"sqlite:///{tmp_path}/spool-{uuid.uuid4().hex}.db"


@pytest.mark.timeout(3600 if FULL else 200)
def test_kills_on_the_road_lose_nothing_and_send_each_key_once(
    target: Target, road_spool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    each = MAILS // HOSTS
    names = [f"host{number}" for number in range(HOSTS)]
    with RoadSite(tmp_path / "site", road_spool, target, WORKERS) as site:
        for child in [*site.workers, *(site.host(name, each, PACE_S) for name in names)]:
            child.start()
        kills = RoadKiller(site, kills=KILLS, mails=each * HOSTS, broker_every=6 if FULL else 3, seed=SEED).run(PATIENCE_S)
        until(lambda: all(host.code == 0 for host in site.hosts), PATIENCE_S, "all hosts have ended")
        until(lambda: site.all_sent(each * HOSTS), PATIENCE_S, f"all is sent ({site.counts()}); {site.workers[0].said()}", 0.25)
        confirmed = {entry["key"] for name in names for entry in read_record(site.record_of(name))}
        verdict = judge(site, confirmed)
        heard = site.told(each * HOSTS, PATIENCE_S)
        with site.mail() as mail:
            stopped = ended(site.workers, mail)
        with capsys.disabled():
            print(
                f"\n{type(target).__name__} {target.url.partition(':')[0]}: {each * HOSTS} mails, {kills.all} kills "
                f"({kills.workers} consumers, {kills.hosts} hosts ({kills.publishing} in a call), {kills.broker} broker), "
                f"lost {len(verdict.lost)}, keys twice in the spool {len(verdict.doubled)}, copies sent {verdict.copies} "
                f"(unowned {len(verdict.unowned)}), parked {verdict.parked}, events {sum(heard.values())} of {len(heard)} mails"
            )
        assert (verdict.lost, verdict.doubled, verdict.unowned, verdict.parked) == ([], [], [], 0)
        assert len(confirmed) == each * HOSTS
        assert len(heard) == each * HOSTS
        assert kills.all >= KILLS
        assert kills.hosts * 4 >= KILLS
        assert kills.publishing * 2 > kills.hosts
        assert stopped == [0] * WORKERS
