"""One QEMU process: started, told things over QMP, ended."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pytest_ixy import programs
from pytest_ixy.errors import LabError
from pytest_ixy.providers.qemu import monitor, recipe, recorder
from pytest_ixy.providers.qemu.image import Image
from pytest_ixy.providers.qemu.recorder import Recorder

QEMU = "qemu-system-x86_64"
QMP_TIMEOUT = 60.0
STATE_TIMEOUT = 120.0
MAC_PREFIX = "52:54:00:16"
MANAGEMENT_MAC = f"{MAC_PREFIX}:00:03"
X86_64_V2 = "+ssse3,+sse4.1,+sse4.2,+popcnt"
"""What qemu64 lacks of the processor that Red Hat's kind of system asks for."""
PROCESSORS = {"kvm": "1", "tcg": "1,maxcpus=2"}
"""One. QEMU leaves out a guest's memory barriers where there can never be a second one, though its own
threads share the guest's memory: driver and device then miss each other's news now and then."""


def quote(path: Path) -> str:
    """A path as a value in one of QEMU's comma-separated arguments."""
    return str(path).replace(",", ",,")


def nic_name(backend: str) -> str:
    """What a NIC is called in QEMU."""
    return f"nic-{backend}"


@dataclass(frozen=True)
class Hardware:
    """What all machines of a testbed have in common; a saved state fits only the same hardware.

    Attributes:
        image: The root disk and, mostly, a kernel.
        accel: `kvm` or `tcg`.
        memory: MiB.
        offline: Whether the guest is cut off from everything but SSH.
    """

    image: Image
    accel: str
    memory: int
    offline: bool = False

    def arguments(self) -> list[str]:
        """QEMU's arguments for everything but disks, consoles and test NICs."""
        sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny"
        found = [QEMU, "-no-user-config", "-nodefaults", "-display", "none", "-sandbox", sandbox]
        found += [
            "-machine",
            "pc",
            "-accel",
            self.accel,
            "-cpu",
            self._cpu(),
            "-smp",
            PROCESSORS[self.accel],
            "-m",
            str(self.memory),
        ]
        found += ["-rtc", "base=utc,clock=host"]
        found += ["-device", "vmgenid,guid=auto"]  # tells the guest's random numbers that it was restored
        if self.image.kernel:
            kernel, initrd = self.image.folder / "kernel", self.image.folder / "initrd"
            found += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", recipe.KERNEL_COMMAND_LINE]
        if self.image.seed.exists():
            seed = f"vvfat,node-name=seed,label=CIDATA,read-only=on,dir={quote(self.image.seed)}"
            found += ["-blockdev", f"driver={seed}", "-device", "virtio-blk-pci,drive=seed,addr=05.0"]
        restrict = ",restrict=on" if self.offline else ""
        found += ["-netdev", f"user,id=mgmt,hostfwd=tcp:127.0.0.1:0-:22{restrict}"]
        return [*found, "-device", f"virtio-net-pci,netdev=mgmt,addr=03.0,mac={MANAGEMENT_MAC},romfile="]

    def _cpu(self) -> str:
        if self.accel == "kvm":
            return "host"
        # boots faster than max under emulation
        return "qemu64" if self.image.kernel else f"qemu64,{X86_64_V2}"


