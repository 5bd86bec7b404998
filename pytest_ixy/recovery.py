"""What something that was done in mid-stream did to the stream: what was lost, and how it went on after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, failed, passed
from pytest_ixy.rules.loss import MAX_RATIO
from pytest_ixy.rules.words import count, one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pytest_ixy.bundle import Event
    from pytest_ixy.rules import Evidence
    from pytest_ixy.rules.kernel.numbered import Numbered, One

WAITING = 2048
"""Frames that rings and queues on the way may have held while nobody took them: they come first, and old."""
SWALLOWED = 0.1
"""The share of packets that may be missing though the networks dropped none."""
RULE = "recovery"


@dataclass
class Stretch:
    """Some packets in a row of the capture."""

    packets: int = 0
    lowest: int = 2**32
    highest: int = -1

    def add(self, batch: Numbered) -> None:
        """Count them."""
        if batch.sequence.size:
            self.packets += batch.sequence.size
            self.lowest = min(self.lowest, int(batch.sequence.min()))
            self.highest = max(self.highest, int(batch.sequence.max()))

    def missing(self, first: int | None = None) -> int:
        """Numbers that did not come, between its lowest (or `first`) and its highest."""
        start = self.lowest if first is None else min(first, self.lowest)
        return max(0, self.highest + 1 - start - self.packets) if self.packets else 0

    def share(self, first: int | None = None) -> float:
        """The same as a share of all numbers there."""
        missing = self.missing(first)
        return missing / (missing + self.packets) if self.packets else 0.0


@dataclass
class Stream:
    """A capture, parted where something was done.

    Attributes:
        before: Packets that had come when it began.
        during: Those that came meanwhile, and what may have waited until then.
        after: All others.
        last, next: The packets around the longest silence from its beginning on.
    """

    before: Stretch = field(default_factory=Stretch)
    during: Stretch = field(default_factory=Stretch)
    after: Stretch = field(default_factory=Stretch)
    last: One | None = None
    next: One | None = None


def stream(evidence: Evidence, begin: int, end: int) -> Stream:
    """Part the capture behind the frames `begin` and `end`, which are counted from 1."""
    found, before = Stream(), None
    for batch in evidence.numbered():
        found.before.add(_between(batch, 0, begin))
        found.during.add(_between(batch, begin, end))
        found.after.add(_between(batch, end, 2**63 - 1))
        before = _listen(found, batch, before, (begin, end))
    return found


def _between(batch: Numbered, after: int, last: int) -> Numbered:
    return _some(batch, (batch.frame > after) & (batch.frame <= last))


def _some(batch: Numbered, which: NDArray[np.bool_] | slice) -> Numbered:
    from pytest_ixy.rules.kernel.numbered import Numbered

    return Numbered(batch.sequence[which], batch.frame[which], batch.seconds[which])


def _listen(found: Stream, batch: Numbered, before: One | None, window: tuple[int, int]) -> One | None:
    """Keep the longest silence in front of a packet of the window; the answer is the batch's last packet."""
    import numpy as np

    if not batch.sequence.size:
        return before
    silence = np.diff(batch.seconds, prepend=before.seconds if before else batch.seconds[0])
    silence[(batch.frame <= window[0]) | (batch.frame > window[1] + 1)] = -1
    place = int(silence.argmax())
    longest = found.next.seconds - found.last.seconds if found.next and found.last else -1.0
    if silence[place] > longest:
        (found.next,) = _some(batch, slice(place, place + 1)).each()
        found.last = _some(batch, slice(place - 1, place)).each()[0] if place else before
    return _some(batch, slice(-1, None)).each()[0]


def too_short(evidence: Evidence) -> bool:
    """Whether pcap had all it wanted before what was to be done could be done and shown."""
    manifest = evidence.manifest
    whole = evidence.observed.frames >= (evidence.expected or 0)
    events = manifest.course.events if manifest.course else ()
    if not events:
        return whole
    return whole and evidence.observed.frames <= _window(evidence, events[0])[1]


def _window(evidence: Evidence, event: Event) -> tuple[int, int]:
    """The frames behind which it began, and behind which all is as if it had not been."""
    if event.before is not None and event.after is not None:
        return _bounded(event.before), _bounded(event.after) + WAITING
    jump = _furthest(evidence)
    return jump, jump + WAITING


def _bounded(frames: int) -> int:
    """As many as a file can have: the manifest may come from anywhere."""
    return min(max(frames, 0), 2**40)


def _furthest(evidence: Evidence) -> int:
    """The frame behind which the numbers rise furthest: where nobody counted, that must be it."""
    import numpy as np

    furthest, frame, number = -1, 0, None
    for batch in evidence.numbered():
        if batch.sequence.size:
            first = batch.sequence[0] if number is None else number
            rises = np.diff(batch.sequence.astype(np.int64), prepend=int(first))
            if rises.max() > furthest:
                furthest, frame = int(rises.max()), int(batch.frame[rises.argmax()]) - 1
            number = batch.sequence[-1]
    return frame


