"""SIGKILL for workers and submitters, aimed at moments when a body is on its way."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass, field

from chaos.harness import Child, InFlight, Site

#: Kills aim at a body in flight this often; the others fall anywhere, start-up and idle times included.
AIMED = 0.85
WORKERS_SHARE = 0.7


@dataclass
class Kills:
    """What was killed, and what was in flight then."""

    workers: int = 0
    submitters: int = 0
    with_body: int = 0
    in_flight: set[InFlight] = field(default_factory=set)

    @property
    def all(self) -> int:
        return self.workers + self.submitters


class Killer:
    """Spreads kills evenly over the run: the nth falls when that part of the mails has arrived."""

    def __init__(self, site: Site, submitters: list[Child], *, kills: int, mails: int, seed: int) -> None:
        self._site, self._submitters = site, submitters
        self._count, self._mails = kills, mails
        self._dice = random.Random(seed)
        self.kills = Kills()

    def run(self, seconds: float) -> Kills:
        """Kill and restart, until all kills are done. Raises AssertionError if the run stalls."""
        deadline = time.monotonic() + seconds
        for number in range(self._count):
            self._wait_for_progress(int(self._mails * 0.95 * number / self._count), deadline)
            self._one()
            assert time.monotonic() < deadline, f"only {self.kills.all} kills in {seconds:.0f} s; {self._site.workers[0].said()}"
        return self.kills

    def _wait_for_progress(self, taken: int, deadline: float) -> None:
        while self._site.live.taken < taken and time.monotonic() < deadline:
            self.look_after_all()
            time.sleep(0.01)

    def look_after_all(self) -> None:
        """As a supervisor does: whoever ended by itself is a failure, unless its work is done."""
        for child in [*self._site.workers, *self._submitters]:
            assert child.code in (None, 0, -signal.SIGKILL), f"{child.name} ended with {child.code}:\n{child.said()}"

    def _one(self) -> None:
        handing_over = [child for child in self._submitters if child.runs]
        if handing_over and self._dice.random() >= WORKERS_SHARE:
            self._kill_submitter(self._dice.choice(handing_over))
        else:
            self._kill_worker(self._dice.choice(self._site.workers))

    def _aim(self) -> None:
        time.sleep(self._dice.uniform(0.0, 0.1))
        if self._dice.random() < AIMED:
            until = time.monotonic() + 10.0
            while not self._site.live.bodies and time.monotonic() < until:
                time.sleep(0.0005)
            time.sleep(self._dice.uniform(0.0, self._site.dot_delay_s / 2))

    def _kill_submitter(self, child: Child) -> None:
        self._aim()
        with_body = self._site.live.bodies > 0
        if child.runs:
            child.kill()
            self.kills.submitters += 1
            self.kills.with_body += with_body
            child.start()

    def _kill_worker(self, child: Child) -> None:
        self._aim()
        child.kill()
        # It is gone and nobody has reaped yet: what the spool calls SENDING now is what was in flight.
        sending = self._site.sending()
        new = sending - self.kills.in_flight
        self.kills.in_flight |= sending
        self.kills.workers += 1
        self.kills.with_body += bool(new)
        child.start()
