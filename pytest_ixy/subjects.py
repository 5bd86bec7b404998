"""What is tested in a session: one target, or several that have nothing to do with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_ixy.absent import Absent
from pytest_ixy.errors import LabError, UsageError

if TYPE_CHECKING:
    from pytest_ixy.origin import Origin
    from pytest_ixy.settings import Settings

FIXTURE = "ixy_subject"
"""Tests that depend on it are made once for each subject."""


def _nothing() -> None:
    """Let go of nothing."""


class Subject:
    """A target under the settings of its own, and where its bundles come from.

    Attributes:
        settings: What was asked for; `settings.repo` is this one's repository.
        origin: A lab, a trial that is over, or why there is neither.
    """

    def __init__(self, settings: Settings, origin: Origin, finish: Callable[[], None] = _nothing) -> None:
        self.settings, self.origin = settings, origin
        self._finish = finish
        self.entered = self.over = False

    @property
    def label(self) -> str:
        """Its name in test ids."""
        return self.origin.label

    @property
    def unsupported(self) -> Mapping[str, tuple[str, ...]]:
        """Parameters of tests, by scenario, that it declares not to support."""
        return {} if isinstance(self.origin, Absent) else self.origin.target.unsupported

    def finish(self) -> None:
        """Let go of all that was made for it; its tests are over."""
        if not self.over:
            self.over = True
            self._finish()


class Subjects:
    """All subjects of a session, in the order in which they are tested: one after the other."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._subjects = {subject.label: subject for subject in subjects}

    @property
    def labels(self) -> list[str]:
        """Their names."""
        return list(self._subjects)

    def of(self, label: str) -> Subject:
        """The one of that name."""
        return self._subjects[label]

    def enter(self, label: str | None) -> Subject:
        """The one of that name, or the only one; whoever was tested before it is finished.

        Raises:
            UsageError: no name was given, and there are several.
            LabError: it is finished already.
        """
        subject = self._subjects[label or self._only()]
        if subject.over:
            hint = "let the tests of a target stand together"
            raise LabError(f"The testbed of {subject.label} was taken down after its tests.", hint=hint)
        for other in self._subjects.values():
            if other is not subject and other.entered:
                other.finish()
        subject.entered = True
        return subject

    def _only(self) -> str:
        if len(self._subjects) > 1:
            raise UsageError(
                "This test does not say which of the targets it is about.",
                hint="have ixy_target, or what depends on it, among the test's arguments",
            )
        return next(iter(self._subjects))

    def finish(self) -> None:
        """Finish all."""
        for subject in self._subjects.values():
            subject.finish()


def label_of(item: Any) -> str | None:
    """The name of the subject that a test is about."""
    spec = getattr(item, "callspec", None)
    return spec.params.get(FIXTURE) if spec else None


def label_in(nodeid: str, labels: Iterable[str]) -> str | None:
    """The same by the test's id, where the test itself is in another process."""
    found = [label for label in labels if f"[{label}-" in nodeid or f"[{label}]" in nodeid]
    return max(found, key=len, default=None)


def distinct(label: str, taken: Iterable[str]) -> str:
    """The name, or `name.2` and so on where others have it: one commit may be tested in several ways."""
    known = set(taken)
    numbered = (f"{label}.{number}" for number in range(2, len(known) + 3))
    return next(name for name in (label, *numbered) if name not in known)
