"""The catalogue of broken variants: each is a real, small bug of one program, and compiles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import make_bundle
from captures import ixy_frame
from catalogue import FOLDER, ROLES, Variant, variants
from pydantic import ValidationError
from sshd import needs
from trials import Result, read_outcomes
from verdicts import Trial, compare, rates
from workshop import Workshop

from pytest_ixy.spec import read

NAMES = list(variants())


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("workshop"), static=False)


def changes(variant):
    """Files that the patch changes, and its added and its removed lines."""
    lines = variant.patch_file.read_text("utf-8").splitlines()
    files = {line.removeprefix("+++ b/") for line in lines if line.startswith("+++ ")}
    added = [line for line in lines if line.startswith("+") and not line.startswith("+++ ")]
    removed = [line for line in lines if line.startswith("-") and not line.startswith("--- ")]
    return files, added, removed


def test_there_are_enough_of_many_kinds():
    found = variants().values()
    assert len(found) >= 40
    assert len({variant.effect for variant in found}) >= 12
    for role in ROLES:
        assert len([variant for variant in found if variant.role == role]) >= len(found) // 4
    assert len([variant for variant in found if not variant.detectable]) <= len(found) // 5


def test_every_patch_is_used():
    used = {variant.patch for variant in variants().values()}
    assert {path.stem for path in FOLDER.glob("*.patch")} == used


@pytest.mark.parametrize("name", NAMES)
def test_it_is_as_small_as_such_bugs_are_and_no_other_programs(name):
    variant = variants()[name]
    files, added, removed = changes(variant)
    assert 1 <= max(len(added), len(removed)) <= 8
    assert not files & {f"{role}.c" for role in ROLES if role != variant.role}


@needs("make", "gcc", "git")
@pytest.mark.parametrize("name", NAMES)
def test_it_applies_and_compiles_without_warnings(name, workshop):
    variant = variants()[name]
    program = workshop.broken(variant).read_bytes()
    assert program != (workshop.sound / variant.role).read_bytes()


def result(**outcomes):
    """Each rule passes, and the roles and builds too, unless told."""
    outcomes = {name.replace("_", "-"): outcome for name, outcome in outcomes.items()}
    return Result({"role-fwd": "passed", "capture-size": "passed", **outcomes}, {}, 1.0)


BOTH = {"capture_duplicates": "failed", "capture_sequence_bounds": "failed"}


@pytest.mark.parametrize(
    ("name", "outcomes", "verdict"),
    [
        ("fwd-length-with-header", {"capture_size": "failed"}, "detected"),
        ("fwd-length-with-header", {}, "missed"),
        ("fwd-length-with-header", {"capture_size": "reported"}, "missed"),
        ("fwd-length-with-header", {"capture_size": "failed", "role_fwd": "failed"}, "more than expected"),
        ("fwd-length-with-header", {"capture_size": "error"}, "lab error"),
        ("fwd-no-touch", {}, "not asked"),
        ("fwd-skips-last-of-ring", {"capture_loss": "reported"}, "detected"),
        ("fwd-skips-last-of-ring", {"capture_loss": "passed"}, "missed"),
        ("pcap-reverses-batch", {"capture_order": "failed"}, "detected"),
        ("pktgen-number-per-batch", BOTH, "detected"),
        ("fwd-drops-1514", {}, "hidden"),
        ("fwd-drops-1514", {"capture_size": "failed"}, "more than expected"),
    ],
)
def test_what_was_found_is_held_against_the_catalogue(name, outcomes, verdict):
    assert compare(Trial(variants()[name], "legacy"), result(**outcomes)).verdict == verdict


def test_a_sound_target_has_no_findings_at_all():
    assert compare(Trial(None, "modern"), result()).verdict == "detected"
    assert compare(Trial(None, "modern"), result(capture_size="reported")).verdict == "more than expected"


@pytest.mark.parametrize(
    ("alone", "located"),
    [
        ({"alone_fwd": "failed", "alone_pcap": "passed"}, True),
        ({"alone_fwd": "passed", "alone_fwd_back": "failed"}, True),
        ({"alone_fwd": "failed", "alone_pcap": "failed"}, False),
        ({"alone_pcap": "failed"}, False),
        ({"alone_fwd": "error"}, False),
        ({}, False),
    ],
)
def test_localise_has_to_name_the_one_role(alone, located):
    found = compare(
        Trial(variants()["fwd-length-with-header"], "legacy"), result(capture_size="failed", **alone)
    )
    assert found.located == located
    assert found.verdict == "detected"


def test_a_trial_that_left_no_report_is_the_labs_fault():
    assert compare(Trial(None, "modern"), Result({}, {}, 1.0)).verdict == "lab error"


def test_rates_do_not_count_what_cannot_be_seen():
    found = [
        compare(Trial(variants()[name], "legacy"), result(capture_size=outcome))
        for name, outcome in (("fwd-length-with-header", "failed"), ("fwd-drops-1514", "passed"))
    ]
    assert list(rates(found)) == [
        "variants that turn a test red: 1 of 1 (100.0%)",
        "variants that are red or reported: 1 of 1 (100.0%)",
        "red variants of which localise names the role, and no other: 0 of 1 (0.0%)",
        "exactly as the catalogue says, of those asked: 1 of 1 (100.0%)",
        "variants that no trial can show, and none did: 1 of 1 (100.0%)",
        "sound runs without a finding: 0 of 0",
    ]


def test_the_others_of_a_broken_target_are_sound(workshop, tmp_path):
    folder = workshop.target(tmp_path / "target", "modern", variants()["fwd-header-size"])
    for role in ROLES:
        same = (folder / role).read_bytes() == (workshop.sound / role).read_bytes()
        assert same == (role != "fwd")
    workshop.target(tmp_path / "another", "legacy", variants()["fwd-header-size"])
    spec = read(folder, "target")
    assert spec.command("fwd").startswith("VIRTIO_MODE=modern ./fwd ")
    assert spec.dialect.name == "c"


def test_reports_and_findings_become_outcomes(tmp_path):
    bundle = tmp_path / "ixy-artifacts" / "one"
    bundle.mkdir(parents=True)
    (bundle / "findings.json").write_text('[{"rule": "loss", "outcome": "reported", "title": "1 lost"}]')
    (tmp_path / "report.xml").write_text(
        '<testsuite><testcase name="test_role[x@0123456+dirty-fwd]"/>'
        '<testcase name="test_capture[x@0123456-loss]"/>'
        '<testcase name="test_capture[x@0123456-size]"><failure message="one&#10;two"/></testcase>'
        "</testsuite>"
    )
    outcomes, words = read_outcomes(tmp_path)
    assert outcomes == {"role-fwd": "passed", "capture-loss": "reported", "capture-size": "failed"}
    assert words == {"capture-loss": "1 lost", "capture-size": "one"}


def test_unknown_tests_and_roles_are_refused():
    data = variants()["fwd-no-touch"].model_dump()
    for change in ({"must_fail": ("capture-no",)}, {"role": "pcap"}, {"must_fail": ()}, {"reason": "no"}):
        with pytest.raises(ValidationError):
            Variant.model_validate({**data, **change})


def run_on(folder, *arguments):
    script = Path(__file__).parents[1] / "broken" / "run.py"
    command = [sys.executable, str(script), f"--results={folder}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs("setpriv")
def test_captures_of_earlier_trials_are_judged_again(tmp_path):
    name = "pcap-one-too-few"
    make_bundle(tmp_path / name / "ixy-artifacts", map(ixy_frame, range(99)))
    earlier = {"outcomes": {"alone-pcap": "failed"}, "words": {}, "seconds": 1.0}
    (tmp_path / "results.json").write_text(json.dumps({name: earlier, "fwd-no-touch": earlier}))
    done = run_on(tmp_path, "--replay", "--only", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name:38} detected" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert results[name]["outcomes"]["capture-count"] == "failed"
    assert results[name]["outcomes"]["role-pcap"] == "passed"
    assert results[name]["outcomes"]["alone-pcap"] == "failed"
    assert results["fwd-no-touch"] == earlier


def test_what_has_a_result_is_not_tried_again(tmp_path):
    result = {"outcomes": {"capture-count": "passed"}, "words": {}, "seconds": 1.0}
    (tmp_path / "results.json").write_text(json.dumps({"pcap-one-too-few": result}))
    done = run_on(tmp_path, "--continue", "--only", "pcap-one-too-few")
    assert done.returncode == 1
    assert f"{'pcap-one-too-few':38} missed" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_an_unknown_variant_is_refused(tmp_path):
    done = run_on(tmp_path, "--only", "fwd-perfect")
    assert done.returncode == 2
    assert "there is no variant fwd-perfect" in done.stderr
