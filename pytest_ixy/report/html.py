"""The section of a target on the HTML page: whole without JavaScript, nothing loaded from elsewhere.

Everything passes through `text.escape`. A part that cannot be made says so in its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.report import extras, labs, logs, machines, overtime, rates, sequence, timeline, topology
from pytest_ixy.report.command import replay, rerun
from pytest_ixy.report.fault import fault
from pytest_ixy.report.links import link
from pytest_ixy.report.roles import models, others, timed
from pytest_ixy.report.subjects import why
from pytest_ixy.report.text import duration, escape, line, number, without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_ixy.bundle import Bundle, Manifest
    from pytest_ixy.report.subjects import Row, Subject, Trial

ROWS = 1000
OF_A_CAPTURE = ("The links", "The sequence numbers")
"""Parts that can be made of a capture without the rest of its bundle."""
VERDICT = {
    "passed": "passed",
    "failed": "failed",
    "error": "the lab could not tell",
    "skipped": "nothing was judged",
}


def style() -> str:
    """The style sheet of the sections; it touches nothing outside them."""
    return f"<style>{Path(__file__).with_name('style.css').read_text(encoding='utf-8')}</style>"


def overview(subjects: list[Subject], notes: Iterable[str]) -> str:
    """The head of the page: each target with its verdict, and what concerns the whole run."""
    items = [
        f'<li>{_badge(subject.verdict)} <a href="#ixy-{index}">{escape(subject.label)}</a> '
        f'<span class="muted">{escape(subject.tally)}</span>{_fault(subject)}</li>'
        for index, subject in enumerate(subjects)
    ]
    said = "".join(f'<p class="missing">{escape(note)}</p>' for note in notes)
    return f'{style()}<div class="ixy ixy-overview"><ul>{"".join(items)}</ul>{said}</div>'


def _fault(subject: Subject) -> str:
    words = fault(subject)
    return f'<p class="cause">fault: {escape(words)}</p>' if words else ""


def section(index: int, subject: Subject, trials: list[Trial], folder: Path) -> str:
    """One target.

    Args:
        index: Number of the target on the page.
        subject: The target and what its tests said.
        trials: The folders that its trials left.
        folder: Where the page stands: links are relative to it.
    """
    head = (
        f"<header>{_badge(subject.verdict)}<h2>{escape(subject.label)}</h2>"
        f'<span class="muted">{escape(subject.tally)}</span></header>'
    )
    parts = [_trial(trial, folder) for trial in trials]
    if not trials:
        parts.append('<p class="missing">No trial took place: there is no bundle to show.</p>')
    tests = part("The table of tests", lambda: _rows(subject.tests))
    return f'<section class="ixy" id="ixy-{index}">{head}{_causes(subject)}{tests}{"".join(parts)}</section>'


def part(name: str, make: Callable[[], str]) -> str:
    """What `make` returns, or a sentence that says why it cannot be shown."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - a report of what is damaged must not be damaged itself
        return f'<p class="missing">{escape(name)} cannot be shown: {escape(why(error))}</p>'


def _badge(outcome: str) -> str:
    return f'<span class="badge {escape(outcome)}">{escape(VERDICT.get(outcome, outcome))}</span>'


def _causes(subject: Subject) -> str:
    """What the lab or a test without a rule has to say, once for each different cause."""
    causes = dict.fromkeys(row.cause for row in subject.tests if row.outcome == "error" and row.cause)
    return "".join(f'<pre class="cause">{escape(cause)}</pre>' for cause in causes)


def _rows(rows: list[Row]) -> str:
    shown = "".join(map(_row, rows[:ROWS]))
    more = (
        f'<p class="muted">{len(rows) - ROWS} more tests are in the table below.</p>'
        if len(rows) > ROWS
        else ""
    )
    head = "<tr><th>outcome</th><th>rule or test</th><th>finding</th><th>numbers</th></tr>"
    return f'<table class="rules"><thead>{head}</thead><tbody>{shown}</tbody></table>{more}'


def _row(row: Row) -> str:
    numbers = " ".join(
        f'<span class="number">{escape(line(name, 40))} <b>{escape(_number(value))}</b></span>'
        for name, value in row.numbers.items()
    )
    details = ""
    if row.cause and row.outcome != "skipped" and row.cause.strip() != row.title:
        details = f"<details><summary>more</summary><pre>{escape(row.cause)}</pre></details>"
    return (
        f'<tr><td><span class="badge small {escape(row.outcome)}">{escape(row.outcome)}</span></td>'
        f"<td><code>{escape(row.name)}</code></td><td>{escape(row.title)}{details}</td><td>{numbers}</td></tr>"
    )


