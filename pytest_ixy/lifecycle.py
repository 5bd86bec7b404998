"""The cases of scenario `lifecycle`: how each trial goes, and how its bundle is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ixy.beginning import judge_first, judge_unbroken
from pytest_ixy.bundle import Bundle, CaptureRecord, NodeRecord
from pytest_ixy.cases import AGAIN, DUPLEX, IDLE, KILLED, LATE, LINK, RESTART
from pytest_ixy.cast import REFERENCE, TARGET
from pytest_ixy.course import USUAL, Course, Extra, Moment, Relink, Restart
from pytest_ixy.errors import LabError
from pytest_ixy.recovery import judge_recovery, too_short
from pytest_ixy.rules import Evidence, Finding, judge, rules
from pytest_ixy.rules.words import one_line
from pytest_ixy.topology import FWD, PCAP, PKTGEN

if TYPE_CHECKING:
    from pytest_ixy.bundle import Manifest
    from pytest_ixy.cast import Cast

ABOUT = {RESTART: FWD, KILLED: FWD, LATE: PCAP, DUPLEX: FWD, LINK: FWD}
"""Whose program a case is about: without one of the target there is nothing to try."""
PCAP_BACK, PKTGEN_BACK = "pcap-back", "pktgen-back"
RATE, SPARE = 10_000, 60_000
"""Packets a second of the reference pktgen, and for how many of them a case may take no notice."""
EARLY = 5000
"""Packets after which something is done in mid-stream, or a fifth of all."""
TRIES = (1, 4, 16)
"""So many times the packets are tried where there were too few to show anything."""
ELSEWHERE = frozenset({"count", "sent", "sequence-bounds", "loss"})
"""Rules that expect all packets of a trial, from the first on."""

Runs = Callable[[int, "Cast | None", Course], Bundle]
"""Runs a trial of so many packets with those players."""


def course(case: str, packets: int, idle: int) -> Course:
    """How the trial of a case goes; `idle` is how many seconds `idle` waits."""
    at = Moment(packets=max(1, min(packets // 5, EARLY)))
    stream = Course(name=case, spare=SPARE, rate=RATE)
    known = {
        RESTART: replace(stream, acts=(Restart(FWD, at),)),
        KILLED: replace(stream, acts=(Restart(FWD, at, killed=True),)),
        LINK: replace(stream, acts=(Relink(FWD, at),)),
        LATE: replace(stream, order=(FWD, PKTGEN, PCAP), pauses={PCAP: 1.0}),
        IDLE: Course(name=case, pauses={PKTGEN: float(idle)}),
        DUPLEX: _both_ways(case),
    }
    return known.get(case, replace(USUAL, name=case))


def _both_ways(case: str) -> Course:
    extras = (Extra(PCAP_BACK, PCAP, PKTGEN), Extra(PKTGEN_BACK, PKTGEN, PCAP))
    order = (PCAP, PCAP_BACK, FWD, PKTGEN_BACK, PKTGEN)
    return Course(name=case, order=order, extras=extras, rate=RATE)


def players(case: str, cast: Cast) -> Cast | None:
    """Who plays, None for whoever usually does: only the kernel can send and capture on one NIC."""
    return {PKTGEN: REFERENCE, FWD: cast[FWD], PCAP: REFERENCE} if case == DUPLEX else None


def pointless(case: str, cast: Cast) -> str:
    """Why there is nothing to try; empty when there is something."""
    role = ABOUT.get(case, "")
    return f"{role} is not played by a program of the target" if role and cast[role] != TARGET else ""


def attempt(case: str, packets: int, idle: int, who: Cast | None, run: Runs) -> Bundle:
    """The bundle by which a case is to be judged; more than one trial is run where that takes more.

    Raises:
        LabError: the machines are too fast, or the lab could not tell.
    """
    if case == AGAIN:
        first = run(packets, who, course(case, packets, idle))
        return first if judged(first).failed else run(packets, who, course(case, packets, idle))
    for times in TRIES:
        bundle = run(packets * times, who, course(case, packets * times, idle))
        if case not in {RESTART, KILLED, LINK} or not too_short(Evidence(bundle)):
            return bundle
    raise LabError(
        f"pcap had its {bundle.manifest.packets:,} packets before anything could be shown.",
        hint="give more: --ixy-packets=N",
    )


def judged(bundle: Bundle) -> Finding:
    """What a bundle of this scenario shows: what its case is about, and every rule that applies there."""
    case = bundle.manifest.course.name if bundle.manifest.course else ""
    found = _findings(case, bundle)
    failing = [finding for finding in found if finding.failed]
    shown = failing or found[:1]
    title = shown[0].title + (f" (and {len(failing) - 1} more)" if len(failing) > 1 else "")
    message = "\n\n".join(f"{one.rule}: {one.title}\n{one.message}".rstrip() for one in shown)
    if failing:
        return Finding(case, "failed", title, found[0].numbers, message)
    return replace(found[0], rule=case)


def _findings(case: str, bundle: Bundle) -> list[Finding]:
    here = _as_usual(case, bundle)
    evidence = Evidence(here)
    if case in {RESTART, KILLED, LINK}:
        return [judge_recovery(evidence), *_of_a_part(here)]
    if case == LATE:
        return [judge_unbroken(evidence), *_of_a_part(here)]
    if case == DUPLEX:
        return _both([*judge(here)], _back(bundle))
    return [judge_first(evidence), *judge(here)]


def _of_a_part(bundle: Bundle) -> list[Finding]:
    """All rules on a capture that lacks a part of the stream: its numbers may be as high as they like."""
    observed = Evidence(bundle).observed
    reach = max(bundle.manifest.packets or 0, (observed.highest or 0) + 1)
    wide = Bundle(bundle.path, bundle.manifest.model_copy(update={"packets": reach}), observed)
    return [
        *judge(bundle, ["count", "sent"]),
        *judge(wide, [name for name in rules() if name not in ELSEWHERE]),
    ]


def _as_usual(case: str, bundle: Bundle) -> Bundle:
    """The bundle as rules know such: without extras, and without who was killed on purpose."""
    roles = {name: run for name, run in bundle.manifest.roles.items() if name not in {PCAP_BACK, PKTGEN_BACK}}
    again = f"{FWD}-2"
    if case == KILLED and {FWD, again} <= roles.keys() and roles[FWD].killed:
        roles[FWD] = roles.pop(again)
    return Bundle(bundle.path, bundle.manifest.model_copy(update={"roles": roles}), bundle.observed)


def _both(there: list[Finding], back: list[Finding]) -> list[Finding]:
    """All of them, of which the first tells of both ways."""
    first = replace(there[0], title=f"{there[0].title}; on the way back {back[0].title}")
    return [first if not there[0].failed else there[0], *there[1:], *back]


def _back(bundle: Bundle) -> list[Finding]:
    """The rules on the way back."""
    manifest = bundle.manifest
    here = Bundle(bundle.path, manifest.model_copy(update=_turned(manifest)))
    return [replace(finding, rule=f"{finding.rule}, on the way back") for finding in judge(here)]


def _turned(manifest: Manifest) -> Mapping[str, object]:
    """What is at the other end, under the names that rules know; what was counted over time has others."""
    names = {PCAP: PCAP_BACK, PKTGEN: PKTGEN_BACK, FWD: FWD}
    roles = {role: manifest.roles[name] for role, name in names.items() if name in manifest.roles}
    nodes = tuple(_renamed(node) for node in manifest.nodes)
    back = (manifest.course and manifest.course.back) or CaptureRecord(file=None)
    return {"roles": roles, "nodes": nodes, "capture": back, "series": {}}


def _renamed(node: NodeRecord) -> NodeRecord:
    """Under its other name, without its state: that was judged under its own."""
    name = {PCAP: PKTGEN, PKTGEN: PCAP}.get(node.name, one_line(node.name))
    return NodeRecord(name=name, nics=node.nics, address=node.address)
