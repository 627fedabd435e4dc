"""What a model writes is data: nothing evaluates it, and no regular expression backtracks on it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBS = Path(__file__).parents[2] / "libs"
SOURCES = sorted(LIBS.glob("*/*/**/*.py"))

EXECUTES = {"__import__", "compile", "eval", "exec"}
UNPICKLES = {"dill", "marshal", "pickle", "shelve"}

UNBOUNDED = re.compile(r"\*|\+|\{\d*,\}")

NO_MODEL_TEXT = {
    "grammar_patterns.py": "a program's own schemas; the constructs differ in their first characters, so there is one way",
    "safe_regex.py": "a user's own expressions, counted and bounded before they are tried",
    "markers.py": "escaped words and a class of characters, without a repetition",
}
"""Files that make expressions while running, and why they may."""

EXAMINED = {
    r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z": "a dotted name: the dot tells the parts apart, so there is one way through",
}
"""Expressions with more than one repetition, and why there is one way through them."""


def calls(file: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            yield node


def named(call: ast.Call) -> str:
    return ast.unparse(call.func)


def expressions() -> Iterator[tuple[Path, ast.expr]]:
    """List the patterns given to `re`, in whatever way."""
    for file in SOURCES:
        for call in calls(file):
            if named(call).startswith("re.") and named(call) != "re.escape" and call.args:
                yield file, call.args[0]


def test_sources_are_found() -> None:
    assert len(SOURCES) > 100
    assert len(list(expressions())) > 5


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(LIBS)))
def test_nothing_is_evaluated(file: Path) -> None:
    assert not [named(call) for call in calls(file) if named(call) in EXECUTES]
    tree = ast.parse(file.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not imported & UNPICKLES


def test_expressions_made_while_running_are_few() -> None:
    made = {file.name for file, pattern in expressions() if not isinstance(pattern, ast.Constant)}
    assert made <= set(NO_MODEL_TEXT) | {"error_responses.py"}


def literals() -> set[str]:
    """List the literal patterns, those of a tuple that is compiled in a loop too."""
    found = {str(pattern.value) for _, pattern in expressions() if isinstance(pattern, ast.Constant)}
    for file in SOURCES:
        if file.name == "error_responses.py":
            strings = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
            found |= {str(node.value) for node in strings if r"\d{" in str(node.value)}
    return found


@pytest.mark.parametrize("pattern", sorted(literals()))
def test_no_expression_backtracks(pattern: str) -> None:
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern)
    assert len(UNBOUNDED.findall(bare)) == 0 or pattern in EXAMINED, "bound it, or say why there is one way through it"


def test_no_exception_is_stale() -> None:
    assert set(EXAMINED) <= literals()
