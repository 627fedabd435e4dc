"""Which fields of a request are set, and how the requests of one model are made."""

import pickle
from typing import Any

import pytest
from pydantic import Field
from vllm_connect import ChatRequest, ConfigurationError
from vllm_connect.request.cache import RequestCache
from vllm_connect.request.chat_request import RequestFields
from vllm_connect.request.overrides import explicit_fields

USER = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "add"}}]


class Warm(RequestFields):
    """A model with a default of its own."""

    temperature: float | None = 0.7
    seed: int | None = Field(default_factory=lambda: 7)
    own: str = "not of the request"


def assigned(fields: RequestFields, **values: Any) -> RequestFields:
    for name, value in values.items():
        setattr(fields, name, value)
    return fields


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        (RequestFields(), {}),
        (RequestFields(top_k=5, seed=None, tool_parser="auto"), {"top_k": 5}),
        (RequestFields(top_k=5).model_copy(update={"seed": 1}), {"top_k": 5, "seed": 1}),
        (assigned(RequestFields(top_k=5), top_k=None, repair=True), {"repair": True}),
        (pickle.loads(pickle.dumps(RequestFields(stop=["a"]))), {"stop": ["a"]}),  # noqa: S301 - our own
        (Warm(), {"temperature": 0.7, "seed": 7}),
        (Warm(temperature=None, own="x"), {"seed": 7}),
        (ChatRequest(messages=[{"role": "user", "content": "Hi"}], tools=[], min_p=0.1), {"min_p": 0.1}),
    ],
)
def test_what_is_set_is_what_differs_from_the_defaults(fields: RequestFields, wanted: dict[str, Any]) -> None:
    found = explicit_fields(fields)
    assert found == wanted
    defaults = {name: field.default for name, field in RequestFields.model_fields.items()}
    assert list(found) == [name for name, default in defaults.items() if getattr(fields, name) != default]


# Requests of one model


def test_the_cache_builds_what_the_constructor_builds() -> None:
    maker = RequestCache()
    many: list[dict[str, Any]] = [
        {"temperature": 0, "stream": True},
        {"temperature": 0, "stream": True},
        {"temperature": 0, "stream": False, "tool_choice": "add"},
        {"chat_template_kwargs": {"thinking": True}},
        {"chat_template_kwargs": {"thinking": False}},
    ]
    for fields in many:
        made, wanted = maker.build(dict(fields), USER, TOOLS), ChatRequest(**fields, messages=USER, tools=TOOLS)
        assert (made, made.body()) == (wanted, wanted.body())


def test_the_cache_sees_what_was_changed_in_place() -> None:
    maker, fields = RequestCache(), {"extra_body": {"deep": {"n": 1}}}
    assert maker.build(fields, USER, None).body()["deep"] == {"n": 1}
    fields["extra_body"]["deep"]["n"] = 2
    assert maker.build(fields, USER, None).body()["deep"] == {"n": 2}


def test_the_cache_keeps_no_prompt() -> None:
    maker = RequestCache()
    for _ in range(2):
        maker.build({"temperature": 0}, [{"role": "user", "content": "canary"}], TOOLS)
    assert b"canary" not in pickle.dumps(vars(maker))


def test_the_cache_refuses_what_the_constructor_refuses() -> None:
    maker = RequestCache()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="temperature"):
            maker.build({"temperature": -1}, USER, None)
