"""The slow judge's rules about sequence numbers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from slow_trial import SKIPPED, Trial, Verdict, verdict


def sequence_bounds(trial: Trial) -> Verdict:
    numbers = [number for _, number in trial.numbered]
    if not numbers:
        return SKIPPED
    first = trial.dialect.first
    highest, low, high = max(numbers), first + trial.expected - 1, first + 2 * trial.expected
    return verdict(not low <= highest <= high, {"highest": highest, "lower_bound": low, "upper_bound": high})


def duplicates(trial: Trial) -> Verdict:
    if not trial.numbered:
        return SKIPPED
    arrivals: Counter[int] = Counter()
    again = []
    for place, number in trial.numbered:
        arrivals[number] += 1
        if arrivals[number] > 1:
            again.append(place)
    numbers = {
        "duplicates": len(again),
        "packets": len(trial.numbered),
        "replicated_numbers": sum(count > 1 for count in arrivals.values()),
        "fraction": len(again) / len(arrivals),
    }
    return verdict(again, numbers, again)


def fresh(trial: Trial) -> Verdict:
    """Restarts are falls by more than the window from which nobody came back to where they began."""
    if not trial.numbered:
        return SKIPPED
    numbers = [number for _, number in trial.numbered]
    window = max(1, min(4096, trial.expected // 4))
    jumps: list[int] = []
    for place in range(1, len(numbers)):
        step = numbers[place] - numbers[place - 1]
        if abs(step) <= window:
            continue
        back = [
            index
            for index, jump in enumerate(jumps)
            if (numbers[jump] - numbers[jump - 1]) * step < 0
            and abs(numbers[place] - numbers[jump - 1]) <= window
        ]
        jumps = jumps[: back[-1]] if back else [*jumps, place]
    falls = [
        jump
        for jump in jumps
        if numbers[jump] < numbers[jump - 1] and len(numbers) - jump >= min(window, jump)
    ]
    stale = falls[-1] if falls else 0
    return verdict(falls, {"restarts": len(falls), "stale": stale, "packets": len(numbers)})


def order(trial: Trial) -> Verdict:
    """RFC 4737, with only the first arrival of each number; RFC 5236's displacements."""
    if not trial.numbered:
        return SKIPPED
    bound = trial.dialect.first + 2 * trial.expected
    kept = [number for _, number in trial.numbered if number <= bound]
    arrived = list(dict.fromkeys(kept))
    if not arrived:
        return SKIPPED
    frames = {number: place for place, number in reversed(trial.numbered)}
    extents, late = [], []
    highest = -1
    for place, number in enumerate(arrived):
        if number < highest:
            extents.append(place - next(early for early in range(place) if arrived[early] > number))
            late.append(frames[number])
        highest = max(highest, number)
    rank = {number: place for place, number in enumerate(sorted(arrived))}
    moved = [place - rank[number] for place, number in enumerate(arrived)]
    total = len(arrived)
    numbers = {
        "reordered": len(extents),
        "ratio": len(extents) / total,
        "max_extent": max(extents, default=0),
        "mean_extent": sum(extents) / len(extents) if extents else 0.0,
        "packets": total,
        "density_early": sum(move < 0 for move in moved) / total,
        "density_late": sum(move > 0 for move in moved) / total,
        "density_beyond": sum(abs(move) > 8 for move in moved) / total,
        "left_out": len(trial.numbered) - len(kept),
    }
    return verdict(extents, numbers, late)


def loss(trial: Trial) -> Verdict:
    """RFC 3357's loss periods are bursts; a loss is noticeable when the one before is at most 16 away."""
    first, bound = trial.dialect.first, trial.dialect.first + 2 * trial.expected
    came = {number for _, number in trial.numbered if first <= number <= bound}
    if not came:
        return SKIPPED
    gaps = [
        (before + 1, after) for before, after in pairwise([first - 1, *sorted(came)]) if after > before + 1
    ]
    lengths = [after - start for start, after in gaps]
    lost, span = sum(lengths), max(came) - first + 1
    inside = sum(length - 1 for length in lengths)  # one away from the one before
    near = inside + sum(start - (after - 1) <= 16 for (_, after), (start, _) in pairwise(gaps))
    numbers = {
        "lost": lost,
        "ratio": lost / span,
        "bursts": len(gaps),
        "longest": max(lengths, default=0),
        "mean_burst": lost / len(gaps) if gaps else 0.0,
        "noticeable": near / lost if lost else 0.0,
    }
    return verdict(lost / span > 0.5 or telling([start for start, _ in gaps], lengths), numbers)


def telling(starts: list[int], lengths: list[int]) -> bool:
    """The same distance, the same length, or the same remainder again and again."""
    bursts = len(starts)
    steps = Counter(after - before for before, after in pairwise(starts))
    if bursts >= 16 and any(2 <= step < 65_536 and 10 * n >= 9 * (bursts - 1) for step, n in steps.items()):
        return True
    if bursts >= 8 and any(
        4 <= length < 65_536 and 10 * n >= 9 * bursts for length, n in Counter(lengths).items()
    ):
        return True
    return any(
        bursts >= max(8, 128 / k) and 10 * max(Counter(start % k for start in starts).values()) >= 9 * bursts
        for k in (2**power for power in range(1, 13))
        if starts
    )
