"""A target's ixy-ci.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_ixy import spec
from pytest_ixy.errors import UsageError

ROLES = 'pktgen = "./gen $PCI_ADDR_PKTGEN"\nfwd = "./fwd"\npcap = "./cap"\n'


def read(tmp_path: Path, text: str | bytes) -> spec.Spec:
    (tmp_path / "ixy-ci.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    return spec.read(tmp_path, "it@1234567")


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert "it@1234567" in str(caught.value)
    return str(caught.value)


def test_the_shape_of_ixy_ci(tmp_path):
    text = (
        '# comment\nbuild = [\n  "sudo apt install -y cmake",\n  "mkdir b",\n  "cd b && cmake ..",\n]\n\n'
        + ROLES
    )
    found = read(tmp_path, text)
    assert found.build == ("sudo apt install -y cmake", "mkdir b", "cd b && cmake ..")
    assert found.command("pktgen") == "./gen $PCI_ADDR_PKTGEN"
    assert found.ready.pattern("fwd") is None


def test_what_is_new_and_optional(tmp_path):
    found = read(tmp_path, ROLES + '[ready]\nfwd = "^ready: \\\\d+ ports"\n')
    assert found.build == ()
    assert not found.build_once
    assert found.setup == ()
    pattern = found.ready.pattern("fwd")
    assert pattern is not None
    assert pattern.search("ready: 2 ports")


def test_a_build_may_serve_all(tmp_path):
    found = read(tmp_path, ROLES + 'build = ["make"]\nbuild_once = true\nsetup = ["sudo ./pages"]\n')
    assert found.build_once
    assert found.setup == ("sudo ./pages",)


def test_commands_may_have_several_lines(tmp_path):
    assert read(tmp_path, ROLES + 'build = ["""\nset -e\nmake"""]').build == ("set -e\nmake",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROLES + "biuld = []", "ixy-ci.toml:4: unknown key 'biuld'; did you mean 'build'?"),
        (ROLES + "[ready]\nfwt = ''", "ixy-ci.toml:5: unknown key 'fwt' in [ready]; did you mean 'fwd'?"),
        (ROLES + "\nbuild = 'make'", "ixy-ci.toml:5: 'build' should be"),
        (
            ROLES + "build = [\n'make',\n\n3]",
            "ixy-ci.toml:7: element 2 of 'build' should be a valid string, not an integer",
        ),
        (ROLES + "build = [\n'make', ' ']", "ixy-ci.toml:5: element 2 of 'build' should not be empty"),
        (ROLES + "build_once = 1", "ixy-ci.toml:4: 'build_once' should be a valid boolean"),
        (ROLES + "setup = ['']", "ixy-ci.toml:4: element 1 of 'setup' should not be empty"),
        ("[roles]\nfwd = 'somebody'", "ixy-ci.toml:2: 'fwd' in [roles] should be 'reference'"),
        (ROLES.replace("./fwd", "a\\u0000b"), "ixy-ci.toml:2: 'fwd' has a NUL character"),
        (ROLES.replace("./fwd", ""), "ixy-ci.toml:2: 'fwd' should not be empty"),
        (ROLES + "[ready]\npcap = '(['", "ixy-ci.toml:5: 'pcap' in [ready] is not a regular expression"),
        (
            ROLES + "[ready]\npcap = '(a+)+$'",
            "ixy-ci.toml:5: 'pcap' in [ready] should have at most 3 repeats",
        ),
        (ROLES + "[ready]\npcap = '(a|aa){9}b'", "should have at most 3 repeats"),
        (ROLES + "[ready]\npcap = 'a*a*a*a*b'", "should have at most 3 repeats"),
        (ROLES + "[ready]\npcap = '(?=a)b'", "none after ')', and no '(?'"),
        (ROLES + "[ready]\npcap = '(a)\\1'", "should not refer back"),
        (ROLES + "x = \n", "ixy-ci.toml:4: not TOML"),
        (b"a = '\xff'", "ixy-ci.toml:1: not UTF-8"),
        ("a" * 100_000, "longer than"),
        (ROLES + '"\\u001b[31m" = 1', "unknown key '\\x1b[31m'"),
    ],
)
def test_errors_name_line_and_nearest_key(tmp_path, text, message):
    assert message in refused(tmp_path, text)


@pytest.mark.parametrize(
    "text", [r"ready \(\d+\)+", "[(*+?{}]x", r"a\*b\*c\*d\*e", "(?:link|port) up", r"[\]*+?{]"]
)
def test_expressions_that_are_fine(tmp_path, text):
    assert read(tmp_path, ROLES + f"[ready]\npcap = '{text}'").ready.pcap == text


def test_a_missing_file_shows_a_minimal_one(tmp_path):
    with pytest.raises(UsageError) as caught:
        spec.read(tmp_path, "it@1234567")
    assert "there is no ixy-ci.toml" in str(caught.value)
    shown = "\n".join(line.strip() for line in spec.MINIMAL.splitlines()[1:])
    assert read(tmp_path, shown).build == ("make",)


@pytest.mark.parametrize(
    "leads_to", ["../outside.toml", "/etc/hostname", ".git/config", "folder", "ixy-ci.toml"]
)
def test_a_link_out_of_the_target_is_refused(tmp_path, leads_to):
    (tmp_path / "outside.toml").write_text(ROLES)
    folder = tmp_path / "it"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git/config").write_text(ROLES)
    (folder / "folder").mkdir()
    (folder / "ixy-ci.toml").symlink_to(leads_to)
    with pytest.raises(UsageError, match=r"not a plain file of the target|cannot read"):
        spec.read(folder, "it")


def test_a_link_within_the_target_is_followed(tmp_path):
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci/real.toml").write_text(ROLES)
    (tmp_path / "ixy-ci.toml").symlink_to("ci/real.toml")
    assert spec.read(tmp_path, "it").fwd == "./fwd"


def test_what_a_driver_is_not_made_for(tmp_path):
    assert read(tmp_path, ROLES).unsupported.by_scenario == {}
    found = read(tmp_path, ROLES + '[unsupported]\nframes = ["vlan", "size-1514"]\nlocalise = ["fwd-back"]\n')
    assert found.unsupported.by_scenario == {"frames": ("vlan", "size-1514"), "localise": ("fwd-back",)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('frame = ["vlan"]', "ixy-ci.toml:5: unknown key 'frame' in [unsupported]; did you mean 'frames'?"),
        ('forward = ["count"]', "ixy-ci.toml:5: unknown key 'forward' in [unsupported]; known: frames, "),
        ('frames = ["vlan", "vlam"]', "element 2 of 'unsupported.frames' 'vlam' is none of that scenario's "),
        ('frames = ["vlam"]', "tests; did you mean 'vlan'?"),
        ('frames = ["\\u001b]0;x"]', "tests; known: size-60, size-1514, sizes, "),
        ('frames = "vlan"', "'frames' in [unsupported] should be "),
        ("frames = [1]", "element 1 of 'unsupported.frames' should be a valid string, not an integer"),
    ],
)
def test_only_tests_that_there_are_can_be_unsupported(line, message, tmp_path):
    found = refused(tmp_path, f"{ROLES}[unsupported]\n{line}\n")
    assert message in found
    assert "\x1b" not in found
