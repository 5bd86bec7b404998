"""Frames of backtraces as names without addresses, and the fingerprint that they make."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

DEEP = 5
"""Frames that make a fingerprint: those further out tell who called, not what broke."""

GDB = re.compile(r"#\d+\s+(?:0x[0-9a-f]+ in )?(?P<name>.+?) \((?P<rest>.*)$")
FROM = re.compile(r"\) from (\S+)$")
SANITIZER = re.compile(r"\s+#\d+ (?:0x[0-9a-f]+ in )?(?P<name>\S.*?)(?: (?:\S*[/:(].*))?$")
RUST = re.compile(r"\s*\d+:\s+(?:0x[0-9a-f]+ - )?(?P<name>\S.*)$")
PYTHON = re.compile(r'  File ".*", line \d+, in (?P<name>.+)$')
GO = re.compile(r"(?P<name>[\w./*()-]*\.[\w*()-]+)\(.*\)$")

HASH = re.compile(r"::h[0-9a-f]{16}$")
NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")
NOISE = re.compile(
    r"raise|abort|__?assert\w*|__GI_\w+|gsignal|__pthread_kill_implementation|__stack_chk_fail|__fortify_fail|"
    r"__libc_message|malloc_printerr|_int_free|(__rustc::)?rust_begin_unwind|"
    r"(std|core|alloc)::panicking::.*|core::result::unwrap_failed|panic|runtime\..*|__asan_\w+|__interceptor_\w+"
)
"""Frames that many crashes have on top."""


def of_gdb(lines: Iterable[str]) -> Iterator[str]:
    """Functions of a backtrace; the module where the function is not known."""
    for line in lines:
        if found := GDB.match(line):
            module = FROM.search(line)
            known = found["name"] != "??"
            yield found["name"] if known else f"?? in {module[1].rpartition('/')[2] if module else 'unknown'}"


def matching(pattern: re.Pattern[str], lines: Iterable[str]) -> Iterator[str]:
    """The names in lines that match."""
    for line in lines:
        if found := pattern.match(line):
            yield HASH.sub("", found["name"].strip())


def fingerprint(what: str, frames: Iterable[str]) -> str:
    """Twelve hex digits, the same for the same crash: addresses, ids and line numbers do not count."""
    telling = [name for name in frames if not NOISE.fullmatch(name)][:DEEP]
    parts = [NUMBERS.sub("N", what.lower()), *telling]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:12]
