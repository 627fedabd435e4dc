"""Figures in pages: a command replaces its own part of a page, between two marks.

`<!-- differential -->` and `<!-- /differential -->` enclose what `replace_section(page, "differential", text)` writes.
"""

from pathlib import Path

__all__ = ["read_section", "replace_section"]


def replace_section(page: Path, name: str, text: str) -> None:
    """Replace what a page holds between the marks of a section.

    Args:
        page: The page, Markdown.
        name: The section's name.
        text: What it is to hold.

    Raises:
        ValueError: The page has no such marks.
    """
    before, _, after = _parts(page, name)
    begin, end = _marks(name)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def read_section(page: Path, name: str) -> str:
    """Read what a page holds between the marks of a section.

    Args:
        page: The page, Markdown.
        name: The section's name.

    Returns:
        The text, without the empty lines around it.

    Raises:
        ValueError: The page has no such marks.
    """
    return _parts(page, name)[1].strip("\n")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->", f"<!-- /{name} -->"


def _parts(page: Path, name: str) -> tuple[str, str, str]:
    begin, end = _marks(name)
    whole = page.read_text(encoding="utf-8")
    if begin not in whole or end not in whole:
        raise ValueError(f"{page} has no marks {begin} and {end}")
    before, rest = whole.split(begin, 1)
    held, after = rest.split(end, 1)
    return before, held, after
