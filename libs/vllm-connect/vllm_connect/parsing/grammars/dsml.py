r"""DSML, the markup of DeepSeek V3.2 and later.

`<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="k" string="true">v</｜DSML｜parameter>\n</｜DSML｜invoke>`; what is no string is
JSON. The versions differ in the word around the calls.
"""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls, quoted

__all__ = ["dsml_format"]


def dsml_format(name: str, *words: str, space: str = "") -> Format:
    """Build a format.

    Args:
        name: Its name.
        words: What may stand around the calls, `function_calls`.
        space: What stands before each tag's own word.
    """
    return Format(
        names=(name,),
        openers=tuple(f"<｜DSML｜{space}{word}>" for word in words),
        block=TagCalls(
            f"<｜DSML｜{space}invoke name=",
            f"</｜DSML｜{space}invoke>",
            f"<｜DSML｜{space}parameter name=",
            f"</｜DSML｜{space}parameter>",
            block_ends=tuple(f"</｜DSML｜{space}{word}>" for word in words),
            read_key=_read_key,
        ),
    )


def _read_key(head: str) -> tuple[str, bool | None]:
    key, attribute, value = head.partition(" string=")
    if attribute and quoted(value) not in ("true", "false"):
        return "", None
    return quoted(key), quoted(value) == "true" if attribute else None
