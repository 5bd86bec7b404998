"""Processes of a stack: started with a log each, waited for until they listen."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stack.service import Command, Process
from stack.site import HOST, Site

PATIENCE = 300.0
"""Seconds that anything may take; a cold machine with one core is slow."""


class BrokenError(Exception):
    """A process of the stack failed; names its log."""


class Crew:
    """The processes that run in a site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start_all(self, processes: list[Process]) -> None:
        """Start all at once, each when what it needs is there, and wait until those listen that do."""
        in_parallel([lambda process=process: self.start(process) for process in processes])

    def start(self, process: Process) -> None:
        """Start one, and wait until it listens if it does."""
        for needed in process.after:
            self.until(needed, lambda needed=needed: self._listens(needed))
        with self.site.log(process.name).open("ab") as log:
            self._running[process.name] = subprocess.Popen(
                process.command,
                env={**os.environ, **process.environment},
                cwd=self.site.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if process.name in self.site.ports:
            self.until(process.name, lambda: self._listens(process.name))

    def _listens(self, name: str) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.site.ports[name])) == 0

    def until(self, what: str, done: Callable[[], Any]) -> None:
        """Wait until `done()` is true.

        Raises:
            BrokenError: it took too long, or a process ended meanwhile.
        """
        deadline = time.monotonic() + PATIENCE
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise BrokenError(f"{what} was not there after {PATIENCE:.0f} s")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise BrokenError when a process has ended."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                raise BrokenError(f"{name} ended with status {process.returncode}, see {self.site.log(name)}")

    def run(self, commands: list[Command]) -> None:
        """Run programs one after the other to their ends."""
        for command in commands:
            log = self.site.log(command[0].rpartition("/")[2])
            with log.open("ab") as out:
                done = subprocess.run(
                    command,
                    cwd=self.site.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    check=False,
                )
            if done.returncode:
                raise BrokenError(f"{' '.join(command)} ended with status {done.returncode}, see {log}")

    def stop(self, name: str) -> None:
        """Ask a process to end, and wait for it."""
        process = self._running.pop(name)
        process.terminate()
        process.wait(60)


def in_parallel(jobs: list[Callable[[], None]]) -> None:
    """Do all at once; the first error is raised at once, for whoever raises it ends the whole stack."""
    from concurrent.futures import as_completed

    pool = ThreadPoolExecutor(len(jobs))
    for done in as_completed([pool.submit(job) for job in jobs]):
        done.result()
    pool.shutdown(wait=False)  # all is done; with old libraries a thread was seen that could not be joined
