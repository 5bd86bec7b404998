"""JUnit reports as pytest writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import quoteattr

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def case(name, outcome=None, element="", again=None):
    """A `testcase`; with an outcome it has our properties, otherwise a name alone."""
    told = {"ixy.id": name if outcome else None, "ixy.outcome": outcome, "ixy.again": again}
    inner = "".join(
        f"<property name={quoteattr(key)} value={quoteattr(value)} />" for key, value in told.items() if value
    )
    inside = f"<properties>{inner}</properties>" * bool(inner) + (
        f"<{element} message='x'>…</{element}>" * bool(element)
    )
    return f'<testcase classname="tests.test_it" name={quoteattr(name)} time="0.1">{inside}</testcase>'


def suite(*cases, age=timedelta(0), stamp=None, about=()):
    """A whole report; `stamp` in place of what follows from `age`, empty for none."""
    stamp = (NOW - age).isoformat() if stamp is None else stamp
    when = f" timestamp={quoteattr(stamp)}" if stamp else ""
    about = "".join(f"<property name={quoteattr(k)} value={quoteattr(v)} />" for k, v in dict(about).items())
    properties = f"<properties>{about}</properties>" if about else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest"'
        f"{when}>{properties}{''.join(cases)}</testsuite></testsuites>"
    )
