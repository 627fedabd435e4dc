"""Conversions are done once per object, again when the object changed, and forgotten with it."""

import gc
from typing import Any

from vllm_connect.adapters import IdentityCache


class Tool:
    """Something that is converted."""

    def __init__(self, name: str = "add") -> None:
        self.name = name


class Converter:
    """Counts conversions."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> dict[str, Any]:
        self.count += 1
        return {"number": self.count}


def cache() -> IdentityCache[Tool, dict[str, Any]]:
    return IdentityCache(lambda tool: tool.name)


def test_an_object_is_converted_once() -> None:
    tools, tool, convert = cache(), Tool(), Converter()
    assert tools.get(tool, convert) is tools.get(tool, convert)
    assert convert.count == 1


def test_equal_objects_are_converted_separately() -> None:
    tools, convert = cache(), Converter()
    first, second = Tool(), Tool()
    assert tools.get(first, convert) is not tools.get(second, convert)


def test_each_variant_is_converted_once() -> None:
    tools, tool, convert = cache(), Tool(), Converter()
    loose, strict = (tools.get(tool, convert, variant=variant) for variant in (None, True))
    assert loose is not strict
    assert tools.get(tool, convert, variant=True) is strict
    assert convert.count == 2


def test_an_object_that_changed_is_converted_again() -> None:
    tools, tool, convert = cache(), Tool(), Converter()
    before = tools.get(tool, convert)
    tool.name = "multiply"
    assert tools.get(tool, convert) is not before
    assert tools.get(tool, convert) == {"number": 2}


def test_nothing_is_kept_of_an_object_that_is_gone() -> None:
    tools, tool = cache(), Tool()
    tools.get(tool, Converter())
    assert len(tools) == 1
    del tool
    gc.collect()
    assert len(tools) == 0


def test_an_object_without_weak_references_is_converted_each_time() -> None:
    numbers: IdentityCache[int, dict[str, Any]] = IdentityCache(lambda _: None)
    convert = Converter()
    assert numbers.get(10**20, convert) != numbers.get(10**20, convert)
    assert len(numbers) == 0
