"""The runs of this user that are going on, or whose testbed is held: where they are and how to visit them.

A run's record lies beside its ledger, readable by the user alone, and is removed with it. It is of
use while somebody holds the ledger's lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pytest_ixy import ledger
from pytest_ixy.errors import UsageError
from pytest_ixy.ledger import Ledger
from pytest_ixy.remote import Access


@dataclass(frozen=True)
class Visit:
    """What is known of a run that can be visited.

    Attributes:
        run: Its id.
        folder: Of its first bundle; empty while there are no machines.
        scratch: Its scratch folder.
        began: When the machines were there, in seconds since 1970.
        accesses: How to reach each node.
        consoles: File that each node's console is written to, by node.
        until: When a held testbed is taken down, in seconds since 1970; None while the run goes on.
    """

    run: str
    folder: str = ""
    scratch: str = ""
    began: float = 0.0
    accesses: Mapping[str, Access] = field(default_factory=dict)
    consoles: Mapping[str, str] = field(default_factory=dict)
    until: float | None = None


def write(book: Ledger, visit: Visit) -> None:
    """Write the record beside the ledger, whole or not at all."""
    draft = book.record.with_suffix(".part")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(asdict(visit), stream)
    draft.replace(book.record)


def read(ledger_path: Path) -> Visit:
    """The record beside the ledger at that path; no more than the run's id where there is none yet.

    So, too, where another version of pytest-ixy has written it in another form.
    """
    try:
        data = json.loads(ledger.record_of(ledger_path).read_text(encoding="utf-8"))
        accesses = {name: Access.from_dict(access) for name, access in data.pop("accesses").items()}
        return Visit(**data, accesses=accesses)
    except (FileNotFoundError, ValueError, TypeError, LookupError, AttributeError):
        return Visit(ledger_path.stem)


def hold(book: Ledger, until: float) -> Visit:
    """Note that the testbed is held until that moment."""
    held = replace(read(book.path), until=until)
    write(book, held)
    return held


def known() -> list[Visit]:
    """All runs that go on or are held, the newest first."""
    return sorted(map(read, ledger.kept()), key=lambda visit: (visit.began, visit.run), reverse=True)


def find(part: str | None) -> Visit:
    """The run with `part` in its id, or of those with machines the newest.

    Raises:
        UsageError: there is none, or several have the part.
    """
    there = known()
    found = [visit for visit in there if (visit.accesses if part is None else part in visit.run)]
    found = [visit for visit in found if visit.run == part] or found
    if not found:
        which = "with machines" if part is None else repr(part[:80])
        hint = "to hold the machines of the next one: pytest --ixy-keep=failed …"
        raise UsageError(f"No run {which} goes on or is held.", hint=hint)
    if part is not None and len(found) > 1:
        raise UsageError(f"{part!r} may be {' or '.join(visit.run for visit in found)}.")
    return found[0]
