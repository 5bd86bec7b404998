"""Provider `static`: real machines are the hosts, for which several runs of pytest compete."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from conftest import ALL, Runner, leftovers
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.settings import resolve
from pytest_ixy.testbed import Owner, Workspace, close, connect, run_id
from pytest_ixy.topology import forward_topology

FEW = "--ixy-packets=2000"
SLOW = "--rate 3000"
"""Nobody paces pktgen here."""
STATE = """
ls -d /home/*/.cache/pytest-ixy /run/pytest-ixy/[!l]* /run/pytest-ixy/lease* 2>/dev/null
ls -d /tmp/ixy-* /var/tmp/ixy-* 2>/dev/null
cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages /proc/sys/kernel/core_pattern
grep hugetlbfs /proc/mounts
for nic in /sys/bus/pci/devices/0000:00:0[67].0; do readlink $nic/driver; cat $nic/virtio*/net/*/flags; done
"""


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """Three machines that stay, with connections of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machines"))
    settings = resolve(cli={}, environ={}, ini={})
    owner = Owner(Workspace(run_id("static", "hosts")), registry.load("qemu"))
    try:
        testbed = owner.provision(forward_topology(settings.pci), settings, Progress())
        found = connect(testbed, owner.provider, settings, Progress())
        yield found
        close(found)
    finally:
        assert owner.release() == []


@pytest.fixture
def config(hosts, tmp_path):
    """A config.toml, and an SSH configuration beside it, with which the hosts are called lab-ROLE."""
    lines, known, tables = [], [], ""
    for name, host in hosts.items():
        access = host.access
        lines += [f"Host lab-{name}", "HostName 127.0.0.1", f"Port {access.port}", f"User {access.user}"]
        lines += [f"IdentityFile {access.key}", f"UserKnownHostsFile {tmp_path}/known"]
        known.append(f"[127.0.0.1]:{access.port} {access.host_key}\n")
        macs = host.run("cat /sys/bus/pci/devices/0000:00:0[67].0/virtio*/net/*/address", timeout=60)
        nics = macs.output.split() if name != "pcap" else ["0000:00:06.0"]
        tables += f'[static.{name}]\nhost = "lab-{name}"\nnics = {nics}\n'
    (tmp_path / "ssh_config").write_text("\n".join(lines) + "\n")
    (tmp_path / "known").write_text("".join(known))
    file = tmp_path / "config.toml"
    file.write_text(f'provider = "static"\n[static]\nwait = "5m"\nssh_config = "ssh_config"\n{tables}')
    return file


@pytest.fixture
def users(tmp_path):
    """Runners that know nothing of each other, as on machines of their own."""
    made = []
    for name in ("anna", "ben"):
        (tmp_path / name / "run").mkdir(parents=True)
        made.append(Runner(tmp_path / name / "run", tmp_path / name / "state"))
    yield made
    for runner in made:
        runner.end()


def state(hosts):
    return {name: host.run(STATE, timeout=60, root=True).output for name, host in hosts.items()}


def until_in_trial(runner, process):
    while not list((runner.folder / "ixy-artifacts").glob("*/roles/pktgen.log")):
        assert process.poll() is None, runner.output
        time.sleep(0.1)


def test_two_who_want_the_hosts_have_them_one_after_the_other_even_if_one_is_killed(
    hosts, config, users, target
):
    anna, ben = users
    before = state(hosts)
    folder, option = target(pktgen=SLOW), f"--ixy-config={config}"

    first = anna.start(folder, option, FEW)
    while not all(host.run("test -e /run/pytest-ixy/lease", timeout=60).ok for host in hosts.values()):
        assert first.poll() is None, anna.output
    second = ben.start(folder, option, "--ixy-packets=100000000", "-n1")
    ben.until("; waiting", second)
    result = anna.finish(first)
    assert result.returncode == 0, result.output
    assert result.outcomes.keys() >= ALL
    assert not result.having("failure") | result.having("error")
    (run,) = [path.name for path in (anna.folder / "ixy-artifacts").iterdir()]
    assert f"(run {run}); waiting" in ben.output

    until_in_trial(ben, second)
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    third = anna.start(folder, option, FEW)
    anna.until("; waiting", third)
    for host in hosts.values():  # as if a minute had passed
        host.run("echo -100 | tee /run/pytest-ixy/beat-*", timeout=60, root=True, check=True)
    third = anna.finish(third)
    assert third.returncode == 0, third.output
    assert "its lease was taken over and the host put in order" in third.output
    assert state(hosts) == before
    assert leftovers(Path(anna.environment["XDG_STATE_HOME"])) == []


def test_an_interrupted_run_gives_the_hosts_back_as_they_were(hosts, config, users, target):
    before, folder = state(hosts), target(pktgen=SLOW)
    for user, number in zip(users, (signal.SIGINT, signal.SIGTERM), strict=True):
        process = user.start(folder, f"--ixy-config={config}", "--ixy-packets=100000000")
        until_in_trial(user, process)
        assert state(hosts) != before
        os.kill(process.pid, number)
        assert user.finish(process, timeout=60).returncode == 2
        assert state(hosts) == before
        assert leftovers(Path(user.environment["XDG_STATE_HOME"])) == []
