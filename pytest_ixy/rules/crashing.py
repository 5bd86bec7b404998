"""A crash on record, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.words import count, one_line, plain, shortened

if TYPE_CHECKING:
    from pytest_ixy.crash.record import Crash

SHOWN = 60
KERNEL = 10


def place(crash: Crash | None) -> str:
    """` in FUNCTION` where it is known, else nothing."""
    known = [name for name in crash.frames[:1] if not name.startswith("??")] if crash else []
    return f" in {one_line(known[0])}" if known else ""


def told(crash: Crash) -> list[str]:
    """All of it: what, whether it is known, where, and what the kernel said."""
    lines = [f"{one_line(crash.what)}{place(crash)}; {history(crash)}"]
    text = [shortened(line) for line in plain(crash.text).splitlines()]
    lines += [f"  {line}" for line in text[:SHOWN]]
    if len(text) > SHOWN or crash.file:
        lines.append(f"  all of it: {one_line(crash.file or 'see the manifest')}")
    if crash.core:
        lines.append(f"  core dump: {one_line(crash.core)}")
    if crash.kernel:
        lines.append("the kernel said:")
        lines += [f"  {shortened(one_line(line))}" for line in crash.kernel[:KERNEL]]
    return lines


def history(crash: Crash) -> str:
    """Whether the same crash was seen before, by its fingerprint."""
    name = f"fingerprint {one_line(crash.fingerprint)}"
    if not crash.earlier:
        return f"{name}, not seen in an earlier trial"
    trials = count(crash.earlier, "earlier trial")
    return f"{name}: the same crash was seen in {trials}, first on {one_line(crash.first)}"
