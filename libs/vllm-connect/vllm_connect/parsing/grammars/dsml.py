r"""DSML, the markup of DeepSeek V3.2 and later.

`<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="k" string="true">v</｜DSML｜parameter>\n</｜DSML｜invoke>`; a value that is not
a string is JSON. The versions differ in the tag around the calls.
"""

from vllm_connect.parsing.format import CallMarkup, Format
from vllm_connect.parsing.grammars.tag_calls import TagCalls, unquoted

__all__ = ["dsml_format"]


def dsml_format(name: str, tag: str, *, space: str = "") -> Format:
    """Build a format.

    Args:
        name: Its name.
        tag: The tag around the calls, `function_calls`.
        space: The space before the name of each tag.
    """
    prefix = f"｜DSML｜{space}"
    return Format(
        names=(name,),
        start_markers=(f"<{prefix}{tag}>",),
        block=TagCalls(
            f"<{prefix}invoke name=",
            f"</{prefix}invoke>",
            f"<{prefix}parameter name=",
            f"</{prefix}parameter>",
            block_ends=(f"</{prefix}{tag}>",),
            read_key=_read_key,
        ),
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


def _read_key(head: str) -> tuple[str, bool | None]:
    key, attribute, value = head.partition(" string=")
    if attribute and unquoted(value) not in ("true", "false"):
        return "", None
    return unquoted(key), unquoted(value) == "true" if attribute else None
