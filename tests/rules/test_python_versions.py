"""What the oldest supported Python cannot run, though no type checker says so."""

import ast
from pathlib import Path

import pytest

LIBS = Path(__file__).parents[2] / "libs"
FILES = sorted(LIBS.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(LIBS)))
def test_no_named_tuple_is_generic(file: Path) -> None:
    """Python 3.10 raises TypeError when such a class is defined."""
    classes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)]
    bases = [{ast.unparse(base).partition("[")[0] for base in node.bases} for node in classes]
    assert not [names for names in bases if {"NamedTuple", "Generic"} <= names]
