r"""DSML, the markup of DeepSeek V3.2 and later.

`<｜DSML｜tool_calls>\n<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="k" string="true">v</｜DSML｜parameter>\n</｜DSML｜invoke>\n`
`</｜DSML｜tool_calls>`; a value that is not a string is JSON. The versions differ in the tag around the calls, and one has a
space before the name of each tag. Every version is read with every tag; where the tag is missing or misspelt, only a
complete, declared and valid call is one.
"""

from functools import lru_cache

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls, unquoted
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

__all__ = ["dsml_format"]

MARK = "｜DSML｜"
TAGS = ("tool_calls", "function_calls", "calls")
SPACES = ("", " ")
MAX_TAG = 32


def dsml_format(name: str, tag: str, *, space: str = "") -> Format:
    """Build a format.

    Args:
        name: Its name.
        tag: The tag around the calls, `function_calls`.
        space: The space before the name of each tag.
    """
    prefix = MARK + space
    return Format(
        names=(name,),
        start_markers=(f"<{MARK}",),
        block=_block,
        forced=None
        if space  # xgrammar writes the parameters' tags without it
        else CallMarkup(
            f'<{prefix}invoke name="{{name}}">\n',
            f"</{prefix}invoke>\n",
            separator="",
            before=f"<{prefix}{tag}>\n",
            after=f"</{prefix}{tag}>",
            style="deepseek_xml",
        ),
    )


@lru_cache(maxsize=64)
def _calls(space: str, tag: str) -> TagCalls:
    prefix = MARK + space
    tags = dict.fromkeys((*TAGS, tag) if tag else TAGS)
    return TagCalls(
        f"<{prefix}invoke name=",
        f"</{prefix}invoke>",
        f"<{prefix}parameter name=",
        f"</{prefix}parameter>",
        block_ends=tuple(f"</{MARK}{each}{one}>" for each in SPACES for one in tags),
        read_key=_read_key,
    )


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    del marker
    space = yield from scanner.accept(" ")
    tag, mark = yield from scanner.read_until(" name=", ">", "\n", limit=MAX_TAG)
    if tag == "invoke" and mark == " name=":
        scanner.hold()
        tag = ""
    elif mark == ">" and tag.replace("_", "").isalpha():
        yield from scanner.skip_whitespace()
        if not (invoke := (yield from scanner.accept(*(f"<{MARK}{each}invoke name=" for each in SPACES)))):
            return False
        space = " " if " invoke" in invoke else ""
        if tag not in TAGS:
            scanner.hold()
    else:
        return False
    calls = _calls(space, tag)
    return (yield from calls(scanner, calls.call_start, tools))


def _read_key(head: str) -> tuple[str, bool | None]:
    key, attribute, value = head.partition(" string=")
    if attribute and unquoted(value) not in ("true", "false"):
        return "", None
    return unquoted(key), unquoted(value) == "true" if attribute else None
