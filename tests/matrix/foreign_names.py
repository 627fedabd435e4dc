"""What becomes of each argument of other clients: `python -m tests.matrix.foreign_names --write` puts the table into a page."""

import argparse
from collections.abc import Collection
from pathlib import Path

from langchain_vllm import ChatVllm
from llama_index_vllm import VllmLLM
from vllm_connect.adapters import AdapterModel
from vllm_connect.adapters.foreign_names import ADVICE, DROPPED, RENAMED, SPREAD
from vllm_connect.config.config import argument_names

from tests.matrix.peer_arguments import ARGUMENTS
from tests.pages import replace_section

__all__ = ["NAMES", "PAGE", "becomes", "model_for", "table"]

PAGE = Path(__file__).parents[2] / "cookbook" / "migrating" / "arguments.md"
LLAMAINDEX = ("OpenAILike", "Ollama", "VllmServer")
INSTANCES = {"async_client": "an `AsyncVllmClient`", "client": "a `VllmClient`"}
NAMES = sorted({name for names in ARGUMENTS.values() for name in names})


def model_for(peer: str) -> type[AdapterModel]:
    """Return the class here that takes the place of another."""
    return VllmLLM if peer in LLAMAINDEX else ChatVllm


def becomes(name: str, known: Collection[str]) -> str:
    """Tell what becomes of an argument."""
    if name in INSTANCES:
        return f"the same name, for {INSTANCES[name]}"
    if name in known:
        return "the same"
    if name in SPREAD:
        return "its entries become arguments, or entries of `extra_body`"
    if name in DROPPED:
        return f"no effect: {DROPPED[name]}"
    if name in RENAMED:
        return f"`{RENAMED[name].name}`"
    return f"refused: {ADVICE[name]}"


def table() -> str:
    """Write the table."""
    lines = ["| argument | of | here |", "|---|---|---|"]
    for name in NAMES:
        peers = [peer for peer, names in ARGUMENTS.items() if name in names]
        here = dict.fromkeys(becomes(name, argument_names(model_for(peer))) for peer in peers)
        lines.append(f"| `{name}` | {', '.join(peers)} | {'; '.join(here)} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    if parser.parse_args().write:
        replace_section(PAGE, "arguments", table())
    print(table())


if __name__ == "__main__":
    main()
