from __future__ import annotations

import html
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.report import text

HOSTILE = "<script>alert(1)</script>]]>\x1b[31mred\x1b[0m\x00\u202egnp|`*_[x](javascript:1)\"'&\ud800"


def test_clean_removes_terminal_escapes_and_shows_other_controls() -> None:
    assert text.clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07end\x1b]8;;http://x\x1b\\link") == "red endlink"
    assert text.clean("a\x00b\x07c\x7fd\x9be") == "a\u2400b\u2407c\u2421d⟨U+009B⟩e"
    assert text.clean("50 %\r100 %\r\n") == "50 %\n100 %\n"
    assert text.clean("\u202eevil\u2066") == "⟨U+202E⟩evil⟨U+2066⟩"


def test_a_lone_escape_character_stays_visible() -> None:
    assert text.clean("end\x1b") == "end\u241b"


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(st.characters(codec=None)))
def test_escaped_text_can_be_written_and_holds_no_markup(words: str) -> None:
    escaped = text.escape(words)
    escaped.encode("utf-8")
    assert not set(escaped) & set("<>\"'\x00\x1b")
    assert html.unescape(escaped) == text.clean(words)


def test_markdown_keeps_to_its_table_cell() -> None:
    shown = text.markdown("a | b\n# <b>`x`</b> [l](http://x) $m$ @me")
    assert not set(shown.replace("&#", "").replace(";", "")) & set("|\n<>`[]#*_$@:")
    assert html.unescape(shown) == "a | b # <b>`x`</b> [l](http://x) $m$ @me"


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_preformatted_text_is_one_line_of_markdown_that_keeps_its_blanks(words: str) -> None:
    shown = text.preformatted(words)
    assert not set(shown.replace("&#", "").replace(";", "")) & set("|\n\r<>`[]#*_$@:")
    kept = [line.replace("\t", "    ") for line in text.clean(words).split("\n")]
    assert html.unescape(shown).split("\n") == (kept if kept[-1] else kept[:-1] or [""])


def test_preformatted_text_looks_as_it_did() -> None:
    assert text.preformatted("0000  a b\n      ^^") == "0000  a b&#10;      &#94;&#94;"


def test_line_is_one_line_of_at_most_the_limit() -> None:
    assert text.line("a\n  b\tc") == "a b c"
    assert text.line("x" * 301) == "x" * 299 + "…"


@pytest.mark.parametrize(
    "word", ["plain", "two words", "$(reboot)", "it's", "new\nline", "esc\x1b[31m'\\", "-o=é", "\udcff"]
)
def test_shell_quotes_so_that_bash_reads_the_word_again(word: str) -> None:
    quoted = text.shell(word)
    assert quoted == text.clean(quoted)
    assert "\n" not in quoted
    read = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert read.stdout == word.encode("utf-8", "surrogateescape")


def test_a_url_loses_its_password() -> None:
    assert text.without_password("https://me:secret@host/x/y@z") == "https://host/x/y@z"
    assert text.without_password("git@host:owner/name") == "git@host:owner/name"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0008, "0.8 ms"), (3.4, "3.4 s"), (99.94, "99.9 s"), (125.2, "2 min 05 s")]
)
def test_durations(seconds: float, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(100_000, "100,000"), (2.0, "2"), (0.91234, "0.912"), (32_394.7, "32,395")]
)
def test_numbers(value: float, words: str) -> None:
    assert text.number(value) == words


def test_hostile_text_comes_out_harmless_everywhere() -> None:
    for shown in (text.escape(HOSTILE), text.markdown(HOSTILE)):
        assert "<" not in shown
        assert "\x1b" not in shown
        shown.encode("utf-8")
