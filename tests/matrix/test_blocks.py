"""Each content block in each framework is sent as a part that vLLM accepts, or refused with its position."""

from pathlib import Path
from typing import Any

import pytest

from tests.matrix.answers import ANSWERS, AnswerRow, langchain_blocks, llamaindex_blocks
from tests.matrix.blocks import BLOCKS, Block, Refused, sent_by
from tests.matrix.messages import PAGE, tables
from tests.pages import read_section

ROWS = pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)


def check(outcome: Any, wanted: Any, kind: str) -> None:
    if isinstance(wanted, Refused):
        assert isinstance(outcome, Refused)
        assert outcome.words.startswith((f"messages[1] block 1 ({kind})", "messages[1] part 1 (image_url)"))
        assert wanted.words in outcome.words
    else:
        assert outcome == wanted


@ROWS
def test_langchain(block: Block, tmp_path: Path) -> None:
    sent = sent_by("LangChain", block, tmp_path)
    if block.langchain is None:
        assert sent is None
        return
    kind = "text" if isinstance(block.langchain, str) else block.langchain["type"]
    check(sent, block.sent, kind)


@ROWS
def test_llamaindex(block: Block, tmp_path: Path) -> None:
    sent = sent_by("LlamaIndex", block, tmp_path)
    if block.llamaindex is None:
        assert sent is None
        return
    check(sent, block.sent, type(block.llamaindex(tmp_path)).__name__)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: row.kind)
def test_an_answer_has_the_blocks_of_its_framework(row: AnswerRow, streamed: bool) -> None:
    blocks, others = langchain_blocks(row, streamed=streamed)
    held, others_too = llamaindex_blocks(row, streamed=streamed)
    assert blocks == row.langchain
    assert held == row.llamaindex
    assert others == others_too == row.others


def test_the_page_has_the_tables() -> None:
    """`python -m tests.matrix.messages --write` writes them."""
    for name, text in tables().items():
        assert read_section(PAGE, name) == text
