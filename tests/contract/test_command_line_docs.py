"""The page of the command line says what the program says."""

from tools.command_line import DOCUMENT, command_line


def test_the_page_is_not_stale() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == command_line(), "run `make docs`"
