"""A bounded stretch of a file, moved forward over it."""

from __future__ import annotations

import mmap
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.capture.block import MARGIN
from pytest_ixy.capture.stored import Stored

SIZE = 1 << 22
"""Bytes held at a time; every record and block that is looked into has to fit."""


class Window:
    """The bytes `origin + position` to `origin + end` of a file stand in `data[position:end]`.

    The memory is an anonymous mapping because its alignment is good for the vector units: with a
    badly aligned buffer the same pass took four times as long.
    """

    def __init__(self, file: Stored) -> None:
        self.memory = _anonymous(SIZE + MARGIN)
        self.data = np.frombuffer(self.memory, dtype=np.uint8)
        self.origin = self.position = self.end = 0
        self._file = file

    @cached_property
    def side(self) -> NDArray[np.uint8]:
        """As much room again, for copies; its pages stay, so that a copy costs no page faults."""
        return np.frombuffer(_anonymous(SIZE), dtype=np.uint8)

    @property
    def left(self) -> int:
        """Bytes that were read and not yet consumed."""
        return self.end - self.position

    @property
    def byte(self) -> int:
        """Offset in the file of the first byte that was not yet consumed."""
        return self.origin + self.position

    def refill(self, share: int = 1) -> bool:
        """Keep what is left, read on behind it; False when the file has no more.

        Only that share of the window is filled, unless what is left may be the beginning of a record that
        needs more: less of it is better for the caches, more of it where a batch has a high price.
        """
        left = self.left
        full = SIZE // share if left < SIZE // share // 2 else SIZE
        self.memory.move(0, self.position, left)
        self.origin += self.position
        self.position, self.end = 0, left
        with memoryview(self.memory) as view:
            while self.end < full and (got := self._file.read(view[self.end : full], self.origin + self.end)):
                self.end += got
        return self.end > left

    def skip(self, count: int) -> bool:
        """Consume `count` bytes, read or not; False when the file ends before."""
        if count <= self.left:
            self.position += count
            return True
        target = self.byte + count
        if target > self._file.size:
            return False
        self.origin = target
        self.position = self.end = 0
        return True


def _anonymous(size: int) -> mmap.mmap:
    """Memory of huge pages, where the kernel has some: it is gone through again and again."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
