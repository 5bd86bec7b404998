"""Which line a key of a TOML file stands in.

tomli tells line and column of syntax errors only. This scanner finds the keys of a text that tomli
has accepted already, so it need not be strict.
"""

from __future__ import annotations

import re

import tomli

Path = tuple[str | int, ...]

# possessive are only repetitions of single characters: of groups, Python 3.11.2 gets them wrong
_GAP = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*"""(?:"{0,2})'
    r"|'''(?:[^']++|'(?!''))*'''(?:'{0,2})"
    r'|"(?:[^"\\\n]++|\\.)*"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]++")
_SCALAR = re.compile(r"[^,\]}#\n]++")


def key_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table and array element of a valid TOML text.

    Keys are paths such as `("test", "packets")` or `("build", 2)`.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    """Walks over the text once; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self.gap()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.gap()
        return self.lines

    def gap(self) -> None:
        """Step over white space, line ends and comments."""
        match = _GAP.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:  # tomli accepted the text, so this means that the scanner is wrong
            raise ValueError(f"cannot read TOML at character {self.at}")
        self.at = match.end()
        return match.group()

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, self.at) + 1)

    def header(self) -> Path:
        """`[table]` or `[[array of tables]]`."""
        depth = 2 if self.text.startswith("[[", self.at) else 1
        self.at += depth
        path: Path = ()
        parts = self.key()
        for number, part in enumerate(parts, 1):
            path = (*path, part)
            self.note(path)
            if number == len(parts) and depth == 2:  # noqa: PLR2004 (two brackets)
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        self.note(path)
        self.gap()
        self.at += depth
        return path

    def key(self) -> list[str]:
        """A dotted key, its quotes taken away."""
        parts: list[str] = []
        while not parts or self.text[self.at] == ".":
            self.at += bool(parts)
            self.gap()
            quoted = self.text[self.at] in "\"'"
            part = self.take(_STRING if quoted else _BARE)
            parts.append(tomli.loads(f"k = {part}")["k"] if quoted else part)
            self.gap()
        return parts

    def pair(self, path: Path) -> None:
        for part in self.key():
            path = (*path, part)
            self.note(path)
        self.at += 1  # the equals sign
        self.value(path)

    def value(self, path: Path) -> None:
        self.gap()
        self.note(path)
        start = self.text[self.at]
        if start in "\"'":
            self.take(_STRING)
        elif start == "[":
            self.items(path, "]")
        elif start == "{":
            self.items(path, "}")
        else:
            self.take(_SCALAR)

    def items(self, path: Path, end: str) -> None:
        """What stands between brackets or braces, with commas."""
        self.at += 1
        self.gap()
        count = 0
        while self.text[self.at] != end:
            if end == "]":
                self.value((*path, count))
            else:
                self.pair(path)
            count += 1
            self.gap()
            self.at += self.text[self.at] == ","
            self.gap()
        self.at += 1
