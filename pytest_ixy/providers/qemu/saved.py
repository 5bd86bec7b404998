"""A machine that has booted, saved: each run restores it instead of booting.

What is saved has no test NIC. These are plugged in after restoring, so that one state serves every
role, and the restored machines do not share the saved one's addresses.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_ixy import paths, programs
from pytest_ixy.errors import LabError
from pytest_ixy.ledger import Ledger
from pytest_ixy.printable import plain
from pytest_ixy.providers.qemu import accel, disks
from pytest_ixy.providers.qemu.image import locked
from pytest_ixy.providers.qemu.machine import QEMU, Hardware, Machine
from pytest_ixy.remote import Access, Host

PROCESSOR = {"vendor_id", "cpu family", "model", "model name", "stepping", "flags"}


@dataclass(frozen=True)
class Saved:
    """A saved state: the disk as the machine left it, and its memory."""

    folder: Path

    @property
    def disk(self) -> Path:
        """Disk to lay the runs' overlays on."""
        return self.folder / "booted.qcow2"

    @property
    def memory(self) -> Path:
        """Memory and devices, for QEMU's -incoming."""
        return self.folder / "memory"

    @property
    def console(self) -> Path:
        """The boot's console output."""
        return self.folder / "boot.log"


def ensure(
    hardware: Hardware, book: Ledger, scratch: Path, boot_timeout: float, tell: Callable[[str], None]
) -> Saved:
    """The saved state for this hardware, from the cache or made now by booting once."""
    saved = find(hardware)
    if saved.memory.exists():
        return saved
    with locked(saved.folder, tell):
        if not saved.memory.exists():
            _make(saved, hardware, book=book, scratch=scratch / "boot", timeout=boot_timeout, tell=tell)
    return saved


def find(hardware: Hardware) -> Saved:
    """Where the saved state for this hardware is, or will be; `memory` exists when it is there."""
    return Saved(hardware.image.folder / f"state-{_digest(hardware)}")


def _digest(hardware: Hardware) -> str:
    """A state fits only the QEMU, the arguments and, under KVM, the processor that it was saved with."""
    version = subprocess.run(
        [programs.find(QEMU), "--version"], capture_output=True, text=True, check=True
    ).stdout
    fits = [version, hardware.arguments()]
    fits += [_processor()] if hardware.accel == accel.KVM else []
    return hashlib.sha256(json.dumps(fits).encode()).hexdigest()[:12]


def _processor() -> list[str]:
    """Model and features of this host's processor; a cache folder may be carried to another host."""
    first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    return [line for line in first.splitlines() if line.partition("\t")[0] in PROCESSOR]


def restore(machine: Machine, saved: Saved) -> None:
    """Load the saved state into a machine that waits for one, and let it run on.

    Raises:
        LabError: it cannot be; names the image to remove, for a state that is broken stays so.
    """
    try:
        machine.restore(saved.memory)
    except (LabError, OSError) as error:
        why = error.what if isinstance(error, LabError) else f"{saved.memory}: {error.strerror}"
        raise LabError(
            f"The saved machine {saved.folder.name} could not be restored. {why}",
            hint=f"pytest-ixy image remove {saved.folder.parent.name}; the next run makes it anew",
        ) from error


def access(hardware: Hardware, name: str, port: int) -> Access:
    """How to reach a machine on a forwarded port of this host."""
    image = hardware.image
    return Access(
        name=name, host="127.0.0.1", port=port, user=image.user, key=str(image.key), host_key=image.host_key
    )


def _make(  # noqa: PLR0913
    saved: Saved,
    hardware: Hardware,
    *,
    book: Ledger,
    scratch: Path,
    timeout: float,
    tell: Callable[[str], None],
) -> None:
    scratch.mkdir(parents=True)
    tag = f"{book.run}-boot"
    book.intend("process", tag)
    image = hardware.image
    disk = disks.overlay(image.disk, image.disk_format, scratch / "booted.qcow2", image.size)
    machine = Machine(hardware, tag=tag, disk=disk, console=scratch / "boot.log")
    try:
        machine.connect()
        tell("the first machine, to be saved for all later runs")
        _await_boot(machine, hardware, timeout * image.patience, tell)
        machine.save(scratch / "memory")
    except LabError as error:
        machine.kill()
        raise LabError(error.what, hint=f"see its console in {_keep_console(machine)}") from error
    finally:
        machine.kill()
    for path in (disk, scratch):  # the memory is on the disk already
        _sync(path)
    if saved.folder.exists():
        shutil.rmtree(saved.folder)
    scratch.rename(saved.folder)
    _sync(saved.folder.parent)


def _keep_console(machine: Machine) -> Path:
    """The console of a machine that did not boot, where it outlives the run."""
    kept = paths.state_folder() / "boot.log"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(machine.console, kept)
    return kept


def _sync(path: Path) -> None:
    """See to it that a crash of this host leaves no state that is there by name only."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _await_boot(machine: Machine, hardware: Hardware, timeout: float, tell: Callable[[str], None]) -> None:
    """Wait until the machine answers and has nothing left to do."""
    start, image = time.monotonic(), hardware.image

    def waited(seconds: float) -> None:
        tell(f"the first machine, to be saved for all later runs, {seconds:.0f} s: {_console_line(machine)}")

    where = access(hardware, "boot", machine.ssh_port())
    # before cloud-init has done its work a machine refuses our key and shows others
    with Host.connect(
        where, deadline=timeout, on_wait=waited, alive=machine.ended, set_up=image.kernel
    ) as host:
        tell("the first machine answers and ends its start; it will be saved for all later runs")
        left = timeout - (time.monotonic() - start)
        done = host.run(image.settle, timeout=max(60.0, left), root=True)
    if not done.ok:
        raise LabError(
            f"The first machine has not ended its start within {timeout:.0f} s. {plain(done.output.strip())}",
            hint="if it is only slow, allow it more: [timeouts] connect in config.toml",
        )


def _console_line(machine: Machine) -> str:
    return programs.tail(machine.console, lines=1)[:60] if machine.console.exists() else ""
