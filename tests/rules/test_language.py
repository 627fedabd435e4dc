"""The sources, the tests and the pages use the field's terms, as CONTRIBUTING says."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBS = ROOT / "libs"
SOURCES = sorted(LIBS.glob("*/*/**/*.py"))

VAGUE = frozenset("Do Get Give Have Hear Hold Keep Let Make Put Say Spell Take Tell The This Turn What".split())  # noqa: SIM905 - a list of words
"""First words of a docstring that say nothing, or that the field's documentation does not use."""

OLD_TERMS = [
    *("errand", "unheld", "eats", "opener", "unmistakable", "sniff", "misfit", "purse", "unheld_keywords"),
    *(
        "white space",
        "line end",
        "goes again",
        "given up",
        "that is none",
        "is none of",
        "is no JSON",
        "without a word",
    ),
    *("asked_again", "first_answer", "other_parts", "single_calls", "short_ids", "let_go", "lend", "take_back"),
]
"""Terms of a private language, each with a standard one in CONTRIBUTING."""


def functions(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
            docstring = ast.get_docstring(node)
            if docstring and "property" not in decorators:
                yield node.name, docstring


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(LIBS)))
def test_a_functions_docstring_begins_with_a_verb(file: Path) -> None:
    found = {name: docstring.split()[0].rstrip(":.,;") for name, docstring in functions(file)}
    assert {name: word for name, word in found.items() if word in VAGUE or not word[0].isupper()} == {}


def tracked(*endings: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - git
    files = [ROOT / name for name in listed.splitlines() if name.endswith(endings)]
    assert len(files) > 20
    return [file for file in files if file.is_file() and file != Path(__file__)]


@pytest.mark.parametrize("term", OLD_TERMS)
def test_no_old_term_is_used(term: str) -> None:
    pattern = re.compile(rf"\b{term}s?\b")
    found = [str(file.relative_to(ROOT)) for file in tracked(".py", ".md") if pattern.search(file.read_text())]
    assert found == []
