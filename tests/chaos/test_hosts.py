"""Several hosts on one SQLite file beside a worker at full speed: nobody is starved, nobody sees SQLITE_BUSY."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.harness import Site, until
from chaos.submitter import read_record
from chaos.verdict import judge

pytestmark = pytest.mark.chaos

#: Far above what `make bench` measures, far below what a starved writer waits: busy machines run this too.
STARVED_S = 1.5


@pytest.mark.timeout(180)
def test_four_hosts_beside_a_drain_never_see_a_busy_database(tmp_path: Path) -> None:
    with Site(tmp_path / "site", f"sqlite:///{tmp_path}/spool.db", dot_delay_s=0.0) as site:
        site.hand_over(1000, "backlog")
        names = ["one0", "one1", "joined2", "joined3"]
        hosts = [site.submitter(name[:-1], name, 100, 0.01) for name in names]
        site.workers[0].start()
        until(lambda: site.live.taken > 0, 30, "the worker sends")
        for host in hosts:
            host.start()
        assert [(host.wait(100), host.said()) for host in hosts] == [(0, "")] * len(hosts)
        slowest = max(line["seconds"] for name in names for line in read_record(site.record_of(name))[1:])
        site.heal(100)
        assert site.workers[0].stop() == 0
        assert judge(site, (), [*names, "backlog"]).problems() == []
        assert slowest < STARVED_S
