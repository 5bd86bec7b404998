"""Bundles for the tests of the reports: whole folders, with a capture, made without a lab."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import captures
import numpy as np

from pytest_ixy import bundle as ixy
from pytest_ixy.bare import bare
from pytest_ixy.report.traffic import Traffic, measure

START = datetime(2026, 11, 21, 20, 12, 7, tzinfo=UTC)
COMMIT = "0e00605c3f1a4c9b8f2f4e5d6a7b8c9d0e1f2a3b"
COMMANDS = {
    "pcap": "./build/ixy-pcap $PCI_ADDR_PCAP $PCAP_OUT $PCAP_N",
    "fwd": "./build/ixy-fwd $PCI_ADDR_FWD_SRC $PCI_ADDR_FWD_DST",
    "pktgen": "./build/ixy-pktgen $PCI_ADDR_PKTGEN",
}
PHASES = (("clone", -61.0, 1.8), ("boot", -59.2, 24.5), ("build", -34.7, 34.0), ("capture", 2.1, 3.4))


def target(**changes: Any) -> ixy.TargetRecord:
    given = {
        "label": "ixy@0e00605",
        "name": "ixy",
        "source": "https://github.com/emmericp/ixy",
        "ref": "master",
        "commit": COMMIT,
        "dirty": False,
        "subject": "Do not forget the barrier",
    }
    return ixy.TargetRecord(**{**given, **changes})


def run(role: str, started: float, ended: float | None, **changes: Any) -> ixy.Run:
    given = {
        "command": COMMANDS[role],
        "environment": {},
        "started": started,
        "ready": "after 2.0 s",
        "ended": ended,
        "exit": ixy.Exit(status=0 if role == "pcap" else 130, signal=None if role == "pcap" else "SIGINT"),
        "ended_itself": role == "pcap",
        "stopped_by": None if role == "pcap" else "INT",
        "log": f"roles/{role}.log",
    }
    return ixy.Run(**{**given, **changes})


def nodes(count: int) -> tuple[ixy.NodeRecord, ...]:
    def nic(network: str, slot: int, last: int, sent: int, received: int) -> ixy.NicRecord:
        mac = f"52:54:00:12:34:{last:02x}"
        return ixy.NicRecord(
            network=network, pci=f"0000:00:{slot:02d}.0", mac=mac, sent=sent, received=received, dropped=0
        )

    first, second = "pktgen-fwd", "fwd-pcap"
    return (
        ixy.NodeRecord(name="pcap", nics=(nic(second, 6, 4, 0, count),), console="consoles/pcap.log"),
        ixy.NodeRecord(name="fwd", nics=(nic(first, 6, 2, 0, count), nic(second, 7, 3, count, 0))),
        ixy.NodeRecord(name="pktgen", nics=(nic(first, 6, 1, count, 0),), address="127.0.0.1:2201"),
    )


def manifest(count: int = 8, **changes: Any) -> ixy.Manifest:
    step = ixy.BuildStep(command="make", exit=ixy.Exit(status=0), seconds=33.0)
    given = {
        "run": "2026-11-21T20-12-07",
        "scenario": "forward",
        "packets": count,
        "started": START,
        "target": target(),
        "provider": ixy.ProviderRecord(
            name="qemu", accelerator="tcg", image="debian-13", notes=("no /dev/kvm",)
        ),
        "nodes": nodes(count),
        "builds": {role: ixy.Build(steps=(step,), log=f"build/{role}.log") for role in COMMANDS},
        "roles": {
            "pcap": run("pcap", 0, 5.5),
            "fwd": run("fwd", 0.9, 5.9),
            "pktgen": run("pktgen", 2.1, 5.8),
        },
        "capture": ixy.CaptureRecord(file=ixy.CAPTURE, bytes=24 + 76 * count, deadline=15.0, seconds=3.4),
        "phases": tuple(
            ixy.Phase(name=name, started=START + timedelta(seconds=start), seconds=seconds)
            for name, start, seconds in PHASES
        ),
        "versions": {"pytest-ixy": "0.1.0"},
    }
    return ixy.Manifest(**{**given, **changes})


def make(path: Path, numbers: Iterable[int] = range(8), **changes: Any) -> ixy.Bundle:
    """Write a bundle whose capture holds ixy's packets with these sequence numbers, 1 ms apart."""
    frames = [captures.ixy_frame(number) for number in numbers]
    written = ixy.write(path, manifest(**{"count": len(frames), **changes}))
    (path / ixy.CAPTURE).write_bytes(captures.pcap(captures.packets(frames, step=1_000_000)))
    for folder, names in (("roles", COMMANDS), ("build", COMMANDS), ("consoles", ["pcap"])):
        (path / folder).mkdir(exist_ok=True)
        for name in names:
            (path / folder / f"{name}.log").write_text(f"{folder} {name}: all is well\n")
    return written


def traffic(path: Path, numbers: Any, step: Any = 1e-5, asked: int | None = None) -> Traffic:
    """Measure a capture of packets with these numbers; `step` is the seconds before each one."""
    write(path, numbers, step)
    return measure(bare(path, asked))


def write(path: Path, numbers: Any, step: Any = 1e-5) -> None:
    """Write a capture of many packets with these numbers, fast; times are in whole nanoseconds."""
    numbers = np.asarray(numbers, dtype=np.uint32)
    after = np.broadcast_to(np.rint(np.asarray(step) * 1e9).astype(np.int64), numbers.shape)
    time = 1_700_000_000 * 10**9 + np.cumsum(after)
    head = captures.pcap([captures.Packet(captures.ixy_frame(0))], nano=True)
    rows = np.tile(np.frombuffer(head[24:], np.uint8), (numbers.size, 1))
    for at, values in ((0, time // 10**9), (4, time % 10**9), (rows.shape[1] - 4, numbers)):
        rows[:, at : at + 4] = values.astype("<u4")[:, None].view(np.uint8)
    path.write_bytes(head[:24] + rows.tobytes())
