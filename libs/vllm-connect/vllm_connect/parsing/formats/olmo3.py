r"""OLMo 3: `<function_calls>\nf(city='Tokyo')\ng()\n</function_calls>`, a call on each line."""

from vllm_connect.parsing.format import Format
from vllm_connect.parsing.grammars.python_calls import python_lines

FORMAT = Format(names=("olmo3",), start_markers=("<function_calls>",), block=python_lines("</function_calls>"))
