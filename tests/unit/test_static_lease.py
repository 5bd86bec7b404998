"""Leases on hosts: this machine is the host, by a real SSH server; the lease lies in a folder of the test."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sshd import needs_root, until

from pytest_ixy import ledger, shell, sweep
from pytest_ixy.errors import LabError
from pytest_ixy.providers.static import slip
from pytest_ixy.providers.static.answers import Nic
from pytest_ixy.providers.static.heart import Heart
from pytest_ixy.providers.static.line import Line, spell
from pytest_ixy.providers.static.tenancy import VARIABLE, Claim, owner
from pytest_ixy.remote import Host
from pytest_ixy.spots import Spot

pytest_plugins = ["sshd_fixtures"]
pytestmark = needs_root


@pytest.fixture
def claim(sshd, tmp_path):
    """Makes a claim of a run of its own on a host, which is a folder here."""

    def make(run="run-a", at="host", **more):
        folder = str(tmp_path / at)
        return Claim(
            sshd.access, secrets.token_hex(4), run, (), "forward of c", expiry=60, folder=folder, **more
        )

    return make


def age(claim, seconds):
    """Let the owner's last heartbeat be so old."""
    beat = Path(claim.folder) / f"beat-{claim.token}"
    beat.write_text(f"{int(float(Path('/proc/uptime').read_text().split()[0])) - seconds}\n")


def test_one_has_it_the_other_is_told_who(host, claim):
    first, second = claim("run-a"), claim("run-b")
    taken = first.take(host)
    assert taken.holder is None
    assert taken.machine
    refused = second.take(host)
    who = refused.holder
    assert (who.owner, who.run, who.purpose, who.waits) == (owner(), "run-a", "forward of c", False)
    assert second.free(host) == (False, ())
    assert first.free(host) == (True, ())
    assert first.free(host) == (False, ())
    assert second.take(host).holder is None
    assert second.free(host) == (True, ())
    assert sorted(path.name for path in Path(second.folder).iterdir()) == ["lock"]


def test_whose_lease_is_lost_starts_nothing_more(sshd, host, claim, tmp_path):
    mine, other, file = claim("run-a"), claim("run-b"), tmp_path / "there"
    mine.take(host)
    with Host.connect(mine.way(), deadline=30) as leased:
        assert leased.run(f"echo ${VARIABLE}", timeout=30).output == f"{mine.token}\n"
        leased.upload(b"data", str(file))
        visit = shell.remote(leased.access, Spot(str(tmp_path), "", {"A": "b"}), f"echo $A ${VARIABLE}")
        assert host.run(visit, timeout=30).output == f"b {mine.token}\n"
        age(mine, 100)
        other.take(host)
        before = file.stat()
        for act in (
            lambda: leased.run(f"touch {file}", timeout=30, root=True),
            lambda: leased.upload(b"more", str(file)),
            lambda: leased.fetch(str(file), tmp_path / "back", timeout=30),
        ):
            with pytest.raises(LabError, match=r": this run's lease of the host was lost$"):
                act()
        assert file.stat() == before
        command = shell.remote(leased.access, Spot(str(tmp_path), "", {}), f"rm {file}")
        assert host.run(command, timeout=30).exit.status == 1
        assert file.exists()
    assert other.free(host)[0]


def test_two_roles_on_one_host_share_a_lease(host, claim):
    one = claim()
    other = replace(one, access=replace(one.access, name="pcap"))
    assert one.take(host).machine == other.take(host).machine
    assert one.free(host)[0]
    assert not other.free(host)[0]


def test_two_hosts_of_a_testbed_are_never_taken_for_one(host, claim, tmp_path):
    """Not even those that were restored from one saved state, which have the same random numbers."""
    one = claim()
    other = replace(one, access=replace(one.access, name="pcap"), folder=str(tmp_path / "another"))
    assert one.take(host).machine == "fwd"
    assert other.take(host).machine == "pcap"
    assert one.free(host)[0]
    assert other.free(host)[0]