def judge_recovery(evidence: Evidence) -> Finding:
    """Whether packets flow again after what was done, and only those of that time are missing."""
    course = evidence.manifest.course
    if course is None or not course.events:
        return failed(RULE, "nothing was done in mid-stream: too few packets came", {}, evidence.counters)
    event = course.events[0]
    begin, end = _window(evidence, event)
    found = stream(evidence, begin, end)
    done = end - WAITING
    if evidence.observed.frames <= done:
        return _no_more(evidence, event, 0)
    if evidence.unnumbered:
        return passed(RULE, f"{count(evidence.observed.frames - done, 'frame')} came after it", {})
    if not found.after.packets:
        return _no_more(evidence, event, found.during.packets)
    numbers = _numbers(evidence, found)
    lines = [*_told(event, found), *_losses(evidence, found)]
    problems = list(_problems(evidence, found, event))
    if problems:
        return failed(RULE, problems[0], numbers, [*lines, *evidence.counters])
    return passed(RULE, _summary(numbers), numbers, lines)


def _no_more(evidence: Evidence, event: Event, few: int) -> Finding:
    """Nothing came after it, or only a `few` packets that rings and queues may have held."""
    frames, until = evidence.observed.frames, event.until or event.seconds
    title = f"traffic does not flow again after {shortened(one_line(event.words))}"
    what = f"only {count(few, 'packet')}" if few else "none"
    lines = [
        f"expected: packets with higher numbers after {until:.1f} s, when that was over",
        f"happened: {what} of the {count(frames, 'frame')} captured came after it",
        *_ends(evidence),
    ]
    return failed(RULE, title, {"before": frames - few, "after": few}, [*lines, *evidence.counters])


def _ends(evidence: Evidence) -> Iterator[str]:
    """The last packet of all."""
    last = None
    for batch in evidence.numbered():
        if batch.sequence.size:
            last = _some(batch, slice(-1, None)).each()[0]
    if last:
        yield f"the last packet is #{last.number:,}, {last.seconds:.3f} s after the first"


def _numbers(evidence: Evidence, found: Stream) -> dict[str, int | float | str]:
    silence = found.next.seconds - found.last.seconds if found.next and found.last else 0.0
    return {
        "before": found.before.packets,
        "after": found.after.packets,
        "silence": silence,
        "lost_before": found.before.missing(evidence.dialect.first),
        "lost_meanwhile": _meanwhile(evidence, found),
        "lost_after": found.after.missing(),
    }


def _meanwhile(evidence: Evidence, found: Stream) -> int:
    """Numbers that never came between the last one before and the first one after."""
    low = found.before.highest + 1 if found.before.packets else evidence.dialect.first
    high = found.after.lowest if found.after.packets else found.during.highest + 1
    return max(0, high - low - found.during.packets)


def _summary(numbers: dict[str, int | float | str]) -> str:
    lost = count(int(numbers["lost_meanwhile"]), "packet")
    return f"traffic flows again after {float(numbers['silence']):.2f} s of silence and {lost} lost meanwhile"


def _told(event: Event, found: Stream) -> Iterator[str]:
    until = "" if event.until is None else f" to {event.until:.3f} s"
    yield f"{shortened(one_line(event.words))}: {event.seconds:.3f} s{until} after the trial began"
    for name, one in (("last before", found.last), ("first after", found.next)):
        if one:
            yield f"  {name}: #{one.number:,}, frame {one.frame:,}, {one.seconds:.3f} s after the first"


def _losses(evidence: Evidence, found: Stream) -> Iterator[str]:
    first = evidence.dialect.first
    yield f"  missing before: {found.before.missing(first):,} ({found.before.share(first):.2%})"
    yield f"  missing meanwhile: {_meanwhile(evidence, found):,}"
    yield f"  missing after: {found.after.missing():,} ({found.after.share():.2%})"


def _problems(evidence: Evidence, found: Stream, event: Event) -> Iterator[str]:
    before, after = found.before.share(evidence.dialect.first), found.after.share()
    over = event.seconds if event.until is None else event.until
    if after > before + SWALLOWED and too_much(evidence, found.after, over):
        yield f"{after:.1%} of the packets are lost after it was over, {before:.1%} were before"


def too_much(evidence: Evidence, part: Stretch, since: float) -> bool:
    """Whether more is missing than a busy lab may lose: what `loss` allows, if the networks dropped it.

    Only what they dropped after `since` counts, in seconds of the trial: it was much while nobody received.
    """
    missing, every = part.missing(), part.missing() + part.packets
    drops = _dropped(evidence, since)
    swallowed = 0 if drops is None else max(0, missing - drops)
    return part.share() > MAX_RATIO.of(evidence.terms("loss")) or swallowed > SWALLOWED * every


def _dropped(evidence: Evidence, since: float) -> int | None:
    """Frames that the networks could not deliver from then on; None where nobody counted."""
    flows = evidence.way.flows if evidence.way else ()
    if early := [flow for flow in flows if flow.seconds <= since]:
        return flows[-1].dropped - early[-1].dropped
    drops = [nic.dropped for node in evidence.manifest.nodes for nic in node.nics if nic.dropped is not None]
    return sum(drops) if drops else None
