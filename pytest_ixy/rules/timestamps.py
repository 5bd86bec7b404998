"""When frames were captured: `timestamps`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pytest_ixy.rules.finding import Finding, failed, passed, skipped
from pytest_ixy.rules.rule import Rule, Severity
from pytest_ixy.rules.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_ixy.rules.evidence import Evidence
    from pytest_ixy.rules.kernel.clock import Clock, Mistimed

SECOND = 10**9
NEARLY = SECOND - SECOND // 10
START = datetime(1970, 1, 1, tzinfo=UTC)


def judge_timestamps(evidence: Evidence) -> Finding:
    """See `TIMESTAMPS`."""
    clock = evidence.observed.clock
    if cause := evidence.nothing or ("" if clock.frames else "the frames of this capture have no times"):
        return skipped("timestamps", cause)
    numbers = {
        "backwards": clock.backwards,
        "furthest_back": clock.furthest / SECOND,
        "out_of_range": clock.out_of_range,
        "unset": clock.unset,
        "early": clock.early,
        "frames": clock.frames,
    }
    if problems := _problems(clock):
        title = f"among the times of {count(clock.frames, 'frame')}: {'; '.join(problems)}"
        return failed("timestamps", title, numbers, [*problems, *_lines(evidence)])
    title = f"the times of {count(clock.frames, 'frame')} never step back"
    return passed("timestamps", title, numbers)


def _problems(clock: Clock) -> list[str]:
    furthest = f"by up to {_seconds(clock.furthest)}"
    possible = {
        f"{clock.backwards:,} earlier than the one before, {furthest}": clock.backwards,
        f"{clock.out_of_range:,} with a fraction of a whole second or more": clock.out_of_range,
        f"all of them 0 ({clock.frames:,})": clock.all_unset,
        f"{clock.early:,} before the year 2000, {clock.unset:,} of them 0": clock.early
        and not clock.all_unset,
    }
    return [problem for problem, there in possible.items() if there]


def _lines(evidence: Evidence) -> list[str]:
    from pytest_ixy.rules.kernel.clock import mistimed

    clock = evidence.observed.clock
    first = mistimed(evidence.bundle.capture)
    return [*_causes(clock), *(["first:", *_listed(evidence, first)] if first else []), *evidence.caveats]


def _listed(evidence: Evidence, found: Iterable[Mistimed]) -> list[str]:
    packets = {packet.frame: packet for packet in evidence.packets(one.frame for one in found)}
    lines = []
    for one in found:
        number = packets[one.frame].sequence if one.frame in packets else None
        written = "" if number is None else f", #{number:,}"
        lines.append(f"  frame {one.frame:,}, {_date(one.time)}{written}: {_wrong(one)}")
    return lines


def _wrong(one: Mistimed) -> str:
    words = [f"{_seconds(one.back)} earlier than the one before"] if one.back else []
    words += ["its fraction is a whole second or more"] if one.wild else []
    words += ["before the year 2000"] if one.early else []
    return ", ".join(words)


def _seconds(nanoseconds: int) -> str:
    """Without an exponent, and without zeros at the end."""
    return f"{nanoseconds // SECOND:,}.{nanoseconds % SECOND:09d}".rstrip("0").rstrip(".") + " s"


def _date(time: int) -> str:
    """A time in words, to the nanosecond."""
    seconds, rest = divmod(time, SECOND)
    return f"{START + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{rest:09d}"


def _causes(clock: Clock) -> list[str]:
    causes = {
        "whoever wrote the capture had no clock": clock.all_unset,
        "the clock was set while frames were captured": 0 < clock.early < clock.frames,
        "frames were stamped by a clock that counts from the start of the machine": (
            clock.early == clock.frames > clock.unset
        ),
        "the file's header tells another unit than its records have": 2 * clock.out_of_range > clock.frames,
        "seconds and their fraction were read one after the other, and a second began in between": (
            NEARLY < clock.furthest <= SECOND
        ),
    }
    return [f"cause? {cause}" for cause, likely in causes.items() if likely]


TIMESTAMPS = Rule(
    "timestamps",
    "No frame has an earlier time than the one before (equal times are fine), no fraction of a second is a "
    "second or more, and no time lies before 2000-01-01, as those of a clock that was never set do. Packets "
    "without a time, which pcapng knows, are left out.",
    judge_timestamps,
    Severity("report"),
)
