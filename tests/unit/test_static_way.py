"""The way to hosts that exist: ~/.ssh/config, jump hosts, keys, agent, known_hosts; all with real servers."""

from __future__ import annotations

import getpass
import os
import pwd
import re
import shlex
import subprocess
import threading
from dataclasses import replace

import pytest
from sshd import PROGRAM, Sshd, needs, until

from pytest_ixy import shell, tomlfile
from pytest_ixy.config import Config
from pytest_ixy.errors import LabError, UsageError
from pytest_ixy.providers.static import plan
from pytest_ixy.providers.static.leases import in_line
from pytest_ixy.providers.static.sshconfig import Asked, resolve
from pytest_ixy.remote import Access, Host
from pytest_ixy.settings import resolve as settle
from pytest_ixy.topology import PciAddresses, forward_topology

pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason="not installed: sshd"),
    needs("ssh", "ssh-agent", "ssh-keyscan"),
]

SERVERS = ("outer", "inner", "end")
USER = getpass.getuser()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert until(lambda: set(threading.enumerate()) <= before), threading.enumerate()


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Three servers: two to jump over, and the end."""
    made = {name: Sshd(tmp_path_factory.mktemp(name)) for name in SERVERS}
    yield made
    for server in made.values():
        server.stop()


@pytest.fixture
def known(servers, tmp_path):
    """A known_hosts file with all of them."""
    file = tmp_path / "known hosts"
    lines = [f"[127.0.0.1]:{server.port} {server.access.host_key}\n" for server in servers.values()]
    file.write_text("".join(lines))
    return file


@pytest.fixture
def config(servers, known, tmp_path):
    """Makes an SSH configuration that knows the servers by name; more lines for the end can be given."""

    def make(*lines, **hops):
        text = ""
        for name, server in servers.items():
            text += f"Host {name}\n  HostName 127.0.0.1\n  Port {server.port}\n  User {USER}\n"
            text += f'  IdentityFile {server.folder}/user\n  UserKnownHostsFile "{known}"\n'
            text += f"  ProxyJump {hops[name]}\n" if name in hops else ""
        file = tmp_path / "ssh_config"
        file.write_text(text + "".join(f"  {line}\n" for line in lines))
        return file

    return make


def way(config, host="end", **more):
    # what `ssh -G` prints cannot tell a blank in a path from one between two
    return resolve(Asked("fwd", host, config=config, **more))


def enter(access):
    return Host.connect(access, deadline=30)


def came_from(server):
    return len(server.sessions())


def test_a_chain_of_jump_hosts_is_gone_through_and_all_of_it_closed(servers, known, config):
    access = replace(way(config(end="outer,inner")), known_hosts=(str(known),))
    access = replace(access, jumps=tuple(replace(one, known_hosts=(str(known),)) for one in access.jumps))
    assert [jump.port for jump in access.jumps] == [servers["outer"].port, servers["inner"].port]
    with enter(access) as host:
        assert host.run("echo $SSH_CONNECTION | cut -d' ' -f4", timeout=30).output == f"{access.port}\n"
        assert all(came_from(server) for server in servers.values())
    assert until(lambda: not any(came_from(server) for server in servers.values()))


def test_the_first_jump_hosts_own_way_counts_and_names_are_those_of_the_configuration(servers, config):
    access = way(config(end="inner", inner="outer"))
    assert [jump.port for jump in access.jumps] == [servers["outer"].port, servers["inner"].port]
    assert {jump.user for jump in access.jumps} == {USER}
    assert way(config(end="inner"), jumps=()).jumps == ()
    other = way(config(), jumps=(f"anna@inner:{servers['inner'].port}",))
    assert [jump.address for jump in other.jumps] == [f"anna@127.0.0.1:{servers['inner'].port}"]


def test_a_circle_of_jump_hosts_is_refused(config):
    with pytest.raises(UsageError, match="goes through more than 8 hosts: a circle"):
        way(config(end="inner", inner="outer", outer="inner"))


def test_a_proxy_command_is_refused_with_what_to_write_instead(config):
    with pytest.raises(
        UsageError, match=r"for end the SSH configuration has ProxyCommand nc .*(?s:.*)write ProxyJump"
    ):
        way(config("ProxyCommand nc %h %p"))
    assert way(config("ProxyCommand none")).jumps == ()


def test_a_broken_configuration_is_told_in_openssh_s_words(config):
    with pytest.raises(UsageError, match=r"ssh cannot read its configuration: .*ssh_config"):
        way(config("NoSuchKeyword yes"))


@pytest.mark.parametrize("hop", ["", "a b", "-oProxyCommand=x", "x:y", "u@h:1:2", "ssh -W"])
def test_what_is_no_jump_host_is_refused(hop, config):
    with pytest.raises(UsageError, match="is no jump host"):
        way(config(), jumps=(hop,))


def test_a_jump_host_that_refuses_to_go_on_is_named_as_the_cause(servers, known, config):
    access = way(config(end="outer"))
    closed = Sshd.__new__(Sshd)  # only for its port, where nobody listens
    closed.port = 1
    access = pinned(replace(access, port=closed.port), servers)
    with pytest.raises(LabError, match=r"last cause: .*the jump host cannot connect to it"):
        Host.connect(access, deadline=1)


def pinned(access, servers):
    """The same with host keys given, where the file is not what is tested."""
    keys = {server.port: server.access.host_key for server in servers.values()}
    jumps = tuple(replace(one, host_key=keys[one.port]) for one in access.jumps)
    return replace(access, host_key=keys.get(access.port, next(iter(keys.values()))), jumps=jumps)


def test_a_lost_jump_host_is_a_lost_node(servers, config):
    access = pinned(way(config(end="outer")), servers)
    with enter(access) as host:
        for pid in servers["outer"].sessions():
            subprocess.run(["kill", "-KILL", str(pid)], check=True)
        with pytest.raises(LabError, match="lost node fwd"):
            host.run("sleep 30", timeout=60)


def test_an_unknown_host_is_refused_until_the_line_that_is_told_has_been_typed(servers, config, tmp_path):
    file = tmp_path / "known"
    access = replace(way(config()), known_hosts=(str(file),))
    with pytest.raises(LabError, match="no known_hosts file has a key for") as refused:
        Host.connect(access, deadline=20)
    assert not file.exists()
    line = refused.value.hint.splitlines()[-1].strip()
    subprocess.run(line, shell=True, check=True, stderr=subprocess.DEVNULL)
    with enter(access) as host:
        assert host.run("true", timeout=30).ok


def test_the_line_for_a_host_behind_others_goes_through_them(servers, config, tmp_path):
    access = pinned(way(config(end="outer,inner")), servers)
    access = replace(access, host_key=None, known_hosts=(str(tmp_path / "known"),))
    with pytest.raises(LabError) as refused:
        Host.connect(access, deadline=20)
    outer, inner = servers["outer"].port, servers["inner"].port
    line = f"ssh -J {USER}@127.0.0.1:{outer} -p {inner} {USER}@127.0.0.1 ssh-keyscan -p {access.port} "
    assert line in refused.value.hint


def test_a_host_with_another_key_than_the_known_one_is_refused(servers, config, tmp_path):
    file = tmp_path / "known"
    file.write_text(f"[127.0.0.1]:{servers['end'].port} {servers['inner'].access.host_key}\n")
    with pytest.raises(LabError, match="is not the expected host"):
        Host.connect(replace(way(config()), known_hosts=(str(file),)), deadline=20)


@pytest.fixture
def agent(monkeypatch):
    """An agent of the test's own."""
    said = subprocess.check_output(["ssh-agent", "-s"], text=True)
    found = dict(re.findall(r"(SSH_\w+)=([^;]+);", said))
    monkeypatch.setenv("SSH_AUTH_SOCK", found["SSH_AUTH_SOCK"])
    yield
    subprocess.run(["kill", found["SSH_AGENT_PID"]], check=True)


