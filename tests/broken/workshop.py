"""Makes target folders of ready programs: one role's with a bug, the others sound."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from catalogue import ROLES, Mode, Variant, dialect

EXAMPLE = Path(__file__).parents[2] / "examples" / "virtio"
HUGE_PAGES = "setup-hugepages.sh"


class Workshop:
    """A folder with the example, built; patched copies of it are built beside.

    Args:
        folder: An empty one, which is the caller's to remove.
        static: Link statically, so that the programs run on nodes.
    """

    def __init__(self, folder: Path, *, static: bool = True) -> None:
        self.folder, self._flags = folder, ["LDFLAGS=-static"] if static else []

    @cached_property
    def sound(self) -> Path:
        """The example, built when it is first needed."""
        folder = self.folder / "sound"
        folder.mkdir()
        for file in subprocess.check_output(["git", "ls-files"], cwd=EXAMPLE, text=True).split():
            shutil.copy(EXAMPLE / file, folder / file)
        self._make(folder, *ROLES)
        return folder

    def _make(self, folder: Path, *programs: str) -> None:
        """Build; the Makefile turns warnings into errors."""
        command = ["make", "-s", "CC=gcc", *self._flags, *programs]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode or done.stderr:
            raise RuntimeError(f"{folder.name} does not build:\n{done.stderr}")

    def broken(self, variant: Variant) -> Path:
        """The program of the variant's role, built with its patch."""
        folder = self.folder / variant.name
        if not folder.exists():
            self._break(folder, variant)
        return folder / variant.role

    def _break(self, folder: Path, variant: Variant) -> None:
        shutil.copytree(self.sound, folder)  # with its objects, of which make replaces what the patch touches
        # or git would take a repository around it for the one to patch
        alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(self.folder)}
        command = ["git", "apply", "--whitespace=error-all", str(variant.patch_file)]
        subprocess.run(command, cwd=folder, env=alone, check=True)
        self._make(folder, variant.role)

    def target(self, folder: Path, mode: Mode, variant: Variant | None = None) -> Path:
        """A target in `folder`, which is made: without a variant all its programs are sound."""
        folder.mkdir()
        for name in (*ROLES, HUGE_PAGES):
            shutil.copy(self.sound / name, folder / name)
        if variant:
            shutil.copy(self.broken(variant), folder / variant.role)
        (folder / "ixy-ci.toml").write_text(_declaration(mode), encoding="utf-8")
        return folder


def _declaration(mode: Mode) -> str:
    commands = {
        "pktgen": "./pktgen $PCI_ADDR_PKTGEN --rate 25000",
        "fwd": "./fwd $PCI_ADDR_FWD_SRC $PCI_ADDR_FWD_DST",
        "pcap": "./pcap $PCI_ADDR_PCAP $PCAP_OUT $PCAP_N",
    }
    lines = [f'build = ["sudo ./{HUGE_PAGES}"]']
    lines += [f'{role} = "VIRTIO_MODE={mode} {command}"' for role, command in commands.items()]
    lines += ["[ready]", 'fwd = "^ready: forwarding"', 'pcap = "^ready: listening"']
    lines += ["[dialect]", f'name = "{dialect()}"', ""]
    return "\n".join(lines)
