"""Tools and a constraint in one request: what is the answer at once, and what is requested again."""

import json
from typing import Any

import pytest

from tests.connect.chat.test_flow import TOOL, run, said, start

TAG = json.dumps({"type": "structural_tag", "format": {"type": "const_string", "value": "x"}})


@pytest.mark.parametrize("constraint", [{"grammar": 'root ::= "x"'}, {"structural_tag": TAG}])
def test_a_text_that_cannot_be_checked_here_is_requested_again(constraint: dict[str, Any]) -> None:
    answer, asked = run(start(structured_outputs=constraint), said("x"), said("x"))
    assert ["structured_outputs" in body for _, body in asked] == [False, True]
    assert (answer.text, answer.metadata["unconstrained_draft"]) == ("x", "x")


@pytest.mark.parametrize("constraint", [{"regex": "x+"}, {"choice": ["x", "y"]}])
def test_a_text_that_matches_its_constraint_is_the_answer(constraint: dict[str, Any]) -> None:
    _, asked = run(start(structured_outputs=constraint), said("x"))
    assert len(asked) == 1


@pytest.mark.parametrize("fields", [{"tool_choice": "none"}, {"tool_parser": "server"}, {"tools": None}])
def test_a_request_without_a_choice_of_a_call_has_one_phase(fields: dict[str, Any]) -> None:
    _, asked = run(start(**{"tools": [TOOL], **fields}, structured_outputs={"regex": "x+"}), said("x"))
    assert [body["structured_outputs"] for _, body in asked] == [{"regex": "x+"}]