def test_a_key_that_only_the_agent_has_is_used_unless_identities_only(servers, config, tmp_path, agent):
    """The file of the configuration is encrypted, as keys of people are."""
    locked = tmp_path / "locked"
    locked.write_bytes((servers["end"].folder / "user").read_bytes())
    locked.chmod(0o600)
    subprocess.run(["ssh-add", "-q", locked], check=True, stderr=subprocess.DEVNULL)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "a secret", "-f", locked], check=True, stdout=subprocess.DEVNULL
    )
    access = replace(pinned(way(config()), servers), keys=(str(locked), str(tmp_path / "missing")))
    with enter(access) as host:
        assert host.run("true", timeout=30).ok
    with pytest.raises(LabError, match="refused the log-in"):
        Host.connect(replace(access, agent=False), deadline=20)
    assert way(config("IdentitiesOnly yes")).agent is False


def test_a_password_is_never_tried(servers, config, tmp_path):
    access = replace(pinned(way(config()), servers), keys=(), agent=False)
    with pytest.raises(LabError, match=r"refused the log-in(?s:.*)none is offered"):
        Host.connect(access, deadline=20)


def test_a_server_that_wants_a_password_too_is_refused_and_nobody_is_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    server = Sshd(tmp_path, "PasswordAuthentication yes", "AuthenticationMethods publickey,password")
    try:
        with pytest.raises(LabError, match=r"refused the log-in: it wants a password or a code besides"):
            Host.connect(server.access, deadline=20)
    finally:
        server.stop()
    assert capsys.readouterr() == ("", "")


def test_the_way_survives_json(config):
    import json

    access = replace(way(config(end="outer,inner")), environment={"A": "b"})
    assert Access.from_dict(json.loads(json.dumps(access.as_dict()))) == access


