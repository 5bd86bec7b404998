"""Which dialects fit a capture, and why: a proposal for people, not a verdict.

A sample of the packets is compared with each dialect. Of those that fit, the one that says most about a
packet is proposed: what a packet may be anyway is no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_ixy.dialect import ANY, PAYLOAD_AT, UDP_AT, Dialect, Number
from pytest_ixy.rules.words import all_have, count
from pytest_ixy.sample import Sample, sample

MOST = 0.9
"""Share of the packets that has to be as a dialect says: some may have been lost, changed or doubled."""
NEAR = 4096
"""Numbers of neighbours differ by at most that; between those of a number read wrongly lies far more."""
SHOWN = 3


@dataclass(frozen=True)
class Trait:
    """What one part of a dialect says about the sample.

    Attributes:
        share: Of the packets, those that are as the dialect says.
        words: The same in words.
    """

    share: float
    words: str

    @property
    def fits(self) -> bool:
        """True when most packets are as the dialect says."""
        return self.share >= MOST


@dataclass(frozen=True)
class Fit:
    """How a dialect fits.

    Attributes:
        dialect: The dialect.
        traits: What its parts say, by name.
        closeness: 1 when everything is as it says; for ranking those that do not fit.
        evidence: Bytes of a packet that it says something about.
    """

    dialect: Dialect
    traits: dict[str, Trait]
    closeness: float
    evidence: int

    @property
    def fits(self) -> bool:
        """True when all parts do."""
        return all(trait.fits for trait in self.traits.values())

    @property
    def reasons(self) -> list[str]:
        """Why it fits, or why not."""
        return [trait.words for trait in self.traits.values() if trait.fits is self.fits and trait.words]

    def as_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        shares = {name: round(trait.share, 6) for name, trait in self.traits.items()}
        return {
            "dialect": self.dialect.name,
            "fits": self.fits,
            "shares": shares,
            "reasons": self.reasons,
        }


@dataclass(frozen=True)
class Guess:
    """The outcome.

    Attributes:
        frames: How many were looked at.
        packets: Of these, UDP packets over IPv4; only they tell anything.
        ranking: All dialects, the best first.
    """

    frames: int
    packets: int
    ranking: list[Fit] = field(default_factory=list)

    @property
    def proposed(self) -> list[Dialect]:
        """The best dialect, several where nothing tells them apart, or none where none fits."""
        best = [fit for fit in self.ranking if fit.fits]
        return [fit.dialect for fit in best if fit.evidence == best[0].evidence]


def guess(capture: Path, dialects: Sequence[Dialect]) -> Guess:
    """Compare a capture with dialects; CaptureFlaw when not a single frame can be read."""
    found = sample(capture, max(dialect.size for dialect in dialects))
    if not found.packets:
        return Guess(found.frames, 0)
    fits = [_fit(found, dialect) for dialect in dialects]
    fits.sort(key=lambda fit: (not fit.fits, -fit.evidence * fit.fits, -fit.closeness))
    return Guess(found.frames, found.packets, fits)


def _fit(found: Sample, dialect: Dialect) -> Fit:
    bytes_, likeness = _bytes(found, dialect)
    traits = {"size": _size(found, dialect), "structure": _structure(found, dialect), "bytes": bytes_}
    if dialect.number is not None and (numbers := _numbers(found, dialect.number)):
        traits["numbers"] = numbers
    shares = [likeness if name == "bytes" else trait.share for name, trait in traits.items()]
    width = dialect.number.width if "numbers" in traits and dialect.number else 0
    evidence = sum(byte is not None for byte in dialect.arriving) + width
    return Fit(dialect, traits, float(np.mean(shares)), evidence)


def _size(found: Sample, dialect: Dialect) -> Trait:
    share = float(np.mean(found.original == dialect.size))
    usual = dialect.size if share >= MOST else _usual(found.original)
    wanted = "" if usual == dialect.size else f", not {dialect.size}"
    return Trait(share, f"{_have(found.original == usual)} {usual:,} bytes{wanted}")


def _structure(found: Sample, dialect: Dialect) -> Trait:
    length = found.data[:, UDP_AT + 4].astype(int) << 8 | found.data[:, UDP_AT + 5]
    magic = np.frombuffer(dialect.magic.encode(), np.uint8)
    starts = (found.data[:, PAYLOAD_AT : PAYLOAD_AT + magic.size] == magic).all(axis=1)
    right = (length == dialect.udp_length) & starts
    payload = f" and a payload that starts with {dialect.magic}" if dialect.magic else ""
    return Trait(_share(right), f"{_have(right)} UDP length {dialect.udp_length}{payload}")


def _bytes(found: Sample, dialect: Dialect) -> tuple[Trait, float]:
    """How many packets have all the bytes that are fixed, and what share of those bytes is right."""
    fixed = [at for at, byte in enumerate(dialect.arriving) if byte is not None]
    values = np.array([dialect.arriving[at] for at in fixed], np.uint8)
    right = (found.data[:, fixed] == values) | (found.captured[:, None] <= fixed)
    share = _share(right.all(axis=1))
    wrong = [at for at, column in zip(fixed, right.T, strict=True) if _share(column) < MOST]
    words = _misfits(found, dialect, wrong) if wrong else _hits(dialect, share, len(fixed))
    return Trait(share, words), _share(right)


def _hits(dialect: Dialect, share: float, fixed: int) -> str:
    changed = [at for at, byte in enumerate(dialect.arriving) if byte != dialect.sent[at]]
    touched = "".join(
        f", {_named(run)} {_hex(dialect.arriving, run)} as fwd leaves it" for run in _runs(changed)
    )
    return f"the {fixed} bytes that it tells are right in {_percent(share)}{touched}"


def _misfits(found: Sample, dialect: Dialect, wrong: list[int]) -> str:
    runs = _runs(wrong)
    said = [_misfit(found, dialect, run) for run in runs[:SHOWN]]
    more = sum(len(run) for run in runs[SHOWN:])
    return "; ".join([*said, *([f"{count(more, 'byte')} more differ"] if more else [])])


def _misfit(found: Sample, dialect: Dialect, run: range) -> str:
    usual = tuple(_usual(found.data[:, at]) for at in range(run.stop))
    share = _share((found.data[:, run] == [usual[at] for at in run]).all(axis=1))
    often = "" if share >= MOST else f" in {_percent(share)}"
    said, expected = f"{_named(run)} {_hex(usual, run)}{often}", _hex(dialect.arriving, run)
    if expected == _hex(usual, run):
        return f"{said} only"
    said += f", not {expected}"
    if dialect.arriving[run.start : run.stop] == dialect.sent[run.start : run.stop]:
        return said
    untouched = all(usual[at] == dialect.sent[at] for at in run)
    return f"{said}: fwd did not touch it" if untouched else f"{said} as fwd would leave it"


def _runs(places: list[int]) -> list[range]:
    """Places in rising order as runs of neighbours."""
    starts = [at for at in places if at - 1 not in places]
    ends = [at + 1 for at in places if at + 1 not in places]
    return [range(start, end) for start, end in zip(starts, ends, strict=True)]


def _named(run: range) -> str:
    return f"byte {run.start} is" if len(run) == 1 else f"bytes {run.start}-{run.stop - 1} are"


def _hex(values: Sequence[int | None], run: range) -> str:
    return " ".join(ANY if (value := values[at]) is None else f"{value:02x}" for at in run)


def _numbers(found: Sample, number: Number) -> Trait | None:
    """Whether numbers are near those of the packets before; None where no two packets tell."""
    places = found.data[:, number.at : number.at + number.width]
    values = np.ascontiguousarray(places).view(number.dtype)[:, 0].astype(np.uint64)
    whole = found.captured >= number.places.stop
    both = found.follows[1:] & whole[1:] & whole[:-1]
    steps = np.diff(values).view(np.int64)[both]
    if not steps.size:
        return None
    near = _share(np.abs(steps) <= NEAR) if steps.any() else 0.0
    words = f"numbers ({number.width * 8} bits at {number.at}, {number.order}-endian) "
    if near >= MOST:
        return Trait(near, f"{words}rise by one in {_percent(_share(steps == 1))}")
    return Trait(near, f"{words}{'stay the same' if not steps.any() else 'jump about'}")


def _usual(column: NDArray[Any]) -> int:
    values, counts = np.unique(column, return_counts=True)
    return int(values[counts.argmax()])


def _share(mask: NDArray[Any]) -> float:
    return float(np.mean(mask))


def _percent(share: float) -> str:
    """Rounded down, so that only all is 100 %."""
    return f"{int(share * 1000) / 10:g} %"


def _have(mask: NDArray[Any]) -> str:
    """Such as `all 10,000 packets have`."""
    if mask.all():
        return all_have(mask.size, "packet")
    return f"{_percent(_share(mask))} of the packets have" if mask.any() else "no packet has"
