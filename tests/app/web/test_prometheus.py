"""The Prometheus meter: names, a registry of its own, no label without bound, no exception."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from ticketmail.adapters.prometheus import LimitGauges, PrometheusMeter, SpoolGauges
from ticketmail.adapters.prometheus import meter as module
from ticketmail.domain.errors import SpoolUnreachable
from ticketmail.domain.outbound.account import AccountLimits, AccountState
from ticketmail.domain.outbound.delivery import DeliveryState
from ticketmail.domain.outbound.learning import Learned
from ticketmail.domain.outbound.permits import take
from ticketmail.domain.ports.reading import LaneLoad, Overview, WorkerView

NOW = 1_800_000_000_000_000


def samples(meter: PrometheusMeter) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = meter.exposition()[1].decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counts_gauges_and_durations_bear_our_prefix() -> None:
    meter = PrometheusMeter()
    meter.count("sent_total", account="support")
    meter.count("sent_total", 2, account="support")
    meter.gauge("in_flight", 3)
    meter.observe("dot_seconds", 0.2, account="support")
    found = samples(meter)
    assert found["ticketmail_sent_total", (("account", "support"),)] == 3
    assert found["ticketmail_in_flight", ()] == 3
    assert found["ticketmail_dot_seconds_count", (("account", "support"),)] == 1
    assert found["ticketmail_dot_seconds_bucket", (("account", "support"), ("le", "0.25"))] == 1


def test_the_hosts_own_registry_is_left_alone() -> None:
    PrometheusMeter().count("sent_total")
    assert not [name for name in REGISTRY._names_to_collectors if name.startswith("ticketmail")]


def test_a_metric_that_does_not_fit_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    meter = PrometheusMeter()
    meter.count("sent_total", account="a")
    with caplog.at_level(logging.WARNING, "ticketmail.prometheus"):
        meter.count("sent_total", lane="reply")
        meter.gauge("sent_total", 1.0)
        meter.count("sent_total", lane="reply")
    assert len(caplog.records) == 1
    assert samples(meter)["ticketmail_sent_total", (("account", "a"),)] == 1


def test_a_label_without_bound_stops_growing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "MOST_SERIES", 3)
    meter = PrometheusMeter()
    for at in range(10):
        meter.count("sent_total", recipient=f"{at}@example.net")
    meter.count("sent_total", recipient="0@example.net")
    totals = {labels: value for (name, labels), value in samples(meter).items() if name == "ticketmail_sent_total"}
    assert len(totals) == 3
    assert totals[("recipient", "0@example.net"),] == 2


class Reading:
    """Answers what a scrape asks; counts how often."""

    def __init__(self) -> None:
        self.asked, self.sick = 0, False

    def overview(self) -> Overview:
        self.asked += 1
        if self.sick:
            raise SpoolUnreachable("gone")
        lanes = [LaneLoad("reply", "*", 7, 2, NOW - 90_000_000), LaneLoad("reply", "sales", 3, 1, NOW - 30_000_000)]
        lanes.append(LaneLoad("bulk", "*", 5, 0, None))
        counts = {DeliveryState.QUEUED: 15, DeliveryState.DEAD: 4, DeliveryState.UNKNOWN: 1}
        return Overview(NOW, "desk", counts, lanes, NOW - 1_000_000, 6, 2, NOW - 5_000_000, 1, 2**30, 2**20)

    def workers(self) -> Sequence[WorkerView]:
        alive = WorkerView(uuid4(), "h", 1, "1", NOW, NOW, True, None, {})
        return [alive, WorkerView(uuid4(), "h", 2, "1", NOW, NOW, False, None, {})]


def test_the_spool_is_told_by_lane_and_state() -> None:
    meter = PrometheusMeter()
    meter.register(SpoolGauges(Reading()))
    found = samples(meter)
    assert found["ticketmail_queued", (("lane", "reply"),)] == 10
    assert found["ticketmail_due", (("lane", "reply"),)] == 3
    assert found["ticketmail_oldest_due_seconds", (("lane", "reply"),)] == 90
    assert found["ticketmail_oldest_due_seconds", (("lane", "bulk"),)] == 0
    assert found["ticketmail_deliveries", (("state", "dead"),)] == 4
    assert found["ticketmail_deliveries", (("state", "unknown"),)] == 1
    assert (found["ticketmail_events_waiting", ()], found["ticketmail_events_dead", ()]) == (6, 2)
    assert found["ticketmail_workers_alive", ()] == 1
    assert found["ticketmail_spool_free_bytes", ()] == 2**30


def test_scrapes_within_five_seconds_read_the_spool_once() -> None:
    reading, at = Reading(), [100.0]
    meter = PrometheusMeter()
    meter.register(SpoolGauges(reading, monotonic_s=lambda: at[0]))
    samples(meter)
    at[0] += 4.9
    samples(meter)
    assert reading.asked == 1
    at[0] += 0.2
    samples(meter)
    assert reading.asked == 2


def test_a_sick_spool_tells_no_old_numbers() -> None:
    reading = Reading()
    reading.sick = True
    meter = PrometheusMeter()
    meter.register(SpoolGauges(reading))
    assert samples(meter) == {("ticketmail_spool_up", ()): 0.0}


class Accounts:
    """A spool that has documents of accounts."""

    def __init__(self, **documents: bytes) -> None:
        self._documents = documents

    def documents(self, kind: str) -> Mapping[str, bytes]:
        return self._documents if kind == "account" else {}

    def now_us(self) -> int:
        return NOW


def test_what_a_server_taught_is_told() -> None:
    state = AccountState(learned=Learned(per_s=2.5, connections=3))
    meter = PrometheusMeter()
    meter.register(LimitGauges(Accounts(support=state.to_json()), lambda: {"support": AccountLimits(), "fresh": AccountLimits()}))
    found = samples(meter)
    assert found["ticketmail_limit_learned_per_second", (("account", "support"),)] == 2.5
    assert ("ticketmail_limit_learned_per_second", (("account", "fresh"),)) not in found
    assert found["ticketmail_connections_allowed", (("account", "support"),)] == 3
    assert found["ticketmail_connections_allowed", (("account", "fresh"),)] == 5


def test_limits_are_told_by_account_and_window() -> None:
    limits = AccountLimits.parse(["5/day", "6000/min"])
    state, _ = take(AccountState(), limits, worker="w", permits=5, connections=2, now_us=NOW)
    meter = PrometheusMeter()
    both = {"support": limits, "broken": limits, "fresh": limits}
    meter.register(LimitGauges(Accounts(support=state.to_json(), broken=b"x"), lambda: both))
    found = samples(meter)
    day = (("account", "support"), ("window", "5/day"))
    assert (found["ticketmail_limit_used", day], found["ticketmail_limit_allowed", day]) == (5, 5)
    assert found["ticketmail_account_held", (("account", "support"), ("kind", "quota"))] == 1
    assert found["ticketmail_account_hold_seconds", (("account", "support"), ("kind", "quota"))] > 86_000
    assert found["ticketmail_connections_leased", (("account", "support"),)] == 2
    assert found["ticketmail_limit_used", (("account", "fresh"), ("window", "5/day"))] == 0
    assert not [labels for _, labels in found if ("account", "broken") in labels]
