"""How many testbeds a host can take."""

from __future__ import annotations

import os

import pytest

from pytest_ixy.providers.qemu import room


@pytest.mark.parametrize(
    ("host", "count"),
    [
        ((2, 100_000, 2048), 2),
        ((64, 13_300, 2048), 2),
        ((64, 13_200, 2048), 1),
        ((1, 100_000, 256), 1),
        ((8, 100, 2048), 1),
        ((8, None, 2048), 1),
    ],
)
def test_memory_and_cores_limit_it_and_one_is_always_tried(host, count, tmp_path, monkeypatch):
    cores, free, memory = host
    meminfo = tmp_path / "meminfo"
    if free is not None:
        meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable:   {free * 1024} kB\n")
    monkeypatch.setattr(room, "MEMINFO", meminfo)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    assert room.testbeds(memory) == count