def test_of_many_who_ask_at_once_one_gets_it(host, claim):
    claims = [claim(f"run-{number}") for number in range(8)]
    answers = []
    threads = [threading.Thread(target=lambda one=one: answers.append(one.take(host))) for one in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = {answer.holder.run for answer in answers if answer.holder}
    assert [answer.holder for answer in answers].count(None) == 1
    for one in claims:
        assert one.free(host)[0] == (one.run == winner)


def test_a_dead_owners_lease_is_taken_over_and_all_of_its_run_ended(host, claim, tmp_path):
    home = tmp_path / ".cache/pytest-ixy/run-a/fwd"
    dead = claim("run-a", place=str(home))
    dead.take(host)
    home.mkdir(parents=True)
    capture = Path(f"/tmp/ixy-run-a-{dead.token}.pcap")
    capture.touch()
    tag = f"ixy-{dead.token}"
    # as a target's program that clears its environment, below one that has not
    command = f"env -i bash -c 'trap : INT TERM; while :; do sleep 1; done' {tag} & sleep 1000"
    left = subprocess.Popen(
        ["bash", "-c", command], env={**os.environ, VARIABLE: dead.token}, start_new_session=True
    )
    assert until(lambda: sweep.processes(tag))

    next_one = claim("run-b")
    age(dead, 30)
    assert next_one.take(host).holder.run == "run-a"
    age(dead, 75)
    taken = next_one.take(host)
    assert taken.holder is None
    assert taken.dead.run == "run-a"
    assert taken.untidy == ()
    left.wait(10)
    assert not sweep.processes(tag)
    assert not home.parents[1].exists()
    assert not capture.exists()
    assert dead.free(host) == (False, ())
    assert next_one.free(host) == (True, ())


def test_an_end_that_was_cut_off_is_taken_up_by_whoever_comes_next(host, claim):
    """As when the connection breaks while a host is put back in order; its owner starts nothing more."""
    mine, other = claim("run-a"), claim("run-b")
    mine.take(host)
    folder = Path(mine.folder)
    before = (folder / "before").read_text()
    (folder / "before").write_text(f"{before}driver 0000:7f:1f.7 none -\n")
    (folder / "lease").write_text("-" + (folder / "lease").read_text())
    with Host.connect(mine.way(), deadline=30) as leased, pytest.raises(LabError, match="was lost"):
        leased.run("true", timeout=30)
    taken = other.take(host)
    assert taken.holder is None
    assert taken.untidy == ("0000:7f:1f.7 is no longer there",)
    assert other.free(host) == (True, ())


def test_who_waits_for_longer_gets_it_first_unless_he_has_gone(host, claim):
    holder, old, new = claim("run-a"), claim("run-old"), claim("run-new")
    holder.take(host)
    assert not old.take(host).holder.waits
    (file,) = Path(old.folder).glob("waits-*")
    first, last, *who = file.read_text().split(" ")
    file.write_text(" ".join([str(int(first) - 70), last, *who]))
    assert holder.free(host)[0]
    told = new.take(host).holder
    assert (told.waits, told.run, told.purpose) == (True, "run-old", "forward of c")
    assert told.seconds >= 70
    assert "it is the turn of" in line(host, {"one": new})[0]._words("one", told)
    file.write_text(" ".join([str(int(first) - 70), str(int(last) - 20), *who]))
    assert new.take(host).holder is None
    assert not old.take(host).holder.waits
    assert new.free(host)[0]
    assert old.take(host).holder is None
    assert old.free(host)[0]
    assert sorted(path.name for path in Path(old.folder).iterdir()) == ["lock"]


def test_the_nic_that_the_host_is_reached_through_is_told(host, claim):
    found = [path.parts[5:8:2] for path in Path("/sys/bus/pci/devices").glob("*/net/*")]
    found += [path.parts[5:9:3] for path in Path("/sys/bus/pci/devices").glob("*/virtio*/net/*")]
    route = subprocess.check_output(["ip", "route", "get", "192.0.2.1"], text=True)
    nics = [pci for pci, name in found if f" dev {name} " in route]
    if not nics:
        pytest.skip("this machine's way out is no NIC on PCI")
    mine = replace(claim(), nics=tuple(nics), peer="192.0.2.1")
    assert mine.take(host).ways == tuple(nics)
    assert replace(mine, peer="127.0.0.1").take(host).ways == ()
    assert mine.free(host)[0]


def test_nics_are_found_by_either_address_and_missing_ones_told(host, claim):
    devices = Path("/sys/bus/pci/devices")
    there = next(iter(sorted(path.name for path in devices.glob("*"))), None)
    if there is None:
        pytest.skip("this machine has no PCI device")
    asked = replace(claim(), nics=(there, "0000:7f:1f.7", "02:00:00:00:00:99"))
    found = dict(asked.take(host).nics)
    assert found[there] is not None
    assert found[there].pci == there
    assert found["0000:7f:1f.7"] is found["02:00:00:00:00:99"] is None
    for address in devices.glob("*/net/*/address"):
        mac = address.read_text().strip()
        again = replace(asked, nics=(mac,)).take(host)
        assert dict(again.nics)[mac] == Nic(address.relative_to(devices).parts[0], mac)
    assert asked.free(host) == (True, ())


def test_a_host_that_cannot_be_leased_says_why(host, claim, tmp_path):
    (tmp_path / "host").write_text("a file")
    with pytest.raises(LabError, match=r"node fwd: .* cannot be leased: .*File exists"):
        claim().take(host)


@pytest.fixture
def beating(sshd, claim):
    """A lease with a heart; what it said of its loss."""
    made, lost = replace(claim(), expiry=6), []
    with sshd.connect() as host:
        made.take(host)
        heart = Heart(made, host, lost.append)
        yield made, heart, lost
        heart.close()
        heart.host.close()


def test_a_beating_heart_keeps_the_lease(beating, host, claim):
    made, _, lost = beating
    age(made, 5)
    beat = Path(made.folder) / f"beat-{made.token}"
    old = beat.read_text()
    assert until(lambda: beat.read_text() not in {"", old})
    assert claim("run-b").take(host).holder.run == "run-a"
    assert lost == []


def test_a_lease_that_was_taken_over_is_noticed(beating, host, claim):
    made, _, lost = beating
    age(made, 100)
    other = claim("run-b")
    if other.take(host).holder:  # it beat in between
        pytest.fail("the heart was faster; make its beats rarer")
    assert until(lambda: lost)
    assert lost == [f"node fwd: the lease of {made.access.address} was lost: somebody has taken it over"]
    assert other.free(host) == (True, ())


def test_a_broken_connection_is_made_anew_before_the_lease_runs_out(beating):
    made, heart, lost = beating
    first = heart.host
    first.close()
    assert until(lambda: heart.host is not first)
    age(made, 5)
    beat = Path(made.folder) / f"beat-{made.token}"
    old = beat.read_text()
    assert until(lambda: beat.read_text() not in {"", old})
    assert lost == []


def test_a_host_that_is_gone_is_a_lost_lease(beating, sshd):
    made, heart, lost = beating
    heart._claim = replace(made, access=replace(made.access, port=1))
    heart.host.close()
    assert until(lambda: lost)
    assert "no heartbeat came through for" in lost[0]


# standing in line


def line(host, claims, wait=0.0):
    said, told = [], []
    return Line(claims, lambda _node: host, wait, told.append, said.append), said, told


def test_all_hosts_are_taken_or_none(host, claim):
    blocker = claim("run-z", at="two")
    blocker.take(host)
    mine = {name: claim("run-m", at=name) for name in ("one", "two", "three")}
    waiting, said, told = line(host, mine)
    with pytest.raises(LabError, match=r"two's host .* held for .* \(run run-z\); it was waited for 0 s"):
        waiting.stand()
    assert len(said) == 1
    assert said[0].startswith(f"two's host {mine['two'].access.address} has been held for ")
    assert said[0].endswith(f" s by {owner()} for forward of c (run run-z); waiting")
    assert told
    free = claim("run-o", at="one")
    assert free.take(host).holder is None
    assert free.free(host)[0]
    blocker.free(host)
    found = waiting.stand()
    assert list(found) == ["one", "two", "three"]
    assert all(one.free(host)[0] for one in mine.values())


def test_who_waits_gets_the_hosts_when_they_are_free(host, claim):
    blocker = claim("run-z", at="one")
    blocker.take(host)
    waiting, said, _ = line(host, {"one": claim("run-m", at="one")}, wait=60)
    thread = threading.Thread(target=lambda: (until(lambda: said), blocker.free(host)))
    thread.start()
    assert waiting.stand()["one"].machine
    thread.join()
    assert waiting.claims["one"].free(host)[0]


def test_who_waits_outlives_a_connection(sshd, host, claim):
    """Once it breaks between two questions, once while one is asked."""
    blocker, mine, said = claim("run-z", at="one"), claim("run-m", at="one"), []
    blocker.take(host)
    made = [Host.connect(sshd.access, deadline=30)]

    def reach(_node):
        if made[-1].lost:
            made[-1].close()
            made.append(Host.connect(sshd.access, deadline=30))
        return made[-1]

    def told(_words):
        if len(made) < 3:
            made[-1]._link.transport.close()
        else:
            blocker.free(host)

    def ask(node):
        found = reach(node)
        if len(made) == 2:
            found._link.transport.sock.shutdown(socket.SHUT_RDWR)  # nobody knows of it yet
        return found

    waiting = Line({"one": mine}, ask, 60.0, told, said.append)
    assert waiting.stand()["one"].machine
    assert len(made) == 3
    assert mine.free(host) == (True, ())
    made[-1].close()


def test_two_who_ask_in_opposite_order_both_get_their_turn(host, claim):
    """Each keeps what it has only if it has all, so neither waits for the other for ever."""
    done = []

    def visit(run, order):
        claims = {name: claim(run, at=name) for name in order}
        waiting, _, _ = line(host, claims, wait=60)
        waiting.stand()
        done.append(run)
        for one in claims.values():
            assert one.free(host)[0]

    threads = [
        threading.Thread(target=visit, args=(run, order))
        for run, order in (("run-x", ("one", "two")), ("run-y", ("two", "one")))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["run-x", "run-y"]


def test_a_takeover_is_told(host, claim):
    dead = claim("run-d", at="one")
    dead.take(host)
    age(dead, 200)
    waiting, said, _ = line(host, {"one": claim("run-m", at="one")})
    waiting.stand()
    (words,) = said
    assert "(run run-d), of which nothing was heard for 3 min 2" in words
    assert waiting.claims["one"].free(host)[0]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (61, "1 min 1 s"), (7325, "2 h 2 min")])
def test_times_are_spelt(seconds, words):
    assert spell(seconds) == words


# the ledger


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_sweep_frees_what_a_killed_run_of_this_machine_held(home, host, claim, tmp_path):
    killed = claim()
    book = ledger.create("run-a")
    file = slip.write(killed, book, tmp_path / "scratch")
    killed.take(host)
    book.release()
    (planned,) = sweep.survey()
    assert planned.removed == (f"lease {file}",)
    (swept,) = sweep.sweep()
    assert swept.removed == (f"lease {file}",)
    assert swept.errors == ()
    assert not file.exists()
    assert claim("run-b").take(host).holder is None
    assert list(sweep.sweep()) == []


def test_a_host_that_cannot_be_reached_stays_in_the_ledger(home, claim, tmp_path, monkeypatch):
    monkeypatch.setattr(slip, "PATIENCE", 0.5)
    gone = claim()
    gone = replace(gone, access=replace(gone.access, port=1))
    book = ledger.create("run-a")
    file = slip.write(gone, book, tmp_path / "scratch")
    book.release()
    for _ in range(2):
        (swept,) = sweep.sweep()
        assert "no SSH to" in swept.errors[0]
    file.unlink()
    (swept,) = sweep.sweep()
    assert swept.errors == ()
