"""Conversations that every template accepts, and histories that every server can read."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from vllm_connect import MessagePolicy
from vllm_connect.conversation.history_repair import repair_history
from vllm_connect.conversation.message_policy import UNCHANGED, apply_policy, learned_policies
from vllm_connect.profiles import ALTERNATING, COMMON, OTHER, PROFILES, find_profile

from tests.connect.conversation.policies import POLICIES
from tests.fuzzing import examples
from tests.templates.roles import ROLE_RULES, TemplateError, render

Message = dict[str, Any]


def says(role: str, content: Any, **more: Any) -> Message:
    return {"role": role, "content": content, **more}


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
PARTS = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
CONVERSATIONS: dict[str, list[Message]] = {
    "plain": [says("user", "Hi"), says("assistant", "Hello"), says("user", "Bye")],
    "a system message": [says("system", "Be kind."), says("user", "Hi")],
    "an assistant begins": [says("assistant", "Welcome."), says("user", "Hi")],
    "an assistant begins after a system message": [
        says("system", "Be kind."),
        says("assistant", "Welcome."),
        says("user", "Hi"),
    ],
    "two system messages": [says("system", "Be kind."), says("system", "Be brief."), says("user", "Hi")],
    "a late system message": [
        says("user", "Hi"),
        says("assistant", "Hello"),
        says("system", "Hurry."),
        says("user", "?"),
    ],
    "a system message at the end": [says("system", "Be kind."), says("user", "Hi"), says("system", "Hurry.")],
    "two user turns": [says("user", "Hi"), says("user", "There"), says("assistant", "Hello"), says("user", "Bye")],
    "two assistant turns": [says("user", "Hi"), says("assistant", "A"), says("assistant", "B"), says("user", "Bye")],
    "a developer": [says("developer", "Be kind."), says("user", "Hi")],
    "parts": [says("user", PARTS)],
    "a tool loop": [
        says("system", "Be kind."),
        says("user", "Hi"),
        says("assistant", "", tool_calls=[CALL]),
        says("tool", "1", tool_call_id="a"),
        says("assistant", "One."),
        says("user", "Bye"),
    ],
    "two calls at once": [
        says("user", "Hi"),
        says("assistant", "", tool_calls=[CALL, {**CALL, "id": "b"}]),
        says("tool", "2", tool_call_id="b"),
        says("tool", "1", tool_call_id="a"),
        says("assistant", "One, two."),
        says("user", "Bye"),
    ],
    "a system message after a tool": [
        says("user", "Hi"),
        says("assistant", "", tool_calls=[CALL]),
        says("tool", "1", tool_call_id="a"),
        says("system", "Now answer."),
    ],
}


def texts(messages: list[Message]) -> list[str]:
    contents = [m["content"] for m in messages]
    return [t for c in contents for t in ([p["text"] for p in c] if isinstance(c, list) else [c]) if t]


def taught(family: str, messages: list[Message], policy: MessagePolicy, lessons: int) -> str:
    """Render a conversation, learning from what the template says."""
    try:
        return render(family, apply_policy(messages, policy))
    except TemplateError as complaint:
        sent = apply_policy(messages, policy)
        candidates = learned_policies(policy, f"400: {complaint}")
        learned = next((candidate for candidate in candidates if apply_policy(sent, candidate) != sent), None)
        if learned is None or not lessons:
            raise
        return taught(family, messages, learned, lessons - 1)


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("family", [family for family in ROLE_RULES if family not in ("phi-4-mini", "nemotron-super")])
def test_every_template_takes_every_conversation_after_at_most_three_lessons(family: str, name: str) -> None:
    messages = CONVERSATIONS[name]
    before = copy.deepcopy(messages)
    rendered = taught(family, messages, COMMON, lessons=3)
    assert messages == before
    for text in texts(messages):
        assert text in rendered


@pytest.mark.parametrize(
    "family",
    [
        "qwen3.5",
        "mistral",
        "gemma-2",
        "gemma-3",
        "phi-4",
        "phi-4-mini",
        "nemotron-super",
        "llama-3",
        "deepseek-v3",
        "granite",
        "gpt-oss",
    ],
)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_known_family_needs_no_lesson_and_loses_no_text(family: str, name: str) -> None:
    policy = find_profile(None, f"org/{family.title()}-9B-Instruct").message_policy
    rendered = render(family, apply_policy(CONVERSATIONS[name], policy))
    for text in texts(CONVERSATIONS[name]):
        assert text in rendered


def test_every_policy_has_its_source() -> None:
    for profile in (*PROFILES, OTHER):
        assert profile.message_policy == COMMON or len(profile.source.split()) > 5


@pytest.mark.parametrize(
    ("name", "single"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", True),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", True),
        ("NousResearch/Hermes-3-Llama-3.1-8B", False),
        ("NousResearch/Hermes-2-Pro-Mistral-7B", False),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1_5", False),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", False),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", False),
    ],
)
def test_llama_3_calls_once_in_a_turn(name: str, single: bool) -> None:
    assert find_profile(name).message_policy.split_tool_calls is single


def test_the_developer_of_gpt_oss_stays() -> None:
    messages = CONVERSATIONS["a developer"]
    assert apply_policy(messages, find_profile("openai/gpt-oss-120b").message_policy) == messages
    assert apply_policy(messages, find_profile("demo").message_policy)[0]["role"] == "system"


def test_what_teaches_nothing_changes_nothing() -> None:
    assert list(learned_policies(COMMON, "temperature must be positive")) == []
    strictest = ALTERNATING.model_copy(update={"system": "first_user", "split_tool_calls": True})
    assert strictest not in learned_policies(strictest, "Conversation roles must alternate user/assistant/...")
    assert UNCHANGED.changes() == []
    assert COMMON.changes() == ["developer"]


ROLES = st.sampled_from(["system", "user", "assistant", "developer"])
TURNS = st.lists(st.builds(says, ROLES, st.sampled_from(["a", "b", "", "c c"])), min_size=1, max_size=8)


@examples(300)
@given(turns=TURNS, more=TURNS, policy=POLICIES)
def test_older_turns_read_as_they_did(turns: list[Message], more: list[Message], policy: MessagePolicy) -> None:
    """All but the last message of a conversation is the same when the conversation has gone on."""
    if turns[0]["role"] in ("system", "developer") and all(t["role"] in ("system", "developer") for t in turns):
        turns = [*turns, says("user", "Hi")]
    now, later = apply_policy(turns, policy), apply_policy([*turns, *more], policy)
    assert later[: len(now) - 1] == now[:-1]
    assert str(later[len(now) - 1]["content"]).startswith(str(now[-1]["content"]))


@examples(200)
@given(turns=TURNS, policy=POLICIES)
def test_applying_twice_changes_nothing_more(turns: list[Message], policy: MessagePolicy) -> None:
    once = apply_policy(turns, policy)
    assert apply_policy(once, policy) == once or policy.system == "first_user"


def test_an_image_of_a_tool_becomes_a_turn_after_the_results() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    words = {"type": "text", "text": "A picture."}
    messages = [
        says("assistant", "", tool_calls=[CALL]),
        says("tool", [words, image], tool_call_id="a"),
        says("tool", "2", tool_call_id="b"),
        says("user", "?"),
    ]
    moved = apply_policy(messages, MessagePolicy(tool_media="user"))
    assert [m["role"] for m in moved] == ["assistant", "tool", "tool", "user", "user"]
    assert (moved[1]["content"], moved[3]["content"]) == ([words], [image])
    at_the_end = apply_policy(messages[:2], MessagePolicy(tool_media="user"))
    assert at_the_end[-1] == says("user", [image])


@pytest.mark.parametrize("complaint", ['can only concatenate str (not "list") to str', "content must be a string"])
def test_a_template_that_wants_strings_teaches_to_move_media_of_tools(complaint: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    messages = [says("assistant", "", tool_calls=[CALL]), says("tool", [*PARTS, image], tool_call_id="a")]
    (learned,) = learned_policies(COMMON, complaint)
    assert apply_policy(messages, learned)[1:] == [says("tool", "one\ntwo", tool_call_id="a"), says("user", [image])]


def test_calls_in_parallel_become_turns_of_one_call() -> None:
    two = [CALL, {**CALL, "id": "b"}]
    first = says("assistant", "Both.", reasoning="Hm.", tool_calls=two)
    a, b, stray = (says("tool", name, tool_call_id=name) for name in ("a", "b", "c"))
    parted = apply_policy([first, b, stray, a, says("user", "?")], MessagePolicy(split_tool_calls=True))
    assert parted == [
        {**first, "tool_calls": [CALL]},
        a,
        says("assistant", "", tool_calls=two[1:]),
        b,
        stray,
        says("user", "?"),
    ]
    assert apply_policy([first], MessagePolicy(split_tool_calls=True)) == [parted[0], parted[2]]
    assert apply_policy(parted, MessagePolicy(split_tool_calls=True)) == parted
    assert first["tool_calls"] == two


def test_who_speaks_second_is_named_and_no_reasoning_is_lost() -> None:
    joined = MessagePolicy(alternate=True)
    users = [says("user", "x", name="ann"), says("user", "y", name="bob"), says("user", "z", name="bob")]
    assert apply_policy(users, joined) == [says("user", "x\n\n[bob] y\n\n[bob] z", name="ann")]
    same = [says("user", "x", name="ann"), says("user", [PARTS[0]], name="ann")]
    assert apply_policy(same, joined) == [says("user", [{"type": "text", "text": "x"}, PARTS[0]], name="ann")]
    thoughts = [says("user", ""), says("assistant", "x", reasoning="a"), says("assistant", "y", reasoning="b")]
    assert apply_policy(thoughts, joined) == [thoughts[0], says("assistant", "x\n\ny", reasoning="a\n\nb")]
    assert apply_policy(thoughts[1:], joined) == apply_policy(thoughts, joined)


def test_ids_become_nine_letters_and_digits_and_stay_so() -> None:
    fit, long = "aB3dE6gH9", "call_" + "0" * 32
    calls = [{**CALL, "id": fit}, {**CALL, "id": long}]
    messages = [
        says("assistant", "", tool_calls=calls),
        says("tool", "1", tool_call_id=fit),
        says("tool", "2", tool_call_id=long),
        says("user", "?"),
    ]
    short = apply_policy(messages, MessagePolicy(tool_call_ids="short"))
    first, second = (call["id"] for call in short[0]["tool_calls"])
    assert first == fit == short[1]["tool_call_id"]
    assert second == short[2]["tool_call_id"] != long
    assert (len(second), second.isalnum(), short[3]) == (9, True, messages[3])
    assert apply_policy(short, MessagePolicy(tool_call_ids="short")) == short
    assert calls[1]["id"] == long


def arguments(text: Any) -> Message:
    return says(
        "assistant", "", tool_calls=[{"id": "a", "type": "function", "function": {"name": "f", "arguments": text}}]
    )


ANSWER = says("tool", "1", tool_call_id="a")


@pytest.mark.parametrize(
    ("written", "sent", "noted"),
    [
        ('{"x": 1}', '{"x": 1}', False),
        ("", "{}", False),
        ("null", "{}", False),
        (None, "{}", False),
        ({"x": 1}, '{"x": 1}', False),
        ('{"x": ', json.dumps({"invalid_arguments": '{"x": '}), True),
        ("[1]", json.dumps({"invalid_arguments": "[1]"}), True),
    ],
)
def test_arguments_are_one_json_object(written: Any, sent: str, noted: bool) -> None:
    (call, answer), notes = repair_history([arguments(written), ANSWER])
    assert call["tool_calls"][0]["function"]["arguments"] == sent
    assert (bool(notes), answer) == (noted, ANSWER)
    if noted:
        assert "'a'" in notes[0]
        assert str(written) not in notes[0]


def test_a_whole_history_is_left_alone() -> None:
    for messages in CONVERSATIONS.values():
        whole = messages[:-1] if messages[-1]["role"] == "system" else messages
        repaired, notes = repair_history(whole)
        assert (repaired, notes) == (whole, [])
        assert all(new is old for new, old in zip(repaired, whole, strict=True))


def test_a_result_without_its_call_is_a_user_turn() -> None:
    repaired, notes = repair_history([says("user", "Hi"), says("tool", "42", tool_call_id="gone")])
    assert repaired[1]["role"] == "user"
    assert repaired[1]["content"].endswith("\n42")
    assert len(notes) == 1
    parts, _ = repair_history([says("tool", PARTS, tool_call_id="gone")])
    assert parts[0]["content"][1:] == PARTS


def test_a_call_without_its_result_is_answered() -> None:
    two = says("assistant", "", tool_calls=[CALL, {**CALL, "id": "b"}])
    repaired, notes = repair_history([two, ANSWER, says("user", "Go on")])
    assert [m["role"] for m in repaired] == ["assistant", "tool", "tool", "user"]
    assert repaired[2]["tool_call_id"] == "b"
    assert len(notes) == 1
    unanswered, notes = repair_history([two])
    assert (unanswered, notes) == ([two], [])


def test_a_result_that_comes_late_is_put_behind_its_call() -> None:
    two = says("assistant", "", tool_calls=[CALL, {**CALL, "id": "b"}])
    b = says("tool", "2", tool_call_id="b")
    hurry, bye = says("user", "Hurry!"), says("user", "Bye")
    repaired, notes = repair_history([two, b, hurry, ANSWER, bye])
    assert repaired == [two, b, ANSWER, hurry, bye]
    assert notes == ["the result of 'a' came late and is moved behind its call"]
    once, again = says("assistant", "", tool_calls=[CALL]), says("assistant", "", tool_calls=[CALL])
    repaired, notes = repair_history([once, hurry, again, ANSWER])
    assert [m["role"] for m in repaired] == ["assistant", "tool", "user", "assistant", "tool"]
    assert (repaired[1]["content"], repaired[4]) == ("The call has no result.", ANSWER)
    assert len(notes) == 1


def test_a_result_without_its_call_stands_behind_all_results_of_the_turn() -> None:
    two = says("assistant", "", tool_calls=[CALL, {**CALL, "id": "b"}])
    orphan, b = says("tool", "3", tool_call_id="gone"), says("tool", "2", tool_call_id="b")
    for results in ([ANSWER, orphan, b], [orphan, ANSWER, b], [ANSWER, b, orphan]):
        for end in ([], [says("user", "Go on")], [says("assistant", "Well")]):
            repaired, notes = repair_history([says("user", "Q"), two, *results, *end])
            assert [m["role"] for m in repaired[:5]] == ["user", "assistant", "tool", "tool", "user"]
            assert repaired[5:] == end
            assert len(notes) == 1


def test_deprecated_function_calls_become_tool_calls() -> None:
    called = says("assistant", "", function_call={"name": "f", "arguments": '{"x": 1}'})
    repaired, notes = repair_history([says("user", "Q"), called, says("function", "1", name="f")])
    assert repaired[1]["tool_calls"] == [
        {"id": "f", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]
    assert "function_call" not in repaired[1]
    assert repaired[2] == {"role": "tool", "tool_call_id": "f", "content": "1"}
    assert notes == []


def test_ids_are_numbered_through_the_conversation_and_stay_so() -> None:
    first = says("assistant", "", tool_calls=[CALL, {**CALL, "id": "functions.f:7"}])
    second = says("assistant", "", tool_calls=[{**CALL, "id": "c"}])
    messages = [
        first,
        ANSWER,
        says("tool", "2", tool_call_id="functions.f:7"),
        second,
        says("tool", "3", tool_call_id="c"),
    ]
    numbered = apply_policy(messages, MessagePolicy(tool_call_ids="numbered"))
    assert [call["id"] for message in numbered for call in message.get("tool_calls", ())] == [
        "functions.f:0",
        "functions.f:7",
        "functions.f:2",
    ]
    assert [m["tool_call_id"] for m in numbered if "tool_call_id" in m] == [
        "functions.f:0",
        "functions.f:7",
        "functions.f:2",
    ]
    assert apply_policy(numbered, MessagePolicy(tool_call_ids="numbered")) == numbered
    assert apply_policy(messages[:3], MessagePolicy(tool_call_ids="numbered")) == numbered[:3]


@pytest.mark.parametrize(
    "complaint",
    [
        "Images are supported in user messages only: images in 'tool' messages return a 400 error.",
        "tool message content only supports text content",
    ],
)
def test_media_in_a_tool_result_that_a_server_refuses_are_moved(complaint: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [
        says("user", "Q"),
        says("assistant", "", tool_calls=[CALL]),
        says("tool", [*PARTS, image], tool_call_id="a"),
    ]
    learned = next(learned_policies(COMMON, complaint))
    sent = apply_policy(messages, learned)
    assert sent[2]["content"] == PARTS
    assert sent[3] == {"role": "user", "content": [image]}


def test_no_calls_are_no_calls() -> None:
    repaired, notes = repair_history([says("assistant", "Hi", tool_calls=[])])
    assert (repaired, notes) == ([says("assistant", "Hi")], [])
