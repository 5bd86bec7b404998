"""docs/ways/bastion.md is true: a real sshd with its lines lets in who may come, to where he may go."""

from __future__ import annotations

import getpass
import re
import subprocess
from pathlib import Path

import pytest
from sshd import PROGRAM, Sshd, needs

from pytest_ixy import tomlfile
from pytest_ixy.config import Config
from pytest_ixy.errors import LabError
from pytest_ixy.remote import Host
from pytest_ixy.teravm import hosts

pytestmark = [pytest.mark.skipif(not PROGRAM.exists(), reason="not installed: sshd"), needs("ssh")]

PAGE = (Path(__file__).parents[2] / "docs/ways/bastion.md").read_text()
(LINE,) = re.findall(r"^    (restrict,\S+) ssh-ed25519", PAGE, re.MULTILINE)
(MATCH,) = re.findall(r"^    (Match User ci\n(?:        .*\n)+)", PAGE, re.MULTILINE)
(SSH_CONFIG,) = re.findall(r"^```\n(# ci/ssh_config.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

LAB = """
[lab]
key = "lab.key"
jumps = ["{user}@bastion.example.org"]
ssh_config = "ssh_config"
[lab.agw]
host = "127.0.0.1"
port = {agw}
host_key = "{agw_key}"
[lab.ng40]
host = "127.0.0.1"
port = {ng40}
host_key = "{ng40_key}"
[[lab.lists]]
file = "smoke.ntl"
"""


@pytest.fixture
def servers(tmp_path):
    """The bastion, and two hosts behind it."""
    made = {}
    for name in ("bastion", "agw", "ng40"):
        (tmp_path / name).mkdir()
        made[name] = Sshd(tmp_path / name)
    yield made
    for server in made.values():
        server.stop()


@pytest.fixture
def ways(servers, tmp_path, monkeypatch):
    """The ways to the hosts, by what the page shows; the bastion lets nobody through but to the AGW."""
    bastion, agw, ng40 = servers["bastion"], servers["agw"], servers["ng40"]
    line = re.sub(r'permitopen="gateway:22".*', f'permitopen="127.0.0.1:{agw.port}"', LINE)
    public = (bastion.folder / "user.pub").read_text()
    (bastion.folder / "user.pub").write_text(line.replace("192.0.2.0/24", "127.0.0.0/8") + " " + public)
    ci = tmp_path / "ci"
    ci.mkdir()
    (ci / "known_hosts").write_text(f"[127.0.0.1]:{bastion.port} {bastion.access.host_key}\n")
    (ci / "bastion.key").write_bytes((bastion.folder / "user").read_bytes())
    there = f"    HostName 127.0.0.1\n    Port {bastion.port}\n"
    (ci / "ssh_config").write_text(SSH_CONFIG + there)
    for server in (agw, ng40):  # one key for both
        (server.folder / "user.pub").write_text((agw.folder / "user.pub").read_text())
    (ci / "lab.key").write_bytes((agw.folder / "user").read_bytes())
    keys = {"agw_key": agw.access.host_key, "ng40_key": ng40.access.host_key}
    (ci / "lab.toml").write_text(LAB.format(user=getpass.getuser(), agw=agw.port, ng40=ng40.port, **keys))
    monkeypatch.chdir(tmp_path)
    table = tomlfile.read(ci / "lab.toml").check(Config).lab
    return hosts.accesses(table, ci / "lab.toml")


def test_a_bastion_lets_ci_through_to_where_it_may_go_and_nowhere_else(ways):
    with Host.connect(ways["agw"], deadline=30) as host:
        assert host.run("echo $SSH_CONNECTION | cut -d' ' -f4", timeout=30).output.strip() == str(
            ways["agw"].port
        )
    with pytest.raises(LabError, match=r"ng40(.|\n)*the jump host cannot connect to it"):
        Host.connect(ways["ng40"], deadline=3)


def test_sshd_takes_the_lines_for_its_configuration(servers, tmp_path):
    config = tmp_path / "sshd_config"
    config.write_text(f"HostKey {servers['agw'].folder}/host\nAllowTcpForwarding yes\n{MATCH}")
    asked = "user=ci,host=h,addr=192.0.2.1,laddr=192.0.2.2,lport=22"
    done = subprocess.run(
        [PROGRAM, "-T", "-C", asked, "-f", config], capture_output=True, text=True, check=True
    )
    assert {
        "allowtcpforwarding local",
        "permittty no",
        "x11forwarding no",
        "allowagentforwarding no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
    } <= set(done.stdout.splitlines())
