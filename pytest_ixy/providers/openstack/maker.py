"""Make things in a cloud, each written into the ledger first."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_ixy.errors import LabError
from pytest_ixy.ledger import Ledger
from pytest_ixy.providers.openstack.door import Cloud
from pytest_ixy.providers.openstack.kinds import KINDS
from pytest_ixy.providers.openstack.reference import KIND, Thing
from pytest_ixy.providers.openstack.trouble import CONFLICT, attempt, is_quota, status

POLL = 1.0
"""Seconds between two looks at what is not ready yet."""


class Maker:
    """Makes what one testbed needs, from several threads at once.

    Attributes:
        cloud: Where.
        run: Id of the run.
        things: What was made or begun, in order.
        prefix: How the names of all of it begin.
    """

    def __init__(self, cloud: Cloud, book: Ledger) -> None:
        self.cloud = cloud
        self.things: list[Thing] = []
        self.prefix = f"ixy-{re.sub('[^A-Za-z0-9]+', '-', book.run)}-{secrets.token_hex(2)}"
        self.run = book.run
        self._book = book
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._under_way = 0

    def make(self, kind: str, what: str, **attributes: Any) -> Any:
        """Make a thing; `what` tells it from others of the testbed.

        Raises:
            IxyError: the cloud did not make it, or all is being taken down.
        """
        way, name, doing = KINDS[kind], f"{self.prefix}-{what}", f"make the {kind} {what}"
        sdk, again = self.cloud.sdk, False

        def work() -> Any:
            nonlocal again
            self._go_on()
            # an answer that was lost is no reason to make it twice
            found = way.find(sdk, name, self.run) if again else []
            again = True
            return found[0] if found else way.make(sdk, name, self.run, attributes)

        with self._busy():
            self._note(Thing(kind, name, self.run, int(time.time()), self.cloud.place))
            return attempt(doing, self.cloud.where, work)

    def _note(self, thing: Thing) -> None:
        with self._lock:
            self._go_on()
            self._book.intend(KIND, thing.text())
            self.things.append(thing)

    def attempt(self, doing: str, work: Callable[[], Any]) -> Any:
        """Do something to what was made; IxyError when the cloud does not."""
        with self._busy():
            self._go_on()
            return attempt(doing, self.cloud.where, work)

    def join(self, doing: str, work: Callable[[], Any]) -> None:
        """Do something of which a second time is refused; IxyError when the cloud does not."""

        def once() -> None:
            try:
                work()
            except Exception as error:
                # it was done, and the answer was lost
                if status(error) != CONFLICT or is_quota(error):
                    raise

        self.attempt(doing, once)

    def wait(self, kind: str, thing: Any, ready: Callable[[Any], bool], seconds: float) -> Any:
        """The thing once it is ready, which is asked again and again.

        Raises:
            LabError: it was not after so many seconds.
        """
        end = time.monotonic() + seconds
        while True:
            now = self.attempt(
                f"ask after the {kind} {thing.name}", lambda: KINDS[kind].look(self.cloud.sdk, thing)
            )
            if ready(now):
                return now
            if time.monotonic() > end:
                raise LabError(
                    f"The {kind} {thing.name} was still {now.status} after {seconds:.0f} s.",
                    hint="if the cloud is only slow, allow it more: [openstack.timeouts] servers = SECONDS",
                )
            self._stopped.wait(POLL)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise LabError("interrupted")

    def stop(self) -> None:
        """Begin nothing new from now on."""
        self._stopped.set()

    def calm(self, seconds: float) -> None:
        """Wait until nothing is under way, so that nothing appears after it was looked for."""
        end = time.monotonic() + seconds
        while self._under_way and time.monotonic() < end:
            time.sleep(0.05)
