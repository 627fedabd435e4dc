"""What stands beside an answer: every key of `Completion.metadata`, with its meaning, once.

`response_metadata["tool_calls_via"]` of LangChain and `additional_kwargs["tool_calls_via"]` of LlamaIndex have these keys.
Source: ChatCompletionResponse and ChatCompletionStreamResponse (openai/chat_completion/protocol.py, vLLM 0.32.0).
"""

__all__ = ["FROM_CLIENT", "FROM_RESPONSE", "GROWING", "MEANINGS", "ON_REQUEST", "OPENING"]

OPENING: dict[str, str] = {
    "id": "the server's id of the response",
    "model": "the served model's name",
    "created": "when the server began, in seconds since 1970",
    "system_fingerprint": "the server's build and parallel layout",
    "service_tier": "the tier that a router names",
}
"""Keys of the response itself, which every chunk of a stream repeats."""

ON_REQUEST: dict[str, str] = {
    "prompt_logprobs": "log probabilities of the prompt's tokens, where `prompt_logprobs` asks for them",
    "prompt_token_ids": "ids of the prompt's tokens, where `return_token_ids` asks for them",
    "prompt_text": "the rendered prompt, where `return_prompt_text` asks for it",
    "kv_transfer_params": "parameters of disaggregated serving",
    "ec_transfer_params": "parameters of disaggregated encoding",
    "metrics": "timings of the request, where the server reports them",
}
"""Keys of the response that come once, where they were asked for."""

FROM_RESPONSE: dict[str, str] = {
    **OPENING,
    **ON_REQUEST,
    "token_ids": "ids of the answer's tokens, where `return_token_ids` asks for them",
    "non_text_parts": "parts of the content that are not text, as the server wrote them",
    "refused": "True where the server marks the answer as a refusal",
}
"""Keys whose values the server wrote."""

FROM_CLIENT: dict[str, str] = {
    "headers": "the headers of the response, where `include_response_headers` asks for them",
    "tool_calls_via": "who parsed the tool calls: `server`, `client:<format>`, `recovered:<format>` or `forced`",
    "tool_calls_in_reasoning": "ids of the calls that ended a reasoning without an end marker",
    "dropped_tool_calls": "calls beyond the first, where `parallel_tool_calls` is False",
    "repaired_tool_calls": "ids of the calls whose arguments `repair` changed",
    "thinking_exhausted": "True where the reasoning used up the tokens before the answer began",
    "advice": "what to change where an answer is reasoning alone",
    "reasoning_promoted": "True where `reasoning_as_answer` made the reasoning the answer",
    "retry_reason": "why the request was sent a second time in another form",
    "unconstrained_draft": "the text of the first of two phases, which did not have the requested form",
    "message_policy": "what was changed so that the chat template accepts the conversation",
    "history_repaired": "what was repaired in the conversation's tool calls",
}
"""Keys whose values this client wrote."""

MEANINGS = {**FROM_RESPONSE, **FROM_CLIENT}
"""All keys."""

GROWING = frozenset({"token_ids", "non_text_parts"})
"""Keys whose lists come in pieces, which are joined."""
