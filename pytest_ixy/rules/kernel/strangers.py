"""Frames that are not UDP: of which kinds, and who sent them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture import Column, Frames
from pytest_ixy.rules.kernel import FEW
from pytest_ixy.rules.kernel.dissect import IPV4, IPV6, Dissection
from pytest_ixy.rules.kernel.frequent import Frequent
from pytest_ixy.rules.kernel.offenders import Sieve
from pytest_ixy.rules.kernel.sight import Sight

KINDS = 8
"""So many kinds of frames are told apart in a message."""

TYPES, PROTOCOLS = 1 << 16, 1 << 8


@dataclass(frozen=True)
class Foreign:
    """Frames that are not UDP.

    Attributes:
        total: How many.
        first: Numbers of the first few.
        kinds: The most frequent kinds (EtherType, and the protocol of IP or -1) and how many of each.
        senders: The most frequent source addresses, as numbers, and how many frames are of each.
        short: Counts of senders may be too low by so many; 0: they are exact.
    """

    total: int
    first: tuple[int, ...]
    kinds: Mapping[tuple[int, int], int]
    senders: Mapping[int, int]
    short: int


class Strangers:
    """Watches frames that are not UDP; those that cannot be parsed are none of them."""

    def __init__(self) -> None:
        self._sieve, self._senders = Sieve(), Frequent()
        self._kinds = np.zeros(TYPES + 2 * PROTOCOLS, dtype=np.int64)

    def add(self, sight: Sight) -> None:
        """Watch the next block."""
        if not sight.numbers.size:
            return
        rows = np.flatnonzero(sight.found.foreign)
        if rows.size:
            self._sieve.add(sight.numbers[rows], {})
            np.add.at(self._kinds, _codes(sight.found)[rows], 1)
            self._senders.add(_senders(sight.close.take(rows)))

    def foreign(self) -> Foreign:
        """What was seen."""
        codes = np.flatnonzero(self._kinds)
        codes = codes[np.argsort(-self._kinds[codes], kind="stable")][:KINDS].tolist()
        kinds = {_kind(code): int(self._kinds[code]) for code in codes}
        senders = self._senders.most(FEW)
        return Foreign(self._sieve.total, tuple(self._sieve.first), kinds, senders, self._senders.short)


def _codes(found: Dissection) -> Column:
    """One number for each frame: its EtherType, or behind all of those the protocol of IPv4 or IPv6."""
    internet = TYPES + found.protocol + np.where(found.kind == IPV6, PROTOCOLS, 0)
    return np.where(found.protocol < 0, found.kind, internet)


def _kind(code: int) -> tuple[int, int]:
    if code < TYPES:
        return code, -1
    six, protocol = divmod(code - TYPES, PROTOCOLS)
    return (IPV6 if six else IPV4), protocol


def _senders(frames: Frames) -> NDArray[np.uint64]:
    words = frames.values(">u8")[frames.start + 4]  # two bytes too many in front
    return (words & np.uint64((1 << 48) - 1)).astype(np.uint64)
