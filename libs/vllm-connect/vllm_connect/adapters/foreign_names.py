"""Argument names of other clients: of `ChatOpenAI`, `ChatDeepSeek`, `ChatOllama`, `VLLMOpenAI`, `OpenAILike`, `Ollama`, `VllmServer`.

`api_base="http://gpu:8000/v1", max_new_tokens=64` is `base_url="http://gpu:8000/v1", max_tokens=64`, with a
`DeprecationWarning` for each name. A name without a counterpart is refused, and the message says what to do instead.
"""

import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from vllm_connect.config.validation import callers_stacklevel
from vllm_connect.errors import ConfigurationError

__all__ = ["ADVICE", "DROPPED", "RENAMED", "SPREAD", "Renamed", "translate_foreign_names"]


def _same(value: Any) -> Any:
    return value


def _without_generate_path(url: Any) -> Any:
    """Remove the path of vLLM's demonstration server, which `VllmServer` is used with."""
    return url.rstrip("/").removesuffix("/generate") if type(url) is str else url  # one that is hidden stays so


def _answer_format(value: Any) -> Any:
    """Convert Ollama's `format`."""
    if value == "json":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": value}} if value else None


def _json_mode(value: Any) -> Any:
    return {"type": "json_object"} if value else None


class Renamed(NamedTuple):
    """What a name is called here.

    Attributes:
        name: The name.
        convert: Converts the value.
    """

    name: str
    convert: Callable[[Any], Any] = _same


RENAMED = {
    "api_base": Renamed("base_url"),
    "api_headers": Renamed("headers"),
    "api_url": Renamed("base_url", _without_generate_path),
    "default_headers": Renamed("headers"),
    "format": Renamed("response_format", _answer_format),
    "json_mode": Renamed("response_format", _json_mode),
    "max_new_tokens": Renamed("max_tokens"),
    "model_name": Renamed("model"),
    "num_predict": Renamed("max_tokens"),
    "openai_api_base": Renamed("base_url"),
    "openai_api_key": Renamed("api_key"),
    "openai_proxy": Renamed("proxy"),
    "repeat_penalty": Renamed("repetition_penalty"),
    "request_timeout": Renamed("timeout"),
    "stop_sequences": Renamed("stop"),
    "stream_chunk_timeout": Renamed("timeout", lambda seconds: None if seconds is None else {"stall": seconds}),
    "thinking": Renamed("reasoning"),
}
"""Names that are translated."""

SPREAD = frozenset({"additional_kwargs", "model_kwargs", "vllm_kwargs"})
"""Mappings whose entries become arguments, or entries of `extra_body` where they are not known here."""

DROPPED = {
    "reuse_client": "connections are always kept",
    "should_use_structured_outputs": "the server enforces schemas",
    "stream_usage": "usage is in every stream",
    "trust_remote_code": "it is an option of the server",
}
"""Names that change nothing here, and why; they are left out."""

