"""Whatever is killed, nothing is lost, and every second copy is owned up to."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from chaos.databases import fetch
from chaos.harness import Child, Site, ended, until
from chaos.killing import Killer, Kills
from chaos.submitter import read_record
from chaos.table import table
from chaos.verdict import Verdict, joined_and_rolled_back, judge

pytestmark = pytest.mark.chaos

FULL = os.environ.get("TICKETMAIL_TEST_CHAOS") == "full"
MAILS = int(os.environ.get("TICKETMAIL_TEST_CHAOS_MAILS", "5000" if FULL else "400"))
KILLS = int(os.environ.get("TICKETMAIL_TEST_CHAOS_KILLS", "52" if FULL else "8"))
SEED = int(os.environ.get("TICKETMAIL_TEST_CHAOS_SEED", "2"))
PATIENCE_S = 1500.0 if FULL else 240.0
LEAST_WITH_BODY = 0.6
#: Hosts hand over about as long as the sink takes, so that kills of hosts fall all through the run.
PACE_S = 0.03
MODES = ("one", "one", "many", "joined")


@pytest.mark.timeout(1800 if FULL else 300)
def test_kills_lose_nothing_and_copies_are_bounded_and_owned(
    spool_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workers = 1 if spool_url.startswith("sqlite") else 2
    with Site(tmp_path / "site", spool_url, workers_count=workers) as site:
        names = [f"{mode}{number}" for number, mode in enumerate(MODES)]
        each = MAILS // len(names)
        submitters = [site.submitter(mode, name, each, pace_s=PACE_S) for mode, name in zip(MODES, names, strict=True)]
        for child in [*site.workers, *submitters]:
            child.start()
        kills = Killer(site, submitters, kills=KILLS, mails=each * len(names), seed=SEED).run(PATIENCE_S)
        until(lambda: all(child.code == 0 for child in submitters), PATIENCE_S, _unfinished(submitters))
        site.heal(PATIENCE_S)
        verdict = judge(site, kills.in_flight, names)
        _show(capsys, site, names, kills, verdict)
        with site.mail() as mail:
            stopped = ended(site.workers, mail)
        assert stopped == [0] * workers
        assert verdict.problems() == []
        assert verdict.accepted == each * len(names)
        assert kills.all >= KILLS
        assert kills.with_body >= LEAST_WITH_BODY * kills.all
        assert _joined_faults(site) == []
        assert site.leaks() == []


@pytest.mark.timeout(180)
def test_without_faults_there_are_no_copies(spool_url: str, tmp_path: Path) -> None:
    with Site(tmp_path / "site", spool_url, dot_delay_s=0.0) as site:
        submitter = site.submitter("many", "calm", 300)
        for child in (site.workers[0], submitter):
            child.start()
        assert submitter.wait(60) == 0
        site.heal(60)
        verdict = judge(site, (), ["calm"])
        assert site.workers[0].stop() == 0
        assert verdict.problems() == []
        assert (verdict.accepted, verdict.copies, verdict.states) == (300, 0, {"sent": 300})


def _unfinished(submitters: list[Child]) -> str:
    return f"all submitters have ended ({[(child.name, child.code) for child in submitters]})"


def _joined_faults(site: Site) -> list[str]:
    rows = fetch(site.spool_url, "SELECT note_key FROM host_note")
    with closing(site.mail()) as mail:
        return joined_and_rolled_back({key for (key,) in rows}, mail.reading)


def _show(capsys: pytest.CaptureFixture[str], site: Site, names: list[str], kills: Kills, verdict: Verdict) -> None:
    seconds = sorted(line["seconds"] for name in names for line in read_record(site.record_of(name)))
    rows = {
        "accepted": verdict.accepted,
        "killed": f"{kills.all} ({kills.workers} workers, {kills.submitters} submitters)",
        "with a body in flight": f"{kills.with_body} ({kills.with_body / kills.all:.0%})",
        "lost": len(verdict.lost),
        "copies beyond the first": f"{verdict.copies} (bound {verdict.bound})",
        "without a row": len(verdict.unowned),
        "ended as": dict(verdict.states),
        "submit p50 / p99": f"{seconds[len(seconds) // 2] * 1e3:.1f} / {seconds[int(len(seconds) * 0.99)] * 1e3:.1f} ms",
    }
    with capsys.disabled():
        print(table(f"kills on {site.spool_url.partition(':')[0]}", rows))
