"""Try every broken variant, or some, in real machines, and say which were found.

    python tests/broken/run.py                        all, one after the other
    python tests/broken/run.py --only fwd-no-touch    named ones
    python tests/broken/run.py --sound 50 --only ''   the sound target, which must be green each time
    python tests/broken/run.py --continue             those that are not in the results yet
    python tests/broken/run.py --replay               judge the captures once more, without machines

Results, captures and output stay in a folder (--results); its results.json is written after each trial.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

import trials
from catalogue import variants
from verdicts import Comparison, Trial, compare, line, rates
from workshop import Workshop

Results = dict[str, trials.Result]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these variants ('' for none)")
    parser.add_argument("--sound", type=int, default=0, metavar="N", help="run the sound target N times, too")
    parser.add_argument("--continue", dest="resume", action="store_true", help="leave out what has a result")
    parser.add_argument("--replay", action="store_true", help="judge the captures of earlier trials again")
    parser.add_argument("--results", type=Path, default=Path("broken-results"), metavar="FOLDER")
    options = parser.parse_args(arguments)
    if wrong := {*(options.only or ())} - {*variants(), ""}:
        parser.error(f"there is no variant {', '.join(sorted(wrong))}")
    return options


def planned(options: argparse.Namespace) -> Iterator[Trial]:
    """The sound target first: when that is red, the rest says nothing."""
    for number in range(1, options.sound + 1):
        yield Trial(None, "legacy" if number % 2 else "modern", number)
    for variant in variants().values():
        if options.only is None or variant.name in options.only:
            yield from (Trial(variant, mode) for mode in variant.modes)


def _load(path: Path) -> Results:
    """The results so far; what the lab could not tell is none."""
    data = json.loads(path.read_text("utf-8")) if path.exists() else {}
    found = {name: trials.Result(**fields) for name, fields in data.items()}
    return {name: result for name, result in found.items() if "error" not in result.told.values()}


def _save(path: Path, results: Results) -> None:
    draft = path.with_suffix(".part")
    data = {name: asdict(result) for name, result in sorted(results.items())}
    draft.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def _result(trial: Trial, options: argparse.Namespace, workshop: Workshop, results: Results) -> trials.Result:
    """From the capture that is there, or from machines, in an empty folder of its own."""
    folder = options.results / trial.name
    if options.replay:
        return trials.again(folder, results[trial.name])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target = workshop.target(workshop.folder / f"target-{trial.name}", trial.mode, trial.variant)
    return trials.in_machines(folder, target, trial.packets)


def _all(todo: list[Trial], options: argparse.Namespace, results: Results) -> list[Comparison]:
    """Try or replay one after the other; each result is saved and told at once."""
    found = []
    with tempfile.TemporaryDirectory(prefix="ixy-broken-") as scratch:
        workshop = Workshop(Path(scratch))
        for trial in todo:
            if not (options.resume and trial.name in results):
                results[trial.name] = _result(trial, options, workshop, results)
                _save(options.results / "results.json", results)
            found.append(compare(trial, results[trial.name]))
            print(line(found[-1]), flush=True)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Status 1 when anything was not as the catalogue says."""
    options = _options(arguments)
    options.results = options.results.resolve()
    options.results.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT: a shell's background job ignores it
        signal.signal(number, signal.default_int_handler)
    results = _load(options.results / "results.json")
    todo = [one for one in planned(options) if not options.replay or one.name in results]
    try:
        found = _all(todo, options, results)
    except KeyboardInterrupt:
        print("interrupted; --continue goes on from here", file=sys.stderr)
        return 130
    print("", *rates(found), sep="\n")
    return int(any(one.verdict not in {"detected", "hidden", "not asked"} for one in found))


if __name__ == "__main__":
    sys.exit(main())
