"""NIC models, seen from outside: names of tests, and what a target does not drive; no lab."""

from __future__ import annotations

import pytest
from bundles import make_bundle, make_manifest
from test_plugin import TESTS, TOML, driver, run  # noqa: F401 - a fixture

WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])


def declare(folder, models):
    (folder / "ixy-ci.toml").write_text(f"nics = {models}\n{TOML}")


def test_tests_are_called_by_the_model_that_was_asked_for(user, driver):  # noqa: F811
    told = ["--collect-only", "-q", f"--ixy-repo={driver}"]
    plain, named = run(user, *told), run(user, *told, "--ixy-nic=virtio-modern")
    assert plain.stdout.count("::test_") == named.stdout.count("~virtio-modern-") >= TESTS
    assert "~" not in plain.stdout


@WORKERS
def test_what_a_target_does_not_drive_is_skipped_before_anything_is_provisioned(
    user,
    driver,  # noqa: F811
    workers,
):
    declare(driver, ["virtio", "e1000"])
    done = run(user, f"--ixy-repo={driver}", "--ixy-nic=vmxnet3", "-rs", "--junitxml=r.xml", *workers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{TESTS} skipped" in done.stdout
    assert "declared in ixy-ci.toml to drive virtio, e1000, not vmxnet3" in done.stdout
    assert "machine image" not in done.stdout + done.stderr
    assert "restoring" not in done.stdout + done.stderr
    assert "~vmxnet3-" in (user / "r.xml").read_text()


def test_when_nobody_asked_for_what_it_does_not_drive_the_question_is_wrong(user, driver):  # noqa: F811
    declare(driver, ["e1000"])
    done = run(user, f"--ixy-repo={driver}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "declared in ixy-ci.toml to drive e1000, not virtio" in done.stderr
    assert "--ixy-nic=MODEL" in done.stderr


@pytest.mark.parametrize(
    ("model", "said"), [("e100", "did you mean 'e1000'?"), ("macvtap", "The provider qemu makes no NIC")]
)
def test_a_model_that_cannot_be_is_a_usage_error(user, driver, model, said):  # noqa: F811
    done = run(user, f"--ixy-repo={driver}", f"--ixy-nic={model}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert not (user / "ixy-artifacts").exists()


def test_a_replay_has_the_ids_of_the_live_run_and_shows_the_model(user, tmp_path):
    made = make_manifest()
    nodes = tuple(
        node.model_copy(
            update={"nics": tuple(nic.model_copy(update={"model": "virtio"}) for nic in node.nics)}
        )
        for node in made.nodes
    )
    target = made.target.model_copy(update={"label": f"{made.target.label}~virtio"})
    bundle = make_bundle(tmp_path, target=target, nodes=nodes, options={"nic": "virtio"})
    done = run(user, f"--ixy-replay={bundle.path}", "-v", "--html=r.html", "--junitxml=r.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_capture[ixy@0e00605~virtio-count] PASSED" in done.stdout
    assert 'name="ixy.nic" value="virtio"' in (user / "r.xml").read_text()
    assert "NICs" in (user / "r.html").read_text()
