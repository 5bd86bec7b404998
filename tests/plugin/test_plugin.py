"""What the plugin does to a run of pytest, seen from outside and without any machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repositories import git

from pytest_ixy.rules import rules

TESTS = 3 + 3 + len(rules())
"""Each role is built and run, and each rule is asked."""

TOML = 'build = ["true"]\npktgen = "true"\nfwd = "true"\npcap = "true"\n'


@pytest.fixture
def driver(tmp_path):
    """A repository with an ixy-ci.toml and one commit."""
    folder = tmp_path / "driver"
    folder.mkdir()
    (folder / "ixy-ci.toml").write_text(TOML)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def run(folder, *arguments, **environment):
    """Run pytest as a user does; the answer has returncode, stdout and stderr."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def nothing_left(tmp_path):
    ledgers = list((tmp_path / "xdg_state_home").rglob("*.jsonl"))
    runs = list((tmp_path / "xdg_cache_home" / "pytest-ixy" / "runs").glob("*"))
    return ledgers + runs == []


def test_collecting_names_each_test_after_the_commit_and_provisions_nothing(driver, user, tmp_path):
    done = run(user, f"--ixy-repo={driver}", "--collect-only", "-q")
    commit = git(driver, "rev-parse", "--short=7", "HEAD")
    assert done.returncode == 0, done.stdout + done.stderr
    for short in (
        "test_build[driver@{}-fwd]",
        "test_role[driver@{}-pcap]",
        "test_capture[driver@{}-sequence-bounds]",
    ):
        assert f"scenarios/forward/test_forward.py::{short.format(commit)}" in done.stdout
    assert nothing_left(tmp_path)
    assert not (tmp_path / "xdg_cache_home" / "pytest-ixy" / "images").exists()


def test_uncommitted_work_shows_in_the_ids(driver, user):
    (driver / "new.c").write_text("int x;")
    done = run(user, f"--ixy-repo={driver}", "--collect-only", "-q")
    assert "+dirty-count]" in done.stdout


def test_what_earlier_runs_wrote_into_the_target_does_not_make_it_dirty(driver):
    for name in ("report.html", "report.xml", "ixy-artifacts/run/manifest.json"):
        (driver / name).parent.mkdir(parents=True, exist_ok=True)
        (driver / name).write_text("old")
    reports = ["--html=report.html", "--junitxml=report.xml"]
    done = run(driver, "--ixy-repo=.", "--collect-only", "-q", *reports)
    assert done.stdout.count("::test_") == TESTS
    assert "dirty" not in done.stdout


def test_ids_are_the_same_in_another_folder_and_for_a_path_to_the_scenario(driver, user, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    first = run(user, f"--ixy-repo={driver}", "--collect-only", "-q").stdout
    assert first.count("::test_") == TESTS
    assert (
        run(other, f"--ixy-repo={driver}", "--collect-only", "-q").stdout.splitlines()[:TESTS]
        == first.splitlines()[:TESTS]
    )


def test_an_id_that_was_shown_can_be_given_back(driver, user):
    shown = run(user, f"--ixy-repo={driver}", "--collect-only", "-q").stdout.splitlines()[8]
    done = run(user, f"--ixy-repo={driver}", "--collect-only", "-q", shown)
    assert done.stdout.splitlines()[0] == shown
    assert done.stdout.count("::test_") == 1


def test_k_selects(driver, user):
    done = run(user, f"--ixy-repo={driver}", "--collect-only", "-q", "-k", "duplicates")
    assert done.stdout.count("::test_") == 1


@pytest.mark.parametrize("plugin", ["html", "xdist", "junitxml", "terminal", "metadata"])
def test_it_does_without_other_plugins(plugin, driver, user):
    needed = {"metadata": ["-p", "no:html"], "terminal": ["-p", "no:html"]}.get(plugin, [])
    done = run(user, f"--ixy-repo={driver}", "--collect-only", "-p", f"no:{plugin}", *needed)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ixy-repo=/does/not/exist"], "/does/not/exist"),
        (["--ixy-repo={driver}", "--ixy-ref=nope"], "nope"),
        (["--ixy-repo={driver}", "--ixy-ref=--upload-pack=touch x"], "not the name of"),
        (["--ixy-repo={driver}", "--ixy-scenario=forwards"], "the scenarios are: forward"),
        (["--ixy-repo={driver}", "--ixy-provider=quemu"], "no provider 'quemu'; did you mean 'qemu'?"),
        (["--ixy-repo={driver}", "--ixy-packets=0"], "--ixy-packets"),
        (["--ixy-repo={driver}", "--ixy-config=missing.toml"], "missing.toml"),
        (["--ixy-repo={driver}", "--ixy-gdb=pcaps"], "unknown gdb 'pcaps'; did you mean 'pcap'?"),
        (
            ["--ixy-repo={driver}", "--ixy-gdb=pcap", "--ixy-role=pcap=reference"],
            "the reference plays that role",
        ),
        (["--ixy-repo={driver}", "--ixy-image=missing.qcow2"], "missing.qcow2"),
        (["--ixy-repo={driver}", "--ixy-image=missing.qcow2", "-n", "2"], "missing.qcow2"),
    ],
)
def test_a_wrong_question_is_a_usage_error(arguments, words, driver, user, tmp_path):
    done = run(user, *[argument.format(driver=driver) for argument in arguments])
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert nothing_left(tmp_path)


