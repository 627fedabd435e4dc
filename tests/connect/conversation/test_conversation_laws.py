"""Nothing of a conversation is lost or comes twice, whatever the order that a template wants."""

import copy
import itertools
import re
from collections import Counter
from typing import Any

from hypothesis import given, strategies as st
from vllm_connect import MessagePolicy
from vllm_connect.conversation.history_repair import repair_history
from vllm_connect.conversation.message_policy import apply_policy

from tests.connect.conversation.policies import POLICIES
from tests.fuzzing import examples

Message = dict[str, Any]
MARK = re.compile(r"<\d+>")


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Draw a conversation in which each text, picture, call and id has a mark of its own."""
    marks = (f"<{n}>" for n in itertools.count())

    def text() -> Any:
        shape = draw(st.sampled_from(["text", "parts", "picture", "none"]))
        if shape == "none":
            return draw(st.sampled_from(["", None]))
        if shape == "text":
            return next(marks)
        parts: list[Any] = [{"type": "text", "text": next(marks)}, {"type": "text", "text": next(marks)}]
        return [*parts, {"type": "image_url", "image_url": {"url": next(marks)}}] if shape == "picture" else parts

    def turn() -> list[Message]:
        role = draw(st.sampled_from(["system", "developer", "user", "assistant", "calls", "orphan"]))
        if role == "orphan":
            return [{"role": "tool", "tool_call_id": next(marks), "content": text()}]
        beside = {"user": "name", "assistant": "reasoning"}
        if role != "calls":
            more = {beside[role]: next(marks)} if role in beside and draw(st.booleans()) else {}
            return [{"role": role, "content": text(), **more}]
        ids = [next(marks) for _ in range(draw(st.integers(1, 3)))]
        calls = [
            {"id": id_, "type": "function", "function": {"name": next(marks), "arguments": f'{{"a": "{next(marks)}"}}'}}
            for id_ in ids
        ]
        answered = draw(st.permutations(ids))[: draw(st.integers(0, len(ids)))]
        results = [{"role": "tool", "tool_call_id": id_, "content": text()} for id_ in answered]
        return [{"role": "assistant", "content": text(), "reasoning": next(marks), "tool_calls": calls}, *results]

    return [message for _ in range(draw(st.integers(1, 6))) for message in turn()]


def held(messages: list[Message]) -> Counter[str]:
    """Count the marks of what is said and called; ids are counted by the calls and results that have them."""
    told = copy.deepcopy(messages)
    for message in told:
        message.pop("tool_call_id", None)
        for call in message.get("tool_calls") or ():
            call.pop("id")
    return Counter(MARK.findall(str(told)))


def pairs(messages: list[Message]) -> list[tuple[str, str]]:
    """List each result's text with the name of the call before it."""
    names: dict[str, str] = {}
    found = []
    for message in messages:
        names.update((call["id"], call["function"]["name"]) for call in message.get("tool_calls") or ())
        if message["role"] == "tool":
            text = message["content"] if isinstance(message["content"], str) else str(message["content"])
            found.append((names.get(message["tool_call_id"], ""), "".join(MARK.findall(text)[:1])))
    return sorted(found)


@examples(500)
@given(messages=conversations(), policy=POLICIES, repaired=st.booleans())
def test_nothing_is_lost_and_nothing_comes_twice(
    messages: list[Message], policy: MessagePolicy, repaired: bool
) -> None:
    before = copy.deepcopy(messages)
    given = repair_history(messages)[0] if repaired else messages
    assert held(given) == held(messages)
    assert held(apply_policy(given, policy)) == held(messages)
    assert messages == before


@examples(300)
@given(messages=conversations(), policy=POLICIES)
def test_a_result_stays_with_its_call(messages: list[Message], policy: MessagePolicy) -> None:
    keeping = policy.model_copy(update={"tool_media": "keep", "alternate": False})
    given = repair_history(messages)[0]
    assert pairs(apply_policy(given, keeping)) == pairs(given)
    sent = apply_policy(given, policy)
    known: set[str] = set()
    for message in sent:
        known.update(call["id"] for call in message.get("tool_calls") or ())
        assert message["role"] != "tool" or message["tool_call_id"] in known
        assert not policy.split_tool_calls or len(message.get("tool_calls") or ()) <= 1
