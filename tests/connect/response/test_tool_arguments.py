"""What passes as a tool call's arguments, by the classes of JSON text that parsers disagree about.

A value is tried both bare and as a member of an object, so that a refusal is the value's and not the missing object's.
"""

from typing import Any

import pytest
from vllm_connect.response.tool_arguments import MAX_BYTES, MAX_DEPTH, ArgumentsError, read_arguments

VALUES: list[tuple[str, str, Any]] = [
    ("null", "null", None),
    ("true", "true", True),
    ("false", "false", False),
    ("zero", "0", 0),
    ("minus zero", "-0", 0),
    ("minus zero, a float", "-0.0", -0.0),
    ("integer", "123", 123),
    ("negative", "-123", -123),
    ("fraction", "123.456", 123.456),
    ("exponent", "1e2", 100.0),
    ("exponent in capitals", "1E2", 100.0),
    ("exponent with plus", "1e+2", 100.0),
    ("exponent with minus", "1E-2", 0.01),
    ("zero with exponent", "0e1", 0.0),
    ("too small for a float", "123e-10000000", 0.0),
    ("largest float", "1.7976931348623157e308", 1.7976931348623157e308),
    ("past 64 bits", str(2**64), 2**64),
    ("past 64 bits, negative", str(-(2**64) - 1), -(2**64) - 1),
    ("past a float's precision", "9007199254740993", 9007199254740993),
    ("4,300 digits", "7" * 4300, int("7" * 4300)),
    ("empty string", '""', ""),
    ("simple escapes", r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
    ("escaped letter", r'"\u0041"', "A"),
    ("escaped NUL", r'"\u0000"', "\0"),
    ("escaped pair", r'"\ud83c\udf89"', "\N{PARTY POPPER}"),
    ("escaped backslash before u", r'"\\u0061"', r"\u0061"),
    ("escape of a noncharacter", r'"\uFFFF"', "\uffff"),
    ("raw letters", '"\u6771\u4eac"', "\u6771\u4eac"),
    ("line separators", '"\u2028\u2029"', "\u2028\u2029"),
    ("raw DEL", '"\x7f"', "\x7f"),
    ("comment in a string", '"a/*b*/c//d#e"', "a/*b*/c//d#e"),
    ("braces in a string", '"}{]["', "}{]["),
    ("tags in a string", '"</tool_call>"', "</tool_call>"),
    ("empty array", "[]", []),
    ("array", '[1, null, "a", [], {}]', [1, None, "a", [], {}]),
    ("empty object", "{}", {}),
    ("empty key", '{"": 0}', {"": 0}),
    ("escaped NUL in a key", r'{"a\u0000b": 0}', {"a\0b": 0}),
    ("equal keys in different objects", '[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    ("keys that differ by case", '{"a": 1, "A": 2}', {"a": 1, "A": 2}),
]

NO_VALUES: list[tuple[str, str]] = [
    ("nothing", ""),
    ("NaN", "NaN"),
    ("minus NaN", "-NaN"),
    ("Infinity", "Infinity"),
    ("minus Infinity", "-Infinity"),
    ("plus Infinity", "+Infinity"),
    ("inf", "inf"),
    ("infinite by its exponent", "1e400"),
    ("infinite by its exponent, negative", "-1e400"),
    ("5,000 digits", "7" * 5000),
    ("leading plus", "+1"),
    ("two signs", "--1"),
    ("sign alone", "-"),
    ("sign and a space", "- 1"),
    ("leading zero", "012"),
    ("leading zero, negative", "-012"),
    ("two zeros", "00"),
    ("no integer part", ".5"),
    ("no integer part, negative", "-.5"),
    ("no fraction", "1."),
    ("no fraction before the exponent", "1.e2"),
    ("no exponent", "1e"),
    ("no exponent after its sign", "1e+"),
    ("exponent with a fraction", "1e2.5"),
    ("two points", "1.2.3"),
    ("hexadecimal", "0x1F"),
    ("digits of another script", "\uff11"),
    ("digits with separators", "1_000"),
    ("digits with a space", "1 000"),
    ("letter after digits", "1a"),
    ("true in capitals", "True"),
    ("true cut off", "tru"),
    ("None", "None"),
    ("undefined", "undefined"),
    ("bare word", "word"),
    ("single quotes", "'a'"),
    ("backquotes", "`a`"),
    ("curly quotes", "\u201ca\u201d"),
    ("no quote at the end", '"a'),
    ("no quote at the start", 'a"'),
    ("quote alone", '"'),
    ("raw newline in a string", '"a\nb"'),
    ("raw tab in a string", '"a\tb"'),
    ("raw NUL in a string", '"a\0b"'),
    ("raw unit separator in a string", '"a\x1fb"'),
    ("unknown escape", r'"\a"'),
    ("escape by x", r'"\x00"'),
    ("escape by braces", r'"\u{1F600}"'),
    ("escape of capital U", r'"\U0001F600"'),
    ("escape cut off", '"\\"'),
    ("escape of no digits", r'"\u"'),
    ("escape of three digits", r'"\u00A"'),
    ("escape of a letter that is no digit", r'"\u00G0"'),
    ("escape with a sign", r'"\u+041"'),
    ("escaped newline", '"\\\n"'),
    ("first surrogate alone", r'"\ud83c"'),
    ("second surrogate alone", r'"\udf89"'),
    ("pair in the wrong order", r'"\udf89\ud83c"'),
    ("lone surrogate in a key", r'{"\ud83c": 1}'),
    ("comma at the end of an array", "[1,]"),
    ("comma at the start of an array", "[,1]"),
    ("two commas", "[1,,2]"),
    ("comma alone", "[,]"),
    ("no comma", "[1 2]"),
    ("colon in an array", "[1:2]"),
    ("array not closed", "[1"),
    ("array closed twice", "[1]]"),
    ("array closed as an object", "[1}"),
    ("comma at the end of an object", '{"a": 1,}'),
    ("comma at the start of an object", '{,"a": 1}'),
    ("no colon", '{"a" 1}'),
    ("two colons", '{"a":: 1}'),
    ("equals sign", '{"a"= 1}'),
    ("no member's value", '{"a": }'),
    ("key alone", '{"a"}'),
    ("bare key", "{a: 1}"),
    ("number as a key", "{1: 1}"),
    ("null as a key", "{null: 1}"),
    ("key in single quotes", "{'a': 1}"),
    ("object not closed", '{"a": 1'),
    ("object closed twice", '{"a": 1}}'),
    ("object closed as an array", '{"a": 1]'),
    ("ellipsis", '{"a": 1, ...}'),
    ("key twice", '{"a": 1, "a": 2}'),
    ("key twice, the same value", '{"a": 1, "a": 1}'),
    ("key twice, escaped once", r'{"a": 1, "\u0061": 2}'),
    ("comment to the end of the line", "1 // one\n"),
    ("comment between marks", "/* one */ 1"),
    ("comment by a number sign", "1 # one\n"),
    ("form feed as a space", "\x0c1"),
    ("vertical tab as a space", "\x0b1"),
    ("no-break space as a space", "\xa01"),
    ("line separator as a space", "\u20281"),
    ("zero-width space", "\u200b1"),
    ("word joiner", "\u20601"),
    ("byte-order mark", "\ufeff1"),
    ("NUL after the value", "1\0"),
]

TEXTS: list[tuple[str, str]] = [
    ("null", "null"),
    ("true", "true"),
    ("number", "1"),
    ("string", '"a"'),
    ("array", "[]"),
    ("array of an object", '[{"a": 1}]'),
    ("object in a string", '"{\\"a\\": 1}"'),
    ("nothing", ""),
    ("spaces", " \n\t\r"),
    ("two objects", '{"a": 1}{"b": 2}'),
    ("two lines of objects", '{"a": 1}\n{"b": 2}'),
    ("object and a comma", '{"a": 1},'),
    ("object and words", '{"a": 1} done'),
    ("words and an object", 'call: {"a": 1}'),
    ("object in a code fence", '```json\n{"a": 1}\n```'),
    ("byte-order mark", '\ufeff{"a": 1}'),
    ("NUL", '{"a": 1}\0'),
    ("brace alone", "{"),
    ("closing brace alone", "}"),
    ("object of Python", "{'a': None}"),
    ("tag", "<a>1</a>"),
]


@pytest.mark.parametrize(("text", "value"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES])
def test_values_are_kept_exactly(text: str, value: Any) -> None:
    read = read_arguments(f'{{"x": {text}}}')["x"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", [case[1] for case in NO_VALUES], ids=[case[0] for case in NO_VALUES])
def test_invalid_json_values_are_refused_at_every_position(text: str) -> None:
    for around in ('{"x": %s}', '{"x": [%s, 1]}', '{"x": {"y": %s}}', '{"w": "", "x": %s}', "%s"):
        with pytest.raises(ArgumentsError, match=r"^the arguments "):
            read_arguments(around.replace("%s", text))


@pytest.mark.parametrize("text", [case[1] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_only_one_object_is_arguments(text: str) -> None:
    with pytest.raises(ArgumentsError, match=r"^the arguments "):
        read_arguments(text)


@pytest.mark.parametrize("space", ["", " ", "\t", "\n", "\r", " \r\n\t "])
def test_spaces_of_json_stand_anywhere(space: str) -> None:
    text = '|{|"a"|:|[|1|,|2|]|,|"b"|:|{|}|}|'.replace("|", space)
    assert read_arguments(text) == {"a": [1, 2], "b": {}}


def test_every_strict_prefix_of_an_object_is_refused() -> None:
    text = '{"path": "/home/user/proj", "n": [1, -2.5e3, {"deep": null}], "s": "\\u0041\\\\", "": true}'
    assert read_arguments(text)["path"] == "/home/user/proj"
    for end in range(len(text)):
        with pytest.raises(ArgumentsError):
            read_arguments(text[:end])


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_exact(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        inner = depth - 1
        return '{"a":' + opening * inner + "1" + closing * inner + "}"

    assert read_arguments(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 10_000, 100_000):
        with pytest.raises(ArgumentsError, match="nested deeper than 128"):
            read_arguments(nested(depth))


def test_depth_without_an_end_is_no_crash() -> None:
    for text in ("[" * 100_000, '{"a":' * 100_000, '{"a":[' * 100_000):
        with pytest.raises(ArgumentsError, match="nested deeper than 128"):
            read_arguments(text)


def test_many_objects_side_by_side_are_not_deep() -> None:
    many: list[Any] = [{"a": []}] * 1000
    assert read_arguments('{"x": [' + ", ".join(['{"a": []}'] * 1000) + "]}") == {"x": many}
    assert read_arguments('{"x": "' + '[{\\"' * 1000 + '"}') == {"x": '[{"' * 1000}


@pytest.mark.parametrize("letter", ["x", "\u6771"])
def test_size_is_counted_in_bytes_and_exact(letter: str) -> None:
    frame = len('{"x": ""}')
    room, left = divmod(MAX_BYTES - frame, len(letter.encode()))
    fits = '{"x": "' + letter * room + "y" * left + '"}'
    assert len(fits.encode()) == MAX_BYTES
    assert len(read_arguments(fits)["x"]) == room + left
    with pytest.raises(ArgumentsError, match="larger than 8388608 bytes"):
        read_arguments(fits + " ")


def test_a_raw_lone_surrogate_is_refused() -> None:
    with pytest.raises(ArgumentsError, match="lone surrogate"):
        read_arguments('{"x": "\ud83c"}')
