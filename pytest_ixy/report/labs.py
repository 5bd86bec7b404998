"""What reports show of a run of a TeraVM lab beside its tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ixy.report.links import link
from pytest_ixy.report.text import duration, escape, line, markdown, number, shell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ixy.ng40.records import CaseRecord, LabRecord, ListRecord, Step

ROWS, FILES = 1000, 6
SCENARIO = "--ixy-scenario=teravm"


def rerun(record: LabRecord) -> str:
    """The pytest command for this lab and this build."""
    tag = record.version.rpartition("-")[2] or record.tag
    words = [SCENARIO, *([f"--ixy-config={record.config}"] if record.config else []), f"--ixy-tag={tag}"]
    return " ".join(["pytest", *map(shell, words)])


def replay(path: Path) -> str:
    """The pytest command that judges a bundle again, without any lab."""
    return " ".join(["pytest", SCENARIO, shell(f"--ixy-replay={path.absolute()}")])


def again(record: LabRecord, path: Path) -> Iterator[str]:
    """Both commands, for the terminal."""
    yield f"rerun:  {rerun(record)}"
    yield f"replay: {replay(path)}"


def properties(record: LabRecord) -> Iterator[tuple[str, object]]:
    """Names and values for JUnit."""
    yield "scenario", record.scenario
    yield "tag", record.tag
    yield "version", record.version
    yield "started", record.started.isoformat()
    for name, address in record.hosts.items():
        yield f"host.{name}", address
    for step in record.steps:
        yield f"seconds.{step.name}", f"{step.seconds:.3f}"
    for one in record.lists:
        yield f"seconds.list-{one.name}", f"{one.seconds:.3f}"
        yield f"verdict.{one.name}", one.verdict or "none"


def facts(record: LabRecord, path: Path) -> Iterator[str]:
    """Lines of Markdown for the job summary."""
    version = markdown(record.version or "not known")
    yield f"version <code>{version}</code> (asked for: {markdown(record.tag)})"
    for one in record.lists:
        judged = sum(case.verdict is not None for case in one.cases)
        yield f"list {markdown(one.name)}: {judged} cases judged, {markdown(one.verdict or one.words)}"
    yield f"run it again: <code>{markdown(rerun(record), 1000)}</code>"
    yield f"judge it again, without a lab: <code>{markdown(replay(path), 1000)}</code>"


def section(record: LabRecord, path: Path, folder: Path) -> str:
    """The part of the page: facts, links, commands, steps and lists; `folder` is where the page stands."""
    hosts = ", ".join(f"{name} {address}" for name, address in record.hosts.items())
    told = {"version": record.version or "not known", "asked for": record.tag, "hosts": hosts}
    told |= {"begun": record.started.isoformat(timespec="seconds")}
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(line(words))}</dd>" for name, words in told.items())
    commands = {"Run it again:": rerun(record), "Judge it again, without a lab:": replay(path)}
    typed = "".join(
        f'<p class="again">{words}</p><pre class="command">{escape(command)}</pre>'
        for words, command in commands.items()
    )
    links = f"{link(path, folder, 'bundle')} {link(path / 'teravm.json', folder, 'record')}"
    links = f'<p class="links">{links}</p>'
    parts = [f'<dl class="facts">{listed}</dl>', links, typed, _steps(record.steps, path, folder)]
    return "".join([*parts, *(_list(one, path, folder) for one in record.lists)])


def _table(title: str, head: Iterable[str], rows: Iterable[str]) -> str:
    cells = "".join(f"<th>{escape(words)}</th>" for words in head)
    body = f'<table class="rates"><thead><tr>{cells}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f"<figure><figcaption>{escape(title)}</figcaption>{body}</figure>"


def _steps(steps: Iterable[Step], path: Path, folder: Path) -> str:
    return _table("The steps", ("step", "outcome", "took", "what came of it", "log"), (
        f"<tr><td><code>{escape(line(step.name, 80))}</code></td><td>{escape(step.outcome)}</td>"
        f"<td>{duration(step.seconds)}</td><td>{escape(line(step.title))}{_notes(step)}</td>"
        f"<td>{link(path / step.log, folder, 'log') if step.log else ''}</td></tr>"
        for step in steps
    ))  # fmt: skip


def _notes(step: Step) -> str:
    return "".join(f'<div class="muted">{escape(note)}</div>' for note in step.notes)


def _list(one: ListRecord, path: Path, folder: Path) -> str:
    title = f"List {one.name}: {one.verdict or 'no verdict'}, {duration(one.seconds)}"
    rows = [_case(case, path, folder) for case in one.cases[:ROWS]]
    more = len(one.cases) - ROWS
    note = f'<p class="muted">{number(more)} more cases are in the record.</p>' if more > 0 else ""
    links = " ".join(
        link(path / file, folder, Path(file).name)
        for file in (one.log, *one.files[:FILES], *one.retries[:FILES])
        if file
    )
    table = _table(line(title), ("case", "verdict", "alone", "took", "packets lost", "files"), rows)
    return f'{table}{note}<p class="links">{links}</p>'


def _case(case: CaseRecord, path: Path, folder: Path) -> str:
    took = "" if case.seconds is None else duration(case.seconds)
    lost = ", ".join(f"{line(loss.direction, 20)} {loss.percent:g} %" for loss in case.losses[:FILES])
    files = " ".join(link(path / file, folder, Path(file).name) for file in case.files[:FILES])
    return (
        f"<tr><td><code>{escape(case.name)}</code></td><td>{escape(case.verdict or 'none')}</td>"
        f"<td>{escape(case.again or '')}</td><td>{took}</td><td>{escape(lost)}</td><td>{files}</td></tr>"
    )
