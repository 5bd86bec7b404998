"""What sanitizers, runtimes and gdb print, found in real output, and the fingerprints made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_ixy.crash.frames import fingerprint, of_gdb
from pytest_ixy.crash.reports import LINES, MOST, reports

SAID = Path(__file__).parent / "crashes"
"""Output of small programs that were made to fail; only the folder's name was changed in it."""

CASES = {
    "heap": ("AddressSanitizer: heap-buffer-overflow", ("forward", "main"), True),
    "ub": ("UndefinedBehaviorSanitizer: signed integer overflow: 2147483647 + 1 cannot be", (), True),
    "race": ("ThreadSanitizer: data race", ("count",), True),
    "rust": ("Rust: panicked at p.rs:1:52: index out of bounds:", ("__rustc::rust_begin",), False),
    "go": ("Go: panic: runtime error: index out of range [64]", ("main.forward", "main.main"), False),
    "java": ("Java: java.lang.ArrayIndexOutOfBoundsException: Index 9", ("T.forward", "T.main"), False),
}  # fmt: skip


def said(name):
    return (SAID / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", CASES)
def test_a_report_is_found_in_the_middle_of_output(name):
    what, frames, sanitizer = CASES[name]
    text = said(name)
    (found,) = reports(f"ready: forwarding\n{text}\n")
    assert found.what.startswith(what)
    assert [known.startswith(frame) for known, frame in zip(found.frames, frames, strict=False)] == [
        True
    ] * len(frames)
    assert found.sanitizer == sanitizer
    assert "ready: forwarding" not in found.lines


def test_a_whole_report_is_taken_and_nothing_behind_it():
    text = said("heap")
    (found,) = reports(f"{text}captured 5 packets\n")
    assert "\n".join(found.lines) == text[text.index("==") :].partition("\n")[2].rstrip("\n")
    assert found.lines[-1].endswith("==ABORTING")


@pytest.mark.parametrize(
    ("code", "what", "frames"),
    [
        ("def forward(): {}['a']\nforward()", "Python: KeyError: 'a'", ("forward", "<module>")),
        ("raise KeyboardInterrupt", None, None),
        ("raise SystemExit('stopped')", None, None),
    ],
)
def test_a_traceback_unless_it_was_told_to_stop(code, what, frames):
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert [(found.what, found.frames) for found in reports(output)] == ([(what, frames)] if what else [])


@pytest.mark.parametrize(
    "line",
    [
        "*** stack smashing detected ***: terminated",
        "double free or corruption (fasttop)",
        "free(): invalid pointer",
        "fwd: ring.c:31: put: Assertion `index < size' failed.",
        "terminate called after throwing an instance of 'std::out_of_range'",
    ],
)
def test_what_a_c_library_says(line):
    (found,) = reports(f"a\n{line}\nb\n")
    assert found.lines == (line,)


def test_ordinary_output_has_none():
    assert reports("error: no such device\npanicked? no\nTraceback\n==12==\nWARNING: slow\n") == []


def test_hostile_output_is_bounded():
    endless = "panic: a\n" + "goroutine\n" * 100_000
    assert len(reports(endless)[0].lines) == LINES
    assert len(reports("free(): a\n" * 1000)) == MOST
    assert reports("x" * 1_000_000) == []


def test_the_backtrace_of_gdb():
    crashed = said("gdb").partition("@@ crashed\n")[2].partition("\n@@")[0]
    assert list(of_gdb(crashed.splitlines())) == ["strike", "forward", "forward", "forward", "main"]


def test_frames_that_gdb_does_not_know():
    lines = [
        "#0  __pthread_kill_implementation (threadid=1) at ./nptl/pthread_kill.c:44",
        "#1  0x00007f in ?? () from /lib/x86_64-linux-gnu/libjvm.so",
        "#2  0x0000000000000000 in ?? ()",
        "#3  <signal handler called>",
        "#4  ns::ring<int (*)(char)>::put (this=0x0, value=...) at ring.hpp:3",
    ]
    known = ["__pthread_kill_implementation", "?? in libjvm.so", "?? in unknown", "ns::ring<int"]
    assert [found[: len(name)] for found, name in zip(of_gdb(lines), known, strict=True)] == known


@pytest.mark.parametrize("line", ["a.(" * 100_000 + "x", "." * 300_000, "(" * 300_000])
def test_a_line_without_end_is_not_looked_at_for_long(line):
    (found,) = reports(f"panic: boom\n{line}\nmain.main()\n")
    assert found.frames[-1] == "main.main"


# fingerprints


def test_addresses_ids_and_line_numbers_do_not_count():
    text = said("heap")
    moved = text.replace("12530", "77").replace("0x60600000005c", "0x7f0000000010").replace(".c:3", ".c:13")
    (one,), (other,) = reports(text), reports(moved)
    assert fingerprint(one.what, one.frames) == fingerprint(other.what, other.frames)


def test_another_place_or_another_kind_counts():
    known = {
        fingerprint(*case) for case in [("SIGSEGV", ["a", "b"]), ("SIGBUS", ["a", "b"]), ("SIGSEGV", ["b"])]
    }
    assert len(known) == 3


def test_what_every_abort_has_on_top_does_not_count():
    own = ["forward", "main"]
    top = ["__pthread_kill_implementation", "raise", "abort", "__assert_fail"]
    assert fingerprint("SIGABRT", [*top, *own]) == fingerprint("SIGABRT", own)


def test_who_called_from_far_does_not_count():
    near = list("abcde")
    assert fingerprint("SIGSEGV", [*near, "x"]) == fingerprint("SIGSEGV", [*near, "y"])


def test_text_of_any_kind_has_a_fingerprint():
    assert len(fingerprint("\udc80\x00", ["\udcff"])) == 12
