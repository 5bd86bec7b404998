from __future__ import annotations

import pytest

from pytest_ixy.remote import output
from pytest_ixy.remote.output import ENDS, Output


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "LIMIT", 10)
    return tmp_path / "log"


def feed(log, *pieces):
    out = Output(log)
    for piece in (*pieces, b""):
        out.feed(piece)
    return out


def test_a_log_is_cut_at_its_bound_and_says_so(log):
    out = feed(log, b"0123456", b"789abc", b"def")
    assert log.read_bytes() == b"0123456789" + ENDS
    assert out.tail == "0123456789abcdef"


def test_the_bound_is_for_all_that_write_to_a_log(log):
    feed(log, b"0123456")
    feed(log, b"789", b"abc")
    feed(log, b"def")
    assert log.read_bytes() == b"0123456789" + ENDS


def test_a_log_that_is_just_full_is_whole_until_more_comes(log):
    feed(log, b"0123456789")
    feed(log)
    assert log.read_bytes() == b"0123456789"
    feed(log, b"a")
    assert log.read_bytes() == b"0123456789" + ENDS
