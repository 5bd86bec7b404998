"""The machine image: built once from Debian packages, kept in the user's cache."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import paths, programs
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import keys, recipe

NEEDED_SPACE = 6 << 30
BUILD_TIMEOUT = 3600.0


@dataclass(frozen=True)
class Image:
    """A machine image in a folder of the cache.

    Attributes:
        name: Hash of the recipe, or `cloud-` and the hash of a user's image.
        folder: Where its files are.
        kernel: False when the disk brings its own boot loader (a user's cloud image).
        disk_format: As QEMU names it.
        user: Whom to log in as.
        settle: What root runs, in bash, once the machine answers; then it can be saved.
        size: Bytes of the machines' disks; 0 for as many as the image's own disk has.
        patience: How many times longer than others its first boot may take.
    """

    name: str
    folder: Path
    kernel: bool = True
    disk_format: str = "raw"
    user: str = recipe.USER
    settle: str = "sync"
    size: int = 0
    patience: int = 1

    @property
    def disk(self) -> Path:
        """The root disk, never written to."""
        return self.folder / "disk"

    @property
    def seed(self) -> Path:
        """Folder that tells cloud-init what to do; there is none for the built image."""
        return self.folder / "seed"

    @property
    def key(self) -> Path:
        """Private key that opens the machines made from it."""
        return self.folder / "key"

    @property
    def host_key(self) -> str | None:
        """The machines' public host key, when it is known beforehand."""
        file = self.folder / "host_key.pub"
        return file.read_text(encoding="ascii").strip() if file.exists() else None


def ensure(tell: Callable[[str], None], scratch: Path) -> Image:
    """The image of the present recipe, from the cache or built now.

    Raises:
        LabError: a program is missing, the disk is full, or the packages could not be had.
    """
    image = Image(recipe.digest(), paths.images_folder() / recipe.digest())
    if image.disk.exists():
        return image
    with locked(image.folder, tell):
        if not image.disk.exists():
            build(image, tell, scratch)
    return image


@contextmanager
def locked(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Only one process at a time makes what belongs into `folder`; the others wait and say so."""
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell("waiting for another run that makes the same")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def build(image: Image, tell: Callable[[str], None], scratch: Path) -> None:
    """Make the image in `scratch` and move it to its place when it is whole."""
    _check_space(image.folder.parent)
    draft = scratch / "image"
    draft.mkdir(parents=True)
    log = _fresh_log()
    keys.make(draft)
    _write_additions(draft)
    _install_packages(draft, log, tell)
    tell("writing the file system")
    _write_disk(draft, log)
    for name in ("additions.tar", "root.tar"):
        (draft / name).unlink()
    if image.folder.exists():
        shutil.rmtree(image.folder)
    draft.rename(image.folder)


def _fresh_log() -> Path:
    """An empty log that outlives the run: whoever is told to look into it can."""
    log = paths.state_folder() / "image-build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    return log


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_SPACE:
        raise LabError(
            f"{folder} has {free >> 20} MiB free; building the machine image needs {NEEDED_SPACE >> 20} MiB.",
            hint="free some space, or set XDG_CACHE_HOME to a folder on a larger disk",
        )


def _write_additions(draft: Path) -> None:
    """A tar of everything that is not a Debian package, to be unpacked over the root."""
    setup = f"{recipe.SETUP}\n{recipe.INITRAMFS}"
    files = {**recipe.FILES, "/usr/lib/ixy/setup": setup}
    with tarfile.open(draft / "additions.tar", "w") as tar:
        for path, text in files.items():
            _add(tar, path, text.encode(), 0o644)
        _add(tar, "/usr/lib/ixy/host_key", (draft / "host_key").read_bytes(), 0o600)
        _add(tar, "/usr/lib/ixy/authorized_keys", (draft / "key.pub").read_bytes(), 0o644)
    (draft / "host_key").unlink()


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo("." + path)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def _install_packages(draft: Path, log: Path, tell: Callable[[str], None]) -> None:
    command = [
        "mmdebstrap",
        "--mode=auto",
        "--variant=apt",
        "--format=tar",
        "--skip=check/chroot,check/empty",
        '--aptopt=Apt::Install-Recommends "false"',
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        *(f"--dpkgopt=path-exclude=/lib/modules/*/kernel/{part}/*" for part in recipe.NO_MODULES),
        *(f"--dpkgopt=path-include=/lib/modules/*/kernel/{module}" for module in recipe.MODULES),
        f"--include={','.join(recipe.PACKAGES)}",
        f"--customize-hook=tar-in {shlex.quote(f'{draft}/additions.tar')} /",
        '--customize-hook=chroot "$1" sh /usr/lib/ixy/setup',
        f"--customize-hook=download /boot/ixy-kernel {shlex.quote(f'{draft}/kernel')}",
        f"--customize-hook=download /boot/ixy-initrd {shlex.quote(f'{draft}/initrd')}",
        recipe.SUITE,
        str(draft / "root.tar"),
    ]
    programs.run_logged(
        command,
        log=log,
        timeout=BUILD_TIMEOUT,
        doing="Installing Debian packages into the machine image",
        tell=tell,
    )


WRITE_DISK = """set -e
cd "$2"
mkdir root
tar -xf root.tar -C root --exclude='./dev/*'
truncate -s "$1" disk.part
mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d root disk.part
rm -rf root
mv disk.part disk
"""
"""No journal: the disk is thrown away after a run, and under emulation every write counts."""


def _write_disk(draft: Path, log: Path) -> None:
    shell = ["sh", "-c", WRITE_DISK, "write-disk", recipe.DISK, str(draft)]
    if os.geteuid() != 0:  # file owners in the image need a range of user ids
        shell = ["unshare", "--map-root-user", "--map-auto", *shell]
    programs.run_logged(shell, log=log, timeout=600, doing="Writing the image's file system")
