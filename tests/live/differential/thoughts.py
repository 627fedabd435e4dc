"""Texts with reasoning in them, in the words of each reasoning parser.

`thoughts("qwen3")` has the answer alone, reasoning and answer, reasoning without its beginning, without its end, and more.
"""

from collections.abc import Iterator

from vllm_connect.parsing.reasoning import find_reasoning


def thoughts(name: str) -> Iterator[tuple[str, str]]:
    """Make texts.

    Args:
        name: The reasoning parser.

    Yields:
        What a text is, and the text.
    """
    marks = find_reasoning(name)[0]
    opener, closer = marks.opener, marks.closer
    thought = 'First, 2 < 3 & "quotes".\nThen 東京 \\ 🎉.'
    answer = "The answer:\n\n<b>42</b> \\o/ 🎉"
    before, after = (marks.answer[0], marks.answer[1]) if marks.answer else ("", "")
    yield "answer alone", answer
    yield "reasoning and answer", f"{opener}{thought}{closer}{before}{answer}{after}"
    yield "reasoning and answer on lines", f"{opener}\n{thought}\n{closer}\n\n{before}{answer}{after}"
    yield "without its beginning", f"{thought}{closer}{before}{answer}{after}"
    yield "without its end", f"{opener}{thought}"
    yield "reasoning alone", f"{opener}{thought}{closer}"
    yield "empty reasoning", f"{opener}\n\n{closer}\n\n{answer}"
    yield "white space before", f"\n\n{opener}{thought}{closer}{answer}"
    yield "words before", f"Well. {opener}{thought}{closer}{answer}"
    yield "two thoughts", f"{opener}{thought}{closer}{answer}{opener}again{closer}more"
    yield "a stray end", f"{opener}{thought}{closer}{answer}{closer}more"
    yield "half an end", f"{opener}{thought}{closer[:-1]}"
    yield "a beginning in the reasoning", f"{opener}one {opener}two{closer}{answer}"
