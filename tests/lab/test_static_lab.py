"""Provider `static`: real machines are the hosts, for which several runs of pytest compete."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ALL, Runner, leftovers
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.settings import resolve
from pytest_ixy.testbed import Owner, Workspace, close, connect, run_id
from pytest_ixy.topology import forward_topology

FEW, LONG = "--ixy-packets=2000", "--ixy-packets=100000000"
TAKEN_OVER = "its lease was taken over and the host put in order"
SLOW = "--rate 3000"
"""Nobody paces pktgen here."""
STATE = """
ls -d /home/*/.cache/pytest-ixy /run/pytest-ixy/[!l]* /run/pytest-ixy/lease* 2>/dev/null
ls -d /tmp/ixy-* /var/tmp/ixy-* 2>/dev/null
cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages /proc/sys/kernel/core_pattern
grep hugetlbfs /proc/mounts
sysctl net.core.gro_normal_batch
for nic in /sys/bus/pci/devices/0000:00:0[67].0; do
    readlink $nic/driver
    cat $nic/virtio*/net/*/{flags,mtu}
    name=$(ls $nic/virtio*/net)
    ethtool -k $name
    sysctl net.ipv6.conf.$name.disable_ipv6
done
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
    for name in ("anna", "ben", "carl"):
        (tmp_path / name / "run").mkdir(parents=True)
        made.append(Runner(tmp_path / name / "run", tmp_path / name / "state"))
        made[-1].seen = set()
    yield made
    for runner in made:
        runner.end()


def state(hosts):
    said = {name: host.run(STATE, timeout=60, root=True).output for name, host in hosts.items()}
    return [f"{name}: {line}" for name, text in said.items() for line in text.splitlines()]


def until_in_trial(runner, process):
    """Until pktgen runs in the newest of the user's runs."""
    folder, seen = runner.folder / "ixy-artifacts", runner.seen
    while not (found := set(folder.glob("*/roles/pktgen.log")) - seen):
        assert process.poll() is None, runner.output
        time.sleep(0.1)
    seen |= found


def let_a_minute_pass(hosts):
    """As if nothing had been heard of the owner for so long."""
    for host in hosts.values():
        host.run("echo -100 | tee /run/pytest-ixy/beat-*", timeout=60, root=True, check=True)


def leases(hosts, what="lease"):
    return [name for name, host in hosts.items() if host.run(f"ls /run/pytest-ixy/{what}", timeout=60).ok]


def all_leftovers(users):
    return [found for user in users for found in leftovers(Path(user.environment["XDG_STATE_HOME"]))]


