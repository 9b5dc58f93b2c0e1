"""What every broker must do. Subclass it, give one fixture, run pytest (with pytest-asyncio, ``asyncio_mode = "auto"``)::

    class TestMyBroker(BrokerContract):
        @pytest.fixture
        def server(self):                      # a BrokerServer: the other side, under your control
            ...

Each test uses a prefix of its own, so the other side need not be emptied. Tests that need what a broker does not have (by its
``capabilities``) or what the server cannot play are skipped, visibly.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from ticketmail.domain.ports.queueing import Broker, BrokerOptions
from ticketmail.testing.broker_contract.carrying import CarryingContract
from ticketmail.testing.broker_contract.failing import FailingContract
from ticketmail.testing.broker_contract.kit import LEASE_S, QUEUE, BrokerServer, MakeBroker, consume_for_ever, job
from ticketmail.testing.broker_contract.settling import SettlingContract
from ticketmail.testing.gateway_contract import CannotPlay

__all__ = ["BrokerContract", "BrokerServer", "CannotPlay", "consume_for_ever", "job"]


class BrokerContract(CarryingContract, SettlingContract, FailingContract):
    """See the module."""

    @pytest.fixture
    def server(self) -> BrokerServer:
        """Override me."""
        raise NotImplementedError("override the fixture server")

    @pytest.fixture
    def options(self) -> BrokerOptions:
        """A corner of the broker of this test's own."""
        return BrokerOptions(prefix=f"t{uuid.uuid4().hex[:12]}", connect_timeout_s=3.0, confirm_timeout_s=5.0, lease_s=LEASE_S)

    @pytest.fixture
    def make(self, server: BrokerServer, options: BrokerOptions) -> Iterator[MakeBroker]:
        """Brokers over the same corner; ``make(max_length=3)`` changes options."""
        made: list[Broker] = []

        def make(**changes: Any) -> Broker:
            values = {name: getattr(options, name) for name in BrokerOptions.__dataclass_fields__}
            made.append(server.broker(BrokerOptions(**{**values, **changes})))
            return made[-1]

        yield make
        for one in made:
            one.close()

    @pytest.fixture
    def broker(self, make: MakeBroker) -> Broker:
        """One of them, its queue made."""
        one = make()
        one.ensure([QUEUE])
        return one
