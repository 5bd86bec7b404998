"""Text from a target, made fit to be shown: nothing in it can act as markup, escape or control.

Everything that a report shows passes through `clean`, and then through the escape of its medium:
`escape` for HTML and SVG, `markdown` for a job summary, `shell` for a command line to copy.
"""

from __future__ import annotations

import html
import re
import shlex

# Terminal escapes: CSI (colours, cursor), strings such as OSC (titles, links), and short ones.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
# Controls, bidirectional overrides (they reorder what a reader sees), lone surrogates, non-characters.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_PUNCTUATION = re.compile(r"[!\"#$&'*+.:;<>?@\[\\\]^_`{|}~]")
_C0, _DEL = 0x20, 0x7F


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < _C0:
        return chr(0x2400 + code)
    return (
        "\u2421"
        if code == _DEL
        else f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    )


def clean(text: object) -> str:
    """The text without terminal escapes, its control characters made visible."""
    plain = _ANSI.sub("", str(text)).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub(_picture, plain)


def line(text: object, limit: int = 300) -> str:
    """The cleaned text on one line of at most `limit` characters."""
    short = " ".join(clean(text).split())
    return short if len(short) <= limit else short[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def escape(text: object) -> str:
    """Cleaned text for HTML and SVG, as content or as a quoted attribute."""
    return html.escape(clean(text), quote=True)


def markdown(text: object, limit: int = 300) -> str:
    """One cleaned line for Markdown; character references cannot be read as its syntax."""
    return _references(line(text, limit))


def preformatted(text: object) -> str:
    """Cleaned text for a `<pre>` in Markdown, on one line of source, its blanks and line ends kept."""
    lines = clean(text).replace("\t", "    ").splitlines()
    return "&#10;".join(_references(each) for each in lines)


def _references(text: str) -> str:
    """With a character reference for all that Markdown could read."""
    return _PUNCTUATION.sub(lambda match: f"&#{ord(match.group())};", text)


def shell(word: str) -> str:
    """One word quoted for a POSIX shell, or for bash where it holds what cannot be shown."""
    if word == clean(word) and "\n" not in word:
        return shlex.quote(word)
    data = word.encode("utf-8", "surrogateescape")
    return "$'" + "".join(_byte(value) for value in data) + "'"


def _byte(value: int) -> str:
    printable = _C0 <= value < _DEL and chr(value) not in "'\\"
    return chr(value) if printable else f"\\x{value:02x}"


def without_password(source: str) -> str:
    """A repository's URL without the user name and password that it may carry."""
    return re.sub(r"(?<=://)[^/\s]*@", "", source)


def number(value: float) -> str:
    """A count with its thousands set off; a fraction with three significant digits."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004


def duration(seconds: float) -> str:
    """A time in the unit that suits its size: `0.8 ms`, `12.3 s`, `2 min 05 s`."""
    if seconds < 0.1:  # noqa: PLR2004
        return f"{seconds * 1000:.3g} ms"
    if seconds < 100:  # noqa: PLR2004
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """A number of bytes in B, KiB or MiB."""
    if count < 1 << 10:
        return f"{count} B"
    return f"{count / (1 << 10):.1f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"
