"""Limits as gauges: used and allowed by account and window, what holds an account, its connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily

from ticketmail.adapters.prometheus.spool import KeptGauges
from ticketmail.domain.errors import ContractBroken
from ticketmail.domain.outbound.account import AccountLimits, AccountState, slots_of
from ticketmail.domain.outbound.holds import hold_of
from ticketmail.domain.outbound.windows import WindowState, pending
from ticketmail.domain.ports.reading import Reading


class LimitGauges(KeptGauges):
    """``limits`` are the accounts' own, from the settings. Nothing is told of an account whose document cannot be read."""

    def __init__(self, reading: Reading, limits: Callable[[], Mapping[str, AccountLimits]]) -> None:
        super().__init__()
        self._reading = reading
        self._limits = limits

    def read(self) -> list[GaugeMetricFamily]:
        """As :meth:`KeptGauges.read` says."""
        documents, now_us = self._reading.documents("account"), self._reading.now_us()
        used = _family("limit_used", "what counts now in a window of an account", "account", "window")
        allowed = _family("limit_allowed", "how much our part of a window allows", "account", "window")
        held = _family("account_held", "1 for what holds an account", "account", "kind")
        ends = _family("account_hold_seconds", "seconds until the hold ends", "account", "kind")
        leased = _family("connections_leased", "connections that workers have", "account")
        slots = _family("connections_allowed", "connections that are ours", "account")
        learned = _family("limit_learned_per_second", "mails a second that the server taught by refusing more", "account")
        for name, limits, state in _states(self._limits(), documents):
            for window in limits.ours:
                counting = pending(window, state.windows.get(window.key, WindowState()), now_us)
                used.add_metric([name, str(window)], sum(count for _, count in counting))
                allowed.add_metric([name, str(window)], window.limit)
            hold = hold_of(state, limits, now_us=now_us)
            if hold is not None:
                held.add_metric([name, hold.kind], 1)
                if hold.until_us is not None:
                    ends.add_metric([name, hold.kind], max(0.0, (hold.until_us - now_us) / 1e6))
            if state.learned is not None and state.learned.pace:
                learned.add_metric([name], state.learned.pace)
            leased.add_metric([name], sum(one.held for one in state.leases.values() if one.until_us > now_us))
            slots.add_metric([name], slots_of(state, limits))
        return [used, allowed, held, ends, leased, slots, learned]


def _states(
    limits: Mapping[str, AccountLimits], documents: Mapping[str, bytes]
) -> Iterable[tuple[str, AccountLimits, AccountState]]:
    for name, one in sorted(limits.items()):
        try:
            yield name, one, AccountState.from_json(documents.get(name))
        except ContractBroken:
            continue  # `status` says so


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ticketmail_{name}", text, labels=labels)
