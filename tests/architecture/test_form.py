"""Sizes, words and docstrings that the house keeps to (CONTRIBUTING.md)."""

from __future__ import annotations

import ast
import inspect
import statistics

import pytest
from reading_source import Module, depth, length, modules

import ticketmail

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_MEDIAN_FUNCTION_LINES = 10
MAX_NESTING = 3
#: Words that say nothing about what a thing does.
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers", "processor", "processors", "common", "misc"}

ALL = modules()


def test_no_module_is_longer_than_400_lines():
    lengths = {module.name: len(module.text.splitlines()) for module in ALL}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


def test_no_function_is_longer_than_60_lines():
    lengths = {f"{module.name}:{function.name}": length(function) for module in ALL for function in module.functions()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_the_median_function_has_at_most_10_lines():
    assert statistics.median(length(function) for module in ALL for function in module.functions()) <= MAX_MEDIAN_FUNCTION_LINES


def test_blocks_nest_at_most_three_deep():
    depths = {f"{module.name}:{function.name}": depth(function) for module in ALL for function in module.functions()}
    assert {name: deep for name, deep in depths.items() if deep > MAX_NESTING} == {}


def test_the_measure_of_nesting_counts_blocks():
    source = "def f():\n for a in b:\n  if a:\n   pass\n  elif c:\n   with d:\n    pass\n"
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert depth(function) == 3


def test_no_module_or_class_bears_an_empty_word():
    bad = [module.name for module in ALL if EMPTY_WORDS & set(module.path.stem.split("_"))]
    bad += [f"{module.name}:{name}" for module in ALL for name in _class_names(module) if _ends_emptily(name)]
    assert bad == []


def test_every_public_module_class_and_function_has_a_docstring():
    bare = [module.name for module in ALL if _has_code(module) and ast.get_docstring(module.tree) is None]
    bare += [f"{module.name}:{node.name}" for module in ALL for node in _public(module) if ast.get_docstring(node) is None]
    assert bare == []


@pytest.mark.parametrize("name", [name for name in ticketmail.__all__ if inspect.isclass(getattr(ticketmail, name))])
def test_every_public_method_of_an_exported_class_has_a_docstring(name):
    exported = getattr(ticketmail, name)
    members = {key: value for key, value in vars(exported).items() if not key.startswith("_")}
    bare = [
        key for key, value in members.items() if (inspect.isfunction(value) or isinstance(value, property)) and not value.__doc__
    ]
    assert bare == []


@pytest.mark.parametrize("module", [one for one in ALL if "__all__" in one.text], ids=lambda one: one.name)
def test_all_is_sorted_and_has_no_doubles(module):
    for names in _all_lists(module):
        assert names == sorted(set(names))


def test_every_module_annotates_lazily():
    """``from __future__ import annotations`` keeps imports for types out of the start-up time."""
    assert [module.name for module in ALL if _has_code(module) and "from __future__ import annotations" not in module.text] == []


def _public(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in module.tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def _class_names(module: Module) -> list[str]:
    return [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]


def _ends_emptily(name: str) -> bool:
    return any(name.lower().endswith(word) for word in EMPTY_WORDS - {"common", "misc"})


def _all_lists(module: Module) -> list[list[str]]:
    assigned = [node for node in module.tree.body if isinstance(node, ast.Assign)]
    return [list(ast.literal_eval(node.value)) for node in assigned if ast.unparse(node.targets[0]) == "__all__"]


def _has_code(module: Module) -> bool:
    return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) for node in module.tree.body)
