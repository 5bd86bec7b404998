"""Text that somebody else chose, in a form that cannot harm a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text with everything but printable characters, line ends and tabs written as escapes."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def blanked(text: str) -> str:
    """The text with a blank for everything that is not printable: for a line that is soon gone."""
    return "".join(char if char.isprintable() else " " for char in text)


def one_line(text: str) -> str:
    """The same with line ends and tabs escaped too: for titles, and names that a target chose."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")
