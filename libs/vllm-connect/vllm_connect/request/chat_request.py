"""A chat request, and the JSON body vLLM expects for it.

`ChatRequest(messages=[{"role": "user", "content": "Hi"}], top_k=20).body()` is
`{"messages": [{"role": "user", "content": "Hi"}], "top_k": 20}`: what is not set is not sent, so that the
server's defaults apply, which come from the model's own generation config.
Source: ChatCompletionRequest (openai/chat_completion/protocol.py, vLLM 0.32.0) and its older versions.
"""

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vllm_connect.conversation.media_policy import check_media, refuse_control_tokens
from vllm_connect.conversation.message_policy import MessagePolicy
from vllm_connect.errors import ConfigurationError
from vllm_connect.request.field_facts import (
    CHAT_ONLY,
    CONVERTED,
    IN_PROMPT,
    MERGED_IN_PROMPT,
    NOT_SENT,
    SHAPES_PROMPT,
    TEMPLATE_KWARG,
    FieldFacts,
    fields_where,
)
from vllm_connect.request.json_values import to_json_values
from vllm_connect.request.merge import merge
from vllm_connect.request.server_versions import Version, has_feature
from vllm_connect.request.structured_outputs import StructuredOutputs, constraint_fields, translate_older
from vllm_connect.request.tool_choice import resolve_tool_choice

__all__ = ["ChatRequest", "RequestFields", "given_names"]

