"""The roads on the status screen: what waits at the broker, who takes it in, what is parked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ticketmail.app.usecases.report.models import Finding, Level, RoadStatus
from ticketmail.app.usecases.report.times import span
from ticketmail.app.usecases.roadwatch import KIND, LATE_S, look_from
from ticketmail.domain.ports.queueing import SUBMIT
from ticketmail.domain.ports.reading import Overview, Reading, WorkerView

#: A look that is older than this says nothing of now (seconds); workers look every 15 s.
STALE_S = 120.0


def roads_of(reading: Reading) -> tuple[RoadStatus, ...]:
    """Queues as a worker last saw them; () where none ever looked. Raises SpoolError kin."""
    looks = [look_from(name, content) for name, content in sorted(reading.documents(KIND).items())]
    return tuple(RoadStatus(one.queue, one.waiting, one.at_us, one.trouble) for one in looks if one is not None)


def on_roads(roads: Sequence[RoadStatus], overview: Overview, workers: Iterable[WorkerView]) -> Iterable[Finding]:
    """What is wrong with them."""
    for road in roads:
        if (overview.now_us - road.at_us) / 1e6 > STALE_S:
            continue  # the worker that looked is gone, and that is said elsewhere
        if road.trouble:
            yield Finding(Level.BAD, "broker", f"The queue {road.queue!r}: {road.trouble}", "`ticketmail broker show`.")
    for worker in workers:
        intake = worker.stats.get("intake")
        if worker.alive and isinstance(intake, Mapping):
            yield from _on_intake(intake, roads)
    if overview.jobs_parked:
        count = overview.jobs_parked
        text = f"{count} job{'s' if count > 1 else ''} from the broker could not be taken in."
        yield Finding(Level.WARN, "parked", text, "`ticketmail parked list`.")


def _on_intake(intake: Mapping[str, object], roads: Sequence[RoadStatus]) -> Iterable[Finding]:
    trouble, lag_s = intake.get("trouble"), intake.get("lag_s")
    if trouble:
        yield Finding(Level.BAD, "intake", f"A worker takes nothing in: {trouble}", "Mend it; nothing is lost meanwhile.")
    waiting = next((one.waiting for one in roads if one.queue == SUBMIT), None)
    if waiting and isinstance(lag_s, (int, float)) and lag_s > LATE_S:
        text = f"{waiting} jobs wait at the broker, the last had waited {span(lag_s)}."
        yield Finding(Level.WARN, "intake", text, "Start another worker.")
