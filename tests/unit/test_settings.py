"""Options, their sources and their precedence."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from pytest_ixy import options
from pytest_ixy.errors import UsageError
from pytest_ixy.settings import Settings, resolve
from pytest_ixy.topology import PciAddresses

IXY_CI = """\
bind_address = "127.0.0.1:8080"
public_url = "https://ci.example.org"
# a comment
job_queue_size = 3
log_directory = "logs"

[github]
bot_name = "robot"
api_token = "hush-api"

[github.webhook_secrets]
"some-one/driver.rs" = "hush-hook"

[openstack]
flavor ="tiny"
image ="Debian"
ssh_login = "debian"
keypair ="key"
private_key_path ="/home/robot/.ssh/id"
auth_url = "https://cloud.example.org:5000/v3"
user_name = "robot"
user_domain = "D"
password = "hush-password"
project_name = "p"
project_domain = "pd"

[test]
packets = 50_000

[test.pci_addresses]
pktgen = "0000:00:05.0"
fwd_src = "0000:00:06.0"
fwd_dst = "0000:00:07.0"
pcap = "0000:00:08.0"
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settle(config: str | None = None, **sources: dict) -> Settings:
    cli = dict(sources.get("cli", {}))
    if config is not None:
        Path("config.toml").write_text(config, encoding="utf-8")
        cli["config"] = "config.toml"
    return resolve(cli=cli, environ=sources.get("environ", {}), ini=sources.get("ini", {}))


def refused(config: str | None = None, **sources: dict) -> str:
    with pytest.raises(UsageError) as caught:
        settle(config, **sources)
    return str(caught.value)


def test_defaults(tmp_path):
    settings = settle()
    assert (settings.repo, settings.ref, settings.provider) == (None, None, "qemu")
    assert (settings.packets, settings.scenario) == (100_000, "forward")
    assert settings.pci == PciAddresses()
    assert settings.artifacts == tmp_path / "ixy-artifacts"
    assert (settings.qemu.image, settings.qemu.accel, settings.qemu.memory) == (None, "auto", 2048)
    assert (settings.timeouts.build, settings.timeouts.capture) == (1800.0, 60.0)
    assert (settings.keep, settings.keep_for) == ("never", timedelta(hours=1))


def test_a_bundle_is_told_what_was_given_and_no_more():
    assert settle().told == {}
    given = settle(cli={"idle": "5", "packets": "9", "image": "x.qcow2"}, environ={"IXY_OFFLINE": "yes"})
    assert given.told == {"idle": "5", "image": str(Path.cwd() / "x.qcow2"), "offline": "True"}


def test_config_of_ixy_ci_is_read_unchanged():
    settings = settle(IXY_CI)
    assert settings.packets == 50_000
    assert settings.pci == PciAddresses("0000:00:05.0", "0000:00:06.0", "0000:00:07.0", "0000:00:08.0")
    assert settings.provider == "qemu"
    assert settings.openstack is not None
    assert settings.openstack.password is not None
    assert settings.openstack.password.get_secret_value() == "hush-password"
    assert "hush" not in repr(settings)


LEVELS = ("cli", "environ", "ini", "config")


@pytest.mark.parametrize("given", [g for n in range(1, 5) for g in itertools.combinations(LEVELS, n)])
def test_precedence(given):
    values = {"cli": "1", "environ": "2", "ini": 3, "config": "[test]\npackets = 4\n"}
    settings = settle(
        values["config"] if "config" in given else None,
        cli={"packets": values["cli"]} if "cli" in given else {},
        environ={"IXY_PACKETS": values["environ"]} if "environ" in given else {},
        ini={"packets": values["ini"]} if "ini" in given else {},
    )
    assert settings.packets == LEVELS.index(given[0]) + 1


def test_config_is_never_found_by_itself():
    Path("config.toml").write_text("[test]\npackets = 7\n")
    assert settle().packets == 100_000


@pytest.mark.parametrize("source", ["cli", "environ", "ini"])
def test_config_can_be_named_everywhere(source):
    Path("mine.toml").write_text("[test]\npackets = 7\n")
    key = "IXY_CONFIG" if source == "environ" else "config"
    assert settle(**{source: {key: "mine.toml"}}).packets == 7


def test_switch_can_be_taken_back_by_a_higher_source():
    assert settle("[qemu]\noffline = true\n").offline is True
    assert settle("[qemu]\noffline = true\n", environ={"IXY_OFFLINE": "no"}).offline is False
    assert settle("[qemu]\noffline = false\n", cli={"offline": True}).offline is True


def test_how_long_a_testbed_is_held():
    settings = settle(cli={"keep": "failed"}, environ={"IXY_KEEP_FOR": "1h30m"}, ini={"keep": "always"})
    assert (settings.keep, settings.keep_for) == ("failed", timedelta(hours=1, minutes=30))


