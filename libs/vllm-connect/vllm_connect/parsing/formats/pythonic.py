"""ToolACE and Llama 3.2: a bare Python list of calls, `[f(city='Tokyo'), g(n=1)]`."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.python_calls import python_list

FORMAT = Format(names=("pythonic",), start_markers=("[",), block=python_list(), unambiguous=False)
