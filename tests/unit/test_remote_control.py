"""What a supervisor's words become, however hostile the node that says them."""

from __future__ import annotations

import pytest

from pytest_ixy.remote.control import Control


@pytest.mark.parametrize("text", [b"ixy: refused no\x1b[2J\tway\n", b"no\x1b[2J\tway\n"])
def test_words_become_printable(text):
    control = Control()
    control.feed(text)
    assert (control.refused or control.words[0]) == "no\\x1b[2J\\tway"


@pytest.mark.parametrize("word", ["session", "exit"])
@pytest.mark.parametrize("number", ["", "²", "-1", "1 2", "1_0", "9" * 16, "9" * 5000, "\x1b[2J"])
def test_what_is_no_number_ends_the_conversation(word, number):
    control = Control()
    control.feed(f"ixy: {word} {number}\n".encode())
    assert control.ended
    assert "where a number belongs" in control.nonsense
    assert control.nonsense.isprintable()
    assert (control.session, control.exit) == (None, None)


def test_numbers_are_read():
    control = Control()
    control.feed(b"ixy: session 999999999999999\nixy: exit 139\n")
    assert (control.session, control.exit.signal, control.ended) == (999_999_999_999_999, "SIGSEGV", False)
