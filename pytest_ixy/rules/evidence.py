"""What the rules judge: a bundle, and what one pass over its capture shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_ixy.rules.words import count, decoded, hexdump, one_line

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_ixy.bundle import Bundle, Manifest, NodeRecord
    from pytest_ixy.dialect import Dialect
    from pytest_ixy.rules.finding import Number
    from pytest_ixy.rules.kernel.bearers import Bearer
    from pytest_ixy.rules.kernel.numbered import Glimpse, Numbered
    from pytest_ixy.rules.kernel.observed import Observed
    from pytest_ixy.rules.kernel.seen import Seen
    from pytest_ixy.way import Way

Found = TypeVar("Found")


@dataclass(frozen=True)
class Packet:
    """One frame of the capture, for showing.

    Attributes:
        frame: 1-based number.
        seconds: Time since the first frame.
        data: The captured bytes.
        dialect: What it should look like.
    """

    frame: int
    seconds: float
    data: bytes
    dialect: Dialect

    @property
    def sequence(self) -> int | None:
        """Its sequence number, None when it has none."""
        from pytest_ixy.rules.kernel.dissect import dissect_one

        found = dissect_one(self.data, self.dialect)
        return int(found.sequence[0]) if found.numbered[0] else None

    def shown(self, marked: Collection[int] = ()) -> list[str]:
        """The frame decoded, and its bytes with those of interest marked."""
        head = f"frame {self.frame:,}, {self.seconds:.6f} s after the first, {len(self.data):,} bytes:"
        return [head, *(f"  {line}" for line in [*decoded(self.data), *hexdump(self.data, marked)])]


class Evidence:
    """A bundle and, once somebody asks for it, what its capture shows."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._found: dict[Callable[[Evidence], Any], Any] = {}

    @property
    def manifest(self) -> Manifest:
        """What is known about the trial."""
        return self.bundle.manifest

    @property
    def expected(self) -> int | None:
        """N, the number of packets asked for; None where a capture alone is judged and nobody said."""
        return self.manifest.packets

    @property
    def alone(self) -> bool:
        """True when there is nothing but a capture: no counters, no roles."""
        return self.bundle.alone

    @property
    def provider(self) -> str:
        """Name of the provider; empty where a capture alone is judged."""
        return self.manifest.provider.name

    @property
    def declared(self) -> bool:
        """True when the target, or whoever judges, has said which dialect it is."""
        return self.manifest.dialect is not None

    @cached_property
    def dialect(self) -> Dialect:
        """What packets should look like: the declared dialect, or ixy-ci's."""
        from pytest_ixy.dialect import shipped

        return self.manifest.dialect or shipped()

    def terms(self, rule: str) -> Mapping[str, Number]:
        """What was set for that rule, by option; `Option.of` knows the defaults."""
        return self.manifest.rules.get(rule, {})

    @cached_property
    def observed(self) -> Observed:
        """What one pass over the capture shows; the pass is made once, or was while the capture came."""
        from pytest_ixy.rules.kernel.observed import Observed, observe

        if isinstance(self.bundle.observed, Observed):
            return self.bundle.observed
        return observe(self.bundle.capture, self.dialect)

    @property
    def unreadable(self) -> str:
        """Why not a single frame could be looked for in the capture; empty when it could."""
        from pytest_ixy.capture import Flaw

        flaw = self.observed.flaw
        if self.observed.frames or flaw is None or flaw.kind is Flaw.EMPTY:
            return ""
        return one_line(str(flaw))

    @property
    def nothing(self) -> str:
        """Why there is no frame to judge; empty when there is one."""
        return self.unreadable or ("" if self.observed.frames else "nothing was captured")

    @property
    def no_udp(self) -> str:
        """Why there is no UDP packet to judge; empty when there is one."""
        if self.nothing or self.observed.udp:
            return self.nothing
        return f"{count(self.observed.frames, 'frame')} captured, but no UDP packet"

    @property
    def unnumbered(self) -> str:
        """Why nothing can be said of sequence numbers; empty when something can."""
        number, expected = self.dialect.number, self.expected or self.observed.udp
        if cause := self.nothing:
            return cause
        if number is None:
            return f"packets of the dialect {self.dialect.name} have no sequence number"
        if number.first + expected > 256**number.width:
            return f"numbers of {number.width * 8} bits are not enough for {count(expected, 'packet')}"
        return "" if self.observed.numbered else "no packet with a sequence number was captured"

    @property
    def caveats(self) -> list[str]:
        """Lines for messages of rules that judged a part of a capture only."""
        flaw = self.observed.flaw
        return [f"note: only what was readable is judged; {one_line(str(flaw))}"] if flaw else []

    @property
    def counters(self) -> list[str]:
        """Lines that tell what the networks saw, as far as that is known; in order of the traffic."""
        order = {"pktgen": 0, "fwd": 1, "pcap": 2}
        nodes = sorted(self.manifest.nodes, key=lambda node: order.get(node.name, len(order)))
        lines = [line for node in nodes for line in _nic_lines(node)]
        return ["seen from the networks:", *lines, *self._way_lines()] if lines else []

    @cached_property
    def way(self) -> Way | None:
        """How many frames passed each place, and when; None where nobody counted."""
        from pytest_ixy.way import Way

        return None if self.alone else Way.of(self.bundle)

    def _way_lines(self) -> list[str]:
        """How far frames came while all roles ran, and where most of them were lost if pcap starved."""
        from pytest_ixy.rules.placement import way_line, where_it_ends

        if self.way is None or self.unreadable:
            return []
        frames, pcap = self.observed.frames, self.manifest.roles.get("pcap")
        starved = pcap is not None and not pcap.ended_itself
        ends = where_it_ends(self.way, frames, self.expected or 0) if starved else []
        return [f"  in all: {way_line(self.way, frames)}", *(f"  {line}" for line in ends)]

    def packets(self, numbers: Iterable[int]) -> tuple[Packet, ...]:
        """Frames by their 1-based numbers, in that order, read in a second pass; few, please."""
        import numpy as np

        from pytest_ixy.capture import CaptureFlaw, blocks

        wanted, found, begin = set(numbers := tuple(numbers)), dict[int, Packet](), None
        path = self.bundle.capture
        try:
            for block in blocks(path) if path and wanted else ():
                begin = block.ends[0] if begin is None else begin
                for number in [one for one in wanted if block.first <= one < block.first + block.count]:
                    row = number - block.first
                    time = int(block.look(np.array([row])).time[0])
                    found[number] = Packet(number, (time - begin) / 1e9, block.frame(row), self.dialect)
                if len(found) == len(wanted):
                    break
        except CaptureFlaw:
            pass  # the first pass has told
        return tuple(found[number] for number in numbers if number in found)

    def numbered(self) -> Iterator[Numbered]:
        """Sequence number, frame number and time of each numbered packet, in a pass of its own."""
        from pytest_ixy.rules.kernel.numbered import numbered

        return numbered(self.bundle.capture, self.dialect)

    def glimpses(self) -> Iterator[Glimpse]:
        """The same for those who want frame number and time of a few packets only; much faster."""
        from pytest_ixy.rules.kernel.numbered import glimpses

        return glimpses(self.bundle.capture, self.dialect)

    def bearers(self, numbers: Collection[int]) -> dict[int, Bearer]:
        """The first packet with each of those sequence numbers, found in a pass of its own; few, please."""
        from pytest_ixy.rules.kernel.bearers import bearers

        return bearers(self.bundle.capture, self.dialect, numbers)

    def once(self, find: Callable[[Evidence], Found]) -> Found:
        """What that finds, found once however many rules ask."""
        if find not in self._found:
            self._found[find] = find(self)
        found: Found = self._found[find]
        return found

    def seen(self, low: int, high: int) -> Seen | None:
        """Which sequence numbers between those two came; None where they are spread too far to be kept."""
        from pytest_ixy.rules.kernel.seen import within

        seen = self.observed.seen
        return within(self.numbered(), low, high) if seen.turned else seen

    def listed(self, packets: Iterable[Packet], total: int) -> list[str]:
        """One line for each of the first offending packets, and how many more there are."""
        lines = []
        for packet in packets:
            number = "no sequence number" if packet.sequence is None else f"#{packet.sequence:,}"
            lines.append(f"  frame {packet.frame:,}, {packet.seconds:.6f} s, {number}")
        return [*lines, f"  … {total - len(lines):,} more"] if total > len(lines) else lines


def _nic_lines(node: NodeRecord) -> list[str]:
    lines = []
    for nic in node.nics:
        counts = (("sent", nic.sent), ("received", nic.received), ("dropped", nic.dropped))
        known = ", ".join(f"{name} {value:,}" for name, value in counts if value is not None)
        if known:
            lines.append(f"  {node.name} on {nic.network}: {known}")
    return lines
