"""One table that says how a run went."""

from __future__ import annotations

from collections.abc import Mapping


def table(title: str, rows: Mapping[str, object]) -> str:
    """Lines of ``name  value`` below a title."""
    width = max(len(name) for name in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
    return "\n".join(["", title, "-" * len(title), *lines, ""])
