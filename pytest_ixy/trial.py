"""One run of a scenario on a testbed: start the roles in order, watch, stop, collect a bundle."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest_ixy
from pytest_ixy import bundle as bundles
from pytest_ixy import roles
from pytest_ixy.build import folder_name
from pytest_ixy.bundle import Build, Bundle, CaptureRecord, Exit, Manifest, NicRecord, NodeRecord, Run
from pytest_ixy.parallel import all_at_once
from pytest_ixy.progress import Progress
from pytest_ixy.providers.base import Counters, Provider, Testbed
from pytest_ixy.remote import Process, RemoteFileMissing, Stopped
from pytest_ixy.roles import Order, Started
from pytest_ixy.settings import Settings
from pytest_ixy.target import Target
from pytest_ixy.testbed import Hosts, close
from pytest_ixy.topology import PCAP

POLL = 0.1
GRACE = 3.0
"""Seconds that pcap still gets after another role has ended by itself."""
PACKETS_PER_SECOND = 5000
"""Rate below which no lab should be; more packets get more time."""
LEAST_LIMIT, LARGEST_RECORD = 1 << 28, 2048
"""A capture with more bytes than this, and than this for each packet, is not fetched: it is no
capture of N packets, and a broken pcap must not fill this machine's disk."""
PCAP_HEADER, RECORD = 24, 76
"""Bytes in a classic capture's header, and per 60-byte packet; only to show progress."""


@dataclass(frozen=True)
class Setup:
    """What a trial is run on and with."""

    testbed: Testbed
    provider: Provider
    hosts: Hosts
    target: Target
    builds: Mapping[str, Build]
    settings: Settings


@dataclass
class _Watch:
    """What was seen while packets flowed."""

    began: float
    pktgen_began: float
    early: dict[str, Exit] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    timed_out: bool = False
    written: int | None = None
    seconds: float = 0.0


def deadline_for(settings: Settings, packets: int) -> float:
    """Seconds after pktgen's start by which pcap must have ended."""
    return settings.timeouts.capture + packets / PACKETS_PER_SECOND


def run(setup: Setup, packets: int, folder: Path, progress: Progress) -> Bundle:
    """Run one trial and leave its bundle in `folder`.

    Raises:
        LabError: a node was lost, or the capture could not be fetched.
    """
    started_at, watch = datetime.now(UTC), _Watch(now := time.monotonic(), now)
    remote_capture = f"/tmp/ixy-{setup.testbed.run}-{time.monotonic_ns()}.pcap"  # noqa: S108 - on the node
    (folder / "roles").mkdir(parents=True, exist_ok=True)
    running: list[Started] = []
    setup.provider.begin_trial(setup.testbed)
    before = setup.provider.counters(setup.testbed)
    try:
        with progress.phase("start"):
            _start_all(setup, packets, remote_capture, folder, watch, running, progress.tell)
        with progress.phase("capture"):
            _watch(setup, packets, remote_capture, watch, running, progress.tell)
    finally:
        with progress.phase("stop"):
            setup.provider.end_traffic(setup.testbed)
            stopped = _stop_all(setup, watch, running)
    counted = _difference(before, setup.provider.counters(setup.testbed))
    with progress.phase("fetch"):
        capture = _fetch(setup, packets, remote_capture, folder, watch, progress)
    runs = {
        one.order.role: roles.record(
            one,
            watch.early.get(one.order.role),
            stopped.get(one.order.role),
            watch.ended.get(one.order.role),
            folder,
        )
        for one in running
    }
    manifest = _manifest(setup, packets, started_at, runs, capture, counted, folder)
    return bundles.write(folder, manifest.model_copy(update={"phases": tuple(progress.phases)}))


def _start_all(  # noqa: PLR0913, PLR0917
    setup: Setup,
    packets: int,
    capture: str,
    folder: Path,
    watch: _Watch,
    running: list[Started],
    tell: Callable[[str], None],
) -> None:
    """Start the roles in the topology's order; stop starting when one ends at once."""
    limits = setup.settings.timeouts
    variables = roles.environment(setup.testbed.topology, capture, packets)
    for node in setup.testbed.topology.nodes:
        tell(node.name)
        order = Order(
            role=node.name,
            command=setup.target.spec.command(node.name),
            environment=variables,
            folder=folder_name(setup.target),
            log=folder / "roles" / f"{node.name}.log",
            ready=setup.target.spec.ready.pattern(node.name),
        )
        last = node is setup.testbed.topology.nodes[-1]  # nothing waits for the last one
        if last:
            setup.provider.begin_traffic(setup.testbed)
            watch.pktgen_began = time.monotonic()
        settle = 0.0 if last else limits.settle
        ready = 0.0 if last else limits.ready
        running.append(
            roles.start(setup.hosts[node.name], order, watch.began, ready_timeout=ready, settle=settle)
        )
        if _note_ended(running, watch):
            return


def _note_ended(running: list[Started], watch: _Watch) -> bool:
    """Note which roles have ended by themselves; True when any has."""
    for one in running:
        role = one.order.role
        if role not in watch.early and (end := one.process.poll()) is not None:
            watch.early[role] = end
            watch.ended[role] = round(time.monotonic() - watch.began, 3)
    return bool(watch.early)


