"""The kit: contracts that adapters keep, servers that misbehave on request, and what tests of hosts need.

Importing it needs nothing beyond the base; the contract suites need pytest (extra ``testing``).
"""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("pytest") is not None:
    import pytest

    # Before the suites are imported: authors see both sides of a failed comparison.
    pytest.register_assert_rewrite("ticketmail.testing.gateway_contract", "ticketmail.testing.spool_contract")
