"""From a model's text to deltas: tool calls and reasoning, in every format vLLM knows."""
