"""The other side of a broker under test: a real server behind a link that can be cut."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from ticketmail.adapters.kombu import create
from ticketmail.adapters.kombu.broker import KombuBroker
from ticketmail.domain.ports.queueing import BrokerOptions
from ticketmail.testing.broker_contract import CannotPlay
from ticketmail.testing.link import Link


def url_of(variable: str) -> str:
    """The server that ``scripts/services`` started, or a skip."""
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"no such server: `scripts/services start`, or set {variable}")
    return url


class LinkedServer:
    """A server behind a link."""

    def __init__(self, url: str, extra: tuple[tuple[str, str], ...] = ()) -> None:
        parts = urlsplit(url)
        self.link = Link(parts.hostname or "127.0.0.1", parts.port or 0)
        login = f"{parts.username or ''}:{parts.password or ''}@"
        self.url = urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{self.link.port}"))
        self._extra = extra

    def broker(self, options: BrokerOptions) -> KombuBroker:
        values = {name: getattr(options, name) for name in BrokerOptions.__dataclass_fields__} | {"extra": self._extra}
        return create(self.url, BrokerOptions(**values))

    def cut(self) -> None:
        self.link.cut()

    def heal(self) -> None:
        self.link.heal()

    def consumer(self, options: BrokerOptions) -> Sequence[str]:
        extra = [f"{name}={value}" for name, value in self._extra]
        script = str(Path(__file__).with_name("consumer.py"))
        return [sys.executable, script, self.url, options.prefix, str(options.lease_s), *extra]


class KafkaServer(LinkedServer):
    """A Kafka cluster: its clients go where its metadata says, past any link."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._extra = ()

    def cut(self) -> None:
        raise CannotPlay("clients of Kafka connect to the addresses that it tells them")

    def heal(self) -> None:
        """Nothing was cut."""
