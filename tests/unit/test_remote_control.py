"""What a supervisor's words become, however hostile the node that says them."""

from __future__ import annotations

import pytest

from pytest_ixy.remote.control import Control


@pytest.mark.parametrize("text", [b"ixy: refused no\x1b[2J\tway\n", b"no\x1b[2J\tway\n"])
def test_words_become_printable(text):
    control = Control()
    control.feed(text)
    assert (control.refused or control.words[0]) == "no\\x1b[2J\\tway"