def command(runner, *arguments):
    program = str(Path(sys.executable).with_name("pytest-ixy"))
    return subprocess.run(
        [program, *arguments], cwd=runner.folder, env=runner.environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def is_green(result):
    assert result.returncode == 0, result.output
    assert result.outcomes.keys() >= ALL
    assert not result.having("failure") | result.having("error")


def test_hosts_go_from_one_to_the_next_even_if_he_is_killed_or_stopped(hosts, config, users, target):
    anna, ben, _ = users
    before = state(hosts)
    made_up = {host.run("cat /proc/sys/kernel/random/uuid", timeout=60).output for host in hosts.values()}
    assert len(made_up) == len(hosts), "restored from one state, they make up the same random numbers"
    folder, option = target(pktgen=SLOW), f"--ixy-config={config}"

    first = anna.start(folder, option, FEW)
    while leases(hosts) != list(hosts):
        assert first.poll() is None, anna.output
    second = ben.start(folder, option, LONG)
    ben.until("; waiting", second)
    is_green(anna.finish(first))
    (run,) = [path.name for path in (anna.folder / "ixy-artifacts").iterdir()]
    assert " for forward of /" in ben.output
    assert f"(run {run}); waiting" in ben.output
    anna.seen |= set((anna.folder / "ixy-artifacts").glob("*/roles/pktgen.log"))

    until_in_trial(ben, second)
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    third = anna.start(folder, option, LONG)
    anna.until("; waiting", third)
    let_a_minute_pass(hosts)
    until_in_trial(anna, third)
    assert TAKEN_OVER in anna.output

    os.kill(third.pid, signal.SIGSTOP)  # as a computer that falls asleep and does not know of it
    let_a_minute_pass(hosts)
    fourth = ben.start(folder, option, FEW)
    ben.until(TAKEN_OVER, fourth)
    os.kill(third.pid, signal.SIGCONT)
    asleep = anna.finish(third)
    assert asleep.returncode == 1, asleep.output
    assert asleep.having("error")
    assert not asleep.having("failure")
    is_green(ben.finish(fourth))
    assert state(hosts) == before
    assert all_leftovers(users) == []


def test_hosts_are_given_back_as_they_were_however_a_run_ends(hosts, config, users, target):
    (anna, ben, carl), option = users, f"--ixy-config={config}"
    before, folder = state(hosts), target(pktgen=SLOW)

    process = anna.start(folder, option, LONG, "--ixy-role=fwd=reference")
    until_in_trial(anna, process)
    assert state(hosts) != before
    waiting = {ben: ben.start(folder, option), carl: carl.start(folder, option, "-n1")}
    for user, number in ((ben, signal.SIGINT), (carl, signal.SIGTERM)):
        user.until("; waiting", waiting[user])
        os.kill(waiting[user].pid, number)
    assert [user.finish(one, timeout=60).returncode for user, one in waiting.items()] == [2, 2]
    assert leases(hosts, "waits-*") == all_leftovers([ben, carl]) == []
    os.kill(process.pid, signal.SIGTERM)
    assert anna.finish(process, timeout=60).returncode == 2
    assert state(hosts) == before

    process = ben.start(folder, option, LONG, "--ixy-keep=always")
    until_in_trial(ben, process)
    os.kill(process.pid, signal.SIGINT)
    assert ben.finish(process, timeout=60).returncode == 2
    host = hosts["fwd"]
    host.run("echo 1 >$(ls /run/pytest-ixy/beat-*)", timeout=60, root=True, check=True)
    assert host.run("until ! grep -qx 1 /run/pytest-ixy/beat-*; do sleep 1; done", timeout=60).ok
    assert "has been held for" in command(anna, "doctor", option).stdout
    assert command(ben, "ssh", "fwd", "--", "ls fwd").stdout == "fwd\n"
    assert command(ben, "release").returncode == 0
    assert state(hosts) == before
    assert all_leftovers(users) == []


def test_targets_of_one_run_take_turns_on_the_hosts_and_the_last_one_may_hold_them(
    hosts, config, users, target
):
    anna, before = users[0], state(hosts)
    good = target(pktgen=SLOW)
    bad = good.with_name("bad")
    shutil.copytree(good, bad)
    toml = bad / "ixy-ci.toml"
    toml.write_text(re.sub("^build = .*", "build = ['false']", toml.read_text()))
    asked = [f"--ixy-repo={good}", f"--ixy-config={config}", FEW, "-n2", "--ixy-keep=always"]
    result = anna.run(bad, *asked)
    assert result.returncode == 1, result.output
    assert re.search(rf"^target@\w+\+dirty: passed \({len(ALL)} passed\)$", result.output, re.MULTILINE)
    assert re.search(r"^bad@\w+\+dirty: failed \(3 failed, ", result.output, re.MULTILINE)
    assert "waits: there is room for 1 testbed at once" in result.output
    for words in (" is not held: other targets need its place", " is held until "):
        assert result.output.count(words) == 1, result.output
    assert leases(hosts) == list(hosts)
    assert command(anna, "ssh", "fwd", "--", "ls ixy-ci.toml").stdout == "ixy-ci.toml\n"
    assert command(anna, "release").returncode == 0
    assert state(hosts) == before
    assert all_leftovers(users) == []
