"""The landlord's side: a thread for each tenancy, which lives as long as the machines do.

{"do": "let", "subject": LABEL}  {"testbed": …, "phases": …} or {"failure": …}, when there is a place
{"do": "renew"}                  the same
{"do": "leave", "failed": true}  no answer: the tenancy is over, and whether a test had failed
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from pytest_ixy.bundle import Phase
from pytest_ixy.errors import IxyError
from pytest_ixy.holding.wire import Message, Wire
from pytest_ixy.letting.places import ClosedError, Places
from pytest_ixy.providers.base import Testbed

TICK = 0.5
"""Seconds between two attempts to have a provider give up."""


class House(Protocol):
    """A testbed that can be let."""

    @property
    def phases(self) -> list[Phase]:
        """What was done for it."""
        ...

    def testbed(self) -> Testbed:
        """Make it; LabError when it cannot be."""
        ...

    def renew(self) -> Testbed:
        """Make it anew; LabError when it cannot be."""
        ...

    def interrupt(self) -> None:
        """Have `testbed` or `renew`, which another thread has called, give up."""
        ...

    def leave(self, *, failed: bool | None) -> bool:
        """Take it down, or have it stay: then True; `failed` is None where nobody knows."""
        ...

    def hold(self) -> None:
        """It has stayed until all is over: leave it to itself."""
        ...


class Landlord:
    """Lets each house once, to whoever asks first, and no more of them at once than there are places.

    Attributes:
        over: Set when all is over. What stays until then takes a place.
    """

    def __init__(self, houses: Mapping[str, House], places: int | None, say: Callable[[str], None]) -> None:
        self.address = f"pytest-ixy-{secrets.token_hex(16)}"
        self._houses, self._places, self._say = houses, Places(places), say
        self._tenancies: list[Tenancy] = []
        self._free, self._choice = set(houses), threading.Lock()
        self.over = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind("\0" + self.address)
        self._listener.listen(len(houses) + 8)
        threading.Thread(target=self._accept, name="ixy-landlord", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            if not _is_ours(connection):
                connection.close()
                continue
            tenancy = Tenancy(self, Wire(connection))
            self._tenancies.append(tenancy)
            tenancy.start()

    def admit(self, tenancy: Tenancy, label: str) -> None:
        """Serve a tenant from the beginning to the end."""
        if not self._choose(label):
            what = f"Another worker has used the testbed of {label}, and has crashed or is using it now."
            tenancy.wire.tell(failure={"what": what, "hint": "see what it printed, or use -n 0"})
            return
        house = self._houses[label]
        with contextlib.suppress(ClosedError), self._places.one(lambda: self._tell_of_waiting(label)):
            tenancy.live(house)

    def _choose(self, label: str) -> bool:
        """Whether the house is this tenant's from now on; two may ask at the same time."""
        with self._choice:
            free = label in self._free
            self._free.discard(label)
        return free

    def _tell_of_waiting(self, label: str) -> None:
        count = self._places.count
        self._say(f"{label} waits: there is room for {count} testbed{'s' * (count != 1)} at once")

    def dismiss(self) -> None:
        """End all tenancies; those in whose houses something still runs are left to `close`."""
        self._places.close()
        for tenancy in self._tenancies:
            tenancy.dismiss()

    def close(self) -> None:
        """End everything; returns when all houses are taken down or held."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.dismiss()
        self.over.set()
        for tenancy in self._tenancies:
            while tenancy.is_alive():
                tenancy.interrupt()
                tenancy.join(TICK)


class Tenancy(threading.Thread):
    """A tenant's time in a house. Machines may die with the thread that has started them: it is this one."""

    def __init__(self, landlord: Landlord, wire: Wire) -> None:
        super().__init__(name="ixy-tenancy", daemon=True)
        self._landlord, self.wire = landlord, wire
        self._busy: House | None = None

    def run(self) -> None:
        """Hear who comes, and serve them."""
        message = self.wire.hear()
        if message is not None:
            self._landlord.admit(self, message["subject"])
        self.wire.close()

    def live(self, house: House) -> None:
        """Make the testbed, answer until the tenant leaves, take it down."""
        failed: bool | None = None
        try:
            message: Message | None = {"do": "let"}
            while message is not None and "failed" not in message:
                work = house.renew if message["do"] == "renew" else house.testbed
                self.wire.tell(**self._attempt(house, work))
                message = self.wire.hear()
            failed = message["failed"] if message else None
        finally:
            if house.leave(failed=failed):
                self._landlord.over.wait()
                house.hold()

    def _attempt(self, house: House, work: Callable[[], Testbed]) -> Message:
        from pydantic import TypeAdapter

        self._busy = house
        try:
            testbed = TypeAdapter(Testbed).dump_python(work(), mode="json")
        except IxyError as error:
            return {"failure": {"what": error.what, "hint": error.hint}}
        except OSError as error:
            hint = "run pytest-ixy doctor"
            return {"failure": {"what": f"This machine would not: {error}.", "hint": hint}}
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, the tenant must be told
            what = f"The provider failed: {type(error).__name__}: {error}"
            return {"failure": {"what": what, "hint": ""}}
        finally:
            self._busy = None
        return {"testbed": testbed, "phases": [phase.model_dump(mode="json") for phase in house.phases]}

    def dismiss(self) -> None:
        """Let the tenant, and the thread that listens to it, know that it is over."""
        with contextlib.suppress(OSError):
            self.wire.end.shutdown(socket.SHUT_RDWR)

    def interrupt(self) -> None:
        """Have a provider that is at work give up."""
        if (house := self._busy) is not None:
            house.interrupt()


def _is_ours(connection: socket.socket) -> bool:
    """Whether the other end is this user: the name can be seen by all."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(user == os.getuid())
