"""Texts with reasoning in them, in the markup of each reasoning parser.

`thoughts("qwen3")` has the answer alone, reasoning and answer, reasoning without its start marker, without an end marker marker, and more.
"""

from collections.abc import Iterator

from vllm_connect.parsing.reasoning import find_reasoning


def thoughts(name: str) -> Iterator[tuple[str, str]]:
    """Generate texts.

    Args:
        name: The reasoning parser.

    Yields:
        The kind of a text, and the text.
    """
    marks = find_reasoning(name)[0]
    start, end = marks.start_marker, marks.end_marker
    thought = 'First, 2 < 3 & "quotes".\nThen 東京 \\ 🎉.'
    answer = "The answer:\n\n<b>42</b> \\o/ 🎉"
    before, after = (marks.answer_markers[0], marks.answer_markers[1]) if marks.answer_markers else ("", "")
    yield "answer alone", answer
    yield "reasoning and answer", f"{start}{thought}{end}{before}{answer}{after}"
    yield "reasoning and answer on lines", f"{start}\n{thought}\n{end}\n\n{before}{answer}{after}"
    yield "without a start marker", f"{thought}{end}{before}{answer}{after}"
    yield "without an end marker", f"{start}{thought}"
    yield "reasoning alone", f"{start}{thought}{end}"
    yield "empty reasoning", f"{start}\n\n{end}\n\n{answer}"
    yield "whitespace before", f"\n\n{start}{thought}{end}{answer}"
    yield "text before", f"Well. {start}{thought}{end}{answer}"
    yield "two thoughts", f"{start}{thought}{end}{answer}{start}again{end}more"
    yield "a stray end marker", f"{start}{thought}{end}{answer}{end}more"
    yield "half an end marker", f"{start}{thought}{end[:-1]}"
    yield "a start marker in the reasoning", f"{start}one {start}two{end}{answer}"
