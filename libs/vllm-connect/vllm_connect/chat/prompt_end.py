r"""Whether a model's prompt ends inside the reasoning, asked once for each model and its template's arguments.

Many chat templates end the prompt with `<think>`, so that the answer begins inside the reasoning. The rendered prompt of a
one-word message shows it:

    POST /tokenize {"messages": [{"role": "user", "content": "Hi"}]} -> {"tokens": [..., 151667, 198]}
    POST /detokenize {"tokens": [..., 151667, 198]}                  -> {"prompt": "...assistant\n<think>\n"}

A server without these endpoints leaves the question open, and the answer's own markers decide.
"""

from vllm_connect.chat.capabilities import ServerCapabilities
from vllm_connect.chat.steps import CallContext, Steps, fetch
from vllm_connect.errors import ProtocolError, StatusError, VllmError
from vllm_connect.parsing.reasoning import find_reasoning
from vllm_connect.protocol.tokenize import detokenize_request, read_member, tokenize_chat_request
from vllm_connect.request.chat_request import ChatRequest
from vllm_connect.request.server_versions import Version

__all__ = ["ask_prompt_end", "is_reasoning_off", "prompt_ends_in_reasoning"]

MESSAGES = [{"role": "user", "content": "Hi"}]
LAST_TOKENS = 16
"""Tokens of the prompt's end that are read: more than any start marker has."""


def is_reasoning_off(request: ChatRequest) -> bool:
    """Check whether the request turns reasoning off."""
    kwargs = request.chat_template_kwargs or {}
    return request.reasoning in (False, "none") or kwargs.get("enable_thinking", kwargs.get("thinking")) is False


def prompt_ends_in_reasoning(request: ChatRequest, capabilities: ServerCapabilities) -> bool | None:
    """Return whether a request's prompt ends inside the reasoning; None if that is not known."""
    return capabilities.of(request.model).prompt_ends_in_reasoning.get(_template_arguments(request))


def ask_prompt_end(request: ChatRequest, context: CallContext, version: Version | None) -> Steps[None]:
    """Ask the server whether a request's prompt ends inside the reasoning, unless it was asked before.

    Only models that are known to reason are asked about. A server that cannot be reached is asked again the next time.

    Args:
        request: The request, normalized.
        context: What all calls of the client have in common.
        version: The server's version, None for the newest.
    """
    parser = context.capabilities.profile(request.model).reasoning_parser
    known = context.capabilities.of(request.model).prompt_ends_in_reasoning
    arguments = _template_arguments(request)
    if parser is None or request.reasoning_parser != "auto" or arguments in known:
        return
    if request.continue_final_message or request.add_generation_prompt is False:
        return
    once = context._replace(policy=context.policy.without_retries())
    body = request.model_copy(update={"messages": MESSAGES, "tools": None, "tool_choice": None}).body(version)
    try:
        tokens = read_member((yield from fetch(tokenize_chat_request(body), once)), "tokens", list[int])
        last = detokenize_request(tokens[-LAST_TOKENS:], request.model)
        prompt = read_member((yield from fetch(last, once)), "prompt", str).rstrip()
    except (StatusError, ProtocolError):
        known[arguments] = None
    except VllmError:
        return
    else:
        markers = [marker.rstrip() for one in find_reasoning(parser) for marker in one.start_markers]
        known[arguments] = prompt.endswith(tuple(markers))


def _template_arguments(request: ChatRequest) -> str:
    """Return what shapes the end of the prompt beside the model, as a key."""
    return repr((request.reasoning, request.reasoning_effort, request.chat_template_kwargs, request.chat_template))
