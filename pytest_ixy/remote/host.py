"""A node of the testbed, reached over one SSH connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pytest_ixy.errors import LabError
from pytest_ixy.printable import plain
from pytest_ixy.remote.dial import dial
from pytest_ixy.remote.forward import Forward
from pytest_ixy.remote.link import Link
from pytest_ixy.remote.order import Order
from pytest_ixy.remote.process import Process
from pytest_ixy.remote.talk import Talk
from pytest_ixy.remote.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_ixy.bundle import Exit
    from pytest_ixy.remote.access import Access

_SHOWN = 10


@dataclass(frozen=True)
class Completed:
    """A command that has ended.

    Attributes:
        exit: How it ended.
        output: The last 64 KiB of stdout and stderr, as one stream.
        seconds: How long it took.
        timed_out: True when it was stopped because its time was over.
    """

    exit: Exit
    output: str
    seconds: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """True for status 0 in time."""
        return self.exit.ok and not self.timed_out


class Host:
    """A node: commands, background processes and files, all over one SSH connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._forwards: dict[int, Forward] = {}
        self.access = link.access
        self.name = link.access.name

    @classmethod
    def connect(
        cls,
        access: Access,
        *,
        deadline: float,
        on_wait: Callable[[float], None] | None = None,
        alive: Callable[[], str | None] | None = None,
        set_up: bool = True,
    ) -> Host:
        """Log in, retrying until `deadline` seconds have passed; see `dial.dial`."""
        client = dial(access, deadline=deadline, on_wait=on_wait, alive=alive, set_up=set_up)
        return cls(Link(access, client))

    def run(  # noqa: PLR0913 - all that matters is named at the call
        self,
        command: str,
        *,
        timeout: float,
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        root: bool = False,
        log: Path | None = None,
        check: bool = False,
    ) -> Completed:
        """Run `command` by `bash -c` and wait for its end.

        Args:
            command: What to run; its stdin is /dev/null.
            timeout: Seconds after which its whole session is stopped.
            cwd: Folder on the node, a relative one in the access's; None for the user's home.
            environment: Variables added to the node's own.
            root: Run as root.
            log: File that the output is appended to as it comes.
            check: Raise when it fails.

        Raises:
            LabError: the node is lost, or `check` is set and the command failed.
        """
        process = self.start(command, cwd=cwd, environment=environment, root=root, log=log)
        try:
            ended = process.wait(timeout, whole=False)  # `release` waits for the last output anyway
            timed_out = ended is None
            if timed_out:
                process.stop()
            else:
                process.release()
            completed = Completed(
                exit=ended or _known(process),
                output=process.output,
                seconds=process.seconds,
                timed_out=timed_out,
            )
        finally:
            process.close()
        if check and not completed.ok:
            raise self._failed(command, completed, timeout)
        return completed

    def start(
        self,
        command: str,
        *,
        cwd: str | None = None,
        environment: Mapping[str, str] | None = None,
        root: bool = False,
        log: Path | None = None,
    ) -> Process:
        """Start `command` in the background; arguments as for `run`.

        Raises:
            LabError: the node is lost, cannot start anything, or has no such folder.
            UsageError: a variable's name, or a NUL byte, that no process can be given.
        """
        variables = {**self.access.environment, **(environment or {})}
        folder = cwd and self.access.place(cwd)
        return Process(self._link, Order(command, folder, variables, root), log)

    def talk(self, script: str, *arguments: str, root: bool = False) -> Talk:
        """Start a bash script that answers lines; LabError when the node is lost."""
        return Talk(self._link, script, *arguments, root=root)

    def upload(  # noqa: PLR0913 - all that matters is named at the call
        self,
        data: bytes | Path,
        remote: str,
        *,
        mode: int = 0o644,
        root: bool = False,
        timeout: float = 600.0,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write a file on the node, whole or not at all; folders are made as needed."""
        Transfer(self._link, timeout, root, progress).upload(data, self.access.place(remote), mode)

    def unpack(
        self,
        archive: Path,
        remote_folder: str,
        *,
        timeout: float,
        root: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Unpack a local `.tar.zst` into a folder of the node, which is made as needed."""
        Transfer(self._link, timeout, root, progress).unpack(archive, self.access.place(remote_folder))

    def pack(self, remote_folder: str, archive: Path, *, timeout: float, limit: int) -> int:
        """Pack a folder of the node into a local `.tar.zst` of at most `limit` bytes; its size.

        Raises:
            LabError: the node is lost or has no zstd, the folder cannot be read, it is too large or too slow.
        """
        return Transfer(self._link, timeout, root=False, progress=None).pack(remote_folder, archive, limit)

    def fetch(  # noqa: PLR0913 - all that matters is named at the call
        self,
        remote: str,
        local: Path,
        *,
        timeout: float,
        root: bool = True,
        limit: int | None = None,
        progress: Callable[[int], None] | None = None,
        begun: Callable[[Path, int], None] | None = None,
    ) -> int:
        """Copy a file from the node, whole or not at all; the answer is its size in bytes.

        Args:
            remote: File on the node.
            local: Where to; the folder is made as needed.
            timeout: Seconds for all of it.
            root: Read it as root.
            limit: Bytes that it may have.
            progress: Told the bytes so far, which can be read already.
            begun: Told, before the first byte, which file grows until it is renamed to `local`, and to
                what size.

        Raises:
            RemoteFileMissing: there is no such regular file.
            LabError: the node is lost, time is over, the file is larger than `limit`, a disk is full.
        """
        transfer = Transfer(self._link, timeout, root, progress)
        return transfer.fetch(self.access.place(remote), local, limit, begun)

    def forward(self, port: int) -> Forward:
        """A port here that leads to that port of the node's 127.0.0.1, as long as the connection stands.

        Asked for again, it is the same one.
        """
        if port not in self._forwards:
            self._forwards[port] = Forward(self._link, port)
        return self._forwards[port]

    @property
    def lost(self) -> str | None:
        """Why the node cannot be reached any more, or None while the connection stands."""
        return self._link.lost()

    def lost_soon(self) -> bool:
        """Whether the connection is lost, for who has just seen something on it fail."""
        return self._link.lost_soon() is not None

    def close(self) -> None:
        """End the connection. The node stops what was started over it and still runs."""
        for forward in self._forwards.values():
            forward.close()
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _failed(self, command: str, completed: Completed, timeout: float) -> LabError:
        ended = completed.exit.signal or f"status {completed.exit.status}"
        how = f"did not end in {timeout:.0f} s" if completed.timed_out else f"ended with {ended}"
        last = plain("\n".join(completed.output.splitlines()[-_SHOWN:]))
        return LabError(f"node {self.name}: `{Order(command).title}` {how}\n{last}".rstrip())


def _known(process: Process) -> Exit:
    """How a stopped process ended."""
    from pytest_ixy.bundle import Exit

    return process.poll() or Exit(status=None)
