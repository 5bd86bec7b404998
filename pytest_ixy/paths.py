"""Where pytest-ixy keeps what outlives a run: the user's own cache and state folders."""

from __future__ import annotations

from pathlib import Path

import platformdirs

NAME = "pytest-ixy"


def cache_folder() -> Path:
    """Images, saved states, kept builds and the scratch folders of runs; all of it can be made again."""
    return platformdirs.user_cache_path(NAME, appauthor=False)


def state_folder() -> Path:
    """Ledgers of runs and what was learned about this machine."""
    return platformdirs.user_state_path(NAME, appauthor=False)


def images_folder() -> Path:
    """One folder per image, named by the hash of its recipe."""
    return cache_folder() / "images"


def builds_folder() -> Path:
    """One folder per kept build, named by the hash of all that it depends on."""
    return cache_folder() / "builds"


def scratch_folder(run: str) -> Path:
    """Disks, clones and sockets of one run; removed when the run ends."""
    return cache_folder() / "runs" / run


def ledgers_folder() -> Path:
    """One file per run that is going on or was killed."""
    return state_folder() / "ledgers"
