"""The contract that every spool keeps. An adapter's author subclasses ``SpoolContract`` and overrides one fixture::

    class TestAcmeSpool(SpoolContract):
        @pytest.fixture
        def make_spool(self):
            return lambda options: AcmeSpool(options)

``make_spool(options)`` gives a spool over the same store each time it is called within a test, empty at the test's start.
Tests skip themselves by ``SpoolCapabilities``. A test may not be overridden, but for ``pytest.mark.xfail`` with a reason.
Where ``connection=`` is understood, the fixture ``host_transaction`` is to be overridden too. Beside it stands
``ticketmail.testing.spool_machine``, for orders of acts that nobody thought of.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from ticketmail.domain.errors import SiteMismatch
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.spool_contract.acts import ActContract
from ticketmail.testing.spool_contract.guarding import GuardContract
from ticketmail.testing.spool_contract.handing import HandingContract, HostTransaction
from ticketmail.testing.spool_contract.incoming import IncomingContract
from ticketmail.testing.spool_contract.intaking import IntakingContract
from ticketmail.testing.spool_contract.kit import WORKER, ContractClock, Worker, entry
from ticketmail.testing.spool_contract.leases import LeaseContract
from ticketmail.testing.spool_contract.lives import LifeContract
from ticketmail.testing.spool_contract.people import PeopleContract
from ticketmail.testing.spool_contract.turns import TurnContract

__all__ = ["ContractClock", "HostTransaction", "MakeSpool", "SpoolContract", "Worker", "entry"]

MakeSpool = Callable[[SpoolOptions], SpoolAdapter]
StartWorker = Callable[..., Awaitable[Worker]]


class SpoolContract(
    HandingContract,
    LifeContract,
    TurnContract,
    GuardContract,
    LeaseContract,
    ActContract,
    PeopleContract,
    IncomingContract,
    IntakingContract,
):
    """See the module."""

    @pytest.fixture
    def make_spool(self) -> MakeSpool:
        """Override me."""
        raise NotImplementedError("override the fixture make_spool")

    @pytest.fixture(autouse=True)
    def _nothing_overridden(self, request: pytest.FixtureRequest) -> None:
        """A contract that a subclass may rewrite is none."""
        for name in dir(SpoolContract):
            ours, theirs = getattr(SpoolContract, name), getattr(request.cls, name)
            if name.startswith("test_") and ours is not theirs and not _is_excused(theirs):
                pytest.fail(f"{name} is overridden; mark it xfail with a reason instead")

    @pytest.fixture
    def clock(self) -> ContractClock:
        """The spool's clock."""
        return ContractClock()

    @pytest.fixture
    def spool(self, make_spool: MakeSpool, clock: ContractClock) -> Iterator[SpoolAdapter]:
        """An empty spool of site ``desk``."""
        made = make_spool(SpoolOptions(site="desk", clock=clock))
        yield made
        made.close()

    @pytest.fixture
    async def work(self, spool: SpoolAdapter) -> AsyncIterator[StartWorker]:
        """Makes workers, and closes them."""
        workers: list[Worker] = []

        async def start(on: SpoolAdapter | None = None) -> Worker:
            side = (on or spool).worker_side()
            workers.append(Worker(side, (await side.workers.register(WORKER)).worker_id))
            return workers[-1]

        yield start
        for one in workers:
            await one.side.aclose()

    def test_what_was_accepted_outlives_the_spool_object(
        self, spool: SpoolAdapter, make_spool: MakeSpool, clock: ContractClock
    ) -> None:
        if not spool.capabilities.survives_process:
            pytest.skip("this spool ends with its process, and says so")
        spool.intake.accept([entry(), entry("bob@example.net")])
        spool.close()

        again = make_spool(SpoolOptions(site="desk", clock=clock))

        assert sum(again.reading.overview().counts.values()) == 2
        again.close()

    def test_a_forked_child_hands_over_too(self, spool: SpoolAdapter) -> None:
        if not spool.capabilities.survives_process or not hasattr(os, "fork"):
            pytest.skip("this spool ends with its process, and says so")
        spool.intake.accept([entry()])
        child = os.fork()
        if child == 0:  # it says by its exit code how it went
            try:
                os._exit(0 if spool.intake.accept([entry("bob@example.net")]) else 2)
            finally:
                os._exit(1)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        spool.intake.accept([entry("eve@example.net")])
        assert sum(spool.reading.overview().counts.values()) == 3

    def test_another_site_is_refused(self, spool: SpoolAdapter, make_spool: MakeSpool, clock: ContractClock) -> None:
        if not spool.capabilities.survives_process:
            pytest.skip("this spool ends with its process, and says so")
        spool.intake.accept([entry()])

        copied = make_spool(SpoolOptions(site="staging", clock=clock))

        with pytest.raises(SiteMismatch):
            copied.intake.accept([entry("bob@example.net")])
        copied.close()


def _is_excused(test: object) -> bool:
    """It says that it fails, and why."""
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in getattr(test, "pytestmark", ()))
