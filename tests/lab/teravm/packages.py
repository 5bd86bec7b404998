"""The package `magma` in several versions, some of them broken, and the apt repository that has them."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "agw"
SERVICES = ("sctpd", "magma@magmad")
CONFIG = "/etc/magma/gateway.conf"
"""A conffile, which the lab has changed: without --force-confnew dpkg asks what to do, and fails."""


@dataclass(frozen=True)
class Build:
    """One version of the package.

    Attributes:
        version: `X.Y.Z-EPOCH-HASH`.
        depends: As in a control file.
        postinst: What it does when it is configured.
        begin: What its daemon `magma@magmad` does first.
    """

    version: str
    depends: str = ""
    postinst: str = "service magma@magmad restart || true"
    begin: str = ":"

    @property
    def hash(self) -> str:
        return self.version.rpartition("-")[2]


OLD = Build("1.7.0-1634668331-66d9b7be")
"""What is installed when a test begins."""
BAD_POSTINST = Build(
    "1.7.1-1635000001-bad00001", postinst="echo 'magma: the database is too old' >&2; exit 1"
)
UNMET = Build("1.7.2-1635000002-bad00002", depends="libmagma-nowhere (>= 1.0)")
DOWN = Build("1.7.3-1635000003-bad00003", begin="echo 'magmad: no certificate'; exit 1")
"""Its service does not come up."""
SLOW = Build("1.7.4-1635000004-bad00004", postinst="sleep 600")
MIDDLE = Build("1.7.5-1636000000-5c0ffee5")
NEW = Build("1.8.0-1640995200-0a1b2c3d")
"""The latest."""
BUILDS = (OLD, BAD_POSTINST, UNMET, DOWN, SLOW, MIDDLE, NEW)
UNTAGGED = Build("9.9.9")
"""In a repository of its own: once that is switched on, the latest version is no tag."""


def repository(folder: Path, builds: tuple[Build, ...]) -> None:
    """Make a flat apt repository in a folder."""
    folder.mkdir(parents=True)
    (folder / "Packages").write_text("\n".join(_package(folder, build) for build in builds))


def _package(folder: Path, build: Build) -> str:
    """Build it; its paragraph of the index."""
    tree = folder.parent / f"tree-{build.version}"
    control = _tree(tree, build)
    file = folder / f"magma_{build.version}_all.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(file)]
    subprocess.run(command, check=True, capture_output=True)
    data = file.read_bytes()
    return (
        f"{control}Filename: ./{file.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
    )


def _tree(tree: Path, build: Build) -> str:
    """Lay out what the package holds; its control file's text."""
    depends = f"Depends: {build.depends}\n" if build.depends else ""
    control = (
        f"Package: magma\nVersion: {build.version}\nArchitecture: all\nMaintainer: nobody <no@where>\n"
        f"{depends}Description: stand-in for Magma's access gateway\n"
    )
    scripts = {f"/etc/init.d/{name}": _filled("service", name, build) for name in SERVICES}
    scripts |= {f"/usr/lib/magma/{name}": _filled("daemon", name, build) for name in SERVICES}
    scripts["/DEBIAN/postinst"] = f'#!/bin/sh\n[ "$1" = configure ] || exit 0\n{build.postinst}\n'
    plain = {CONFIG: f"# of {build.version}\nlog_level: INFO\n", "/DEBIAN/control": control}
    plain["/DEBIAN/conffiles"] = "".join(
        f"{name}\n" for name in (CONFIG, *scripts) if name.startswith("/etc")
    )
    for files, mode in ((scripts, 0o755), (plain, 0o644)):
        for name, text in files.items():
            _write(tree / name.lstrip("/"), text, mode)
    return control


def _filled(template: str, name: str, build: Build) -> str:
    begin = build.begin if name == SERVICES[-1] else ":"
    text = (HERE / template).read_text()
    return text.replace("NAME", name).replace("VERSION", build.version).replace("BEGIN\n", f"{begin}\n")


def _write(file: Path, text: str, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
