"""Did the trial prove anything: `complete` and `sent`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import ALONE, Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule
from pytest_ixy.rules.words import count, one_line
from pytest_ixy.topology import PKTGEN

if TYPE_CHECKING:
    from pytest_ixy.rules.evidence import Evidence


def judge_complete(evidence: Evidence) -> Finding:
    """See `COMPLETE`."""
    observed = evidence.observed
    problems = _problems(evidence)
    numbers = {"frames": observed.frames, "packets": observed.udp}
    if evidence.expected is not None:
        numbers["expected"] = evidence.expected
    if not problems:
        title = f"the capture is whole: {count(observed.frames, 'frame')} in {observed.seconds:.3f} s"
        return passed("complete", title, numbers)
    title = problems[0] if len(problems) == 1 else f"{problems[0]} (and more)"
    return failed("complete", title, numbers, [*problems, *evidence.counters])


def _problems(evidence: Evidence) -> list[str]:
    """What keeps the capture from being complete, causes first."""
    observed, problems = evidence.observed, []
    if evidence.manifest.capture.timed_out:
        problems.append(_timeout(evidence))
    if observed.flaw is not None:
        problems.append(one_line(str(observed.flaw)))
    elif not observed.frames:
        problems.append("the capture holds no frame")
    if observed.shortened:
        problems.append(f"the snap length cut {count(observed.shortened, 'frame')} of {observed.frames:,}")
    if observed.contradictory:
        frames = count(observed.contradictory, "frame")
        problems.append(
            f"{frames} of {observed.frames:,} with more bytes captured than there were on the wire"
        )
    return problems


def _timeout(evidence: Evidence) -> str:
    manifest = evidence.manifest
    had_come = f"{evidence.observed.udp:,} of {count(evidence.expected or 0, 'packet')} had come"
    if PKTGEN not in manifest.roles:
        return f"pcap waited in vain, because pktgen was never started: {had_come}"
    return f"pcap had not ended {manifest.capture.seconds:.1f} s after pktgen's start: {had_come}"


def judge_sent(evidence: Evidence) -> Finding:
    """See `SENT`."""
    expected, sent = evidence.expected, _sent(evidence)
    if evidence.alone or expected is None:
        return skipped("sent", ALONE)
    if sent is None:
        return _sent_by_capture(evidence, expected)
    numbers = {"sent": sent, "expected": expected}
    if sent >= expected:
        title = f"pktgen sent {count(sent, 'frame')} (counted by its network)"
        return passed("sent", title, numbers)
    title = f"pktgen sent {sent:,} of {count(expected, 'packet')} (counted by its network)"
    return failed("sent", title, numbers, evidence.counters)


def _sent(evidence: Evidence) -> int | None:
    """Frames that came out of pktgen's node; None when nobody counted."""
    nics = [nic for node in evidence.manifest.nodes if node.name == "pktgen" for nic in node.nics]
    counts = [nic.sent for nic in nics if nic.sent is not None]
    return sum(counts) if counts else None


def _sent_by_capture(evidence: Evidence, expected: int) -> Finding:
    if evidence.unreadable:
        return skipped("sent", f"no counter of pktgen's network, and {evidence.unreadable}")
    captured = evidence.observed.numbered
    numbers = {"captured": captured, "expected": expected}
    if captured:
        title = f"pktgen sent: {count(captured, 'packet')} of its kind came through (its NIC has no counter)"
        return passed("sent", title, numbers)
    title = "nothing shows that pktgen sent: no packet of its kind came through, and its NIC has no counter"
    return failed("sent", title, numbers)


COMPLETE = Rule(
    "complete",
    "pcap ended before its deadline and left a well-formed pcap or pcapng of Ethernet frames that is neither "
    "empty nor cut, neither the file nor any frame by a snap length. Otherwise the capture proves nothing.",
    judge_complete,
)

SENT = Rule(
    "sent",
    "pktgen is shown to have sent: the network counted at least N frames that came out of its NIC. Where "
    "nobody counts there, at least one packet with ixy's structure was captured.",
    judge_sent,
)
