"""Formats are pickled and copied with the models that hold them."""

import copy
import pickle
from dataclasses import replace

import pytest
from vllm_connect import Format, find_format, format_names, parse_output
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

TEXT = 'CALL{"name": "f", "arguments": {"x": 1}}'


def block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    return (yield from find_format("hermes").block(scanner, marker, tools))


MINE = Format(names=("mine",), start_markers=("CALL",), block=block)


@pytest.mark.parametrize("name", format_names())
def test_a_built_in_format_is_unpickled_as_itself(name: str) -> None:
    format_ = find_format(name)
    assert pickle.loads(pickle.dumps(format_)) is format_  # noqa: S301 - our own bytes
    assert copy.deepcopy(format_) is format_


def test_a_custom_format_is_pickled_by_its_fields() -> None:
    there = pickle.loads(pickle.dumps(MINE))  # noqa: S301 - our own bytes
    assert (there.names, there.start_markers, there.block) == (MINE.names, MINE.start_markers, MINE.block)
    assert copy.deepcopy(MINE) == MINE


def test_a_modified_format_is_not_pickled_as_the_original() -> None:
    changed = replace(find_format("hermes"), start_markers=("CALL",), block=block)
    assert pickle.loads(pickle.dumps(changed)).start_markers == ("CALL",)  # noqa: S301 - our own bytes


def test_a_custom_format_works_after_unpickling() -> None:
    there: Format = pickle.loads(pickle.dumps(MINE))  # noqa: S301 - our own bytes
    assert [(call.name, call.arguments) for call in parse_output(TEXT, there).tool_calls] == [("f", '{"x": 1}')]
