r"""DeepSeek V4.1: DSML with a space before the name of each tag, in `<｜DSML｜ calls>`."""

from vllm_connect.parsing.grammars.dsml import dsml_format

FORMAT = dsml_format("deepseek_v41", "calls", space=" ")
