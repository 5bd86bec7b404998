"""What is to be said of a trial of scenario `frames`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from pytest_ixy.frames import reading
from pytest_ixy.frames.change import summary, ways
from pytest_ixy.frames.compare import FEW, Comparison, Matcher, compare, pairs
from pytest_ixy.frames.touching import learned, touched
from pytest_ixy.frames.traits import trait
from pytest_ixy.rules.evidence import Evidence
from pytest_ixy.rules.finding import Finding, failed, passed
from pytest_ixy.rules.words import count, decoded, hexdump, one_line, shortened

if TYPE_CHECKING:
    from pytest_ixy.bundle import Bundle

RULE = "frames"
MOST = 4 * reading.MOST
"""Frames of the capture that are looked at."""


def judge(bundle: Bundle) -> Finding:
    """Whether each frame that was sent arrived once, in order, and as the forwarder should make it.

    Raises:
        UsageError: what was sent is not in the bundle.
    """
    sent, evidence = reading.sent(bundle), Evidence(bundle)
    right = tuple(touched(frame, evidence.dialect) for frame in sent)
    arrived = _Arrived(bundle)
    ignored = frozenset() if evidence.declared else learned(pairs(right, arrived.frames))
    found = compare(right, arrived.frames(), Matcher(right, ignored))
    notes = [*_learned(ignored), *([f"note: {arrived.flaw}"] if arrived.flaw else [])]
    name, numbers = bundle.manifest.course.traffic if bundle.manifest.course else "", _numbers(found)
    name = shortened(one_line(name))
    if title := _title(found):
        lines = [*_lines(found, sent), *notes, *evidence.counters]
        return failed(RULE, f"{name}: {title}", numbers, lines)
    return passed(RULE, f"{name}: all {count(len(sent), 'frame')} arrived", numbers, notes)


class _Arrived:
    """The capture's frames, to be read more than once; `flaw` is why some of them cannot be."""

    def __init__(self, bundle: Bundle) -> None:
        self._path = bundle.capture
        self.flaw = "" if self._path else "there is no capture"

    def frames(self) -> Iterator[bytes]:
        """One after the other."""
        from pytest_ixy.capture import CaptureFlaw

        try:
            yield from islice(reading.frames(self._path), MOST)
        except CaptureFlaw as flaw:
            self.flaw = one_line(str(flaw))


def _numbers(found: Comparison) -> dict[str, int]:
    return {
        "sent": len(found.right),
        "arrived": found.came,
        "lost": len(found.lost),
        "altered": len(found.altered),
        "doubled": len(found.doubled),
        "late": len(found.late),
        "foreign": found.foreign,
    }


def _title(found: Comparison) -> str:
    """Such as `of 1,455 frames 1 is lost, 3 are altered`; empty when nothing is wrong."""
    numbers = _numbers(found)
    wrong = [(numbers[kind], kind) for kind in ("lost", "altered", "doubled", "late")]
    parts = [f"{times:,} {'is' if times == 1 else 'are'} {kind}" for times, kind in wrong if times]
    foreign = f"{count(found.foreign, 'frame')} came that nobody sent" if found.foreign else ""
    mine = f"of {count(len(found.right), 'frame')} {', '.join(parts)}" if parts else ""
    return "; ".join(filter(None, [mine, foreign]))


def _lines(found: Comparison, sent: tuple[bytes, ...]) -> Iterator[str]:
    kinds = (("lost", found.lost), ("altered", sorted(found.altered)), ("doubled", found.doubled))
    for kind, numbers in (*kinds, ("late", sorted(found.late))):
        if numbers:
            yield f"{kind}: {trait(sent, numbers) or _listed(numbers)}"
    if found.altered:
        changes = [
            ways(found.right[one], sent[one], came.data, found.wrong(one))
            for one, came in found.altered.items()
        ]
        yield f"altered how: {summary(changes)}"
    yield from _first_altered(found)
    yield from _first_lost(found)
    yield from _first_foreign(found)


def _listed(numbers: list[int]) -> str:
    """Frame numbers from 1, the first few."""
    more = ", …" if len(numbers) > FEW else ""
    word = "frame" if len(numbers) == 1 else "frames"
    return f"{word} {', '.join(f'{one + 1:,}' for one in numbers[:FEW])}{more} of those sent"


def _first_altered(found: Comparison) -> Iterator[str]:
    for number in sorted(found.altered)[:1]:
        came, right = found.altered[number], found.right[number]
        size = count(len(came.data), "byte")
        yield f"first altered: frame {number + 1:,} of those sent, frame {came.at:,} of the capture, {size}:"
        wrong = found.wrong(number)
        yield from _shown(came.data, wrong | set(range(len(right), len(came.data))))
        yield f"  and should have been, {count(len(right), 'byte')}:"
        yield from (f"  {line}" for line in hexdump(right, wrong, min(wrong, default=0)))


def _first_lost(found: Comparison) -> Iterator[str]:
    for number in found.lost[:1]:
        right = found.right[number]
        size = count(len(right), "byte")
        yield f"first lost: frame {number + 1:,} of those sent, which should come like this, {size}:"
        yield from _shown(right)


def _first_foreign(found: Comparison) -> Iterator[str]:
    for came in found.strangers[:1]:
        size = count(len(came.data), "byte")
        yield f"first that nobody sent: frame {came.at:,} of the capture, {size}:"
        yield from _shown(came.data)


def _shown(data: bytes, marked: frozenset[int] = frozenset()) -> Iterator[str]:
    """The frame decoded, and its bytes around the first that is marked."""
    lines = [*decoded(data), *hexdump(data, marked, min(marked, default=0))]
    yield from (f"  {line}" for line in lines)


def _learned(places: frozenset[int]) -> list[str]:
    if not places:
        return []
    where = ", ".join(str(at) for at in sorted(places))
    words = f"byte {where} is changed in every frame, which is taken for what the forwarder touches"
    return [f"note: the target declares no dialect; {words}"]
