"""The job summary of GitHub Actions: Markdown, appended to the file that the runner names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.report import labs, rates
from pytest_ixy.report.command import replay, rerun
from pytest_ixy.report.fault import LONGEST, fault
from pytest_ixy.report.text import duration, markdown, number, preformatted

if TYPE_CHECKING:
    from pytest_ixy.report.subjects import Row, Subject, Trial

VARIABLE = "GITHUB_STEP_SUMMARY"
ROWS, MESSAGES = 200, 20
BROKEN = ("failed", "inconclusive", "reported")
SIGN = {
    "passed": "\N{WHITE HEAVY CHECK MARK}",
    "failed": "\N{CROSS MARK}",
    "inconclusive": "\N{BLACK QUESTION MARK ORNAMENT}",
    "error": "\N{COLLISION SYMBOL}",
    "reported": "\N{INFORMATION SOURCE}",
    "xpassed": "\N{CROSS MARK}",
}
OTHER = "\N{WHITE CIRCLE}"


def wanted() -> bool:
    """True when the runner asks for a summary."""
    return bool(os.environ.get(VARIABLE))


def append(subjects: list[tuple[Subject, list[Trial]]]) -> None:
    """Append all targets' sections to the summary; OSError when it cannot be written."""
    whole = "".join(section(subject, trials) for subject, trials in subjects)
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as stream:
        stream.write(whole)


def section(subject: Subject, trials: list[Trial]) -> str:
    """One target: its verdict, its trials, what each test said."""
    sign = SIGN.get(subject.verdict, OTHER)
    parts = [f"## {sign} {markdown(subject.label)}: {subject.verdict}", markdown(subject.tally)]
    parts += [f"**fault: {markdown(words, LONGEST)}**" for words in [fault(subject)] if words]
    parts += [_trial(trial) for trial in trials]
    rows = subject.tests
    parts.append("\n".join(["| | rule or test | finding |", "|---|---|---|", *map(_row, rows[:ROWS])]))
    if len(rows) > ROWS:
        parts.append(f"{len(rows) - ROWS} more are in the report.")
    parts += [_message(row) for row in rows if row.outcome in BROKEN and row.finding][:MESSAGES]
    return "\n\n".join(parts) + "\n\n"


def _row(row: Row) -> str:
    words = " | ".join(map(markdown, (row.outcome, row.name, row.title)))
    return f"| {SIGN.get(row.outcome, OTHER)} {words} |"


def _message(row: Row) -> str:
    """What a broken rule has to say, folded; one line of Markdown, so that no part of it is read as such."""
    said = f"{row.outcome}: {row.name}"
    return f"<details><summary>{markdown(said)}</summary><pre>{preformatted(row.cause)}</pre></details>"


def _trial(trial: Trial) -> str:
    if trial.lab is not None:
        return "\n".join(f"- {fact}" for fact in labs.facts(trial.lab, trial.path))
    if trial.bundle is None:
        return f"The bundle cannot be shown: {markdown(trial.problem)}"
    manifest = trial.bundle.manifest
    if trial.bundle.alone:
        return f"- a capture alone; {_traffic(trial)}\n- judge it again: {_code(replay(trial.bundle))}"
    where = f"{manifest.provider.name}, {manifest.provider.accelerator or 'accelerator unknown'}"
    facts = [
        f"commit <code>{markdown(manifest.target.commit)}</code> {markdown(manifest.target.subject, 100)}",
        f"{markdown(where)}; {number(manifest.packets or 0)} packets asked for; {_traffic(trial)}",
        *([f"rates: {markdown(words)}"] if (words := rates.in_words(trial.rates)) else []),
        "phases: " + ", ".join(f"{markdown(p.name, 40)} {duration(p.seconds)}" for p in manifest.phases),
        f"run it again: {_code(rerun(manifest))}",
        f"judge it again, without a lab: {_code(replay(trial.bundle))}",
    ]
    return "\n".join(f"- {fact}" for fact in facts)


def _code(command: str) -> str:
    return f"<code>{markdown(command, 1000)}</code>"


def _traffic(trial: Trial) -> str:
    traffic = trial.traffic
    if traffic is None:
        return f"no capture to measure ({markdown(trial.no_traffic)})"
    loss = "" if traffic.loss is None else f", {traffic.loss:.2%} lost"
    rate = "" if traffic.rate is None else f", {number(round(traffic.rate))} packets/s"
    flaw = f" ({markdown(traffic.flaw)})" if traffic.flaw else ""
    return f"{number(traffic.packets)} captured{loss}{rate}{flaw}"
