"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from reading_source import ROOT, modules

CONTRACTS = Path(__file__).with_name("contracts.toml")

#: What the domain may use: pure functions and values. No I/O, no clock, no randomness, no logging, no concurrency.
PURE = {
    "__future__", "abc", "base64", "bisect", "binascii", "collections", "contextlib", "dataclasses", "datetime", "difflib",
    "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "html", "ipaddress", "itertools", "json", "math", "operator",
    "re", "string", "textwrap", "types", "typing", "unicodedata", "urllib.parse", "uuid", "zoneinfo",
    "pydantic", "ticketmail.domain",
}  # fmt: skip

#: Clocks and dice that hide in pure modules.
IMPURE_CALLS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4", "open",
    "print", "input",
}  # fmt: skip


def test_every_contract_of_contracts_toml_is_kept():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", str(CONTRACTS), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Contracts") :] + done.stderr


def test_the_domain_imports_only_pure_modules():
    strangers = [
        f"{module.name}: {name}" for module in modules("domain") for name in _imported(module.tree) if not _is_pure(name)
    ]
    assert strangers == []


def test_the_domain_asks_no_clock_and_throws_no_dice():
    found = [
        f"{module.name}:{node.lineno}: {ast.unparse(node.func)}"
        for module in modules("domain")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE_CALLS
    ]
    assert found == []


def test_the_allow_list_would_catch_a_clock():
    assert not _is_pure("time")
    assert not _is_pure("os.path")
    assert not _is_pure("urllib.request")
    assert _imported(ast.parse("from random import random")) == ["random"]


def _imported(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "." * node.level)
    return names


def _is_pure(name: str) -> bool:
    return any(name == pure or name.startswith(f"{pure}.") for pure in PURE)
