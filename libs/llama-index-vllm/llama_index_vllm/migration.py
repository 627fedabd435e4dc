"""Argument names of `OpenAILike` and `VllmServer`.

`VllmLLM(api_base="http://gpu:8000/v1", max_new_tokens=64)` is `VllmLLM(base_url="http://gpu:8000", max_tokens=64)`
with a `DeprecationWarning` for each name. A name without a counterpart is refused; the message says what to do instead.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from vllm_connect import ConfigurationError

__all__ = ["ALIASES", "translate_names"]

ALIASES = {
    "api_base": "base_url",
    "api_url": "base_url",
    "api_headers": "headers",
    "default_headers": "headers",
    "max_new_tokens": "max_tokens",
}

ADVICE = {
    "additional_kwargs": "pass its entries as separate arguments; extra_body is one, too",
    "api_version": "leave it out",
    "best_of": "vLLM has dropped it: use n",
    "openai_like": "leave it out: the chat endpoint is always used",
    "reuse_client": "leave it out: connections are pooled for each event loop",
    "should_use_structured_outputs": "leave it out: the server enforces schemas unless pydantic_program_mode says else",
    "tokenizer": "leave it out: llm.tokenize and llm.count_tokens ask the server",
}


def translate_names(given: Mapping[str, Any], *, stacklevel: int) -> dict[str, Any]:
    """Translate arguments to the names of this package.

    Args:
        given: The arguments of a constructor or of a call.
        stacklevel: The caller whose line the warning shows, as for `warnings.warn` called here.

    Returns:
        The arguments by their names here.

    Raises:
        ConfigurationError: A name has no counterpart, or two names of one argument are given.
    """
    if not given.keys() & (ALIASES.keys() | ADVICE.keys()):
        return dict(given)
    renamed: dict[str, Any] = {}
    for name, value in given.items():
        if name in ADVICE:
            raise ConfigurationError(f"{name} is not an argument here: {ADVICE[name]}")
        known = ALIASES.get(name, name)
        if known in renamed or (known != name and known in given):
            raise ConfigurationError(f"{name} is another name of {known}, and both are given: pass {known} only")
        if known != name:
            warnings.warn(f"{name} is called {known} here", DeprecationWarning, stacklevel=stacklevel)
        renamed[known] = _without_generate_path(value) if name == "api_url" else value
    return renamed


def _without_generate_path(url: Any) -> Any:
    """Remove the path of vLLM's demonstration server, which `VllmServer` is used with."""
    return url.rstrip("/").removesuffix("/generate") if isinstance(url, str) else url
