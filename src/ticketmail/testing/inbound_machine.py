"""A state machine over incoming mail: whatever crashes, repeats and comes twice, each mail becomes exactly one event::

    TestAcme = inbound_machine(make_spool).TestCase

``make_spool(options)`` gives an empty spool each time it is called. Hypothesis finds the order of deliveries, copies, cuts,
crashes (before and after each commit), new UIDs, leases that end, handlers that fail. At the end all is healed and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ticketmail.app.usecases.ingest import Interpret, Settle, Threading
from ticketmail.app.usecases.tell import Tell
from ticketmail.app.watching import MailboxInbox
from ticketmail.domain.errors import MailboxError
from ticketmail.domain.ports.receiving import InboundState, RawMail
from ticketmail.domain.ports.spooling import SpoolAdapter, SpoolOptions
from ticketmail.testing.clock import FakeClock
from ticketmail.testing.mailboxes import FakeMailbox, FakeMailServer, mail
from ticketmail.testing.reading import InlineReader

_MANY = 10_000
_FINAL = (InboundState.DONE, InboundState.DUPLICATE, InboundState.DEAD)


class _Crash(Exception):
    """The process dies here."""


class _Dying:
    """Does what ``target`` does, and dies at one of its methods: before it, or after it has committed."""

    def __init__(self, target: Any, method: str, *, after: bool) -> None:
        self._target, self._method, self._after = target, method, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        return self._dying(found) if name == self._method else found

    def _dying(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def die(*args: Any, **names: Any) -> Any:
            if self._after:
                call(*args, **names)
            raise _Crash

        return die


class InboundMachine(RuleBasedStateMachine):
    """See the module."""

    make_spool: Callable[[SpoolOptions], SpoolAdapter]

    @initialize()
    def begin(self) -> None:
        self.clock = FakeClock()
        self.spool = type(self).make_spool(SpoolOptions(clock=self.clock))
        self.server = FakeMailServer()
        self.delivered = 0
        self.told: Counter[Any] = Counter()
        self.ids: dict[Any, str] = {}

    # --- the world ----------------------------------------------------------------------------------------------------------

    @rule()
    def a_mail_arrives(self) -> None:
        self.delivered += 1
        self.server.deliver(mail(self.delivered))

    @rule(pick=st.integers(0, 1000))
    def a_copy_arrives(self, pick: int) -> None:
        if self.delivered:
            self.server.deliver(b"Received: by another way\r\n" + mail(pick % self.delivered + 1))

    @rule(pick=st.integers(0, 1000))
    def a_copy_is_piped_in(self, pick: int) -> None:
        if self.delivered:
            number = pick % self.delivered + 1
            self.spool.ledger.store([RawMail("help", f"pipe:{number}", mail(number))])

    @rule()
    def uids_are_new(self) -> None:
        self.server.renew_uids()

    @rule(after=st.integers(0, 3))
    def the_next_connection_breaks(self, after: int) -> None:
        self.server.cut_after = after

    @rule(seconds=st.sampled_from([1.0, 61.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # --- the mail service ---------------------------------------------------------------------------------------------------

    @rule(dies=st.sampled_from(["", "store", "move_cursor", "has"]), after=st.booleans())
    def the_mailbox_is_polled(self, dies: str, after: bool) -> None:
        inbox: Any = MailboxInbox(self.spool.ledger, "help", "")
        try:
            FakeMailbox(self.server).poll(_Dying(inbox, dies, after=after) if dies else inbox)
        except (_Crash, MailboxError):
            pass

    @rule(dies=st.sampled_from(["", "settle", "failed", "take"]), after=st.booleans(), limit=st.integers(1, 4))
    def mails_are_settled(self, dies: str, after: bool, limit: int) -> None:
        ledger = _Dying(self.spool.ledger, dies, after=after) if dies else self.spool.ledger
        try:
            self._settle(ledger).round(limit)
        except _Crash:
            pass

    @rule(fails=st.booleans(), dies=st.booleans(), after=st.booleans())
    def the_host_is_told(self, fails: bool, dies: bool, after: bool) -> None:
        outbox = _Dying(self.spool.outbox, "done", after=after) if dies else self.spool.outbox
        try:
            Tell(outbox, monotonic_s=self.clock.monotonic_s).tell_due(self._failing if fails else self._heard, limit=3)
        except _Crash:
            pass

    # --- the end ------------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All is healed: everything must have come to an end, each mail exactly once."""
        if not hasattr(self, "spool"):
            return
        self.server.cut_after = None
        FakeMailbox(self.server).poll(MailboxInbox(self.spool.ledger, "help", ""))
        for _ in range(30):
            self.clock.advance(4000.0)
            while self._settle(self.spool.ledger).round(_MANY).seen:
                pass
            Tell(self.spool.outbox, monotonic_s=self.clock.monotonic_s).tell_due(self._heard, limit=_MANY)
        self._count()
        self.spool.close()

    def _count(self) -> None:
        views = self.spool.ledger.find(limit=_MANY)
        assert all(view.state in _FINAL for view in views)
        assert set(self.told) == {view.event_id for view in views if view.state is InboundState.DONE}
        assert sorted(self.ids.values()) == sorted(f"{number}@example.net" for number in range(1, self.delivered + 1))
        sources = {view.source for view in views}
        assert set(FakeMailbox(self.server).census()) <= sources

    def _heard(self, event: Any) -> None:
        self.told[event.event_id] += 1
        self.ids[event.event_id] = event.message_id

    def _failing(self, event: Any) -> None:
        raise ValueError("the host is down")

    def _settle(self, ledger: Any) -> Settle:
        threading = Threading(self.spool.directory, ledger, lambda: (b"k" * 32,))
        interpret = Interpret(reader=InlineReader(), ledger=ledger, threading=threading, keys=lambda: (b"k" * 32,), rules={})
        return Settle(ledger=ledger, interpret=interpret, now_us=self.clock.now_us)


def inbound_machine(make_spool: Callable[[SpoolOptions], SpoolAdapter]) -> type[InboundMachine]:
    """The machine for spools that ``make_spool`` makes."""
    return type("Machine", (InboundMachine,), {"make_spool": staticmethod(make_spool)})


__all__ = ["InboundMachine", "inbound_machine"]
