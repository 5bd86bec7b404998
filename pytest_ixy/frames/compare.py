"""Frames that were sent beside frames that came: which are lost, altered, doubled, late or foreign."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from pytest_ixy.frames.touching import different, without

FEW = 3
"""Frames of a kind that are kept to be shown."""
AHEAD = 4
"""How far to look for the frame that one with a strange sender was."""
SENDER = slice(6, 12)


@dataclass(frozen=True)
class Came:
    """A frame that came: its number in the capture from 1, and its bytes."""

    at: int
    data: bytes


@dataclass
class Comparison:
    """What came of the frames that should have come; these are told by their index.

    Attributes:
        right: How they should come.
        ignored: Bytes that may be anything.
        came: How many frames came at all.
        good: How often each of them came as it should.
        altered: Those that came in another form, and the form of each.
        late: Those that came after one that was sent later.
        foreign: How many came that nobody has sent, and the first of them.
    """

    right: tuple[bytes, ...]
    ignored: frozenset[int] = frozenset()
    came: int = 0
    good: dict[int, int] = field(default_factory=dict)
    altered: dict[int, Came] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    foreign: int = 0
    strangers: list[Came] = field(default_factory=list)

    def wrong(self, number: int) -> frozenset[int]:
        """The bytes in which an altered one differs, as far as both forms have them."""
        return different(self.right[number], self.altered[number].data) - self.ignored

    @property
    def lost(self) -> list[int]:
        """Those that did not come in any form."""
        known = self.good.keys() | self.altered.keys()
        return [number for number in range(len(self.right)) if number not in known]

    @property
    def doubled(self) -> list[int]:
        """Those that came more than once."""
        return [number for number, times in sorted(self.good.items()) if times > 1]


class Matcher:
    """Knows which of the frames that were sent one is that came."""

    def __init__(self, right: tuple[bytes, ...], ignored: frozenset[int] = frozenset()) -> None:
        self._right, self.ignored = right, ignored
        self._exact = {without(frame, ignored): number for number, frame in enumerate(right)}
        self._senders = {frame[SENDER]: number for number, frame in enumerate(right)}

    def exact(self, data: bytes) -> int | None:
        """Its index if it came as it should."""
        return self._exact.get(without(data, self.ignored))

    def nearest(self, data: bytes, after: int) -> int | None:
        """Its index: the most alike of those that were due and the one by its sender, else the latter."""
        named = self._senders.get(data[SENDER])
        due = [*range(after + 1, min(len(self._right), after + 1 + AHEAD))]
        asked = due if named is None else [named, *due]
        best = min(asked, key=lambda one: _distance(self._right[one], data), default=None)
        return best if best is not None and _alike(self._right[best], data) else named


def _distance(right: bytes, data: bytes) -> int:
    return len(different(right, data)) + abs(len(right) - len(data))


def _alike(right: bytes, data: bytes) -> bool:
    """Whether less than a third of what came is different."""
    return len(data) > 0 and 3 * len(different(right, data)) < min(len(right), len(data))


def compare(right: tuple[bytes, ...], arrived: Iterable[bytes], matcher: Matcher) -> Comparison:
    """Put each frame that came to the one that it was."""
    found, latest = Comparison(right, matcher.ignored), -1
    for at, data in enumerate(arrived, 1):
        found.came = at
        number = matcher.exact(data)
        if number is None:
            number = _strange(found, Came(at, data), matcher, latest)
        else:
            found.good[number] = found.good.get(number, 0) + 1
        if number is not None:
            if number < latest and found.good.get(number, 0) <= 1:
                found.late.append(number)
            latest = max(latest, number)
    return found


def _strange(found: Comparison, came: Came, matcher: Matcher, latest: int) -> int | None:
    """Note a frame that is none of the right ones."""
    number = matcher.nearest(came.data, latest)
    if number is None or number in found.altered or number in found.good:
        found.foreign += 1
        found.strangers += [came] if len(found.strangers) < FEW else []
        return None
    found.altered[number] = came
    return number


def pairs(right: tuple[bytes, ...], arrived: Callable[[], Iterator[bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Frames that came, each with the one that it most likely was."""
    matcher, latest = Matcher(right), -1
    for data in arrived():
        number = matcher.nearest(data, latest)
        if number is not None:
            latest = max(latest, number)
            yield right[number], data