def test_an_unknown_key_of_the_target_is_a_usage_error_with_its_line(driver, user):
    (driver / "ixy-ci.toml").write_text(TOML + 'pktgem = "x"\n')
    done = run(user, f"--ixy-repo={driver}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ixy-ci.toml:5: unknown key 'pktgem'; did you mean 'pktgen'?" in done.stderr


def test_the_targets_files_never_configure_pytest(driver, user):
    (driver / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    (driver / "conftest.py").write_text("raise SystemExit('the target ran')")
    done = run(user, f"--ixy-repo={driver}", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the target ran" not in done.stdout + done.stderr


def test_a_separate_path_is_refused_because_pytest_would_read_its_ini(driver, user):
    (driver / "pytest.ini").write_text("[pytest]\n")
    done = run(user, "--ixy-repo", driver)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--ixy-repo={driver}" in done.stderr


def test_inside_of_the_target_its_conftest_and_folder_are_left_alone(driver, user):
    (driver / "conftest.py").write_text("raise SystemExit('the target ran')")
    before = sorted(driver.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--ixy-repo=.", "--collect-only", "-q"],
        cwd=driver, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"rootdir: {driver}" not in done.stdout
    assert sorted(driver.iterdir()) == before


def test_inside_of_the_target_its_ini_file_is_refused(driver, user):
    (driver / "pytest.ini").write_text("[pytest]\nconsole_output_style = count\n")
    done = run(driver, "--ixy-repo=.", "--collect-only")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "belongs to the target" in done.stderr


def test_the_environment_and_the_ini_file_name_a_target_as_well(driver, user):
    assert "driver@" in run(user, "--collect-only", "-q", IXY_REPO=str(driver)).stdout
    (user / "pytest.ini").write_text(f"[pytest]\nixy_repo = {driver}\n")
    assert "driver@" in run(user, "--collect-only", "-q").stdout


def test_an_ordinary_run_is_left_alone(user):
    (user / "test_it.py").write_text(
        "import sys\ndef test_it():\n    heavy = {'numpy', 'scapy', 'paramiko', 'pydantic', 'pyroute2'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    done = run(user, "-q")
    assert done.returncode == 0, done.stdout
    assert "ixy" not in done.stdout


def test_fixtures_explain_themselves(user):
    text = run(user, "--fixtures").stdout
    for name in ("ixy_target", "ixy_testbed", "ixy_build", "ixy_trial", "ixy_bundle", "ixy_judge"):
        assert name in text
    assert "ixy_trial(packets=1000)" in text


def test_a_test_with_fixtures_but_no_repository_says_what_it_needs(user):
    (user / "test_it.py").write_text("def test_it(ixy_bundle):\n    pass\n")
    done = run(user, "-q", "-rs")
    assert "needs a repository to test" in done.stdout
    assert done.returncode == 0


def test_help_shows_every_option(user):
    text = run(user, "--help").stdout
    for name in (
        "repo",
        "ref",
        "config",
        "provider",
        "scenario",
        "packets",
        "artifacts",
        "offline",
        "image",
        "accel",
    ):
        assert f"--ixy-{name}" in text


def test_scenario_modules_are_found(user):
    from pytest_ixy.startup import scenarios_folder

    assert (scenarios_folder() / "forward" / "test_forward.py").is_file()
    assert Path(scenarios_folder()).name == "scenarios"


def test_the_targets_conftest_is_not_loaded_though_the_plugin_is_installed_inside_of_it(driver, user):
    package = Path(__file__).parents[2] / "pytest_ixy"
    inside = driver / "venv" / "site-packages"
    shutil.copytree(package, inside / "pytest_ixy")
    shutil.copytree(package.parent / "scenarios", inside / "pytest_ixy" / "scenarios")
    (driver / "conftest.py").write_text("raise SystemExit('the target ran')")
    (driver / ".gitignore").write_text("venv\n")
    for folder in (driver, user):
        done = run(folder, f"--ixy-repo={driver}", "--collect-only", "-q", PYTHONPATH=str(inside))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("::test_") == TESTS


def test_an_empty_repository_is_refused(user):
    (user / "test_it.py").write_text("def test_it():\n    pass\n")
    done = run(user, "--ixy-repo=")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--ixy-repo" in done.stderr


@pytest.mark.parametrize("question", ["--help", "--fixtures", "--markers", "--version"])
def test_questions_to_pytest_need_no_repository(question, user):
    assert run(user, question, IXY_REPO="/does/not/exist").returncode == 0


@pytest.fixture
def without_qemu(tmp_path):
    """A PATH on which only git is to be found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "setpriv"):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_a_lab_that_cannot_be_is_one_error_and_the_rest_is_skipped(
    workers, driver, user, without_qemu, tmp_path
):
    done = run(user, f"--ixy-repo={driver}", "--junitxml=report.xml", *workers, PATH=without_qemu)
    assert "1 error" in done.stdout, done.stdout + done.stderr
    assert f"{TESTS - 1} skipped" in done.stdout
    assert "is not installed on this machine" in done.stdout
    assert "Traceback" not in done.stdout
    assert (user / "report.xml").exists()
    assert done.returncode == 1
    assert nothing_left(tmp_path)


def test_a_lab_error_in_the_body_of_a_test_is_an_error_too(driver, user, without_qemu):
    (user / "test_it.py").write_text("def test_it(request):\n    request.getfixturevalue('ixy_bundle')\n")
    done = run(user, f"--ixy-repo={driver}", "test_it.py", PATH=without_qemu)
    assert "1 error" in done.stdout
    assert "failed" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("more", "follows"), [([], True), (["--ixy-gdb=fwd"], False)])
def test_nothing_follows_where_somebody_debugs(more, follows, driver, user):
    done = run(user, f"--ixy-repo={driver}", "--ixy-localise=always", "--collect-only", "-q", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("scenarios/localise/" in done.stdout) == follows
