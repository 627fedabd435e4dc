r"""DeepSeek V3.2: DSML in `<｜DSML｜function_calls>`."""

from vllm_connect.parsing.grammars.dsml import dsml_format

FORMAT = dsml_format("deepseek_v32", "function_calls")