def test_empty_variables_count_as_unset():
    assert settle(environ={"IXY_PACKETS": "", "IXY_REPO": ""}).packets == 100_000


def test_relative_paths_start_where_they_were_written(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/c.toml").write_text('repo = "../driver"\nartifacts = "a"\n[qemu]\nimage = "i.qcow2"\n')
    settings = settle(cli={"config": "conf/c.toml"})
    assert settings.artifacts == tmp_path / "conf/a"
    assert settings.qemu.image == tmp_path / "conf/i.qcow2"
    assert Path(settings.repo or "").resolve() == tmp_path / "driver"
    ini = resolve(cli={}, environ={}, ini={"repo": ".", "artifacts": "b"}, ini_folder=tmp_path / "proj")
    assert (ini.repo, ini.artifacts) == (str(tmp_path / "proj"), tmp_path / "proj/b")
    assert settle(cli={"repo": "owner/name"}).repo == "owner/name"


def test_home_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert settle(environ={"IXY_IMAGE": "~/i.qcow2"}).qemu.image == Path("/home/someone/i.qcow2")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("\n[test]\npacket = 3\n", "config.toml:3: unknown key 'packet' in [test]; did you mean 'packets'?"),
        ("bind_adress = ''", "config.toml:1: unknown key 'bind_adress'; did you mean 'bind_address'?"),
        (
            "x = 1\ntest.pci_addresses.pktgem = ''",
            "config.toml:2: unknown key 'pktgem' in [test.pci_addresses]",
        ),
        ("[test]\npci_addresses = {\n pktgn = '' }", "config.toml:3: unknown key 'pktgn'"),
        ("[github]\nwebhook_secrets = 3\n", "config.toml:2: 'webhook_secrets' in [github] should be"),
        (
            '[test]\npackets = "many"\n',
            "config.toml:2: 'packets' in [test] should be a valid integer, not a string",
        ),
        ("[test]\npackets = 1.5\n", "config.toml:2: 'packets' in [test] should be a valid integer"),
        (
            "[test]\npackets = true\n",
            "config.toml:2: 'packets' in [test] should be a valid integer, not a boolean",
        ),
        ("[test]\npackets = 0\n", "config.toml:2: packets: '0' is not a whole number from 1"),
        (
            "[timeouts]\n\nbuilt = 3\n",
            "config.toml:3: unknown key 'built' in [timeouts]; did you mean 'build'?",
        ),
        ("[timeouts]\nbuild = 0\n", "config.toml:2: 'build' in [timeouts] should be greater than 0"),
        ("[timeouts]\nbuild = nan\n", "config.toml:2: 'build' in [timeouts] should be a finite number"),
        ("[qemu]\naccel = 'kvn'\n", "config.toml:2: accel: unknown accel 'kvn'; did you mean 'kvm'?"),
        ("a = \n", "config.toml:1: not TOML: Invalid value (column 5)"),
        ("a = 1\na = 2\n", "config.toml:2: not TOML"),
        ("\n\ntest = [1]\n", "config.toml:3: 'test' should be a valid dictionary"),
        ("[[test]]\npackets = 1\n", "config.toml:1: 'test'"),
        ("a = " + "[" * 9000, "config.toml: not TOML"),
        ("a = " + "9" * 5000, "config.toml: not TOML"),
        ("#" * 70_000, "config.toml: longer than"),
    ],
)
def test_config_errors_name_line_and_nearest_key(config, message):
    assert message in refused(config)


def test_all_errors_of_a_file_are_told_in_order():
    text = refused("[test]\npacket = 1\n[qemu]\naccell = ''\n[timeouts]\nx = 1\n")
    assert [line.split(":")[1] for line in text.splitlines()] == ["2", "4", "6"]


def test_a_config_that_is_not_utf8_or_not_there():
    Path("c.toml").write_bytes(b'a = "b"\nc = "\xff"\n')
    assert "c.toml:2: not UTF-8" in refused(cli={"config": "c.toml"})
    assert "No such file" in refused(environ={"IXY_CONFIG": "gone.toml"})
    assert "Is a directory" in refused(environ={"IXY_CONFIG": "."})
    os.mkfifo("pipe.toml")
    assert "pipe.toml is not a regular file" in refused(environ={"IXY_CONFIG": "pipe.toml"})


@pytest.mark.parametrize(
    "text", ["api_token = 12345678", 'api_token = ["12345678"]', "[github.webhook_secrets]\n'a/b' = 12345678"]
)
def test_errors_show_no_secret(text):
    message = refused(f"[github]\n{text}\n")
    assert "should be a valid string" in message
    assert "12345678" not in message


@pytest.mark.parametrize(
    "address",
    [
        "06.0",
        "0000:00:06",
        "0000:00:06.8",
        "0000:00:20.0",
        "$(reboot)",
        "0000:00:06.0\n",
        "0000:00:06.0; x",
        "",
        "\uff10000:00:06.0",
    ],
)
def test_pci_addresses_are_checked(address):
    text = address.replace("\n", "\\n")
    assert "should be a PCI address" in refused(f'[test.pci_addresses]\npcap = "{text}"\n')


