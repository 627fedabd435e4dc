"""The tables of messages and blocks: `python -m tests.matrix.messages --write` writes them to cookbook/messages.md.

Each cell is what a real model object sent to a server on the loopback interface, or gave for its answer.
"""

import argparse
import tempfile
from pathlib import Path

from vllm_connect import MessagePolicy
from vllm_connect.profiles import OTHER, PROFILES

from tests.matrix.answers import ANSWERS, langchain_blocks, llamaindex_blocks
from tests.matrix.blocks import BLOCKS, Refused, sent_by
from tests.pages import replace_section

__all__ = ["PAGE", "tables"]

PAGE = Path(__file__).parents[2] / "cookbook" / "messages.md"
FRAMEWORKS = ("LangChain", "LlamaIndex")


def tables() -> dict[str, str]:
    """Build the tables, by the sections of the page."""
    return {"families": families(), "blocks": blocks(), "answers": answers()}


def families() -> str:
    """Build the table of what is changed for each family."""
    rows = [
        [f"`{each.pattern}`" if each is not OTHER else "any other", changed(each.message_policy), each.source]
        for each in (*PROFILES, OTHER)
        if each.source
    ]
    return _table(["the model's name has", "changes", "source"], rows)


def changed(policy: MessagePolicy) -> str:
    return ", ".join(f"`{name}`" for name in policy.changes()) or "nothing"


def blocks() -> str:
    """Build the table of content blocks."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            [block.kind, block.form, *(_shown(sent_by(name, block, Path(folder))) for name in FRAMEWORKS)]
            for block in BLOCKS
        ]
    return _table(["content", "given as", *FRAMEWORKS], rows)


def answers() -> str:
    """Build the table of the blocks of an answer."""
    rows = []
    for row in ANSWERS:
        ours, others = langchain_blocks(row, streamed=True)
        theirs, _ = llamaindex_blocks(row, streamed=True)
        beside = ["`non_text_parts`"] if others else []
        kinds = [f"`{block['type']}`" for block in ours], [f"`{kind}`" for kind, _ in theirs]
        rows.append([row.kind, *(", ".join([*names, *beside]) for names in kinds)])
    return _table(["in the answer", *FRAMEWORKS], rows)


def _shown(outcome: object) -> str:
    if isinstance(outcome, Refused):
        return "refused"
    return f"`{outcome['type']}`" if isinstance(outcome, dict) else "\u2013"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write them to the page")
    write = parser.parse_args().write
    for name, text in tables().items():
        print(text, end="\n\n")
        if write:
            replace_section(PAGE, name, text)


if __name__ == "__main__":
    main()
