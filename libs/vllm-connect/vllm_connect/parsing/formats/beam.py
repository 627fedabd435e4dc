r"""Beam, in Harmony with arguments in tags.

`to=f<|channel|>analysis <|constrain|>xml<|message|><rfl:parameter name="x">\n1\n</rfl:parameter><|call|>`. Source: the tests of
vLLM 0.33's beam parser.
"""

from dataclasses import replace

from vllm_connect.parsing.formats.openai import FORMAT as HARMONY

FORMAT = replace(HARMONY, names=("beam",), rank=-1, forced=None)
