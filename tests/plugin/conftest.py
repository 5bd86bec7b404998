"""Where the tests run pytest as its users do."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A folder to run pytest in, with cache and state of its own."""
    folder = tmp_path / "user"
    folder.mkdir()
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in [name for name in os.environ if name.startswith(("IXY_", "PYTEST_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    return folder