def _watch(  # noqa: PLR0913, PLR0917
    setup: Setup,
    packets: int,
    capture: str,
    watch: _Watch,
    running: list[Started],
    tell: Callable[[str], None],
) -> None:
    """Wait until pcap ends, its deadline passes, or another role's end makes waiting useless."""
    limit = deadline_for(setup.settings, packets)
    sizes = roles.watch_size(setup.hosts[PCAP], capture)
    try:
        while PCAP not in watch.early:
            _note_ended(running, watch)
            watch.seconds = time.monotonic() - watch.pktgen_began
            watch.written = _last_number(sizes)
            tell(_progress_text(watch.written, packets, watch.seconds, limit))
            if watch.seconds > _patience(watch, limit):
                break
            time.sleep(POLL)
        watch.timed_out = PCAP not in watch.early
    finally:
        sizes.stop(setup.settings.timeouts.stop)


def _patience(watch: _Watch, limit: float) -> float:
    """Seconds after pktgen's start to wait; less when a role that packets need has ended."""
    if not watch.ended:
        return limit
    first = watch.began + min(watch.ended.values())
    return min(limit, first + GRACE - watch.pktgen_began)


def _last_number(sizes: Process) -> int | None:
    lines = sizes.output.split()
    return int(lines[-1]) if lines and lines[-1].isdigit() else None


def _progress_text(written: int | None, packets: int, seconds: float, limit: float) -> str:
    if written is None:
        return f"no packet yet, {seconds:.0f} s of at most {limit:.0f} s"
    return f"{max(0, (written - PCAP_HEADER) // RECORD):,} of {packets:,}"


def _stop_all(setup: Setup, watch: _Watch, running: list[Started]) -> dict[str, Stopped]:
    """Stop what still runs, all at once; note what had ended before it was told to."""
    _note_ended(running, watch)

    def stop(one: Started) -> Stopped:
        stopped = one.process.stop(setup.settings.timeouts.stop)
        watch.ended.setdefault(one.order.role, round(time.monotonic() - watch.began, 3))
        return stopped

    jobs = {one.order.role: lambda one=one: stop(one) for one in running}
    return all_at_once(jobs, abort=lambda: close(setup.hosts))


def _fetch(  # noqa: PLR0913, PLR0917
    setup: Setup, packets: int, remote: str, folder: Path, watch: _Watch, progress: Progress
) -> CaptureRecord:
    """Bring the capture over; a missing one is the target's doing and is recorded as such."""
    record = CaptureRecord(
        file=None,
        timed_out=watch.timed_out,
        deadline=deadline_for(setup.settings, packets),
        seconds=round(watch.seconds, 3),
        written=watch.written,
    )

    def tell(count: int) -> None:
        progress.tell(f"{count / 1e6:.1f} MB")

    try:
        size = setup.hosts[PCAP].fetch(
            remote,
            folder / bundles.CAPTURE,
            timeout=setup.settings.timeouts.fetch,
            limit=max(LEAST_LIMIT, packets * LARGEST_RECORD),
            progress=tell,
        )
    except RemoteFileMissing:
        return record
    return record.model_copy(update={"file": bundles.CAPTURE, "bytes": size})


def _difference(before: Counters, after: Counters) -> Counters:
    return {
        node: tuple(_subtract(old, new) for old, new in zip(before[node], nics, strict=True))
        for node, nics in after.items()
    }


def _subtract(old: NicRecord, new: NicRecord) -> NicRecord:
    names = ("sent", "received", "dropped")
    return new.model_copy(
        update={name: (getattr(new, name) or 0) - (getattr(old, name) or 0) for name in names}
    )


def leave_unrun(setup: Setup, packets: int, folder: Path, progress: Progress) -> Bundle:
    """Leave a bundle that says that there was no trial, because the target is not built."""
    nothing = CaptureRecord(file=None)
    manifest = _manifest(setup, packets, datetime.now(UTC), {}, nothing, {}, folder)
    return bundles.write(folder, manifest.model_copy(update={"phases": tuple(progress.phases)}))


def keep_consoles(testbed: Testbed, folder: Path) -> None:
    """Copy the consoles of a testbed on which no trial ended."""
    for node in testbed.nodes:
        _with_console(node, {}, folder)


def _manifest(  # noqa: PLR0913, PLR0917
    setup: Setup,
    packets: int,
    started: datetime,
    runs: dict[str, Run],
    capture: CaptureRecord,
    counted: Counters,
    folder: Path,
) -> Manifest:
    if setup.target.diff:
        (folder / bundles.DIFF).write_text(setup.target.diff, encoding="utf-8", errors="surrogateescape")
    return Manifest(
        run=setup.testbed.run,
        scenario=setup.settings.scenario,
        packets=packets,
        started=started,
        target=setup.target.record,
        provider=setup.testbed.record,
        nodes=tuple(_with_console(node, counted, folder) for node in setup.testbed.nodes),
        builds=dict(setup.builds),
        roles=runs,
        capture=capture,
        versions=_versions(),
    )


def _with_console(node: NodeRecord, counted: Counters, folder: Path) -> NodeRecord:
    """The node with its counters, and its console copied into the bundle."""
    found = node.model_copy(update={"nics": counted.get(node.name, node.nics), "console": None})
    if node.console is None or not Path(node.console).exists():
        return found
    target = folder / "consoles" / f"{node.name}.log"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(node.console, target)
    return found.model_copy(update={"console": str(target.relative_to(folder))})


def _versions() -> dict[str, str]:
    return {
        "pytest-ixy": pytest_ixy.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
