"""Standing in line: all hosts of a testbed are leased, or none."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pytest_ixy.errors import LabError
from pytest_ixy.providers.static.answers import Holder, Taken
from pytest_ixy.providers.static.tenancy import Claim
from pytest_ixy.remote import Host

T = TypeVar("T")
PAUSE = 2.0
"""Seconds between two tries."""


@dataclass(frozen=True)
class Line:
    """Waits until all hosts are free at once.

    Whoever finds one of them taken gives those back that it has, so that two never wait for each other.

    Attributes:
        claims: What to take, by node, in the order in which it is asked for.
        reach: Gives a live connection to a node's host, a new one when the last one broke.
        wait: Seconds to wait at most.
        tell: Told what is waited for, again and again.
        say: Told the same once for each who holds it.
    """

    claims: Mapping[str, Claim]
    reach: Callable[[str], Host]
    wait: float
    tell: Callable[[str], None]
    say: Callable[[str], None]

    def stand(self) -> Mapping[str, Taken]:
        """Wait in line; what each host answered.

        Raises:
            LabError: somebody still has a host when the time is over, or a host was lost.
        """
        end = time.monotonic() + self.wait
        told = None
        while True:
            found = self._try()
            if isinstance(found, dict):
                return found
            node, holder = found
            words = self._words(node, holder)
            if holder.run != told:
                self.say(f"{words}; waiting")
            told = holder.run
            self.tell(words)
            if time.monotonic() >= end:
                raise LabError(
                    f"{words}; it was waited for {spell(self.wait)}.",
                    hint="wait for that run to end (pytest-ixy release, if it is held), or allow more: "
                    "`wait` in config.toml",
                )
            time.sleep(min(PAUSE, max(0.0, end - time.monotonic())))

    def _try(self) -> dict[str, Taken] | tuple[str, Holder]:
        """Take all, or none: then which node's host is taken, and who has it."""
        taken: dict[str, Taken] = {}
        for node, claim in self.claims.items():
            answer = self._ask(node, claim.take)
            self._note(node, answer)
            if answer.holder:
                for other in taken:
                    self._ask(other, self.claims[other].free)
                return node, answer.holder
            taken[node] = answer
        return taken

    def _ask(self, node: str, work: Callable[[Host], T]) -> T:
        """Ask a host, once more where the connection broke: who stands in line does so for hours."""
        host = self.reach(node)
        try:
            return work(host)
        except LabError:
            if not host.lost_soon():
                raise
        return work(self.reach(node))

    def _note(self, node: str, answer: Taken) -> None:
        if answer.dead:
            dead = answer.dead
            self.say(
                f"{self._address(node)} was held by {who(dead)}, of which nothing was "
                f"heard for {spell(dead.seconds)}; its lease was taken over and the host put in order"
            )
        for words in answer.untidy:
            self.say(f"{self._address(node)} is not all as it was before that run: {words}")

    def _address(self, node: str) -> str:
        return f"{node}'s host {self.claims[node].access.address}"

    def _words(self, node: str, holder: Holder) -> str:
        if holder.waits:
            waited = f"who has waited for {spell(holder.seconds)}"
            return f"{self._address(node)} is free, but it is the turn of {who(holder)}, {waited}"
        return f"{self._address(node)} {held(holder)}"


def held(holder: Holder) -> str:
    """Since when who has it, and what for."""
    return f"has been held for {spell(holder.seconds)} by {who(holder)}"


def who(holder: Holder) -> str:
    """Who it is, and what for."""
    purpose = f" for {holder.purpose}" if holder.purpose else ""
    return f"{holder.owner}{purpose} (run {holder.run})"


def spell(seconds: float) -> str:
    """A stretch of time in words of two units at most, such as `3 min 20 s`."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
