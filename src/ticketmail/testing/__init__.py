"""The kit: contracts that adapters keep, servers that misbehave on request, and what tests of hosts need.

Importing it needs nothing beyond the base; the contract suites need pytest (extra ``testing``).
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("pytest") is not None:
    import pytest

    # Before the suites are imported: authors see both sides of a failed comparison.
    for name in ("gateway_contract", "handler_contract", "spool_contract", "spool_machine", "spool_pair"):
        pytest.register_assert_rewrite(f"{__name__}.{name}")

if TYPE_CHECKING:
    from ticketmail.testing.sandbox import Kill, Sandbox, memory

__all__ = ["Kill", "Sandbox", "memory"]


def __getattr__(name: str) -> Any:
    """The sandbox brings the whole worker: the local server, which is started often, needs none of it."""
    if name in __all__:
        from ticketmail.testing import sandbox

        return getattr(sandbox, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
