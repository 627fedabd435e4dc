"""The arguments of other clients' constructors, read from their classes: `python -m tests.matrix.peer_arguments`.

It runs in the peers' environments, which `make .venv-peers` builds, and writes `peer_arguments.json`: each class with its own
fields and their aliases, without those of the framework's base class.
"""

import argparse
import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

__all__ = ["ARGUMENTS", "read_arguments"]

FILE = Path(__file__).with_suffix(".json")
CLASSES = {
    "ChatOpenAI": ("langchain_openai", "langchain_core.language_models:BaseChatModel"),
    "ChatDeepSeek": ("langchain_deepseek", "langchain_core.language_models:BaseChatModel"),
    "ChatOllama": ("langchain_ollama", "langchain_core.language_models:BaseChatModel"),
    "VLLMOpenAI": ("langchain_community.llms", "langchain_core.language_models:BaseLLM"),
    "OpenAILike": ("llama_index.llms.openai_like", "llama_index.core.llms.function_calling:FunctionCallingLLM"),
    "Ollama": ("llama_index.llms.ollama", "llama_index.core.llms.function_calling:FunctionCallingLLM"),
    "VllmServer": ("llama_index.llms.vllm", "llama_index.core.llms:LLM"),
}


def read_arguments(name: str) -> list[str]:
    """List the arguments of a class; it has to be installed."""
    module, base = CLASSES[name]
    path, _, base_name = base.partition(":")
    inherited = getattr(importlib.import_module(path), base_name).model_fields
    names: set[str] = set()
    for field, facts in getattr(importlib.import_module(module), name).model_fields.items():
        if field not in inherited:
            names |= {field, *_aliases(facts)}
    return sorted(names)


def _aliases(facts: Any) -> list[str]:
    choices = getattr(facts.validation_alias, "choices", [facts.validation_alias])
    return [alias for alias in (facts.alias, *choices) if isinstance(alias, str)]


ARGUMENTS: dict[str, list[str]] = json.loads(FILE.read_text()) if FILE.exists() else {}
"""The arguments of each class."""


def main() -> None:
    """Read the classes that this environment has, and keep what the file has of the others."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("ignore")  # of the peers
    found = dict(ARGUMENTS)
    for name, (module, _) in CLASSES.items():
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            print(f"{module} is not installed here: {name} is kept")
        else:
            found[name] = read_arguments(name)
    FILE.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")


if __name__ == "__main__":
    main()
