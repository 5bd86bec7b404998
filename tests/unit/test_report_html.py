from __future__ import annotations

import os
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import report_bundles

from pytest_ixy import bundle as ixy
from pytest_ixy.cases import DUPLEX, KILLED, RESTART
from pytest_ixy.report import html, junit, summary
from pytest_ixy.report.command import replay, rerun
from pytest_ixy.report.roles import state
from pytest_ixy.report.subjects import Row, Subject, Trial, open_trial

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>]]>\x1b[31m|`\u202e"
ALLOWED = {
    *(
        "section",
        "header",
        "span",
        "h2",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "b",
        "p",
        "a",
        "ul",
    ),
    *("dl", "dt", "dd", "div", "figure", "figcaption", "pre", "details", "summary", "li", "style"),
    *("svg", "g", "rect", "line", "path", "circle", "text", "title"),
}


class Page(HTMLParser):
    """All that a browser would see: elements, links, words."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def links(self) -> list[str]:
        return [value or "" for name, value in self.attributes if name == "href"]


def subject(*rows: Row, label: str = "ixy@0e00605") -> Subject:
    return Subject(label, {str(index): row for index, row in enumerate(rows)})


def row(outcome: str = "passed", **changes: Any) -> Row:
    given = {"name": "count", "title": "8 packets", "numbers": {"packets": 8}, "cause": "", "bundle": None}
    return Row(**{**given, "outcome": outcome, "finding": None, **changes})


def page(trial: Trial | None, folder: Path, *rows: Row, label: str = "ixy@0e00605") -> Page:
    """The section, held to what every section promises."""
    trials = [trial] if trial else []
    shown = Page(html.section(0, subject(*rows or [row()], label=label), trials, folder))
    assert set(shown.elements) <= ALLOWED
    assert not [name for name, _ in shown.attributes if name.startswith("on") or name == "src"]
    assert not set(shown.words) & set("\x00\x1b\u202e")
    return shown


def test_a_section_shows_everything(tmp_path: Path) -> None:
    report_bundles.make(tmp_path / "b", [0, 1, 1, 3])
    shown = page(open_trial(tmp_path / "b"), tmp_path, row("failed", title="1 packet came twice"))
    for words in (
        *("ixy@0e00605", report_bundles.COMMIT, "Do not forget the barrier", "qemu", "tcg", "no /dev/kvm"),
        *("debian-13", "1 packet came twice", "25.00% lost", "1 gaps, 1 missing", "roles fwd: all is well"),
        *("build pktgen: all is well", "consoles pcap: all is well", rerun(report_bundles.manifest(4))),
    ):
        assert words in shown.words
    assert shown.elements.count("svg") == 3
    assert "cannot be shown" not in shown.words


def test_links_lead_to_files_relative_to_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "a #%?\"'<b>" / "bundle"
    report_bundles.make(folder)
    shown = page(open_trial(folder), tmp_path / "pages")
    assert [link.rpartition("/bundle/")[2] for link in shown.links[:3]] == [
        "",
        "manifest.json",
        "capture.pcap",
    ]
    assert len(shown.links) == 3 + 7
    for link in shown.links:
        assert link.startswith("../")
        assert (tmp_path / urllib.parse.unquote(link)[3:]).exists()


def hostile_bundle(path: Path) -> ixy.Bundle:
    """A bundle in which every word that a target can choose is an attack."""
    step = ixy.BuildStep(command=HOSTILE, exit=ixy.Exit(status=2), seconds=1)
    runs = {
        name: report_bundles.run(
            role, 0, 1, command=HOSTILE, ready=HOSTILE, tail=HOSTILE, log="roles/fwd.log"
        )
        for role, name in (("pcap", "pcap"), ("fwd", HOSTILE))
    }
    nic = ixy.NicRecord(network=HOSTILE, pci=HOSTILE, mac=HOSTILE)
    made = report_bundles.make(
        path,
        target=report_bundles.target(
            **dict.fromkeys(("label", "name", "source", "ref", "commit", "subject"), HOSTILE), dirty=True
        ),
        provider=ixy.ProviderRecord(name=HOSTILE, accelerator=HOSTILE, image=HOSTILE, notes=(HOSTILE,)),
        nodes=(ixy.NodeRecord(name=HOSTILE, nics=(nic,), address=HOSTILE, console="roles/fwd.log"),),
        builds={HOSTILE: ixy.Build(steps=(step,), log="roles/fwd.log")},
        roles=runs,
        phases=(ixy.Phase(name=HOSTILE, started=report_bundles.START, seconds=1),),
        scenario=HOSTILE,
    )
    (path / "roles/fwd.log").write_text(HOSTILE)
    (path / ixy.DIFF).write_text(f"+{HOSTILE}\n-{HOSTILE}\n")
    return made


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    trial = open_trial(hostile_bundle(tmp_path).path)
    bad = row(HOSTILE, name=HOSTILE, title=HOSTILE, numbers={HOSTILE: HOSTILE}, cause=HOSTILE * 2)
    error = row("error", cause=HOSTILE)
    shown = page(trial, tmp_path, bad, error, label=HOSTILE)
    assert "cannot be shown" not in shown.words
    assert "<script>alert(1)</script>" in shown.words
    over = Page(html.overview([subject(bad, label=HOSTILE)], [HOSTILE]))
    assert set(over.elements) <= ALLOWED
    markdown = summary.section(subject(bad, label=HOSTILE), [trial])
    assert "<script" not in markdown
    assert "\x1b" not in markdown
    assert all(line.count("|") in {0, 4} for line in markdown.splitlines())


def test_a_missing_bundle_is_said(tmp_path: Path) -> None:
    shown = page(open_trial(tmp_path / "gone"), tmp_path)
    assert "gone is not a bundle" in shown.words
    assert "No trial took place" in page(None, tmp_path).words


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is not a bundle" in page(open_trial(tmp_path / "pipe"), tmp_path).words


def test_a_message_of_a_rule_that_passed_is_folded(tmp_path: Path) -> None:
    shown = page(None, tmp_path, row("passed", title="2 lost", cause="longest: #3 to #4"))
    assert "longest: #3 to #4" in shown.words
    assert shown.elements.count("details") == 1


@pytest.mark.parametrize("damage", ["{", '{"format": 1}', "\udcff"])
def test_a_damaged_manifest_is_said(tmp_path: Path, damage: str) -> None:
    report_bundles.make(tmp_path)
    (tmp_path / ixy.MANIFEST).write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert "cannot be shown" in page(open_trial(tmp_path), tmp_path).words


@pytest.mark.parametrize("capture", [b"", b"no capture at all, but long enough to be one", None])
def test_a_damaged_capture_is_said_and_the_rest_is_shown(tmp_path: Path, capture: bytes | None) -> None:
    report_bundles.make(tmp_path)
    (tmp_path / ixy.CAPTURE).unlink()
    if capture is not None:
        (tmp_path / ixy.CAPTURE).write_bytes(capture)
    trial = open_trial(tmp_path)
    shown = page(trial, tmp_path)
    assert shown.elements.count("svg") == 2
    assert shown.elements.count("figure") == 3
    assert (trial.traffic and trial.traffic.flaw) or trial.no_traffic


def test_a_cut_capture_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    report_bundles.make(tmp_path, range(10))
    whole = (tmp_path / ixy.CAPTURE).read_bytes()
    (tmp_path / ixy.CAPTURE).write_bytes(whole[:-30])
    trial = open_trial(tmp_path)
    assert trial.traffic
    assert trial.traffic.packets == 9
    assert trial.traffic.flaw in page(trial, tmp_path).words


def test_no_capture_is_said(tmp_path: Path) -> None:
    report_bundles.make(tmp_path, capture=ixy.CaptureRecord(file=None))
    assert "the trial left no capture" in page(open_trial(tmp_path), tmp_path).words


def test_a_manifest_cannot_make_the_page_show_other_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    runs = {"fwd": report_bundles.run("fwd", 0, 1, log="../secret")}
    builds = {"fwd": ixy.Build(steps=(), log=str(tmp_path / "secret"))}
    made = report_bundles.make(tmp_path / "b", roles=runs, builds=builds)
    (made.path / "consoles/pcap.log").unlink()
    (made.path / "consoles/pcap.log").symlink_to(tmp_path / "secret")
    assert "the secret" not in page(open_trial(made.path), tmp_path).words


def test_a_long_log_is_cut_to_its_end(tmp_path: Path) -> None:
    report_bundles.make(tmp_path)
    (tmp_path / "roles/fwd.log").write_text("the beginning\n" + "x" * 100_000 + "\nthe end")
    shown = page(open_trial(tmp_path), tmp_path)
    assert "the beginning" not in shown.words
    assert "the end" in shown.words
    assert "the last 64.0 KiB shown" in shown.words


def test_a_part_that_cannot_be_made_says_why() -> None:
    def broken() -> str:
        raise ZeroDivisionError("<b>")

    assert html.part("The plot", broken).endswith(
        "The plot cannot be shown: ZeroDivisionError: &lt;b&gt;</p>"
    )


def test_rerun_takes_the_commit_but_a_changed_work_tree_as_it_stands() -> None:
    clean = report_bundles.manifest(8)
    assert rerun(clean) == (
        f"pytest --ixy-repo=https://github.com/emmericp/ixy --ixy-ref={report_bundles.COMMIT} --ixy-packets=8"
    )
    odd = report_bundles.target(dirty=True, source="/home/me/my driver; $(reboot)")
    changed = clean.model_copy(update={"target": odd, "provider": ixy.ProviderRecord(name="static")})
    assert rerun(changed) == (
        "pytest '--ixy-repo=/home/me/my driver; $(reboot)' --ixy-packets=8 --ixy-provider=static"
    )


def test_rerun_repeats_what_was_given_and_nothing_that_a_stranger_made_up() -> None:
    given = {"idle": "5", "memory": "512", "image": "/my images/x.qcow2", "offline": "True", "keep": "always"}
    said = rerun(report_bundles.manifest(8, options={**given, "config": "c.toml; $(reboot)"}))
    assert said.endswith(
        " --ixy-packets=8 '--ixy-config=c.toml; $(reboot)' --ixy-idle=5 '--ixy-image=/my images/x.qcow2' "
        "--ixy-memory=512 --ixy-offline"
    )


@pytest.mark.parametrize(
    ("scenario", "course", "words"),
    [
        ("lifecycle", "again", "--ixy-packets=8 --ixy-scenario=lifecycle --ixy-role=pcap=reference"),
        ("lifecycle", DUPLEX, "--ixy-packets=8 --ixy-scenario=lifecycle"),
        ("soak", "", "--ixy-minutes=0.5 --ixy-scenario=soak --ixy-role=pcap=reference"),
        ("frames", "frames vlan", "--ixy-scenario=frames"),
        ("localise", "", "--ixy-packets=8 --ixy-scenario=localise"),
    ],
)
def test_rerun_says_who_played_where_that_was_no_choice_of_the_scenarios(
    scenario: str, course: str, words: str
) -> None:
    roles = {"pcap": report_bundles.run("pcap", 0, 4, player="reference")}
    roles |= {name: report_bundles.run(name[:6].rstrip("-2"), 0, 4) for name in ("fwd", "fwd-2", "pktgen")}
    frames = "vlan" if scenario == "frames" else ""
    record = ixy.CourseRecord(
        words="", name=course, traffic=frames, seconds=30 if not course or frames else None
    )
    record = record if scenario != "localise" else ixy.CourseRecord(words="")
    made = report_bundles.manifest(8, scenario=scenario, course=record, roles=roles)
    assert rerun(made).endswith(f"{report_bundles.COMMIT} {words}")


def test_what_localise_left_is_replayed_as_what_forward_left(tmp_path: Path) -> None:
    made = report_bundles.make(tmp_path, scenario="localise")
    assert replay(made) == f"pytest --ixy-replay={tmp_path}"


def test_the_page_shows_who_ran_beside_the_three_roles(tmp_path: Path) -> None:
    hostile = report_bundles.run("pcap", 0, 4, player="<b>x</b>", command="<script>\x1b[2J")
    beside = {"fwd-2": report_bundles.run("fwd", 3, 9), "pcap-back": report_bundles.run("pcap", 0, 4)}
    roles = {**report_bundles.manifest(8).roles, **beside}
    made = report_bundles.make(tmp_path / "more", roles={**roles, "<i>": hostile})
    shown = page(open_trial(made.path), tmp_path)
    for words in ("All who ran", "fwd-2", "from 3 s to 9 s", "pcap-back", "<script>"):
        assert words in shown.words
    assert state(made.manifest, "pcap-back").kind == "good"
    usual = report_bundles.make(tmp_path / "usual")
    assert "All who ran" not in page(open_trial(usual.path), tmp_path).words


def test_captures_beside_that_of_pcap_are_linked(tmp_path: Path) -> None:
    back = ixy.CaptureRecord(file=ixy.BACK)
    report_bundles.make(tmp_path, course=ixy.CourseRecord(words="", back=back, sent=ixy.SENT))
    for file in (ixy.BACK, ixy.SENT):
        (tmp_path / file).touch()
    assert {ixy.BACK, ixy.SENT} <= {Path(link).name for link in page(open_trial(tmp_path), tmp_path).links}


def test_who_was_killed_on_purpose_is_not_red(tmp_path: Path) -> None:
    killed = report_bundles.run("fwd", 1, 2, stopped_by="KILL", exit=ixy.Exit(status=137, signal="SIGKILL"))
    roles = {**report_bundles.manifest(8).roles, "fwd": killed}
    for name, kind in ((KILLED, "good"), (RESTART, "bad")):
        course = ixy.CourseRecord(words="", name=name)
        assert state(report_bundles.manifest(8, roles=roles, course=course), "fwd").kind == kind


def test_properties_tell_which_trial_of_many_it_was(tmp_path: Path) -> None:
    course = ixy.CourseRecord(words="fwd is restarted", name=RESTART)
    trial = open_trial(report_bundles.make(tmp_path, scenario="lifecycle", course=course).path)
    assert dict(junit.properties(subject(row()), trial))["course"] == "fwd is restarted"


@pytest.mark.parametrize("course", [{"traffic": "vlan"}, {"seconds": 60.0}], ids=["frames", "soak"])
def test_where_no_numbered_packets_are_captured_none_are_missed(course: Any, tmp_path: Path) -> None:
    record = ixy.CourseRecord(words="", **course)
    report_bundles.make(tmp_path, course=record, capture=ixy.CaptureRecord(file=None))
    assert "Sequence numbers over time" not in page(open_trial(tmp_path), tmp_path).words


def test_no_report_shows_a_password(tmp_path: Path) -> None:
    secret = report_bundles.target(source="https://me:hunter2@example.org/x")
    trial = open_trial(report_bundles.make(tmp_path, target=secret).path)
    about = subject(row())
    properties = [str(value) for _, value in junit.properties(about, trial)]
    for shown in (html.section(0, about, [trial], tmp_path), summary.section(about, [trial]), *properties):
        assert "hunter2" not in shown


def test_properties_tell_what_came_through(tmp_path: Path) -> None:
    trial = open_trial(report_bundles.make(tmp_path, [0, 1, 1, 3]).path)
    found = dict(junit.properties(subject(row()), trial))
    assert (found["captured"], found["unique"], found["loss"], found["rate"]) == (4, 3, "0.250000", "1000.0")
    assert (found["provider"], found["accelerator"], found["seconds.boot"]) == ("qemu", "tcg", "24.500")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["passed", "failed", "error"], "failed"),
        (["passed", "error"], "error"),
        (["passed", "skipped", "reported"], "passed"),
        (["skipped"], "skipped"),
        ([], "skipped"),
    ],
)
def test_verdict(outcomes: list[str], verdict: str) -> None:
    assert subject(*map(row, outcomes)).verdict == verdict
