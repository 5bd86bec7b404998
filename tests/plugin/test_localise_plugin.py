"""When localise follows forward, what is counted, and the one line that names who is at fault."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from test_plugin import TESTS, driver  # noqa: F401 - a fixture

PARTS = 4
FOLDERS = [str(Path(__file__).parents[part]) for part in (0, 2)] + [
    str(Path(__file__).parents[1] / name) for name in ("unit", "plugin")
]
WORKERS = pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])


class Done:
    """A run of pytest in a lab without machines."""

    def __init__(self, process, folder):
        self.returncode, self.output = process.returncode, process.stdout + process.stderr
        path = folder / "report.xml"
        self.xml = ET.parse(path) if path.exists() else None
        log = folder / "log.txt"
        self.trials = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)

    @property
    def last(self):
        return self.output.splitlines()[-1]

    @property
    def fault(self):
        found = [
            line.removeprefix("fault: ") for line in self.output.splitlines() if line.startswith("fault:")
        ]
        return found[0] if found else None

    @property
    def cases(self):
        return [case.get("name") for case in self.xml.iter("testcase")]


@pytest.fixture
def run(user, driver):  # noqa: F811
    def go(bad, *arguments):
        command = [sys.executable, "-m", "pytest", "-p", "labless"]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(FOLDERS),
            "LABLESS": bad,
            "LABLESS_LOG": str(user / "log.txt"),
        }
        given = [f"--ixy-repo={driver}", "--ixy-packets=100", "--junitxml=report.xml", *arguments]
        process = subprocess.run(
            command + given,
            cwd=user,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "INTERNALERROR" not in process.stdout, process.stdout
        return Done(process, user)

    return go


@WORKERS
def test_when_nothing_failed_it_leaves_no_trace(run, workers):
    done = run("", *workers)
    assert done.returncode == 0, done.output
    assert f"{TESTS} passed" in done.last
    assert not [case for case in done.cases if "alone" in case]
    assert done.trials == ["fwd pcap pktgen"]
    assert "[100%]" in done.output
    assert done.fault is None
    if not workers:
        assert f"collected {TESTS + PARTS} items / {PARTS} deselected / {TESTS} selected" in done.output
        assert f"{PARTS} deselected" in done.last


@WORKERS
def test_after_a_red_forward_it_names_the_role(run, workers):
    done = run("fwd", *workers)
    assert done.returncode == 1
    assert done.trials == ["fwd pcap pktgen", "references", "pktgen", "fwd", "fwd swapped", "pcap"]
    assert len(done.cases) == TESTS + PARTS
    assert "deselected" not in done.last
    progress = [int(number) for number in re.findall(r"(\d+)%\]", done.output)]
    assert max(progress) == 100
    rules = "beside references it fails duplicates; pktgen and pcap pass"
    assert re.fullmatch(rf"fwd \({rules}\): ixy-artifacts/\S+-forward-driver-\w+-4", done.fault)
    properties = {one.get("name"): one.get("value") for one in done.xml.iter("property")}
    assert properties["ixy.fault"] == done.fault


def test_the_page_and_the_job_summary_have_the_line_too(run, user, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(user / "summary.md"))
    done = run("pcap", "--html=report.html")
    assert done.fault.startswith("pcap (beside references it fails duplicates; pktgen and fwd pass)")
    assert "fault: pcap (beside references" in (user / "report.html").read_text()
    assert "**fault: pcap" in (user / "summary.md").read_text()


def test_never_and_always(run):
    assert f"{TESTS} passed" in run("", "--ixy-localise=never").last
    done = run("fwd", "--ixy-localise=never")
    assert len(done.cases) == TESTS
    assert done.fault is None
    done = run("", "--ixy-localise=always")
    assert f"{TESTS + PARTS} passed" in done.last
    assert done.fault == "none: pktgen, fwd and pcap pass beside references"


@pytest.mark.parametrize("bad", ["build", "lost"])
def test_it_does_not_follow_what_is_no_failure_of_a_trial(run, bad):
    done = run(bad)
    assert done.returncode == 1
    assert not [case for case in done.cases if "alone" in case]
    assert f"{PARTS} deselected" in done.last


def test_it_does_not_follow_what_was_selected_by_its_path(run):
    done = run("fwd", "scenarios/forward/test_forward.py")
    assert len(done.cases) == TESTS
    done = run("fwd", "scenarios/localise/test_localise.py")
    assert len(done.cases) == PARTS


def test_with_k_those_that_wait_are_selected_as_others(run):
    done = run("fwd", "-k", "duplicates or pcap")
    assert [case.rpartition("-")[2].rstrip("]") for case in done.cases] == [
        "pcap",
        "pcap",
        "duplicates",
        "pcap",
    ]
    assert f"{TESTS + PARTS - 4} deselected" in done.last


def test_those_that_failed_last_run_again_in_the_same_way(run):
    run("fwd")
    done = run("fwd", "--lf")
    assert [case.rpartition("-")[2] for case in done.cases] == ["duplicates]", "fwd]", "back]"]
    assert f"{TESTS - 1 + PARTS - 2} deselected" in done.last
    assert "[100%]" in done.output
    assert f"1 passed, {TESTS - 1 + PARTS} deselected" in run("", "--lf").last


def test_nothing_runs_when_only_those_that_wait_are_selected(run):
    done = run("fwd", "-k", "alone")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.output
    assert done.trials == []


def test_x_ends_it_before(run):
    assert run("fwd", "-x").trials == ["fwd pcap pktgen"]


def test_a_testbed_that_the_target_damaged_is_made_anew_once(run):
    done = run("fwd lab")
    assert done.trials[1:4] == ["references", "new machines", "references"]
    assert done.trials.count("new machines") == 1
    assert done.fault.startswith("fwd (beside references")


def test_a_lab_whose_references_fail_on_new_machines_is_at_fault(run):
    done = run("fwd broken")
    assert done.trials[1:] == ["references", "new machines", "references"]
    assert done.fault.startswith("the lab (references alone fail duplicates): ixy-artifacts/")
    assert "1 error" in done.last
    assert f"{PARTS - 1} skipped" in done.last


def test_where_no_machines_can_be_made_it_says_what_to_do(run):
    done = run("fwd lab worker")
    assert done.trials[1:] == ["references"]
    assert "none for a worker" in done.output
    assert "do without -n" in done.output
    assert "1 error" in done.last


def test_a_second_role_is_blamed_on_sound_machines_only(run):
    done = run("pktgen pcap")
    assert done.trials[1:] == ["references", "pktgen", "fwd", "fwd swapped", "pcap", "references"]
    assert done.fault.startswith(
        "pktgen and pcap (beside references pktgen fails duplicates; pcap fails duplicates; fwd passes): "
    )


def test_what_fails_only_together_is_told_so(run):
    done = run("together")
    words = "none alone: pktgen, fwd and pcap pass beside references, so they fail only together"
    assert done.fault == words


def test_a_role_that_another_repository_plays_is_not_tried(run, driver):  # noqa: F811
    done = run("fwd", f"--ixy-role=pktgen={driver}@main")
    assert done.trials == ["fwd pcap", "references", "fwd", "fwd swapped", "pcap"]
    assert done.fault.startswith("fwd (beside references it fails duplicates; pcap passes)")


def test_each_bundle_of_localise_can_be_judged_again(run, user):
    run("fwd")
    bundles = sorted((user / "ixy-artifacts").iterdir(), key=lambda path: len(path.name))
    for number, status in ((2, 0), (4, 1)):
        (bundle,) = (path for path in bundles if path.name.endswith(f"-{number}"))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", f"--ixy-replay={bundle}"],
            cwd=user,
            capture_output=True,
            check=False,
        )
        assert done.returncode == status
