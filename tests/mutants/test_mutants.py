"""The table of edits is current."""

import pytest

from tests.mutants.mutant import ROOT, Mutant, list_mutants

MUTANTS = list_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_text_stands_once_in_its_file_and_the_edit_is_python(mutant: Mutant) -> None:
    source = mutant.path.read_text(encoding="utf-8")
    assert source.count(mutant.text) == 1
    edited = source.replace(mutant.text, mutant.replacement)
    assert edited != source
    compile(edited, mutant.file, "exec")


@pytest.mark.parametrize("test", sorted({test for mutant in MUTANTS for test in mutant.tests}))
def test_the_tests_exist(test: str) -> None:
    assert (ROOT / "tests" / test).exists()


def test_every_layer_has_edits() -> None:
    layers = {"/".join(mutant.file.split("/")[:2]) for mutant in MUTANTS}
    core = {path.name for path in (ROOT / "libs/vllm-connect/vllm_connect").iterdir() if path.is_dir()}
    assert {f"vllm_connect/{name}" for name in core - {"testing", "__pycache__"}} <= layers
    assert len(MUTANTS) >= 60
