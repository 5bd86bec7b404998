"""Bundles as a good trial leaves them, for tests to spoil."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from captures import Packet, ixy_frame, packets, pcap

from pytest_ixy.bundle import (
    CAPTURE,
    Build,
    BuildStep,
    Bundle,
    CaptureRecord,
    Exit,
    Manifest,
    NicRecord,
    NodeRecord,
    ProviderRecord,
    Run,
    TargetRecord,
    write,
)
from pytest_ixy.nodestate import Device, HugePages, NodeState


def make_run(role: str, **overrides: Any) -> Run:
    """A role's run that ended as it should: pcap by itself, the others on INT."""
    itself = role == "pcap"
    fields: dict[str, Any] = {
        "command": f"build/ixy-{role} $PCI_ADDR",
        "environment": {"PCI_ADDR": "0000:00:06.0"},
        "started": 1.0,
        "ready": "after 1.0 s",
        "ended": 6.5,
        "exit": Exit(status=0) if itself else Exit(status=130, signal="SIGINT"),
        "ended_itself": itself,
        "stopped_by": None if itself else "INT",
        "log": f"roles/{role}.log",
        "tail": "ready\nworking\n",
    }
    return Run(**{**fields, **overrides})


def make_nodes(sent: int | None, received: int | None) -> tuple[NodeRecord, ...]:
    """pcap, fwd and pktgen; `sent` by pktgen, `received` by pcap, and fwd in between."""

    def nic(network: str, pci: str, out: int | None, into: int | None) -> NicRecord:
        return NicRecord(network=network, pci=f"0000:00:{pci}.0", sent=out, received=into)

    first, second, zero = "pktgen-fwd", "fwd-pcap", None if sent is None else 0
    nics = {
        "pcap": (nic(second, "06", zero, received),),
        "fwd": (nic(first, "06", zero, sent), nic(second, "07", received, zero)),
        "pktgen": (nic(first, "06", sent, zero),),
    }
    return tuple(
        NodeRecord(name=name, nics=own, before=make_state(*own), after=make_state(*own))
        for name, own in nics.items()
    )


def make_state(*nics: NicRecord, **overrides: Any) -> NodeState:
    """A node with its NICs driven by the kernel, and some huge pages that nobody has."""
    devices = tuple(
        Device(pci=nic.pci, present=True, vendor="0x1af4", device="0x1000", driver="virtio-pci", command=7)
        for nic in nics
    )
    fields: dict[str, Any] = {
        "memory": 2 << 20,
        "available": 1 << 20,
        "huge_pages": (HugePages(size=2048, total=512, free=512),),
        "devices": devices,
    }
    return NodeState(**{**fields, **overrides})


def make_manifest(count: int = 100, **overrides: Any) -> Manifest:
    """The manifest of a good trial of `count` packets."""
    roles = ("pcap", "fwd", "pktgen")
    fields: dict[str, Any] = {
        "run": "2026-11-21T20-12-07-forward-ixy",
        "scenario": "forward",
        "packets": count,
        "started": datetime(2026, 11, 21, 20, 12, 7, tzinfo=UTC),
        "target": TargetRecord(
            label="ixy@0e00605",
            name="ixy",
            source="https://example.org/ixy",
            ref=None,
            commit="0e00605" + "0" * 33,
            dirty=False,
            subject="A commit",
        ),
        "provider": ProviderRecord(name="qemu", accelerator="tcg", image="0123abcd"),
        "nodes": make_nodes(count + 4, count + 1),
        "builds": {
            role: Build(
                steps=(BuildStep(command="make", exit=Exit(status=0), seconds=2.5),), log=f"build/{role}.log"
            )
            for role in roles
        },
        "roles": {role: make_run(role) for role in roles},
        "capture": CaptureRecord(file=CAPTURE, deadline=15.0, seconds=4.2),
        "versions": {"pytest-ixy": "0"},
    }
    return Manifest(**{**fields, **overrides})


def make_bundle(
    tmp_path: Path, frames: Iterable[bytes | Packet] | bytes | None = None, **overrides: Any
) -> Bundle:
    """A bundle on disk.

    Args:
        tmp_path: Where its folder is made.
        frames: What was captured: frames, packets with times of their own, or a whole file as
            bytes. 100 packets of ixy when not given.
        **overrides: Fields of the manifest; `packets` is 100 when not given. A `capture` with
            file None leaves no capture.
    """
    count = overrides.pop("packets", 100)
    manifest = make_manifest(count, **overrides)
    folder = tmp_path / manifest.run
    (folder / "roles").mkdir(parents=True)
    for role, run in manifest.roles.items():
        (folder / "roles" / f"{role}.log").write_text(run.tail, encoding="utf-8")
    if manifest.capture.file:
        data = frames if isinstance(frames, bytes) else _file(frames, count)
        (folder / manifest.capture.file).write_bytes(data)
        capture = manifest.capture.model_copy(update={"bytes": len(data)})
        manifest = manifest.model_copy(update={"capture": capture})
    return write(folder, manifest)


def _file(frames: Iterable[bytes | Packet] | None, count: int) -> bytes:
    records = list(map(ixy_frame, range(count)) if frames is None else frames)
    timed = packets(one if isinstance(one, bytes) else one.data for one in records)
    return pcap([one if isinstance(one, Packet) else late for one, late in zip(records, timed, strict=True)])
