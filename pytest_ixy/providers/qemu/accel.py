"""KVM or TCG: KVM only where it is shown to work.

A `/dev/kvm` that opens proves nothing: under some kinds of nested virtualisation a guest hangs
or crawls. So the image's own kernel is booted until its initramfs says so, with a deadline, and
the answer is remembered for this boot of the host and this QEMU. That a deadline passed may only
mean that the host was busy, so such an answer is remembered for an hour.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_ixy import paths, programs
from pytest_ixy.errors import LabError, UsageError

KVM, TCG = "kvm", "tcg"
DEVICE = Path("/dev/kvm")
FIRMWARE_DEADLINE = 4.0
KERNEL_DEADLINE = 20.0
DOUBT = 3600.0
"""Seconds that an answer which may be due to a busy host is remembered."""
OTHERWISE = "use --ixy-accel=auto or tcg"
BOOT_SECTOR = bytes([0xB0, 0x10, 0xE6, 0xF4, 0xF4]).ljust(510, b"\0") + b"\x55\xaa"
"""mov al, 0x10; out 0xf4, al: ends QEMU with status 33 by way of isa-debug-exit."""


@dataclass(frozen=True)
class Verdict:
    """Whether KVM works here, and the reason in words; not `sure` when only a deadline passed."""

    works: bool
    reason: str
    sure: bool = True


def choose(wish: str, kernel_folder: Path | None) -> tuple[str, str]:
    """The accelerator to use and why, for the wish `auto`, `kvm` or `tcg`.

    Raises:
        UsageError: kvm was asked for by name and does not even run a boot sector here.
        LabError: kvm was asked for by name and runs a boot sector, but not the image's kernel.
    """
    if wish == TCG:
        return TCG, "TCG as asked"
    if wish == KVM:
        insist()
    verdict = probe(kernel_folder)
    if verdict.works:
        return KVM, verdict.reason
    if wish == KVM:
        raise LabError(f"KVM was asked for, but {verdict.reason}.", hint=OTHERWISE)
    return TCG, f"TCG, because {verdict.reason}"


def insist() -> None:
    """Raise UsageError where KVM, which was asked for by name, cannot work; takes at most four seconds."""
    if not (verdict := probe(None)).works:
        raise UsageError(f"KVM was asked for, but {verdict.reason}.", hint=OTHERWISE)


def probe(kernel_folder: Path | None, *, anew: bool = False) -> Verdict:
    """Try KVM with a boot sector and then, if there is an image, with its kernel.

    Args:
        kernel_folder: Where the image's kernel is, if it has one.
        anew: Trust no answer of earlier that may have been due to a busy host.
    """
    if not DEVICE.exists():
        return Verdict(works=False, reason=f"there is no {DEVICE}")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return Verdict(works=False, reason=f"{DEVICE} may not be opened by this user")
    doubt = 0.0 if anew else DOUBT
    verdict = _once(_memory(None), doubt, lambda: _try_firmware(KVM, FIRMWARE_DEADLINE))
    if verdict.works and kernel_folder is not None:
        verdict = _once(_memory(kernel_folder), doubt, lambda: _try_kernel(kernel_folder))
    return verdict


def _once(memory: Path, doubt: float, attempt: Callable[[], Verdict]) -> Verdict:
    """What was found out before, or what is now; one that is not sure counts for `doubt` seconds."""
    if (known := _recall(memory, doubt)) is not None:
        return known
    verdict = attempt()
    _remember(memory, verdict)
    return verdict


def _memory(kernel_folder: Path | None) -> Path:
    """File that remembers the verdict; another boot, QEMU or kernel has another one."""
    qemu = Path(programs.find("qemu-system-x86_64")).resolve()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    key = f"{qemu} {qemu.stat().st_mtime_ns} {kernel_folder}"
    return paths.state_folder() / f"kvm-{boot[:8]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"


def _recall(memory: Path, doubt: float) -> Verdict | None:
    try:
        verdict = Verdict(**json.loads(memory.read_text(encoding="utf-8")))
        fresh = 0 <= time.time() - memory.stat().st_mtime < doubt
    except (OSError, ValueError, TypeError):
        return None
    return verdict if verdict.sure or fresh else None


def _remember(memory: Path, verdict: Verdict) -> None:
    """Keep the verdict, and forget those of earlier boots. Not being able to costs only time."""
    this_boot = memory.name.rsplit("-", 1)[0]
    draft = memory.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
        draft.replace(memory)
        for other in memory.parent.glob("kvm-*"):
            if not other.name.startswith(this_boot):
                other.unlink(missing_ok=True)


def _try_firmware(accelerator: str, deadline: float) -> Verdict:
    command = ["-accel", accelerator, "-nodefaults", "-display", "none", "-m", "16"]
    command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    command += ["-drive", "format=raw,file=/dev/fd/0,if=ide,snapshot=on"]
    sector = os.memfd_create("boot-sector")
    try:
        os.write(sector, BOOT_SECTOR)
        code, _ = _run(command, deadline, sector)
    finally:
        os.close(sector)
    name = accelerator.upper()
    if code is None:
        reason = f"a boot sector did not run under {name} within {deadline:.0f} s"
        return Verdict(works=False, reason=reason, sure=False)
    if code != (0x10 << 1) | 1:
        return Verdict(works=False, reason=f"a boot sector failed under {name} (QEMU's status {code})")
    return Verdict(works=True, reason=f"{name} ran a boot sector")


def _try_kernel(folder: Path) -> Verdict:
    command = ["-accel", KVM, "-cpu", "host", "-nodefaults", "-no-reboot", "-display", "none", "-m", "256"]
    command += ["-kernel", str(folder / "kernel"), "-initrd", str(folder / "initrd")]
    command += ["-append", "console=ttyS0 panic=-1 ixy.probe", "-serial", "stdio"]
    code, output = _run(command, KERNEL_DEADLINE, subprocess.DEVNULL)
    if b"ixy-probe-ok" in output:
        return Verdict(works=True, reason="KVM booted the image's kernel")
    how = f"within {KERNEL_DEADLINE:.0f} s" if code is None else f"(QEMU's status {code})"
    reason = f"the image's kernel did not boot under KVM {how}"
    return Verdict(works=False, reason=reason, sure=code is not None)


def _run(arguments: list[str], deadline: float, stdin: int) -> tuple[int | None, bytes]:
    command = programs.bound(["qemu-system-x86_64", *arguments])
    try:
        done = subprocess.run(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return None, expired.stdout or b""
    return done.returncode, done.stdout