ADVICE = {
    "allowed_special": "use get_num_tokens, which asks the server's tokenizer",
    "api_version": "leave it out",
    "async_client_kwargs": "pass an httpx.AsyncClient as http_async_client",
    "audio_config": "vLLM's chat endpoint writes no audio: leave it out",
    "batch_size": "use batch or abatch; max_connections limits how many calls run at once",
    "best_of": "vLLM has dropped it: use n",
    "client_kwargs": "pass an httpx.Client as http_client, and an httpx.AsyncClient as http_async_client",
    "context_management": "trim the conversation in the program: vLLM's chat endpoint does not",
    "default_query": "put parameters that a gateway needs into headers",
    "disabled_params": "leave it out: what is not set is not sent",
    "disallowed_special": "use get_num_tokens, which asks the server's tokenizer",
    "download_dir": "it is an option of the server: vllm serve --download-dir",
    "dtype": "it is an option of the server: vllm serve --dtype",
    "extra_headers": "set headers; for one call, extra_headers is an argument of the call",
    "extra_query": "put parameters that a gateway needs into headers",
    "http_socket_options": "pass an httpx.Client as http_client",
    "include": "set logprobs, return_token_ids and the like",
    "keep_alive": "a vLLM server keeps its model: leave it out",
    "mirostat": "vLLM does not sample so: use temperature, top_p, top_k or min_p",
    "mirostat_eta": "vLLM does not sample so: use temperature, top_p, top_k or min_p",
    "mirostat_tau": "vLLM does not sample so: use temperature, top_p, top_k or min_p",
    "modalities": "vLLM's chat endpoint writes text: leave it out",
    "num_ctx": "it is an option of the server, vllm serve --max-model-len; context_window tells it to the framework",
    "num_gpu": "it is an option of the server: vllm serve --tensor-parallel-size",
    "num_thread": "it is an option of the server",
    "openai_like": "leave it out: the chat endpoint is always used",
    "openai_organization": "put it into headers, if a gateway needs it",
    "organization": "put it into headers, if a gateway needs it",
    "prompt_cache_options": "vLLM caches prefixes by itself; cache_salt separates users",
    "prompt_key": "leave it out: the chat endpoint is always used",
    "proxies": "pass one URL as proxy",
    "repeat_last_n": "repetition_penalty counts the whole text",
    "root_async_client": "pass an httpx.AsyncClient as http_async_client",
    "root_client": "pass an httpx.Client as http_client",
    "service_tier": "vLLM has none: priority orders requests",
    "store": "vLLM stores nothing: leave it out",
    "sync_client_kwargs": "pass an httpx.Client as http_client",
    "tensor_parallel_size": "it is an option of the server: vllm serve --tensor-parallel-size",
    "tfs_z": "vLLM does not sample so: use temperature, top_p, top_k or min_p",
    "tiktoken_model_name": "leave it out: tokens are counted by the server's tokenizer",
    "tokenizer": "leave it out: tokens are counted by the server's tokenizer",
    "truncation": "set truncate_prompt_tokens",
    "use_previous_response_id": "the conversation is always sent whole: leave it out",
    "use_responses_api": "leave it out: the chat endpoint is always used",
    "validate_model_on_init": "call server_info() where the program starts",
    "verbosity": "put it into chat_template_kwargs, if the model's template has it",
}
"""Names that are refused, and what to do instead."""


def translate_foreign_names(given: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Translate arguments of other clients to the names here.

    Args:
        given: The arguments of a constructor or of a call; they are not changed.
        known: The names that are arguments in this place, which always mean themselves.

    Returns:
        The arguments by their names here.

    Raises:
        ConfigurationError: A name has no counterpart, or two names of one argument are given.
    """
    if all(name in known for name in given):
        return dict(given)
    translated: dict[str, Any] = {name: value for name, value in given.items() if name in known}
    for name, value in given.items():
        if name not in known:
            told = _translate(translated, name, value, known)
            if told is not None:
                warnings.warn(told, DeprecationWarning, stacklevel=callers_stacklevel())
    return translated


def _translate(translated: dict[str, Any], name: str, value: Any, known: Collection[str]) -> str | None:
    """Add one argument by its name here; return what the warning says."""
    if name in SPREAD and isinstance(value, Mapping):
        for key, entry in value.items():
            if key in known:
                _add(translated, key, entry, name)
            else:
                translated["extra_body"] = {key: entry, **(translated.get("extra_body") or {})}
        return f"the entries of {name} are arguments here"
    if name in DROPPED:
        return f"{name} has no effect, {DROPPED[name]}: leave it out"
    if name in RENAMED and RENAMED[name].name in known:
        _add(translated, RENAMED[name].name, RENAMED[name].convert(value), name)
        return f"{name} is called {RENAMED[name].name} here"
    if name in ADVICE:
        raise ConfigurationError(f"{name} is not an argument here: {ADVICE[name]}")
    translated[name] = value  # the caller refuses it, with the nearest name
    return None


def _add(translated: dict[str, Any], name: str, value: Any, given_as: str) -> None:
    if name in translated:
        raise ConfigurationError(f"{given_as} is another name of {name}, and both are given: pass {name} only")
    translated[name] = value
