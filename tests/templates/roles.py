"""What chat templates ask of the order of roles, family by family, as templates of our own.

Each rule raises as the family's template does, and then renders the demo model's turns, so that the rules hold on a real
server too: `ROLE_RULES["qwen3.5"]` raises `System message must be at the beginning.`
"""

from pathlib import Path
from typing import Any

from jinja2 import ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["ROLE_RULES", "TemplateError", "render", "template"]

DEMO = Path(__file__).parents[1] / "live" / "server" / "model" / "chat_template.jinja"

FIRST_ONLY = """
{%- for m in messages if m.role == 'system' and messages.index(m) > 0 -%}
{{- raise_exception('System message must be at the beginning.') -}}
{%- endfor -%}"""
NO_SYSTEM = """
{%- if messages[0].role == 'system' -%}{{- raise_exception('System role not supported') -}}{%- endif -%}"""
ALTERNATE = """
{%- set turn = namespace(at=0, last='') -%}
{%- for m in messages -%}
{%- if m.role == 'system' and not loop.first -%}{{- raise_exception(COMPLAINT) -}}{%- endif -%}
{%- if m.role == 'user' or (m.role == 'assistant' and not m.tool_calls) -%}
{%- if (m.role == 'user') != (turn.at % 2 == 0) -%}{{- raise_exception(COMPLAINT) -}}{%- endif -%}
{%- set turn.at = turn.at + 1 -%}
{%- endif -%}
{%- endfor -%}"""
COUNTED_SYSTEM = """
{%- if messages[0].role == 'system' -%}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
{%- endif -%}"""
RESULTS_ALTERNATE = """
{%- for m in messages if m.role != 'system' -%}
{%- if (m.role in ['user', 'tool']) != (loop.index0 % 2 == 0) -%}
{{- raise_exception('Conversation roles must alternate between user/tool and assistant') -}}
{%- endif -%}
{%- endfor -%}"""
KNOWN_ROLES = """
{%- for m in messages if m.role not in ('system', 'user', 'assistant', 'tool') -%}
{{- raise_exception('Unexpected message role.') -}}
{%- endfor -%}"""
ONLY_TWO = """
{%- for m in messages if m.role not in ('user', 'assistant', 'tool') -%}
{{- raise_exception('System role is not supported; only user and assistant roles are.') -}}
{%- endfor -%}"""
STRINGS = """
{%- for m in messages if m.content is not string and m.content is not none -%}
{{- raise_exception('can only concatenate str (not "list") to str') -}}
{%- endfor -%}"""


SINGLE_CALLS = """
{%- for m in messages if m.tool_calls and m.tool_calls | length > 1 -%}
{{- raise_exception('This model only supports single tool-calls at once!') -}}
{%- endfor -%}"""
NINE_CHARACTERS = """
{%- for m in messages -%}
{%- for c in m.tool_calls or [] if c.id | length != 9 -%}
{{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') -}}
{%- endfor -%}
{%- if m.role == 'tool' and m.tool_call_id | length != 9 -%}
{{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') -}}
{%- endif -%}
{%- endfor -%}"""
FIRST_SYSTEM_ALONE = """
{%- set messages = messages[:1] + (messages[1:] | rejectattr('role', 'equalto', 'system') | list) -%}"""
KNOWN_ROLES_ALONE = """
{%- set messages = messages | selectattr('role', 'in', ['system', 'user', 'assistant', 'tool']) | list -%}"""
SYSTEMS_TO_THE_FRONT = """
{%- set systems = messages | selectattr('role', 'equalto', 'system') | list -%}
{%- set messages = systems + (messages | rejectattr('role', 'equalto', 'system') | list) -%}"""
RESULTS_OF_CALLS = """
{%- set before = namespace(calls=false) -%}
{%- for m in messages -%}
{%- if m.tool_calls -%}{%- set before.calls = true -%}{%- endif -%}
{%- if m.role == 'tool' and not before.calls -%}
{{- raise_exception('Message has tool role, but there was no previous assistant message with a tool call!') -}}
{%- endif -%}
{%- if m.role == 'assistant' and not m.tool_calls -%}{%- set before.calls = false -%}{%- endif -%}
{%- endfor -%}"""


def alternate(complaint: str) -> str:
    return ALTERNATE.replace("COMPLAINT", repr(complaint))


ROLE_RULES: dict[str, str] = {
    "qwen3": "",
    "qwen3.5": FIRST_ONLY + KNOWN_ROLES,
    "mistral": alternate(
        "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
    )
    + NINE_CHARACTERS,
    "mistral-7b-v0.1": COUNTED_SYSTEM
    + alternate("Conversation roles must alternate user/assistant/user/assistant/..."),
    "gemma-tools": RESULTS_ALTERNATE,
    "llama-2": alternate("Conversation roles must alternate user/assistant/user/assistant/..."),
    "gemma-2": NO_SYSTEM + alternate("Conversation roles must alternate user/assistant/user/assistant/..."),
    "gemma-3": FIRST_ONLY + alternate("Conversation roles must alternate user/assistant/user/assistant/..."),
    "phi-3": ONLY_TWO,
    "phi-4": KNOWN_ROLES_ALONE,
    "phi-4-mini": FIRST_SYSTEM_ALONE,
    "nemotron-super": FIRST_SYSTEM_ALONE,
    "llama-3": SINGLE_CALLS,
    "deepseek-v3": KNOWN_ROLES_ALONE + SYSTEMS_TO_THE_FRONT,
    "granite": "",
    "gpt-oss": RESULTS_OF_CALLS,
    "glm": KNOWN_ROLES,
    "internvl": STRINGS,
}
"""Rules by family; those that pass over messages say nothing, and teach nothing."""


class TemplateError(Exception):
    """A template refuses a conversation, with its own words."""


def template(family: str) -> str:
    """Write the whole template of a family: its rules, then the demo model's turns."""
    return ROLE_RULES[family].strip("\n") + DEMO.read_text(encoding="utf-8")


def render(family: str, messages: list[dict[str, Any]]) -> str:
    """Render a conversation as the server does.

    Raises:
        TemplateError: The template refuses it.
    """

    def refuse(words: str) -> None:
        raise TemplateError(words)

    surroundings = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[ext.loopcontrols])
    surroundings.globals["raise_exception"] = refuse
    return surroundings.from_string(template(family)).render(messages=messages, add_generation_prompt=True)