def _number(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return line(value, 80)


def _trial(trial: Trial, folder: Path) -> str:
    if trial.lab is not None:
        record = trial.lab
        return part("The run of the lab", lambda: labs.section(record, trial.path, folder))
    if trial.bundle is None:
        return (
            f'<p class="missing">The bundle {escape(trial.path)} cannot be shown: {escape(trial.problem)}</p>'
        )
    bundle, manifest = trial.bundle, trial.bundle.manifest
    parts = (
        ("The facts", lambda: _facts(manifest)),
        ("The links", lambda: _links(bundle, folder)),
        (
            "The topology",
            lambda: _figure("Topology: what ran where, and what each NIC counted", topology.draw(manifest)),
        ),
        ("Who ran", lambda: _figure("All who ran", extras.table(manifest))),
        ("The timeline", lambda: _figure("Timeline", timeline.draw(manifest))),
        ("The rates", lambda: _figure("Rates", rates.table(trial.rates))),
        ("The course of time", lambda: _figure("Over time", overtime.draw(bundle))),
        ("The sequence numbers", lambda: _sequence(trial) if _numbered(manifest) else ""),
        ("The machines", lambda: _figure("The machines before and after", machines.table(manifest))),
        ("The logs", lambda: logs.folded(bundle, folder)),
    )
    return "".join(part(name, make) for name, make in parts if not bundle.alone or name in OF_A_CAPTURE)


def _figure(title: str, picture: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{picture}</figure>" if picture else ""


def _facts(manifest: Manifest) -> str:
    target, provider = manifest.target, manifest.provider
    changed = " with changes that are not committed" if target.dirty else ""
    facts = {
        "commit": f"<code>{escape(target.commit)}</code>{changed}",
        "subject": escape(line(target.subject)),
        "source": escape(without_password(target.source)),
        "ref": escape(target.ref or ""),
        "scenario": escape(manifest.scenario),
        "played by": escape(", ".join(f"{role}: {player}" for role, player in others(manifest))),
        "packets": "" if timed(manifest) else f"{number(manifest.packets or 0)} asked for",
        "course": escape(manifest.course.words if manifest.course else ""),
        "provider": escape(f"{provider.name} {provider.version or ''}".strip()),
        "accelerator": escape(provider.accelerator or "unknown") + _notes(provider.notes),
        "image": escape(provider.image or ""),
        "NICs": escape(", ".join(models(manifest))),
        "started": escape(f"{manifest.started:%Y-%m-%d %H:%M:%S %Z}"),
        "took": _took(manifest),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items() if value)
    return f'<dl class="facts">{rows}</dl>'


def _notes(notes: tuple[str, ...]) -> str:
    return "".join(f'<div class="muted">{escape(note)}</div>' for note in notes)


def _took(manifest: Manifest) -> str:
    if not manifest.phases:
        return ""
    first = min(phase.started for phase in manifest.phases)
    last = max(phase.started.timestamp() + phase.seconds for phase in manifest.phases)
    return duration(last - first.timestamp())


def _links(bundle: Bundle, folder: Path) -> str:
    if bundle.alone:
        links = [link(bundle.path, folder, "capture")]
    else:
        links = [link(bundle.path, folder, "bundle"), link(bundle.path / "manifest.json", folder, "manifest")]
    if bundle.capture is not None and bundle.manifest.capture.file:
        links.append(link(bundle.path / bundle.manifest.capture.file, folder, "capture"))
    links += [link(bundle.inside(file), folder, words) for words, file in _beside(bundle.manifest)]
    commands = {
        "Run it again:": rerun(bundle.manifest),
        "Judge it again, without a lab:": replay(bundle),
    }
    again = "".join(
        f'<p class="again">{words}</p><pre class="command">{escape(command)}</pre>'
        for words, command in commands.items()
        if command
    )
    return f'<p class="links">{" ".join(links)}</p>{again}'


def _numbered(manifest: Manifest) -> bool:
    """Whether the trial is to leave a capture of numbered packets."""
    course = manifest.course
    return course is None or not (course.traffic or (timed(manifest) and manifest.capture.file is None))


def _beside(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Captures beside the one of pcap, in words and by name."""
    course = manifest.course
    if course and course.back and course.back.file:
        yield "capture of the way back", course.back.file
    if course and course.sent:
        yield "frames that were sent", course.sent


def _sequence(trial: Trial) -> str:
    title = "Sequence numbers over time"
    if trial.traffic is None:
        return _figure(title, f'<p class="missing">cannot be shown: {escape(trial.no_traffic)}</p>')
    flaw = f'<p class="missing">{escape(trial.traffic.flaw)}</p>' if trial.traffic.flaw else ""
    if not trial.traffic.packets:
        return _figure(title, flaw or '<p class="missing">the capture holds no packet of ixy\'s</p>')
    loss, rate = trial.traffic.loss or 0.0, trial.traffic.rate
    words = f"{title}: {loss:.2%} lost" + (f", {number(round(rate))} packets/s" if rate else "")
    return _figure(words, flaw + sequence.draw(trial.traffic))