class Machine:
    """A running QEMU; `tag` is its name on the command line, by which a sweep finds it."""

    def __init__(  # noqa: PLR0913 - all keywords
        self,
        hardware: Hardware,
        *,
        tag: str,
        disk: Path,
        console: Path,
        taps: Mapping[str, int] | None = None,
        restored: bool = False,
        door: Path | None = None,
    ) -> None:
        """Start QEMU on `disk` (qcow2), with backends for `taps`.

        Args:
            hardware: What it is made of.
            tag: Unique name.
            disk: Its qcow2 disk.
            console: File that the serial console is written to, with a bound.
            taps: File descriptors of taps by name; they become network backends of that id.
            restored: Do not boot, but wait for `restore`.
            door: Socket to be made, by which other processes can tell the machine things; see `monitor.py`.
        """
        self.tag, self.console = tag, console
        self._recorder = Recorder(console, recorder.CONSOLE)
        self._words = Recorder(console.with_suffix(".qemu"), recorder.WORDS)
        self._ours, theirs = socket.socketpair()
        command = [*hardware.arguments(), "-name", tag, *self._disk(disk)]
        command += ["-add-fd", f"fd={self._recorder.sink.fileno()},set=1", "-serial", "chardev:console"]
        # appending, because a pipe cannot be truncated
        command += ["-chardev", "file,id=console,path=/dev/fdset/1,append=on"]
        command += ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
        for name, descriptor in (taps or {}).items():
            command += ["-netdev", f"tap,id={name},fd={descriptor}"]
        if restored:
            command += ["-incoming", "defer"]
        self._qmp: Any = None
        with theirs, self._recorder.sink as serial, self._words.sink as words, ExitStack() as opened:
            passed = [theirs.fileno(), serial.fileno(), *(taps or {}).values()]
            if door:
                listening = opened.enter_context(monitor.listen(door))
                command += monitor.arguments(listening)
                passed.append(listening.fileno())
            self._process = _start(command, passed, words)

    @staticmethod
    def _disk(disk: Path) -> list[str]:
        # what the disk holds need not survive a crash of this host
        drive = f"if=none,id=disk,file={quote(disk)},format=qcow2,cache=unsafe,discard=unmap"
        return ["-drive", drive, "-device", "virtio-blk-pci,drive=disk,addr=04.0"]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def connect(self) -> None:
        """Open the QMP connection; LabError with QEMU's own words when it did not start."""
        from qemu.qmp.legacy import QEMUMonitorProtocol

        self._qmp = QEMUMonitorProtocol(self._ours)
        self._qmp.settimeout(QMP_TIMEOUT)
        try:
            self._qmp.connect()
        except Exception as error:
            raise LabError(f"QEMU did not start for {self.tag}: {self.last_words() or error}") from error

    def do(self, command: str, **arguments: object) -> Any:
        """Give a QMP command and return its answer; LabError when QEMU refuses or is gone."""
        try:
            return self._qmp.cmd(command, **arguments)
        except Exception as error:
            raise LabError(f"QEMU refused {command} for {self.tag}: {self.last_words() or error}") from error

    def save(self, path: Path) -> None:
        """Write memory and devices to a file; the machine stands still afterwards."""
        self.do("stop")
        self.do("migrate-set-parameters", **{"max-bandwidth": 0})
        with path.open("wb") as stream:
            self._send_descriptor("state", stream.fileno())
            self.do("migrate", uri="fd:state")
            self._await("query-migrate", "completed", failures={"failed", "cancelled"})
            os.fsync(stream.fileno())

    def restore(self, path: Path) -> None:
        """Load what `save` wrote and run on from there."""
        # QEMU would announce the NICs with RARP frames, which would land in the capture
        self.do("migrate-set-parameters", **{"announce-rounds": 0})
        with path.open("rb") as stream:
            self._send_descriptor("state", stream.fileno())
            self.do("migrate-incoming", uri="fd:state")
            self._await("query-migrate", "completed", failures={"failed", "cancelled"})
        self.do("cont")

    def _await(self, query: str, wanted: str, failures: set[str]) -> None:
        deadline = time.monotonic() + STATE_TIMEOUT
        while (status := self.do(query).get("status")) != wanted:
            if status in failures or time.monotonic() > deadline:
                raise LabError(f"The state of {self.tag} could not be moved: {status}. {self.last_words()}")
            time.sleep(0.01)

    def _send_descriptor(self, name: str, descriptor: int) -> None:
        """Hand QEMU a file descriptor, to be called `name`."""
        self._qmp.send_fd_scm(descriptor)
        self.do("getfd", fdname=name)

    def version(self) -> str:
        """QEMU's version and that of its package, such as `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`."""
        answer = self.do("query-version")
        number = "{major}.{minor}.{micro}".format(**answer["qemu"])
        package = answer["package"].strip().strip("()")
        return f"{number} ({package})" if package else number

    def ssh_port(self) -> int:
        """The port on 127.0.0.1 that leads to the guest's port 22, chosen by the kernel."""
        text = self.do("human-monitor-command", **{"command-line": "info usernet"})
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)", text)
        if found is None:
            raise LabError(f"QEMU forwards no port for {self.tag}: {text}")
        return int(found[1])

    def plug(self, *, model: str, backend: str, mac: str, pci: str, extra: Mapping[str, str | bool]) -> None:
        """Plug a NIC into the running machine at the slot of the PCI address `pci`."""
        slot = pci.rsplit(":", 1)[1]
        self.do(
            "device_add",
            driver=model,
            netdev=backend,
            id=nic_name(backend),
            mac=mac,
            addr=slot,
            romfile="",
            **extra,
        )

    def ended(self) -> str | None:
        """Why the machine is dead, or None while it runs."""
        code = self._process.poll()
        return None if code is None else f"QEMU ended with status {code}: {self.last_words()}"

    def last_words(self) -> str:
        """What QEMU itself printed."""
        self._words.settle(0.5)
        return programs.tail(self.console.with_suffix(".qemu"), lines=3)

    def kill(self) -> None:
        """End the machine at once; its disk is not worth a shutdown."""
        self._process.kill()
        self._process.wait()
        self._recorder.close()
        self._words.close()
        if self._qmp is not None:
            _close(self._qmp)
        self._ours.close()


def _start(command: list[str], passed: list[int], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        programs.bound(command),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=passed,
        # out of the terminal's foreground group, so that Ctrl-C is ours to handle; not a
        # session of its own, because CPU shares are counted within a session (autogroups)
        process_group=0,
        env={**os.environ, "PATH": programs.search_path()},
    )


def _close(qmp: Any) -> None:
    """Close a QMP connection in whatever state it is: an interrupt may have come in the middle of a command.

    The rest of that command then fails while the connection is closed, and asyncio would print its traceback.
    """
    qmp._aloop.set_exception_handler(lambda _loop, _context: None)  # noqa: SLF001 - there is no public way
    with contextlib.suppress(Exception):
        qmp.close()
