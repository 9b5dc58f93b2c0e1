"""The engine asks for time and chance; it never takes them. Else no simulation could repeat a run."""

from __future__ import annotations

import ast

import pytest
from reading_source import Module, modules

#: These run in the host's process, beside the engine.
HOSTS = tuple(f"app/usecases/{name}.py" for name in ("tell", "hear", "watch", "eta", "together", "bridge", "relay"))
ENGINE = [
    module
    for module in modules("app")
    if module.name in ("app/worker.py", "app/engine.py", "app/housekeeping.py")
    or (module.name.startswith("app/usecases/") and module.name not in HOSTS)
]


@pytest.mark.parametrize("module", ENGINE, ids=lambda module: module.name)
def test_no_part_of_the_engine_takes_time_threads_or_chance_by_itself(module: Module) -> None:
    nodes = list(ast.walk(module.tree))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}

    assert not imported & {"time", "random", "secrets", "threading"}
    assert "to_thread" not in used