def test_pci_addresses_are_lower_case_and_two_for_fwd():
    assert settle("[test.pci_addresses]\npcap = '0000:0A:1F.0'\n").pci.pcap == "0000:0a:1f.0"
    same = "[test.pci_addresses]\nfwd_src = '0000:00:07.0'\n"
    assert "config.toml:1: 'pci_addresses' in [test] should have fwd_src and fwd_dst differ" in refused(same)


@pytest.mark.parametrize("packets", ["0", "-1", "1.5", "many", "1e5", "٣", "9" * 30, "0x10"])
def test_packets_are_a_whole_number(packets):
    assert refused(cli={"packets": packets}).startswith(
        f"--ixy-packets: '{packets}' is not a whole number from 1"
    )
    assert refused(environ={"IXY_PACKETS": packets}).startswith("IXY_PACKETS: ")


@pytest.mark.parametrize("minutes", ["0", "-1", "1e3", "nan", "inf", "many", "10001", "٣", ".5"])
def test_minutes_are_a_number(minutes):
    assert refused(cli={"minutes": minutes}).startswith(
        f"--ixy-minutes: '{minutes}' is not a number above 0 and at most 10,000"
    )


def test_minutes_may_have_a_fraction():
    assert settle(cli={"minutes": "0.25"}).minutes == 0.25
    assert settle(environ={"IXY_MINUTES": " 90 "}).minutes == 90
    assert settle().minutes == 5


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"cli": {"keep": "sometimes"}},
            "--ixy-keep: unknown keep 'sometimes'; known: never, failed, always",
        ),
        ({"cli": {"keep_for": "2"}}, "--ixy-keep-for: '2' is no time from a second to a week"),
        ({"ini": {"accel": "fast"}}, "ini key ixy_accel: unknown accel 'fast'; known: auto, kvm, tcg"),
        ({"environ": {"IXY_OFFLINE": "perhaps"}}, "IXY_OFFLINE: 'perhaps' is neither true nor false"),
        ({"cli": {"repo": ["a\nb"]}}, "--ixy-repo: 'a\\nb' has a control character"),
        ({"cli": {"ref": " "}}, "--ixy-ref: is empty"),
        ({"cli": {"artifacts": "a\0b"}}, "has a control character"),
        ({"cli": {"memory": "1"}}, "--ixy-memory: '1' is not a whole number from 256"),
    ],
)
def test_errors_name_the_source(sources, message):
    assert message in refused(**sources)


def test_options_reach_pytest(pytester: pytest.Pytester):
    pytester.makeini("[pytest]\nixy_packets = 12\nixy_offline = yes\nixy_provider = qemu\n")
    pytester.makeconftest("from pytest_ixy.options import add_options as pytest_addoption")
    config = pytester.parseconfig("-p", "no:ixy", "--ixy-ref=v1", "--ixy-offline")
    given = options.command_line(config.option)
    assert (given["ref"], given["offline"], given["repo"]) == ("v1", True, None)
    from_ini = options.ini(config)
    assert (from_ini["packets"], from_ini["offline"], from_ini["provider"]) == (12, True, "qemu")
    assert from_ini["repo"] is None
    assert resolve(cli=given, environ={}, ini=from_ini).packets == 12


def test_options_are_cheap_to_import():
    code = "import sys, pytest_ixy.options; print({'pydantic', 'numpy', 'tomli'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("cli", "environ", "ini", "winner"),
    [
        ({"replay": "b"}, {"IXY_REPO": "o/n"}, {}, "replay"),
        ({"repo": "o/n"}, {"IXY_REPLAY": "b"}, {}, "repo"),
        ({}, {"IXY_REPLAY": "b"}, {"repo": "o/n"}, "replay"),
        ({"repo": "o/n"}, {"IXY_REPO": "x/y", "IXY_REPLAY": "b"}, {"repo": "p/q", "replay": "b"}, "repo"),
    ],
)
def test_of_a_repository_and_a_replay_the_stronger_one_counts(cli, environ, ini, winner):
    settings = resolve(cli=cli, environ=environ, ini=ini)
    assert settings.given == {winner}
    assert {"repo": settings.repo == "o/n", "replay": settings.replay == Path.cwd() / "b"} == {
        "repo": winner == "repo",
        "replay": winner == "replay",
    }


@pytest.mark.parametrize("source", ["cli", "ini"])
def test_a_repository_and_a_replay_at_once_are_refused(source):
    given = {"cli": {}, "ini": {}, source: {"repo": "o/n", "replay": "b"}}
    with pytest.raises(UsageError, match="exclude each other"):
        resolve(environ={}, **given)
