"""The command lines that ask the same question again, ready to paste into a shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.report.text import shell, without_password

if TYPE_CHECKING:
    from pytest_ixy.bundle import Manifest

DEFAULT_PROVIDER = "qemu"


def rerun(manifest: Manifest) -> str:
    """The pytest command for this target at this commit; a changed work tree is taken as it stands now.

    Empty where nobody knows the target.
    """
    target = manifest.target
    if not target.source:
        return ""
    words = [f"--ixy-repo={without_password(target.source)}"]
    if not target.dirty:
        words.append(f"--ixy-ref={target.commit}")
    words.append(f"--ixy-packets={manifest.packets}")
    if manifest.provider.name != DEFAULT_PROVIDER:
        words.append(f"--ixy-provider={manifest.provider.name}")
    return " ".join(["pytest", *map(shell, words)])


def replay(path: Path) -> str:
    """The pytest command that judges the bundle or capture at `path` again, without any lab."""
    return f"pytest {shell(f'--ixy-replay={path.absolute()}')}"
