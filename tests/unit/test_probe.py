"""What a probe says of a node: read from text, and asked of this machine over a real SSH server."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sshd import until

from pytest_ixy.errors import LabError
from pytest_ixy.nodestate import MOST, Device, HugePages, Living, NodeState
from pytest_ixy.probe import Probe, script
from pytest_ixy.probe.read import read
from pytest_ixy.topology import Nic, Node, Topology

pytest_plugins = ["sshd_fixtures"]

NOWHERE = "ffff:ff:1f.7"

SAID = r"""memory 2027268 846884
pages 2048 512 500
file /mnt/huge/ixy-1-0
file /mnt/huge/two words
nic 0000:00:06.0 0x1af4 0x1000 virtio-pci 1110 down 0704
nic 0000:00:07.0 0x1af4 0x1000 - - - 0700
nic 0000:00:08.0
process 160 1644 fwd
process 161 1645 two words
core_pattern |/usr/bin/collect %p
core 552960 /var/tmp/x/core.160.11.!home!ixy!my.driver!fwd
kernel
[    6.370135] core 1 not a core
"""


def test_all_that_is_said():
    seen = read(SAID)
    ids = {"vendor": "0x1af4", "device": "0x1000"}
    driven = Device(
        pci="0000:00:06.0",
        present=True,
        driver="virtio-pci",
        features="1110",
        command=0x407,
        link="down",
        **ids,
    )
    assert seen.state == NodeState(
        memory=2027268,
        available=846884,
        huge_pages=(HugePages(size=2048, total=512, free=500),),
        files=("/mnt/huge/ixy-1-0", "/mnt/huge/two words"),
        devices=(
            driven,
            Device(pci="0000:00:07.0", present=True, command=7, **ids),
            Device(pci="0000:00:08.0", present=False),
        ),
        processes=(
            Living(pid=160, started=1644, name="fwd"),
            Living(pid=161, started=1645, name="two words"),
        ),
        core_pattern="|/usr/bin/collect %p",
    )
    assert [nic.masters for nic in seen.state.devices] == [True, True, False]
    (core,) = seen.cores
    assert (core.program, core.signal, core.size) == ("/home/ixy/my.driver/fwd", 11, 552960)
    assert seen.kernel == "[    6.370135] core 1 not a core\n"


@pytest.mark.parametrize(
    "line", ["memory x", "pages 1 2", "nic a b", "process -1 2 x", "core 9999999999999999 /x"]
)
def test_what_makes_no_sense_is_left_out(line):
    assert read(f"{line}\n") == read("")


def test_too_much_is_cut():
    many = "".join(f"process {number} 1 {'x' * 1000}\nfile {'y' * 1000}\n" for number in range(MOST + 9))
    state = read(many).state
    assert (len(state.processes), len(state.files)) == (MOST, MOST)
    assert NodeState.model_validate_json(state.model_dump_json()) == state


@given(st.text())
@example("nic \x00 a b c d e 0000")
@example("core 1 core")
def test_no_words_break_the_reader(text):
    for seen in (read(text), read(SAID.replace("6", text))):
        assert NodeState.model_validate_json(seen.state.model_dump_json()) == seen.state
        assert all(core.signal >= 0 for core in seen.cores)


# asked of this machine


def ask(host, name, **environment):
    done = host.run(
        script(name), timeout=60, environment={"NICS": NOWHERE, "AFTER": "1", "CORES": "", **environment}
    )
    assert done.ok, done.output
    return done.output


def test_this_machine_as_it_is(host):
    state = read(ask(host, "look.sh")).state
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert state.memory == int(lines["MemTotal"].split()[0])
    assert 0 < state.available <= state.memory
    assert state.devices == (Device(pci=NOWHERE, present=False),)


def test_a_process_shows_and_who_asks_does_not(host):
    before = read(ask(host, "look.sh")).state
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        after = read(ask(host, "look.sh")).state
    finally:
        process.kill()
        process.wait()
    new = {one.pid for one in after.processes} - {one.pid for one in before.processes}
    if len(before.processes) < 250:  # as many as it tells
        assert process.pid in new
    assert not [one for one in after.processes if one.name == "look.sh"]


def test_who_looks_on_by_another_connection_is_no_stray(host, sshd):
    with sshd.connect() as visitor:
        looks_on, runs = visitor.start("echo $$; sleep 600"), host.start("echo $$; sleep 600")
        try:
            assert until(lambda: looks_on.output and runs.output)
            state = read(ask(host, "look.sh")).state
        finally:
            looks_on.stop()
            runs.stop()
    told = {one.pid for one in state.processes}
    assert int(looks_on.output) not in told
    assert int(runs.output) in told or len(told) >= 250  # as many as it tells


def test_strays_and_files_are_removed(host, tmp_path):
    left = [tmp_path / "one", tmp_path / "two words;$(x)"]
    for file in left:
        file.touch()
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    said = ask(host, "tidy.sh", STRAYS=str(process.pid), FILES="\n".join(map(str, left)), DRIVERS="")
    assert process.wait(10) == -9
    assert [file.exists() for file in left] == [False, False]
    assert said == ""


def test_captures_that_were_fetched_are_forgotten_and_no_others(host, tmp_path):
    begin = tmp_path / "it's $HOME"
    names = [
        f"{begin.name}-pcap.pcap",
        f"{begin.name}-pcap-back.pcap",
        "other-pcap.pcap",
        f"{begin.name}.txt",
    ]
    for name in names:
        (tmp_path / name).touch()
    assert ask(host, "forget.sh", CAPTURES=str(begin)) == ""
    assert ask(host, "forget.sh", CAPTURES="") == ""
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(names[2:])


def test_what_cannot_be_put_back_is_told(host):
    said = ask(host, "tidy.sh", STRAYS="", FILES="/proc/version", DRIVERS=f"{NOWHERE}=virtio-pci")
    assert "cannot remove /proc/version" in said
    assert f"virtio-pci does not take {NOWHERE}" in said


def test_half_an_answer_is_none(host, monkeypatch):
    node = Node("fwd", ())
    probe = Probe({"fwd": host}, Topology((), (node,)), "/nowhere")
    monkeypatch.setattr("pytest_ixy.probe.script", lambda _name: "echo process 1 1 init; exit 3")
    with pytest.raises(LabError, match=r"node of fwd did not tell .* process 1 1 init"):
        probe.look()


def test_who_interrupts_it_does_not_wait_for_the_nodes(sshd, monkeypatch):
    monkeypatch.setattr("pytest_ixy.probe.script", lambda _name: "sleep 60")
    main = threading.get_ident()
    with sshd.connect() as host:
        probe = Probe({"fwd": host}, Topology((), (Node("fwd", ()),)), "/nowhere")
        threading.Timer(1.0, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            probe.look()
        assert host.lost == "the connection was closed"


def test_a_node_without_its_device_is_the_labs_fault(host, monkeypatch):
    topology = Topology((), (Node("fwd", (Nic("net", NOWHERE, "PCI_ADDR_FWD_SRC"),)),))
    probe = Probe({"fwd": host}, topology, "/nowhere")
    # what changes this machine is left out
    monkeypatch.setattr(probe, "_ask", lambda _node, name: ask(host, name))
    with pytest.raises(
        LabError, match=r"node of fwd has no device at PCI address ffff:ff:1f\.7 \(PCI_ADDR_FWD_SRC\)"
    ):
        probe.look()
