"""Keeps a lease alive: a thread that beats, and notices when the lease is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pytest_ixy.errors import LabError
from pytest_ixy.providers.static.tenancy import Claim, script
from pytest_ixy.remote import Host
from pytest_ixy.remote.talk import Talk

BEATS = 6
"""Heartbeats in the time after which a lease without them counts as abandoned."""
ANSWER = 20.0


class Heart:
    """Beats from now until it is closed.

    Args:
        claim: What was taken.
        host: The connection to use; another one is made when it breaks.
        lost: Told once, in words, when the lease is lost.
    """

    def __init__(self, claim: Claim, host: Host, lost: Callable[[str], None]) -> None:
        self._claim, self.host, self._lost = claim, host, lost
        self._over = threading.Event()
        self._since = time.monotonic()
        self._talk = self._begin()
        self._thread = threading.Thread(target=self._run, name=f"ixy-lease-{claim.access.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop beating; the connection is left to the caller."""
        self._over.set()
        self._talk.close()
        self._thread.join(ANSWER)

    def _begin(self) -> Talk:
        return self.host.talk(
            script("beat.bash"), self._claim.folder, self._claim.token, root=self._claim.root
        )

    def _run(self) -> None:
        while not self._over.wait(self._claim.expiry / BEATS):
            try:
                alive = self._talk.ask(ANSWER) == "beats"
            except LabError as error:
                self._missed(error)
                continue
            if not alive:
                self._tell("somebody has taken it over")
                return
            self._since = time.monotonic()

    def _missed(self, error: LabError) -> None:
        """A beat that got no answer: try another connection, until the lease has run out."""
        silent = time.monotonic() - self._since
        if silent > self._claim.expiry:
            self._tell(f"no heartbeat came through for {silent:.0f} s: {error.what}")
            self._over.set()
        elif not self._over.is_set():
            with suppress(LabError):
                fresh = Host.connect(self._claim.access, deadline=self._claim.expiry / BEATS)
                self.host.close()
                self.host = fresh
                self._talk = self._begin()

    def _tell(self, why: str) -> None:
        if not self._over.is_set():
            access = self._claim.access
            self._lost(f"node {access.name}: the lease of {access.address} was lost: {why}")
