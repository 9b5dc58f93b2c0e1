"""The package's own source, read as trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "ticketmail"

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """``domain/units.py``."""
        return str(self.path.relative_to(PACKAGE))

    def functions(self) -> Iterator[AnyFunction]:
        """All of them, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, AnyFunction))


def modules(below: str = "") -> list[Module]:
    """Every module of the package, or of a folder in it."""
    paths = sorted((PACKAGE / below).rglob("*.py"))
    return [Module(path, text, ast.parse(text)) for path in paths for text in [path.read_text(encoding="utf-8")]]


def length(function: AnyFunction) -> int:
    """Lines of a function from its ``def`` on, without its docstring."""
    first = function.body[0]
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def depth(function: AnyFunction) -> int:
    """How deep blocks nest in a function; ``elif`` is no deeper than its ``if``, nested functions count for themselves."""
    return max((_depth(statement) for statement in function.body), default=0)


_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def _depth(node: ast.stmt) -> int:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or not isinstance(node, _BLOCKS):
        return 0
    inner = 0
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else []
        is_elif = name == "orelse" and len(children) == 1 and isinstance(children[0], ast.If)
        for child in children:
            below = child.body if isinstance(child, (ast.ExceptHandler, ast.match_case)) else [child]
            for one in below:
                if isinstance(one, ast.stmt):
                    inner = max(inner, _depth(one) - is_elif)
    return 1 + inner
