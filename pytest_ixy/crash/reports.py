"""What sanitizers and language runtimes print when something is wrong, found in a program's output."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_ixy.crash import frames

LINES, MOST, WIDEST = 200, 20, 500
"""Lines of a report, reports of one program, and characters of a line that are looked at."""


@dataclass(frozen=True)
class Report:
    """Such a report; `frames` are innermost first, `sanitizer` is True for what a sanitizer found."""

    what: str
    lines: tuple[str, ...]
    frames: tuple[str, ...] = ()
    sanitizer: bool = False


@dataclass(frozen=True)
class Kind:
    """How one of them looks.

    Attributes:
        name: What it is called, with `{0}` for what the first group of `begin` says.
        begin: Its first line.
        goes_on: Whether a line, after so many, still belongs to it.
        frame: A line that names a function.
        outermost_first: As Python prints them.
        sanitizer: Whether a sanitizer says it.
    """

    name: str
    begin: re.Pattern[str]
    goes_on: Callable[[str, list[str]], bool]
    frame: re.Pattern[str] = frames.SANITIZER
    outermost_first: bool = False
    sanitizer: bool = False


def _until(last: str) -> Callable[[str, list[str]], bool]:
    """To the first line that matches, and with it."""
    pattern = re.compile(last)
    return lambda _line, before: not pattern.search(before[-1])


def _to_exception(_line: str, before: list[str]) -> bool:
    """A traceback ends with the first line that is not indented."""
    return len(before) == 1 or before[-1].startswith(" ")


KINDS = (
    Kind(
        "{0}",
        re.compile(r"==\d+==\s?ERROR: ((?:Address|Leak|Memory)Sanitizer: [\w-]+)"),
        _until(r"==\d+==ABORTING|^SUMMARY: Leak"),
        sanitizer=True,
    ),
    Kind(
        "{0}",
        re.compile(r"WARNING: ((?:Thread|Memory)Sanitizer: [\w -]+?)(?: \(pid=\d+\))?$"),
        _until(r"^SUMMARY: "),
        sanitizer=True,
    ),
    Kind(
        "UndefinedBehaviorSanitizer: {0}",
        re.compile(r"\S+:\d+:\d+: runtime error: (.+)"),
        lambda line, _before: line.startswith("    #"),
        sanitizer=True,
    ),
    Kind(
        "Go: {0}",
        re.compile(r"((?:panic|fatal error): .+)"),
        lambda line, _before: not line.startswith("exit status "),
        frames.GO,
    ),
    Kind(
        "Rust: {0}",
        re.compile(r"thread '.*' (?:\(\d+\) )?(panicked at .*)"),
        lambda line, before: not line.startswith("thread '") and not before[-1].startswith("note: "),
        frames.RUST,
    ),
    Kind(
        "Python: {0}",
        re.compile(r"(Traceback) \(most recent call last\):"),
        _to_exception,
        frames.PYTHON,
        outermost_first=True,
    ),
    Kind(
        "Java: {0}",
        re.compile(r"# A (fatal error) has been detected by the Java Runtime Environment:"),
        lambda line, _before: line.startswith("#"),
    ),
    Kind(
        "Java: {0}",
        re.compile(r'Exception in thread "[^"]*" (\S.*)'),
        lambda line, _before: line.startswith(("\t", "Caused by:")),
        re.compile(r"\tat (?P<name>[\w.$<>]+)\("),
    ),
    Kind("C++: {0}", re.compile(r"(terminate called .*)"), lambda line, _before: line.startswith("  what()")),
    Kind("{0}", re.compile(r"(?:\S+: )?(.*Assertion `.*' failed\.)$"), lambda _line, _before: False),
    Kind(
        "{0}",
        re.compile(
            r"(\*\*\* (?:stack smashing|buffer overflow) detected \*\*\*|double free or corruption.*|"
            r"(?:malloc|free|realloc|munmap_chunk)\(\): .+|corrupted .+ vs\. .+)"
        ),
        lambda _line, _before: False,
    ),
)
"""In the order in which they are tried: each line begins one report at most."""

ASKED = re.compile(r"(KeyboardInterrupt|SystemExit)\b")
"""The last line of what Python prints when it is told to stop."""


def reports(output: str) -> list[Report]:
    """The reports in a program's output, in its order; few of them, and each with a bound."""
    found: list[Report] = []
    lines, at = [line[:WIDEST] for line in output.splitlines()], 0
    while at < len(lines) and len(found) < MOST:
        made = _report(lines, at)
        if made is None:
            at += 1
            continue
        at += len(made.lines)
        if not ASKED.match(made.lines[-1]):
            found.append(made)
    return found


def _report(lines: list[str], at: int) -> Report | None:
    """The report that begins with that line."""
    for kind in KINDS:
        if begun := kind.begin.match(lines[at]):
            return _whole(kind, begun[1], lines[at : at + LINES])
    return None


def _whole(kind: Kind, said: str, lines: list[str]) -> Report:
    taken = lines[:1]
    for line in lines[1:]:
        if not kind.goes_on(line, taken):
            break
        taken.append(line)
    names = list(_stack(kind, taken))
    told = taken[-1] if kind.outermost_first else said
    if told.endswith(":"):  # Rust says below what the matter is
        told = f"{told} {''.join(taken[1:2]).strip()}"
    return Report(
        kind.name.format(told.strip()),
        tuple(taken),
        tuple(reversed(names) if kind.outermost_first else names),
        kind.sanitizer,
    )


def _stack(kind: Kind, lines: list[str]) -> Iterator[str]:
    """Functions of the first stack in the report: what follows a gap is another one's."""
    begun = False
    for line in lines:
        names = list(frames.matching(kind.frame, [line]))
        if begun and not line.strip() and not kind.outermost_first:
            return
        begun = begun or bool(names)
        yield from names