def test_what_pytest_ixy_ssh_types_gets_there_too(servers, known, config, tmp_path):
    access = pinned(way(config(end="outer")), servers)
    shell.write_known_hosts(tmp_path, {"fwd": access})
    words = shell.words(access, tmp_path)
    assert words[words.index("-J") + 1] == f"{USER}@127.0.0.1:{servers['outer'].port}"
    assert f'IdentityFile="{servers["end"].folder}/user"' in words
    direct = shell.words(replace(access, jumps=(), host_key=None, known_hosts=(str(known),)), tmp_path)
    said = subprocess.check_output([*direct, "echo here"], text=True, stdin=subprocess.DEVNULL)
    assert said == "here\n", shlex.join(direct)


def test_relative_paths_start_in_the_folder_that_the_access_names(servers, tmp_path):
    access = replace(servers["end"].access, folder=str(tmp_path / "of a run"), environment={"TAG": "x y"})
    with enter(access) as host:
        host.upload(b"data", "./ixy/file")
        assert host.run('cat file; echo "$TAG"', timeout=30, cwd="./ixy").output == "datax y\n"
        assert host.fetch("ixy/file", tmp_path / "back", timeout=30, root=False) == 4
        assert host.run("pwd", timeout=30).output.strip() == pwd.getpwuid(os.getuid()).pw_dir


# from config.toml


TABLE = """
[static]
user = "anna"
jumps = ["gate"]
[static.pktgen]
host = "a"
nics = ["02:00:00:00:00:0A"]
[static.fwd]
host = "b"
key = "keys/one"
nics = ["0000:01:00.0", "0000:01:00.1"]
[static.pcap]
host = "c"
port = 2222
jumps = []
"""


def planned(tmp_path, text=TABLE):
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "empty").touch()
    settings = settle(cli={"config": str(tmp_path / "config.toml")}, environ={}, ini={})
    table = settings.static and settings.static.model_copy(update={"ssh_config": "empty"})
    return plan.plan(forward_topology(PciAddresses()), replace(settings, static=table))


def test_the_table_says_where_each_node_is(tmp_path):
    found = planned(tmp_path)
    assert list(found) == ["pcap", "fwd", "pktgen"]
    assert found["pktgen"].nics == ("02:00:00:00:00:0a",)
    assert found["pktgen"].access.address == "anna@a:22"
    assert [jump.host for jump in found["pktgen"].access.jumps] == ["gate"]
    assert found["fwd"].access.key == str(tmp_path / "keys/one")
    assert found["fwd"].nics == ("0000:01:00.0", "0000:01:00.1")
    assert found["pcap"].access.jumps == ()
    assert found["pcap"].access.address == "anna@c:2222"
    assert found["pcap"].nics == ("0000:00:06.0",)
    assert in_line(place.access for place in found.values()) == ["pktgen", "fwd", "pcap"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('host = "b"', 'host = "a"\nport = 22', None),
        ('"0000:01:00.1"', '"0000:01:00.0"', "The NIC 0000:01:00.0 is given to fwd twice"),
        (', "0000:01:00.1"', "", r"\[static.fwd\] has 1 nics; fwd needs 2"),
        ('"0000:01:00.1"', '"eth0"', "should be a PCI address"),
        ('host = "b"', 'host = "-oProxyCommand=x"', "should be a name or address of a host"),
        ('user = "anna"', 'password = "x"', "unknown key 'password'"),
        ('user = "anna"', 'wait = "long"', "should be a time"),
        ('[static.pcap]\nhost = "c"\nport', "[static.pcap]\nport", "'host' in .*is missing"),
    ],
)
def test_what_is_wrong_with_the_table_is_told_before_anything_is_leased(old, new, words, tmp_path):
    assert old in TABLE
    if words is None:
        assert planned(tmp_path, TABLE.replace(old, new))
        return
    with pytest.raises(UsageError, match=words):
        planned(tmp_path, TABLE.replace(old, new))


def test_two_roles_of_one_host_need_nics_of_their_own(tmp_path):
    text = TABLE.replace('host = "b"', 'host = "a"').replace("0000:01:00.1", "02:00:00:00:00:0a")
    with pytest.raises(UsageError, match=r"The NIC 02:00:00:00:00:0a is given to fwd and pktgen"):
        planned(tmp_path, text)


def test_without_the_table_the_error_shows_what_to_write(tmp_path):
    with pytest.raises(UsageError, match=r"needs a table \[static\](?s:.*)\[static.pktgen\]") as error:
        planned(tmp_path, "")
    example = "\n".join(line for line in error.value.hint.splitlines() if line.startswith("  "))
    tables = "".join(example.replace("pktgen", name) + "\n" for name in ("pktgen", "fwd", "pcap"))
    assert tomlfile.parse(tables.encode(), "x").check(Config).static is not None
