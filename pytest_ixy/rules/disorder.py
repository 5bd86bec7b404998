"""What packets whose numbers do not rise tell `fresh` and `order`: one pass over the capture for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ixy.rules.rule import Option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.kernel.numbered import Glimpse
    from pytest_ixy.rules.kernel.reordering import Reordering
    from pytest_ixy.rules.kernel.restarts import Jump, Restarts

WINDOW = Option(
    "window",
    4096,
    "A number that is lower than the one before it by more than this begins anew, unless numbers come back; "
    "never more than a quarter of N.",
    minimum=1,
)


@dataclass(frozen=True, eq=False)
class Disorder:
    """Where numbering begins anew, None when that cannot be told; and what is out of order."""

    restarts: list[Jump] | None
    reordering: Reordering


def window(evidence: Evidence) -> int:
    """By how much a number may fall before it begins anew."""
    expected = evidence.expected or evidence.observed.udp
    return min(int(WINDOW.of(evidence.terms("fresh"))), max(1, expected // 4))


def bound(evidence: Evidence) -> int:
    """Up to which number packets have a place in the order."""
    return evidence.dialect.first + 2 * (evidence.expected or evidence.observed.udp)


def disorder(evidence: Evidence) -> Disorder:
    """Make the pass; `Evidence.once` keeps what it finds."""
    from pytest_ixy.rules.kernel.reordering import reordering
    from pytest_ixy.rules.kernel.restarts import Restarts

    observed, restarts = evidence.observed, Restarts(window(evidence))
    highest = min(bound(evidence), observed.highest or 0)
    fallen = observed.deepest_fall > window(evidence)
    glimpses = _shown(evidence.glimpses(), restarts) if fallen else evidence.glimpses()
    found = reordering(glimpses, evidence.seen, highest, repeated=observed.repeated)
    return Disorder(restarts.found(), found)


def _shown(glimpses: Iterable[Glimpse], restarts: Restarts) -> Iterator[Glimpse]:
    """Show each to one who watches, and hand it on."""
    for glimpse in glimpses:
        restarts.add(glimpse)
        yield glimpse
