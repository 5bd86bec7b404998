"""Scenario `teravm` in pytest: its tests by name, what they say, and those that turn up while it runs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_ixy.errors import LabError
from pytest_ixy.ng40 import judge, names
from pytest_ixy.ng40.judge import LIST, RULES, Verdict
from pytest_ixy.ng40.records import LabRecord
from pytest_ixy.outcomes import FINDING
from pytest_ixy.subjects import FIXTURE

if TYPE_CHECKING:
    from pytest_ixy.subjects import Subject

FIXTURES = ("ixy_step", "ixy_list", "ixy_case", "ixy_rule")
PLUGIN = "ixy-lab-tests"
PREFIX = "teravm"


class Trial(Protocol):
    """A run that goes on, or one that is over."""

    @property
    def record(self) -> LabRecord:
        """What has been done."""
        ...

    @property
    def latest(self) -> Path | None:
        """The bundle, None while it is empty."""
        ...

    def step(self, name: str) -> None:
        """Have a step done, and all before it."""
        ...

    def testlist(self, name: str) -> None:
        """Have a list run, after all that comes before it."""
        ...


class LabTests:
    """Gives the scenario's tests their names, and judges.

    Args:
        trial: Where the record comes from.
        subject: The lab as pytest's side knows targets.
        over: Whether all cases are known from the beginning: in a replay.
    """

    def __init__(self, trial: Trial, subject: Subject, *, over: bool) -> None:
        self._trial, self._subject, self._over = trial, subject, over

    @property
    def _steps(self) -> list[str]:
        return [name for name in self._trial.record.asked if not name.startswith(LIST)]

    @property
    def _lists(self) -> list[str]:
        asked = self._trial.record.asked
        return [name.removeprefix(LIST) for name in asked if name.startswith(LIST)]

    def _cases(self, name: str) -> list[str]:
        record = self._trial.record
        known = record.expected[name].cases if name in record.expected else ()
        return [*known, *(names.strangers(record, name) if self._over else ())]

    @pytest.hookimpl
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Have a test for each step, list, case and rule."""
        cases = [(name, case) for name in self._lists for case in self._cases(name)]
        known: dict[str, list[Any]] = {
            "ixy_step": self._steps,
            "ixy_list": self._lists,
            "ixy_case": cases,
            "ixy_rule": list(RULES),
        }
        for fixture in FIXTURES:
            if fixture in metafunc.fixturenames:
                values = known[fixture]
                ids = ["-".join(each) if isinstance(each, tuple) else each for each in values]
                metafunc.parametrize(fixture, values, ids=ids)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let a list's cases stand right behind it, without what pytest makes where no case is known."""
        items[:] = sorted(filter(_is_test, items), key=self._place)

    def _place(self, item: pytest.Item) -> tuple[int, int, int]:
        params = _params(item)
        if "ixy_step" in params:
            return 0, 0, 0
        if "ixy_list" in params:
            return 1, self._lists.index(params["ixy_list"]), 0
        if "ixy_case" in params:
            return 1, self._lists.index(params["ixy_case"][0]), 1
        return 2, 0, 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Behind a list that has run, put tests for the cases that nobody knew of."""
        result = yield
        name = _params(item).get("ixy_list")
        if name is not None and not self._over:
            self._add(item, name)
        return result

    def _add(self, item: pytest.Item, name: str) -> None:
        session = item.session
        known = {params["ixy_case"] for each in session.items if "ixy_case" in (params := _params(each))}
        found = [case for case in names.strangers(self._trial.record, name) if (name, case) not in known]
        added = [self._late(item, name, case) for case in found]
        place = session.items.index(item) + 1
        session.items[place:place] = added
        session.testscollected += len(added)

    def _late(self, item: pytest.Item, name: str, case: str) -> LateCase:
        label = self._subject.label
        identity = f"test_case[{label}-{name}-{case}]"
        return LateCase.from_parent(_file(item), name=identity, tests=self, key=(name, case), label=label)

    def step(self, item: pytest.Item, name: str) -> None:
        """Have a step done, and let the test end as it did."""
        self._trial.step(name)
        self.settle(item, judge.of_step(self._trial.record, name))

    def testlist(self, item: pytest.Item, name: str) -> None:
        """Have a list run, and let the test end as it did."""
        self._trial.testlist(name)
        self.settle(item, judge.of_list(self._trial.record, name))

    def case(self, item: pytest.Item, name: str, case: str) -> None:
        """Let the test end as the tester judged the case; its list is run if it was not."""
        self._trial.testlist(name)
        record = self._trial.record
        said = found.case(case) if (found := record.testlist(name)) else None
        if said and said.again:
            item.user_properties.append(("ixy.again", said.again))
        self.settle(item, judge.of_case(record, name, case))

    def rule(self, item: pytest.Item, name: str) -> None:
        """Let the test end as the rule finds, once all lists have run."""
        for each in self._lists:
            self._trial.testlist(each)
        verdict = RULES[name](self._trial.record)
        self.settle(item, verdict, f"rules/{name}")

    def settle(self, item: pytest.Item, verdict: Verdict, name: str = "") -> None:
        """Let a test end as the verdict says, and keep that for the reports."""
        item.user_properties.append(("ixy.id", f"{PREFIX}/{name or verdict.rule}"))
        item.user_properties.append(("ixy.outcome", verdict.outcome))
        item.stash[FINDING] = verdict.as_dict()
        words = "\n".join(filter(None, (verdict.title, verdict.message, self._where(verdict))))
        if verdict.outcome == "skipped":
            pytest.skip(verdict.title)
        if verdict.outcome == "error":
            raise LabError(words)
        if verdict.outcome in {"failed", "inconclusive"}:
            kind = "inconclusive: " if verdict.outcome == "inconclusive" else ""
            pytest.fail(kind + words, pytrace=False)

    def _where(self, verdict: Verdict) -> str:
        return f"log: {self._trial.latest / verdict.log}" if verdict.log and self._trial.latest else ""


class LateCase(pytest.Item):
    """The test of a case that nobody knew of before its list ran.

    Attributes:
        callspec: What pytest's own parametrized tests have, as far as it is asked for.
    """

    def __init__(self, *, tests: LabTests, key: tuple[str, str], label: str, **more: Any) -> None:
        super().__init__(**more)
        self._tests, self._key = tests, key
        self.callspec = SimpleNamespace(params={FIXTURE: label, "ixy_case": key}, id=self.name)

    def runtest(self) -> None:
        """End as the tester judged it."""
        self._tests.case(self, *self._key)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands: in the scenario's file, at no line of it."""
        return self.path, None, self.name


def _file(item: pytest.Item) -> pytest.Collector:
    """The module that a test stands in."""
    if item.parent is None:
        raise LabError(f"{item.nodeid} stands in no file")
    return item.parent


def _is_test(item: pytest.Item) -> bool:
    """False for what pytest makes, to be skipped, of a test that has nothing to be parametrized with."""
    params = _params(item)
    return all(isinstance(params[name], str | tuple) for name in FIXTURES if name in params)


def _params(item: pytest.Item) -> dict[str, Any]:
    spec = getattr(item, "callspec", None)
    return spec.params if spec else {}
