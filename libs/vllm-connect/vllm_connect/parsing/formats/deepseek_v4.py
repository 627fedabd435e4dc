r"""DeepSeek V4: DSML in `<｜DSML｜tool_calls>`."""

from vllm_connect.parsing.grammars.dsml import dsml_format

FORMAT = dsml_format("deepseek_v4", "tool_calls")
