"""An option's value from what somebody gave: of the option's type and within its bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pytest_ixy import timespan, tomlfile
from pytest_ixy.errors import UsageError
from pytest_ixy.given import Given
from pytest_ixy.options import Option

DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_YES, _NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def value(option: Option, given: Mapping[str, Given], here: Path) -> Any:
    """What counts of an option: what was given, or its default; UsageError when it cannot have that value."""
    if option.name in given:
        return _convert(option, given[option.name])
    return here / option.default if option.type is Path and option.default else option.default


def _convert(option: Option, given: Given) -> Any:
    """The value as the option's type; UsageError when it is not one."""
    if option.type is bool:
        return _boolean(given)
    if option.type is int:
        return _integer(option, given)
    if option.type is float:
        return _float(option, given)
    if option.type is Path:
        return path_of(given)
    text = given.text
    if option.type is timedelta:
        with given.blamed():
            return timespan.parse(text)
    if option.choices and text not in option.choices:
        raise UsageError(f"{given.origin}: unknown {option.name} {text!r}{_near(option, text)}")
    return text


def path_of(given: Given) -> Path:
    """The path, which starts at the folder of whoever gave it."""
    return given.folder / Path(given.text).expanduser()


def _near(option: Option, text: str) -> str:
    return tomlfile.nearest(text, option.choices)


def _boolean(given: Given) -> bool:
    word = str(given.value).strip().lower()
    if word not in _YES | _NO:
        raise UsageError(f"{given.origin}: {word!r} is neither true nor false")
    return word in _YES


def _integer(option: Option, given: Given) -> int:
    text = str(given.value).strip()
    digits = text.replace("_", "")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else -1  # noqa: PLR2004
    if not option.minimum <= number <= option.maximum:
        bounds = f"from {option.minimum:,} to {option.maximum:,}"
        raise UsageError(f"{given.origin}: {text[:40]!r} is not a whole number {bounds}")
    return number


def _float(option: Option, given: Given) -> float:
    text = str(given.value).strip()
    number = float(text) if DECIMAL.fullmatch(text) else 0.0
    if not option.minimum < number <= option.maximum:
        bounds = f"above {option.minimum:,} and at most {option.maximum:,}"
        raise UsageError(f"{given.origin}: {text[:40]!r} is not a number {bounds}")
    return number
