"""Which program is at fault, found in real machines; programs of another repository beside the target's."""

from __future__ import annotations

import json
import shutil

from repositories import git

from conftest import ALL

PACKETS = "--ixy-packets=20000"
FAULTY = "--duplicate-every 100 --drop-every 30"
FOLLOW = "--ixy-localise=failed"


def line_of(result):
    (line,) = (line for line in result.output.splitlines() if line.startswith("fault: "))
    return line


def manifests(result):
    """Of all trials, in order."""
    folders = sorted(
        (result.folder / "ixy-artifacts").iterdir(), key=lambda path: (len(path.name), path.name)
    )
    return [json.loads((folder / "manifest.json").read_text()) for folder in folders]


def test_a_red_forward_names_the_role_at_fault(runner, target, config):
    result = runner.run(target(fwd=FAULTY), PACKETS, FOLLOW, f"--ixy-config={config}")
    red = {"capture-duplicates", "alone-fwd"}
    assert result.having("failure") == red, result.output
    # its misbehaviour is made for one direction
    assert result.having("passed") == ALL - red | {"alone-pktgen", "alone-fwd-back", "alone-pcap"}
    assert line_of(result).startswith(
        "fault: fwd (beside references it fails duplicates, but nothing with its NICs the other way round; "
        "pktgen and pcap pass): ixy-artifacts/"
    )
    made = manifests(result)
    fwd, back = (made[number]["roles"]["fwd"]["environment"] for number in (3, 4))
    assert fwd["PCI_ADDR_FWD_SRC"] == back["PCI_ADDR_FWD_DST"] != back["PCI_ADDR_FWD_SRC"]
    phases = [phase["name"] for manifest in made for phase in manifest["phases"]]
    assert phases.count("restore") == len(made), "all on the machines of the first"


def another(folder, programs):
    """A repository with a pktgen of its own."""
    folder.mkdir()
    shutil.copy(programs / "pktgen", folder / "generator")
    shutil.copy(programs / "setup-hugepages.sh", folder)
    (folder / "ixy-ci.toml").write_text(
        'build = ["sudo ./setup-hugepages.sh", "echo built elsewhere"]\n'
        'pktgen = "./generator $PCI_ADDR_PKTGEN --rate 25000"\n[dialect]\nname = "c"\n'
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_another_repository_plays_and_damaged_machines_are_made_anew(
    runner, target, config, programs, tmp_path
):
    folder, other = target(fwd=FAULTY), another(tmp_path / "other", programs)
    toml = folder / "ixy-ci.toml"
    lines = [line for line in toml.read_text().splitlines(keepends=True) if not line.startswith("pktgen = ")]
    # without tc the reference cannot forward on this machine any more
    toml.write_text("".join(lines).replace('"./fwd ', '"rm -f $(command -v tc); exec ./fwd '))
    arguments = [PACKETS, FOLLOW, f"--ixy-config={config}", f"--ixy-role=pktgen={other}@main"]
    result = runner.run(folder, *arguments, "-k", "duplicates or fwd or pktgen")
    assert result.having("failure") == {"capture-duplicates", "alone-fwd"}, result.output
    assert "alone-fwd-back" in result.having("passed")
    assert result.having("skipped") == {"alone-pktgen"}
    assert line_of(result).startswith("fault: fwd (beside references it fails duplicates, but nothing with")
    first, references, anew, fwd, _ = manifests(result)
    assert first["guests"]["pktgen"]["label"] == first["roles"]["pktgen"]["player"]
    assert first["roles"]["pktgen"]["command"].startswith("./generator ")
    assert first["roles"]["fwd"]["player"] == "target"
    assert [role for role, run in references["roles"].items() if run["player"] != "reference"] == []
    assert {phase["name"] for phase in anew["phases"]} >= {"restore", "connect", "build"}
    assert anew["builds"]["pktgen"]["steps"][1]["command"] == "echo built elsewhere"
    assert fwd["guests"] == {}
    logs = [path.read_text() for path in (runner.folder / "ixy-artifacts").glob("*/build/pktgen.log")]
    assert [log.count("built elsewhere") for log in logs] == [2] * 5, "the command and what it printed"
