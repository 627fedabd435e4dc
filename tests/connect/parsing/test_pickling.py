"""Formats travel between processes, and are copied, with the models that hold them."""

import copy
import pickle
from dataclasses import replace

import pytest
from vllm_connect import Format, find_format, format_names, parse_output
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

TEXT = 'CALL{"name": "f", "arguments": {"x": 1}}'


def block(scanner: Scanner, opener: str, tools: Tools) -> Reading[bool]:
    return (yield from find_format("hermes").block(scanner, opener, tools))


MINE = Format(names=("mine",), openers=("CALL",), block=block)


@pytest.mark.parametrize("name", format_names())
def test_a_format_is_the_same_on_the_other_side(name: str) -> None:
    format_ = find_format(name)
    assert pickle.loads(pickle.dumps(format_)) is format_  # noqa: S301 - our own bytes
    assert copy.deepcopy(format_) is format_


def test_a_format_of_ones_own_travels_by_its_parts() -> None:
    there = pickle.loads(pickle.dumps(MINE))  # noqa: S301 - our own bytes
    assert (there.names, there.openers, there.block) == (MINE.names, MINE.openers, MINE.block)
    assert copy.deepcopy(MINE) == MINE


def test_a_changed_format_is_not_taken_for_the_one_it_was_made_of() -> None:
    changed = replace(find_format("hermes"), openers=("CALL",), block=block)
    assert pickle.loads(pickle.dumps(changed)).openers == ("CALL",)  # noqa: S301 - our own bytes


def test_a_format_of_ones_own_is_used_after_the_journey() -> None:
    there: Format = pickle.loads(pickle.dumps(MINE))  # noqa: S301 - our own bytes
    assert [(call.name, call.arguments) for call in parse_output(TEXT, there).tool_calls] == [("f", '{"x": 1}')]
