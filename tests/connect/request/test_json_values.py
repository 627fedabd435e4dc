"""A request's body as JSON: sent as what it means, or refused with its place."""

import decimal
import enum
import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from vllm_connect import ChatRequest, ConfigurationError
from vllm_connect.request.json_values import MAX_DEPTH, encode_json

HELLO = [{"role": "user", "content": "Hi"}]


class Colour(enum.Enum):
    RED = "red"


class Point(BaseModel):
    x: int


class Scalar:
    """What numpy's scalars and arrays look like."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value


def body(value: Any) -> Any:
    request = ChatRequest(messages=HELLO, extra_body={"it": value})
    return json.loads(encode_json(request.body())[0])["it"]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (decimal.Decimal("0.5"), 0.5),
        (decimal.Decimal(3), 3),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        ({Colour.RED: 1}, {"red": 1}),
        (Point(x=1), {"x": 1}),
        (Scalar(3), 3),
        (Scalar([1, 2]), [1, 2]),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        ({1: "a"}, {"1": "a"}),
        ("\u00e9", "\u00e9"),
        (None, None),
    ],
)
def test_a_value_is_sent_as_what_it_means(value: Any, sent: Any) -> None:
    assert body(value) == sent


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (math.nan, "NaN"),
        (-math.inf, "infinite"),
        (decimal.Decimal("NaN"), "NaN"),
        (b"secret", "bytes"),
        (object(), "object"),
        (cycle(), "contains itself"),
        (nested(3000), f"deeper than {MAX_DEPTH}"),
        ({(1, 2): 3}, "key of the type tuple"),
        ({None: 3}, "key of the type NoneType"),
        ([1, {"a": math.nan}], r"\.it\[1\]\.a is NaN"),
    ],
)
def test_a_value_without_json_is_refused_with_its_place_and_not_shown(value: Any, what: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^extra_body.*{what}") as caught:
        body(value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "field", ["chat_template_kwargs", "vllm_xargs", "media_io_kwargs", "kv_transfer_params", "mm_processor_kwargs"]
)
def test_every_free_form_field_is_checked(field: str) -> None:
    assert ChatRequest(messages=HELLO, **{field: {"a": Path("b")}}).body()[field] == {"a": "b"}
    with pytest.raises(ConfigurationError, match=field):
        ChatRequest(messages=HELLO, **{field: {"a": math.inf}}).body()


@pytest.mark.parametrize(
    ("value", "sent", "places"),
    [
        ({"content": "a\ud83d b"}, {"content": "a\ufffd b"}, ["body.content"]),
        ({"tools": [{"na\udc00me": 1}]}, {"tools": [{"na\ufffdme": 1}]}, ["body.tools[0]"]),
        ({"a": "\ud83d\ude00"}, {"a": "\ufffd\ufffd"}, ["body.a"]),
        ({"a": "\U0001f600"}, {"a": "\U0001f600"}, []),
    ],
)
def test_a_lone_surrogate_becomes_a_replacement_character(value: Any, sent: Any, places: list[str]) -> None:
    encoded, replaced = encode_json(value)
    assert (json.loads(encoded), replaced) == (sent, places)


class Secret:
    def __repr__(self) -> str:
        return "secret"


def test_a_message_that_cannot_be_encoded_is_named_and_not_shown() -> None:
    messages = [*HELLO, {"role": "user", "content": [{"type": "text", "text": Secret()}]}]
    with pytest.raises(
        ConfigurationError, match=r"^body\.messages\[1\]\.content\[0\]\.text is of the type Secret"
    ) as caught:
        encode_json({"messages": messages})
    assert "secret" not in str(caught.value)
