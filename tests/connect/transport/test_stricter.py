"""The page lists what we refuse and other parsers accept."""

from tests.connect.transport.stricter import PAGE, SECTION, table
from tests.pages import read_section


def test_the_page_lists_where_we_are_stricter() -> None:
    assert read_section(PAGE, SECTION) == table()
