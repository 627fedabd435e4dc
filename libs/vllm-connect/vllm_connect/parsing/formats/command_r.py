r"""Command R and R+, and Aya: ``Action: ```json\n[{"tool_name": "f", "parameters": {"x": 1}}]\n``` ``, after a plan.

Source: the chat template of CohereForAI/c4ai-command-r-plus.
"""

from functools import partial

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.json_calls import call_object, json_array
from vllm_connect.parsing.scanner import Reading, Scanner
from vllm_connect.parsing.tool_schemas import Tools

_array = json_array("```", item=partial(call_object, names=frozenset({"tool_name", "name"})))


def _block(scanner: Scanner, marker: str, tools: Tools) -> Reading[bool]:
    yield from scanner.skip_whitespace()
    if not (yield from scanner.accept("```json")):
        return False
    return (yield from _array(scanner, marker, tools))


FORMAT = Format(names=("command_r",), start_markers=("Action:",), block=_block, unambiguous=False)
