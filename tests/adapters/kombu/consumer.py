"""A consumer process for the contract: ``python consumer.py URL PREFIX LEASE_S [NAME=VALUE ...]``. It acknowledges nothing."""

from __future__ import annotations

import sys

from ticketmail.adapters.kombu import create
from ticketmail.domain.ports.queueing import BrokerOptions
from ticketmail.testing.broker_contract import consume_for_ever

if __name__ == "__main__":
    url, prefix, lease_s, *extra = sys.argv[1:]
    pairs = tuple((name, value) for name, _, value in (one.partition("=") for one in extra))
    consume_for_ever(create(url, BrokerOptions(prefix=prefix, lease_s=float(lease_s), extra=pairs)))
