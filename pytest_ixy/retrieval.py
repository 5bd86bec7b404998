"""Bring what was captured from the nodes into the bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pytest_ixy.progress import Progress
from pytest_ixy.remote import Host, RemoteFileMissing

LEAST_LIMIT, LARGEST_RECORD = 1 << 28, 2048
"""A capture with more bytes than this, and than this for each packet, is not fetched: it is no
capture of N packets, and a broken pcap must not fill this machine's disk."""


class Onlooker(Protocol):
    """Somebody who looks at the capture while it comes."""

    def begin(self, path: Path, size: int) -> None:
        """It is that file, which will grow to that size."""
        ...

    def grew(self, written: int) -> int:
        """So many bytes of it can be read; the answer is how many have been looked at."""
        ...

    def finish(self) -> None:
        """It has come whole; return when all of it has been looked at."""
        ...


class Retrieval:
    """Fetches captures of one trial.

    Args:
        folder: The bundle's.
        packets: How many were to be captured.
        timeout: Seconds for each.
    """

    def __init__(self, folder: Path, packets: int, timeout: float) -> None:
        self._folder, self._timeout = folder, timeout
        self._limit = max(LEAST_LIMIT, packets * LARGEST_RECORD)

    def fetch(
        self,
        host: Host,
        remote: str,
        name: str,
        *,
        progress: Callable[[int], None] | None = None,
        begun: Callable[[Path, int], None] | None = None,
    ) -> dict[str, str | int]:
        """What a `CaptureRecord` says of the file that has come; empty when there was none to fetch.

        Raises:
            LabError: it could not be fetched.
        """
        local = self._folder / name
        try:
            size = host.fetch(
                remote, local, timeout=self._timeout, limit=self._limit, progress=progress, begun=begun
            )
        except RemoteFileMissing:
            return {}
        return {"file": name, "bytes": size}

    def fetch_watched(
        self, host: Host, remote: str, name: str, onlooker: Onlooker, progress: Progress
    ) -> dict[str, str | int]:
        """The same, while somebody looks on."""

        def tell(come: int) -> None:
            seen = onlooker.grew(come)
            progress.tell(f"{come / 1e6:.1f} MB, {seen / 1e6:.1f} MB of it judged")

        found = self.fetch(host, remote, name, progress=tell, begun=onlooker.begin)
        if found:
            onlooker.finish()
        return found
