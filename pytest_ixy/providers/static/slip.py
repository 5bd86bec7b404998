"""What is written down of a lease before it is asked for, so that any process of this machine can free it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pytest_ixy.errors import IxyError
from pytest_ixy.ledger import Ledger
from pytest_ixy.providers.static.tenancy import Claim
from pytest_ixy.remote import Host

PATIENCE = 20.0
"""Seconds that a host may take to answer when it is only to be freed."""


def write(claim: Claim, book: Ledger, scratch: Path) -> Path:
    """Write it into the ledger and the run's scratch folder; the file."""
    address = f"{claim.access.user}@{claim.access.host}".replace("/", "_")
    file = scratch / "leases" / f"{claim.access.name} {address}"
    file.parent.mkdir(parents=True, exist_ok=True)
    book.intend("lease", str(file))
    with file.open("w", encoding="utf-8") as stream:
        json.dump(claim.as_dict(), stream)
        stream.flush()
        os.fsync(stream.fileno())
    return file


def free(file: Path) -> bool:
    """Free the lease that a run of this machine had; False when it was not its any more.

    Raises:
        OSError: the host cannot be reached or put in order.
    """
    try:
        claim = Claim.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return False
    try:
        with Host.connect(claim.access, deadline=PATIENCE) as host:
            freed, untidy = claim.free(host)
    except IxyError as error:
        raise OSError(error.what) from error
    file.unlink(missing_ok=True)
    if untidy:
        raise OSError(f"freed, but not all is as it was: {'; '.join(untidy)}")
    return freed