MAX_STOP_STRINGS = 4

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class RequestFields(BaseModel):
    """The options of a request; a field that is None is not sent.

    Both model classes inherit these fields, so a value can be set once on the model and again for a call.
    """

    model_config = ConfigDict(protected_namespaces=(), hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _translate_older(cls, fields: Any) -> Any:
        return translate_older(fields) if isinstance(fields, dict) else fields

    model: Annotated[str | None, FieldFacts(prompt="field")] = None
    """Name of the served model or LoRA adapter; None is the server's first model."""

    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Sampling temperature; 0 is greedy."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Probability mass to sample from."""
    top_k: int | None = Field(default=None, ge=-1)
    """Number of tokens to sample from; 0 and -1 are all."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Least probability, relative to the likeliest token."""
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Penalty for each time a token has occurred in the answer."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Penalty for a token that has occurred in the answer."""
    repetition_penalty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Factor against tokens of prompt and answer; above 1 discourages."""
    length_penalty: float | None = Field(default=None, allow_inf_nan=False)
    """Exponent of the length in beam search."""
    use_beam_search: bool | None = None
    """Beam search with `n` beams instead of sampling."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Most tokens to generate, reasoning included; None is the rest of the context window."""
    max_completion_tokens: Annotated[int | None, FieldFacts(completions="done")] = Field(default=None, ge=1)
    """The newer name of `max_tokens`, which it overrides."""
    min_tokens: int | None = Field(default=None, ge=0)
    """Tokens to generate before the end token or a stop string counts."""
    n: int | None = Field(default=None, ge=1)
    """Number of answers."""
    seed: int | None = None
    """Seed of the sampler."""
    stop: Annotated[list[str] | str | None, CONVERTED] = None
    """Up to four strings that end the answer."""
    stop_token_ids: list[int] | None = None
    """Token ids that end the answer."""
    include_stop_str_in_output: bool | None = None
    """Keep the stop string in the text."""
    ignore_eos: bool | None = None
    """Generate past the end token."""
    bad_words: list[str] | None = None
    """Words that must not be generated."""
    allowed_token_ids: list[int] | None = None
    """The only token ids that may be generated."""
    logit_bias: dict[str, float] | None = None
    """Bias added to a token's logit, by token id."""
    repetition_detection: dict[str, Any] | None = None
    """`{"max_pattern_size", "min_pattern_size", "min_count"}`: stop when the answer repeats itself."""
    watermarking: bool | None = None
    """Watermark the sampled tokens, where the server can."""

    logprobs: Annotated[bool | None, CHAT_ONLY] = None
    """Return the log probability of every generated token."""
    top_logprobs: Annotated[int | None, CHAT_ONLY] = Field(default=None, ge=-1)
    """Number of alternatives to return for every token, -1 for the vocabulary; needs `logprobs`."""
    prompt_logprobs: int | None = Field(default=None, ge=-1)
    """Number of log probabilities for every prompt token; not when streaming."""
    logprob_token_ids: list[int] | None = None
    """Token ids whose log probabilities are returned; needs `logprobs`."""
    return_tokens_as_token_ids: bool | None = None
    """Write tokens in log probabilities as `token_id:123`."""
    return_token_ids: bool | None = None
    """Return the ids of prompt and answer tokens."""
    return_prompt_text: Annotated[bool | None, CHAT_ONLY] = None
    """Return the rendered prompt."""

    response_format: Annotated[dict[str, Any] | None, CONVERTED] = None
    """`json_object`, `json_schema` or `structural_tag`, in OpenAI's shape."""
    structured_outputs: Annotated[StructuredOutputs | None, CONVERTED] = None
    """vLLM's own constraint: exactly one of `json`, `regex`, `choice`, `grammar`, `structural_tag`."""

    check_constraints: Annotated[bool, NOT_SENT] = True
    """Raise a `ConstraintError` where a complete answer violates a constraint of the request: a schema, a choice, a regular
    expression, a required or named tool; never sent."""
    check_arguments: Annotated[bool, NOT_SENT] = True
    """Validate the arguments of forced calls and of strict tools against the tool's schema, too; the models of LangChain and
    LlamaIndex leave that to their frameworks, which answer invalid ones to the model."""

    include_response_headers: Annotated[bool, NOT_SENT] = False
    """Add the headers of the response to the metadata, as `headers`: routers return ids and routes in them; never sent."""

    show_schema: Annotated[bool, SHAPES_PROMPT] = False
    """Describe the constraint of the answer to the model in the system message; never sent."""
    extract_json: Annotated[bool, NOT_SENT] = False
    """Extract the JSON from a code fence or prose around it; the text then arrives at the end; never sent."""
    refusals: Annotated[Literal["text", "error"], NOT_SENT] = "text"
    """How a refusal is returned where the server marks one: as the answer's text, with `refused` in the metadata, or as a
    `RefusalError`; never sent."""

    message_policy: Annotated[MessagePolicy | Literal["auto", "none"], SHAPES_PROMPT] = "auto"
    """How messages are arranged for the model's chat template: `auto` knows some families and learns from the server's error
    messages, once for a model; `none` sends messages as they are; never sent."""
    repair_history: Annotated[bool, SHAPES_PROMPT] = True
    """Repair tool calls of the conversation that chat templates refuse: arguments that are not a JSON object, results without
    a call, calls without a result; never sent."""

    refuse_control_tokens: Annotated[bool, NOT_SENT] = False
    """Refuse a model's control tokens, such as `<|im_end|>`, in the text of users and tools; never sent."""

    allow_private_media: Annotated[bool, NOT_SENT] = False
    """Accept media URLs at private, loopback and link-local hosts, and at names without a dot, which the server would reach
    within its network; never sent."""

    tool_parser: Annotated[Any, NOT_SENT] = "auto"
    """Who parses tool calls: `auto`, `server`, or the name of a format, or a `Format`; never sent."""
    reasoning_parser: Annotated[str | None, NOT_SENT] = "auto"
    """How reasoning is split off where the server does not: `auto`, a parser's name, or None to leave it; never sent."""

    text_source: Annotated[Literal["auto", "content", "token_ids", "completions"], NOT_SENT] = "auto"
    """Where the text comes from when calls are parsed here; never sent. `content` is the server's text; `token_ids` asks for
    the answer's token ids and detokenizes them at its end, past server parsers that drop calls; `completions` renders the
    prompt with /tokenize and streams from /v1/completions, where no parser is, for text only. `auto` is `content` until an
    answer shows that the server drops calls, then `token_ids`."""

    calls_in_reasoning: Annotated[bool | None, NOT_SENT] = None
    """Which tool calls in a reasoning without an end marker are executable, if they are complete, declared and valid: those
    that end the answer (None), all of them (True), or none (False). A call in a reasoning that ends never is; never sent."""
    reasoning_as_answer: Annotated[bool, NOT_SENT] = False
    """Return the reasoning as the answer where there is no other; never sent."""

    repair: Annotated[bool, NOT_SENT] = False
    """Repair arguments that are not JSON but have one meaning, such as a Python literal; never sent. Arguments then arrive at
    the end of the answer, and `repaired_tool_calls` in the metadata names the calls."""

    reasoning: Annotated[bool | Effort | None, FieldFacts(sent="converted", prompt="converted")] = None
    """Thinking on, off, or with an effort; set through the template values that the model's chat template reads."""
    reasoning_effort: Annotated[Effort | None, TEMPLATE_KWARG] = None
    """The effort alone, sent as it is."""
    include_reasoning: Annotated[bool | None, CHAT_ONLY] = None
    """False leaves the reasoning, and with it log probabilities and token ids, out of the response."""
    thinking_token_budget: int | None = Field(default=None, ge=-1)
    """Most tokens to think, -1 without limit."""

    parallel_tool_calls: bool | None = None
    """False allows one call in an answer."""

    echo: Annotated[bool | None, CHAT_ONLY] = None
    """Put the last message before the answer, if roles are the same."""
    add_generation_prompt: Annotated[bool | None, IN_PROMPT] = None
    """Open the assistant's turn in the prompt."""
    continue_final_message: Annotated[bool | None, IN_PROMPT] = None
    """Go on with the last assistant message instead of opening a new turn."""
    add_special_tokens: Annotated[bool | None, IN_PROMPT] = None
    """Add special tokens beside those of the chat template."""
    documents: Annotated[list[dict[str, Any]] | None, TEMPLATE_KWARG] = None
    """Documents for templates that take them."""
    chat_template: Annotated[str | None, IN_PROMPT] = None
    """A Jinja template instead of the model's; the server must trust it."""
    chat_template_kwargs: Annotated[dict[str, Any] | None, MERGED_IN_PROMPT] = None
    """Values for the chat template."""
    media_io_kwargs: Annotated[dict[str, Any] | None, MERGED_IN_PROMPT] = None
    """How media are loaded, by modality."""
    mm_processor_kwargs: Annotated[dict[str, Any] | None, MERGED_IN_PROMPT] = None
    """Values for the multimodal processor; the server must trust them."""
    skip_special_tokens: bool | None = None
    """False keeps special tokens in the text."""
    spaces_between_special_tokens: bool | None = None
    """Put spaces between special tokens that are kept."""
    truncate_prompt_tokens: Annotated[int | None, CHAT_ONLY] = Field(default=None, ge=-1)
    """Keep this many tokens of the prompt, -1 for as many as fit."""
    truncation_side: Literal["left", "right"] | None = None
    """Which end of the prompt is cut."""

    priority: int | None = None
    """Scheduling priority, lower first; the server must schedule by priority."""
    cache_salt: str | None = Field(default=None, min_length=1, max_length=128)
    """Separates prefix caches of tenants."""
    request_id: str | None = None
    """Id of the request in the server's log."""
    session_id: str | None = None
    """Id of the conversation, for routers that keep one on the same replica."""
    user: str | None = None
    """Accepted and ignored by the server."""
    stream_interval: int | None = Field(default=None, ge=1)
    """Tokens in each event of a stream; can only raise the server's."""
    kv_transfer_params: dict[str, Any] | None = None
    """Parameters of disaggregated serving."""
    ec_transfer_params: dict[str, Any] | None = None
    """Parameters of disaggregated encoding."""
    vllm_xargs: Annotated[dict[str, Any] | None, FieldFacts(merge=True)] = None
    """Arguments of the server's own extensions."""
    extra_body: Annotated[dict[str, Any] | None, FieldFacts(sent="converted", merge=True)] = Field(
        default=None, repr=False, exclude=True
    )
    """Further fields, merged deeply into the body last; the server ignores those that it does not know. It is left out of what
    is printed, traced and dumped; copies and pickles have it."""


class ChatRequest(RequestFields):
    """One request, complete.

    Raises:
        ConfigurationError: From `body`: the request cannot be right on any server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: Annotated[list[dict[str, Any]], IN_PROMPT] = Field(repr=False)
    """The conversation in OpenAI's shape."""
    tools: Annotated[list[dict[str, Any]] | None, FieldFacts(prompt="field", completions="done", sent="converted")] = (
        None
    )
    """Tools in OpenAI's shape; an empty list counts as none."""
    tool_choice: Annotated[str | bool | dict[str, Any] | None, FieldFacts(completions="done", sent="converted")] = None
    """`auto`, `none`, `required`, `any` (the same as `required`), True (the same), a tool's name, or a dict."""
    stream: bool = False
    """Ask for a stream."""
    stream_options: dict[str, Any] | None = None
    """Options of a stream; usage is asked for unless they say otherwise."""

    def body(self, version: Version | None = None) -> dict[str, Any]:
        """Build the JSON body.

        Args:
            version: The server's version, None for the newest.

        Returns:
            The body, `extra_body` merged in last.

        Raises:
            ConfigurationError: No server could accept it; the message names the field.
        """
        self._check()
        values = self.__dict__
        body = {name: values[name] for name in given_names(self) if values[name] is not None and name in SENT_AS_IS}
        if not self.stream:
            del body["stream"]
        else:
            body["stream_options"] = {"include_usage": True, **(self.stream_options or {})}
        if self.stop:
            body["stop"] = self.stop
        if self.continue_final_message and self.add_generation_prompt is None:
            body["add_generation_prompt"] = False
        choice = resolve_tool_choice(self.tool_choice, self.tools)
        if self.tools:
            body["tools"] = self.tools
            if choice is not None:
                body["tool_choice"] = choice
        if not has_feature(version, "reasoning_in_history"):
            body["messages"] = [_with_reasoning_content(message) for message in self.messages]
        body.update(constraint_fields(self.structured_outputs, self.response_format, version))
        _set_thinking(body, self.reasoning)
        for name in FREE_FORM:
            if name in body:
                body[name] = to_json_values(body[name], name)
        return merge(body, to_json_values(self.extra_body, "extra_body")) if self.extra_body else body

    def normalized(self) -> "ChatRequest":
        """Return the request with `tool_choice` as vLLM writes it, so that nothing after it has to resolve it again.

        Raises:
            ConfigurationError: The choice names no tool of the request, or there are none to choose from.
        """
        choice = resolve_tool_choice(self.tool_choice, self.tools)
        return self if choice == self.tool_choice else self.model_copy(update={"tool_choice": choice})

    def depends_on_version(self) -> bool:
        """Check whether the body differs between server versions."""
        return self.structured_outputs is not None or any("reasoning" in message for message in self.messages)

    def check_messages(self) -> None:
        """Check what others may have put into the conversation; `body` does not, since it may have another order.

        Raises:
            ConfigurationError: There is something that must not be sent; the message says where.
        """
        check_media(self.messages, private_allowed=self.allow_private_media)
        if self.refuse_control_tokens:
            refuse_control_tokens(self.messages)

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """List what a repr shows: names and counts, and nothing of the prompt."""
        counts = [("messages", len(self.messages)), ("tools", len(self.tools or ()))]
        return [("model", self.model), ("stream", self.stream), *counts]

    def _check(self) -> None:
        if not self.messages:
            raise ConfigurationError("messages is empty: give at least one message")
        if isinstance(self.stop, list) and len(self.stop) > MAX_STOP_STRINGS:
            raise ConfigurationError(
                f"stop has {len(self.stop)} strings and vLLM accepts {MAX_STOP_STRINGS}: drop some, or use stop_token_ids"
            )
        if self.stream_options and not self.stream:
            raise ConfigurationError("stream_options needs a stream: call stream or astream, or drop it")
        if (self.top_logprobs or self.logprob_token_ids) and not self.logprobs:
            raise ConfigurationError("top_logprobs and logprob_token_ids need logprobs=True")
        if self.prompt_logprobs is not None and self.stream:
            raise ConfigurationError("prompt_logprobs is not available in a stream: call invoke or complete")
        if self.continue_final_message and self.add_generation_prompt:
            raise ConfigurationError("continue_final_message and add_generation_prompt exclude each other: set one")


SENT_AS_IS = fields_where(ChatRequest, lambda facts: facts.sent == "as_is")
FREE_FORM = tuple(
    name
    for name, field in ChatRequest.model_fields.items()
    if name not in {"messages", "tools", "extra_body"} and "dict[str" in str(field.annotation)
)
"""Fields whose values may hold any object; messages and tools are large, and are converted only if they cannot be encoded."""


def _with_reasoning_content(message: dict[str, Any]) -> dict[str, Any]:
    """Convert a message's reasoning to the name that servers before 0.12 read."""
    if "reasoning" not in message:
        return message
    return {("reasoning_content" if name == "reasoning" else name): value for name, value in message.items()}


def _set_thinking(body: dict[str, Any], reasoning: bool | str | None) -> None:
    """Set the template values that turn thinking on or off: `enable_thinking` (Qwen3, GLM, ...), `thinking` (DeepSeek)."""
    if reasoning is None:
        return
    on = reasoning not in (False, "none")
    given = body.get("chat_template_kwargs") or {}
    body["chat_template_kwargs"] = {"enable_thinking": on, "thinking": on, **given}
    if isinstance(reasoning, str):
        body.setdefault("reasoning_effort", reasoning)


_DEFAULTS = {name: field.default for name, field in RequestFields.model_fields.items()}
_ORDER = {name: position for position, name in enumerate(ChatRequest.model_fields)}


def given_names(fields: RequestFields) -> tuple[str, ...]:
    """List the fields that may have been set, in the order of the fields; every call asks, and there are many more."""
    return _names(type(fields), frozenset(fields.model_fields_set))


@lru_cache(maxsize=256)
def _names(cls: type[RequestFields], given: frozenset[str]) -> tuple[str, ...]:
    """List what was given, and what the class fills: from the environment, or by a default of its own."""
    fields = {name: field for name, field in cls.model_fields.items() if name in _ORDER and not field.is_required()}
    filled = {name for name, field in fields.items() if field.default_factory or field.default != _DEFAULTS.get(name)}
    return tuple(sorted(filled | (given & _ORDER.keys()), key=_ORDER.__getitem__))
