"""What the probe printed on a node, as data; what makes no sense is left out: it may be anybody's node."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pytest_ixy.nodestate import LONGEST, MOST, Device, HugePages, Living, NodeState
from pytest_ixy.printable import one_line

Made = TypeVar("Made")

KERNEL = "\nkernel\n"
NUMBER = re.compile(r"[0-9]{1,14}")
COMMAND = re.compile(r"[0-9a-f]{4}")
NOTHING = "-"


@dataclass(frozen=True)
class Core:
    """A core dump on a node; its name is made by the kernel, by the pattern of `look.sh`."""

    path: str
    size: int

    @property
    def _parts(self) -> list[str]:
        return self.path.rpartition("/")[2].split(".", 3)

    @property
    def program(self) -> str:
        """Path of the program that crashed; the kernel writes `!` for `/`."""
        return self._parts[-1].replace("!", "/")

    @property
    def signal(self) -> int:
        """Number of the signal that ended it; 0 when the name does not tell."""
        number = "".join(self._parts[2:3])
        return int(number) if NUMBER.fullmatch(number) else 0


@dataclass(frozen=True)
class Seen:
    """A node's state; after a trial also what its kernel said meanwhile, and core dumps."""

    state: NodeState
    kernel: str = ""
    cores: tuple[Core, ...] = ()


def read(output: str) -> Seen:
    """What `look.sh`, and `after.sh` behind it, printed."""
    told, _, kernel = output.partition(KERNEL)
    lines: dict[str, list[str]] = {}
    for line in told.splitlines():
        word, _, rest = line.partition(" ")
        lines.setdefault(word, []).append(rest)
    memory, available = next(iter(_some(_memory, lines.get("memory"))), (0, 0))
    state = NodeState(
        memory=memory,
        available=available,
        huge_pages=_some(_pages, lines.get("pages")),
        files=tuple(_short(file) for file in lines.get("file", [])[:MOST]),
        devices=_some(_device, lines.get("nic")),
        processes=_some(_process, lines.get("process")),
        core_pattern=_short("".join(lines.get("core_pattern", [])[:1])),
    )
    return Seen(state, kernel, _some(_core, lines.get("core")))


def _some(make: Callable[[list[str]], Made | None], lines: list[str] | None) -> tuple[Made, ...]:
    """What is made of the lines that make sense."""
    made = (make(line.split(" ")) for line in (lines or [])[:MOST])
    return tuple(one for one in made if one is not None)


def _numbers(words: list[str], count: int) -> list[int] | None:
    """The first so many words as numbers; None where they are none."""
    if len(words) < count or not all(NUMBER.fullmatch(word) for word in words[:count]):
        return None
    return [int(word) for word in words[:count]]


def _memory(words: list[str]) -> tuple[int, int] | None:
    numbers = _numbers(words, 2)
    return None if numbers is None else (numbers[0], numbers[1])


def _pages(words: list[str]) -> HugePages | None:
    numbers = _numbers(words, 3)
    return None if numbers is None else HugePages(size=numbers[0], total=numbers[1], free=numbers[2])


def _device(words: list[str]) -> Device | None:
    if len(words) == 1:
        return Device(pci=_short(words[0]), present=False)
    if len(words) != 7 or not COMMAND.fullmatch(words[6]):  # noqa: PLR2004 - as `look.sh` writes it
        return None
    pci, vendor, device, driver, features, link = (
        "" if word == NOTHING else _short(word) for word in words[:6]
    )
    return Device(
        pci=pci,
        present=True,
        vendor=vendor,
        device=device,
        driver=driver,
        features=features,
        command=int.from_bytes(bytes.fromhex(words[6]), "little"),
        link=link,
    )


def _process(words: list[str]) -> Living | None:
    numbers = _numbers(words, 2)
    if numbers is None:
        return None
    return Living(pid=numbers[0], started=numbers[1], name=_short(" ".join(words[2:])))


def _core(words: list[str]) -> Core | None:
    numbers = _numbers(words, 1)
    return None if numbers is None else Core(" ".join(words[1:]), numbers[0])


def _short(text: str) -> str:
    return one_line(text)[:LONGEST]
