"""The broker in memory keeps the shipped contract."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from ticketmail.adapters.memory.broker import create
from ticketmail.domain.ports.queueing import Broker, BrokerOptions
from ticketmail.testing.broker_contract import BrokerContract, CannotPlay


class Memory:
    """This process."""

    def __init__(self) -> None:
        self._url = f"memory://{uuid.uuid4()}"

    def broker(self, options: BrokerOptions) -> Broker:
        return create(self._url, options)

    def cut(self) -> None:
        raise CannotPlay("nothing is connected")

    def heal(self) -> None:
        """Nothing was cut."""

    def consumer(self, options: BrokerOptions) -> Sequence[str]:
        raise CannotPlay("it lives in one process")


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def server(self) -> Memory:
        return Memory()
