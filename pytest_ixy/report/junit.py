"""JUnit: what was tested, where, and how much came through, as properties of the test suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ixy.report import labs, rates
from pytest_ixy.report.fault import fault
from pytest_ixy.report.roles import models, others
from pytest_ixy.report.text import line, without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pytest_ixy.bundle import Manifest
    from pytest_ixy.report.subjects import Subject, Trial


def add_property(config: pytest.Config, name: str, value: str) -> None:
    """Add a property to the test suite's XML; nothing where no XML is written.

    The fixture that pytest has for this is lost in xdist's workers, and the writer can be reached by
    a private key alone: this is the one place that knows it.
    """
    from _pytest.junitxml import xml_key

    log = config.stash.get(xml_key, None)
    if log is not None:
        log.add_global_property(name, value)


def wanted(config: pytest.Config) -> bool:
    """True when this process writes JUnit XML."""
    return bool(config.getoption("xmlpath", None)) and not hasattr(config, "workerinput")


def add_properties(config: pytest.Config, subjects: list[tuple[Subject, list[Trial]]]) -> None:
    """Properties `ixy.…` of the first trial, `ixy.2.…` of the second, and so on.

    A target's `fault` is with its first trial.
    """
    index = 0
    for subject, trials in subjects:
        places: list[Trial | None] = [*trials] or [None]
        first = index + 1
        for trial in places:
            index += 1
            for name, value in properties(subject, trial):
                add_property(config, f"{_prefix(index)}.{name}", line(value, 1000))
        if words := fault(subject):
            add_property(config, f"{_prefix(first)}.fault", words)


def _prefix(index: int) -> str:
    return "ixy" if index == 1 else f"ixy.{index}"


def properties(subject: Subject, trial: Trial | None) -> Iterator[tuple[str, object]]:
    """Names and values of a target's properties, of its trial as far as it can be read."""
    yield "target", subject.label
    yield "verdict", subject.verdict
    if trial is None:
        return
    yield "bundle", trial.path
    if trial.lab is not None:
        yield from labs.properties(trial.lab)
        return
    if trial.bundle is None:
        yield "problem", trial.problem
        return
    manifest = trial.bundle.manifest
    if not trial.bundle.alone:
        yield from _facts(manifest)
    yield from _traffic(trial)
    yield from rates.properties(trial.rates)
    for phase in manifest.phases:
        yield f"seconds.{line(phase.name, 60)}", f"{phase.seconds:.3f}"


def _facts(manifest: Manifest) -> Iterator[tuple[str, object]]:
    yield "commit", manifest.target.commit
    yield "source", without_password(manifest.target.source)
    yield "scenario", manifest.scenario
    if manifest.course is not None:
        yield "course", manifest.course.words
    yield "provider", manifest.provider.name
    yield "accelerator", manifest.provider.accelerator or "unknown"
    yield from (("nic", model) for model in models(manifest))
    yield "packets", manifest.packets
    yield from ((f"player.{role}", player) for role, player in others(manifest))


def _traffic(trial: Trial) -> Iterator[tuple[str, object]]:
    traffic = trial.traffic
    if traffic is None:
        yield "problem", trial.no_traffic
        return
    if traffic.flaw:
        yield "problem", traffic.flaw
    yield "captured", traffic.packets
    yield "unique", traffic.unique
    if traffic.loss is not None:
        yield "loss", f"{traffic.loss:.6f}"
    if traffic.rate is not None:
        yield "rate", f"{traffic.rate:.1f}"
