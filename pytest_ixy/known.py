"""Whether a crash is known: the same fingerprint among the bundles of earlier runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_ixy.bundle import MANIFEST
from pytest_ixy.crash.record import LONGEST, Crash
from pytest_ixy.printable import one_line

NEWEST, LARGEST = 200, 4 << 20
"""Bundles that are looked into, and bytes of a manifest that is read."""


def with_history(crash: Crash, bundle: Path) -> Crash:
    """The crash with what bundles beside this one know of it, the newest of them."""
    seen = [trial for trial in _earlier(bundle) if crash.fingerprint in _fingerprints(trial)]
    if not seen:
        return crash
    return crash.model_copy(update={"earlier": len(seen), "first": _when(seen[-1])})


def _earlier(bundle: Path) -> Iterator[dict[str, Any]]:
    """The manifests beside this bundle, newest first: names of runs begin with their time."""
    folders = sorted(bundle.parent.glob(f"*/{MANIFEST}"), reverse=True)
    for file in [file for file in folders if file.parent != bundle][:NEWEST]:
        try:
            if not file.is_file() or file.stat().st_size > LARGEST:
                continue
            found = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError):  # somebody's folder: it need not be a bundle
            continue
        if isinstance(found, dict):
            yield found


def _fingerprints(manifest: dict[str, Any]) -> set[str]:
    roles = manifest.get("roles")
    runs = roles.values() if isinstance(roles, dict) else ()
    crashes = [run.get("crash") for run in runs if isinstance(run, dict)]
    return {str(crash.get("fingerprint")) for crash in crashes if isinstance(crash, dict)}


def _when(manifest: dict[str, Any]) -> str:
    """Such as `2026-11-21 in ixy@0e00605`."""
    target = manifest.get("target")
    label = target.get("label") if isinstance(target, dict) else None
    date = re.match(r"\d{4}-\d{2}-\d{2}", str(manifest.get("started")))
    return one_line(f"{date[0] if date else 'some day'} in {label}")[:LONGEST]
