"""The spool in memory beside itself: what hypothesis does to it leaves every invariant standing."""

from __future__ import annotations

from hypothesis import settings

from ticketmail.adapters.memory import create
from ticketmail.testing.spool_machine import spool_machine

TestMachine = spool_machine(lambda options: create("memory://", options)).TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40)
