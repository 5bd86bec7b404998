"""Whether a crash was seen in an earlier trial."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from bundles import make_bundle, make_run

from pytest_ixy.bundle import MANIFEST
from pytest_ixy.crash.record import Crash
from pytest_ixy.known import with_history

SAME, OTHER = "0123456789ab", "ba9876543210"


def crash(fingerprint=SAME):
    return Crash(what="SIGSEGV", fingerprint=fingerprint)


def leave(folder, day, fingerprint):
    run = make_run("fwd", crash=crash(fingerprint) if fingerprint else None)
    started = datetime(2026, 11, day, tzinfo=UTC)
    return make_bundle(folder, run=f"2026-11-{day:02d}-forward", roles={"fwd": run}, started=started)


def test_the_same_crash_is_counted_and_its_first_named(tmp_path):
    for day, fingerprint in ((1, OTHER), (2, SAME), (3, None), (4, SAME), (5, SAME)):
        bundle = leave(tmp_path, day, fingerprint)
    found = with_history(crash(), bundle.path)
    assert (found.earlier, found.first) == (2, "2026-11-02 in ixy@0e00605")


def test_a_new_crash_is_new(tmp_path):
    bundle = leave(tmp_path, 1, OTHER)
    assert with_history(crash(), bundle.path.parent / "new") == crash()


@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b"{", b'{"roles": 3}', b'{"roles": {"fwd": {"crash": []}}}', b"[" * 100_000, b"\xff"],
)
def test_what_else_stands_in_the_folder_is_passed_over(tmp_path, content):
    leave(tmp_path, 1, SAME)
    (tmp_path / "2026-11-09").mkdir()
    (tmp_path / "2026-11-09" / MANIFEST).write_bytes(content)
    assert with_history(crash(), tmp_path / "new").earlier == 1


def test_the_name_of_a_strangers_target_is_harmless(tmp_path):
    (tmp_path / "old").mkdir()
    text = '{"roles": {"fwd": {"crash": {"fingerprint": "%s"}}}, "target": {"label": "a\\u001b[2J%s"}}'
    (tmp_path / "old" / MANIFEST).write_text(text % (SAME, "x" * 9999))
    first = with_history(crash(), tmp_path / "new").first
    assert first.startswith("some day in a\\x1b[2Jx")
    assert len(first) == 200
