"""Reading JUnit reports that somebody else may have written: whole or not at all, in bounded memory.

The parser is expat itself: nothing is kept but what is asked for, so the size of a report's texts does not
matter. A document type is refused, and with it every entity of somebody's own, whatever expat's version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.parsers import expat

from pytest_ixy.errors import UsageError
from pytest_ixy.gate.results import Outcome, Result, Suite, moment, outcome_of, worst
from pytest_ixy.printable import one_line

LARGEST = 256 << 20
LONGEST_TAG = 1 << 20
LONGEST_ID = 1000
MOST = 100_000
MOST_SUITES, MOST_PROPERTIES, DEEPEST = 5000, 200, 100
_CHUNK = 256 << 10
_ROOTS = ("testsuites", "testsuite")
_ELEMENTS: dict[str, Outcome] = {"failure": "failed", "error": "error", "skipped": "skipped"}
_OURS = ("ixy.id", "ixy.outcome", "ixy.again")


class _FlawError(Exception):
    """What is wrong with a report, in words."""


def read(path: Path) -> list[Result]:
    """The results of a report; where it has several of one test in one run, the worst.

    Raises:
        UsageError: it cannot be read, is no JUnit report, is cut, or goes beyond a limit.
    """
    name = one_line(str(path))
    parser, reader = expat.ParserCreate(), _Reader(name)
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.StartDoctypeDeclHandler = _refuse
    try:
        _feed(parser, path)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    except _FlawError as flaw:
        raise UsageError(f"{name}:{parser.CurrentLineNumber}: {flaw}") from None
    except expat.ExpatError as error:
        raise UsageError(f"{name}:{error.lineno}: not XML, or cut: {expat.ErrorString(error.code)}") from None
    except (LookupError, ValueError):
        raise UsageError(f"{name}: its encoding is not known; UTF-8 always is") from None
    return list(reader.results.values())


def _feed(parser: expat.XMLParserType, path: Path) -> None:
    if path.is_fifo():  # it would wait for somebody to write
        raise _FlawError("not a regular file")
    total = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
            total += len(chunk)
            _bound(total, parser.CurrentByteIndex)
    parser.Parse(b"", True)


def _bound(total: int, at: int) -> None:
    """Refuse what is too large, and a tag that does not end: expat keeps it, and starts anew each time."""
    if total > LARGEST:
        raise _FlawError(f"the report is longer than {LARGEST >> 20} MiB")
    if total - max(at, 0) > LONGEST_TAG + _CHUNK:
        raise _FlawError(f"a tag or comment is longer than {LONGEST_TAG >> 20} MiB")


def _refuse(*_: object) -> None:
    raise _FlawError("it has a document type, which no JUnit report needs")


@dataclass
class _Case:
    """A `testcase` whose end has not come."""

    name: str
    elements: Outcome = "passed"
    ours: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Takes a report's tags, one after the other."""

    def __init__(self, report: str) -> None:
        self.results: dict[tuple[str, datetime | None], Result] = {}
        self._report = report
        self._open: list[str] = []
        self._suites: list[Suite] = []
        self._begun = 0
        self._case: _Case | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._open and tag not in _ROOTS:
            raise _FlawError(f"not a JUnit report: it begins with <{one_line(tag[:40])}>")
        self._open.append(tag)
        if len(self._open) > DEEPEST:
            raise _FlawError(f"its elements are nested more than {DEEPEST} deep")
        if tag in _ROOTS:
            self._suite(attributes)
        elif tag == "testcase":
            self._begin(attributes)
        elif tag == "property":
            self._property(attributes.get("name", ""), attributes.get("value", ""))
        elif self._case is not None and tag in _ELEMENTS and self._open[-2] == "testcase":
            self._case.elements = worst([self._case.elements, _ELEMENTS[tag]])

    def end(self, tag: str) -> None:
        self._open.pop()
        if tag in _ROOTS:
            self._suites.pop()
        elif tag == "testcase" and self._case is not None:
            self._take(self._case)
            self._case = None

    def _suite(self, attributes: dict[str, str]) -> None:
        outer = self._suites[-1].stamp if self._suites else None
        stamp = moment(attributes["timestamp"]) if "timestamp" in attributes else outer
        self._suites.append(Suite(self._report, stamp, {}))
        self._begun += 1
        _most(self._begun, MOST_SUITES, "test suites")

    def _begin(self, attributes: dict[str, str]) -> None:
        if self._case is not None:
            raise _FlawError("a test inside of a test")
        self._case = _Case(_named(attributes))

    def _property(self, name: str, value: str) -> None:
        if self._case is None:
            about = self._suites[-1].about
            about[name[:LONGEST_ID]] = value[:LONGEST_ID]
            _most(len(about), MOST_PROPERTIES, "properties of one test suite")
        elif name in _OURS:
            self._case.ours[name] = value

    def _take(self, case: _Case) -> None:
        suite, name = self._suites[-1], case.ours.get("ixy.id") or case.name
        outcome = outcome_of(case.ours.get("ixy.outcome"), case.elements)
        if len(name) > LONGEST_ID:
            raise _FlawError(f"an id is longer than {LONGEST_ID} characters")
        found = Result(name, outcome, case.ours.get("ixy.again", "")[:LONGEST_ID], suite)
        before = self.results.get((name, suite.when))
        if before is None or worst([before.outcome, outcome]) != before.outcome:
            self.results[name, suite.when] = found
        _most(len(self.results), MOST, "tests")


def _most(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise _FlawError(f"it has more than {limit:,} {what}")


def _named(attributes: dict[str, str]) -> str:
    """`CLASSNAME/NAME`, where a report has no ids of ours."""
    parts = (attributes.get("classname", ""), attributes.get("name", ""))
    return "/".join(part for part in parts if part)
