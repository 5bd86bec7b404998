"""`pytest-ixy judge` as its users meet it: mostly as a program of its own, on captures made here."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import zstandard
from bundles import make_bundle, make_run
from captures import Packet, ixy_frame, packets, pcap, pcapng
from dialects import capture_of, frame_of
from frame_bundles import trial

from pytest_ixy import cli, rules
from pytest_ixy.bundle import CaptureRecord, CourseRecord
from pytest_ixy.dialect import shipped
from pytest_ixy.rules import Rule
from pytest_ixy.rules.finding import passed

GOOD = pcap(packets(map(ixy_frame, range(100))))
RULES = list(rules.rules())


def command(*arguments):
    code = "import sys; from pytest_ixy.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code, "judge", *map(str, arguments)]


def run(*arguments, **more):
    done = subprocess.run(command(*arguments), capture_output=True, check=False, timeout=60, **more)
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def ask(capsys):
    """Judge in this process; the exit status and what each line of the JSON says."""

    def asked(*arguments):
        status = cli.main(["judge", "--json", *map(str, arguments)])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return asked


@pytest.fixture
def write(tmp_path):
    """Write a file and give its path."""

    def written(data, name="capture.pcap"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return written


def outcomes(said):
    return {finding["rule"]: finding["outcome"] for finding in said["findings"]}


def test_a_good_capture_passes(ask, write):
    path = write(GOOD)
    status, (said,) = ask(path, "--packets=100")
    assert status == 0
    assert list(said) == ["capture", "verdict", "problem", "findings"]
    assert (said["capture"], said["verdict"], said["problem"]) == (str(path), "passed", None)
    of_trial = ("sent", "exits", "console", "leaks", "preflight")
    expected = {**dict.fromkeys(RULES, "passed"), **dict.fromkeys(of_trial, "skipped")}
    assert outcomes(said) == expected
    assert all(list(one) == ["rule", "outcome", "title", "numbers"] for one in said["findings"])


def test_without_a_number_count_is_skipped_and_the_bounds_take_what_was_found(ask, write):
    status, (said,) = ask(write(GOOD))
    found = {finding["rule"]: finding for finding in said["findings"]}
    assert status == 0
    assert found["count"]["outcome"] == "skipped"
    assert "no number of packets was given (--packets N" in found["count"]["title"]
    assert found["sequence-bounds"]["outcome"] == "passed"
    assert "N is the number of packets found" in found["sequence-bounds"]["title"]


def test_without_a_number_changed_numbers_are_found_all_the_same(ask, write):
    swapped = [int.from_bytes(number.to_bytes(4, "little"), "big") for number in range(100)]
    status, (said,) = ask(write(pcap(packets(map(ixy_frame, swapped)))))
    assert status == 1
    assert outcomes(said)["sequence-bounds"] == "failed"


@pytest.mark.parametrize(
    ("numbers", "packets_", "failed"),
    [
        ([*range(99), 5], 100, {"duplicates", "sequence-bounds"}),
        (range(99), 100, {"count", "sequence-bounds"}),
        ([*range(99), 201], 100, {"sequence-bounds"}),
    ],
)
def test_a_broken_rule_is_status_1(numbers, packets_, failed, ask, write):
    status, (said,) = ask(write(pcap(packets(map(ixy_frame, numbers)))), f"--packets={packets_}")
    assert (status, said["verdict"]) == (1, "failed")
    assert {rule for rule, outcome in outcomes(said).items() if outcome == "failed"} == failed


SNAPPED = pcap([Packet(ixy_frame(0)[:50], 0, 60), *packets(map(ixy_frame, range(1, 5)))])
UNJUDGEABLE = {
    "empty": (b"", "empty", "0 bytes"),
    "no-frame": (pcap([]), "empty", "holds no frame"),
    "text": (b"hello, world, this is no capture", "not a capture", "is not a capture"),
    "cut": (GOOD[:-1], "cut", "ends in the middle of the record of frame 100"),
    "header": (GOOD[:20], "header cut", "inside its file header"),
    "snap": (SNAPPED, "cut by the snap length", "the snap length cut 1 frame of 5"),
    "link": (pcap([], link=113), "other link type", "113, not Ethernet"),
    "length": (GOOD[:32] + b"\xff\xff\xff\x7f" + GOOD[36:], "corrupt", "claims to hold"),
    "gzip-cut": (gzip.compress(GOOD)[:-20], "broken compression", "gzip stream is cut"),
    "gzip-bad": (b"\x1f\x8b" + b"\x00" * 40, "broken compression", "gzip stream is damaged"),
    "gzip-sum": (gzip.compress(GOOD)[:-8] + bytes(8), "broken compression", "gzip stream is damaged"),
    "zstd-cut": (zstandard.compress(GOOD)[:-9], "broken compression", "zstd stream is cut"),
    "zstd-bad": (zstandard.compress(GOOD)[:8] + b"\xff" * 40, "broken compression", "zstd stream is"),
    "zstd-tail": (zstandard.compress(GOOD) + b"garbage", "broken compression", "zstd stream is damaged"),
    "gzip-of-text": (gzip.compress(b"no capture"), "not a capture", "is not a capture"),
}


@pytest.mark.parametrize("name", UNJUDGEABLE)
def test_what_cannot_be_judged_is_status_2_with_words_of_its_own(name, ask, write):
    data, kind, words = UNJUDGEABLE[name]
    status, (said,) = ask(write(data))
    assert (status, said["verdict"], said["problem"]["kind"]) == (2, "unjudgeable", kind)
    assert words in said["problem"]["title"]


def test_each_kind_has_different_words(ask, write):
    kinds = {kind for _, kind, _ in UNJUDGEABLE.values()}
    said = {ask(write(data))[1][0]["problem"]["title"] for data, _, _ in UNJUDGEABLE.values()}
    assert len(said) >= len(kinds) >= 8


def test_what_is_not_there_or_not_readable(ask, tmp_path):
    for path, kind in (
        (tmp_path / "nope", "missing"),
        ("/dev/null", "unreadable"),
        (tmp_path, "not a bundle"),
    ):
        status, (said,) = ask(path)
        assert (status, said["problem"]["kind"], said["findings"]) == (2, kind, [])


def test_a_cut_capture_shows_what_was_found_before_the_cut(ask, write):
    status, (said,) = ask(write(pcap(packets(map(ixy_frame, [0, 1, 1, 2])))[:-1]))
    assert status == 2
    assert outcomes(said)["duplicates"] == "failed"


def test_the_worst_of_several_counts_and_each_has_its_line(ask, write):
    bad = pcap(packets(map(ixy_frame, [0, 1, 1])))
    paths = [write(GOOD, "a"), write(b"", "b"), write(bad, "c")]
    status, said = ask(*paths)
    assert status == 2
    assert [one["verdict"] for one in said] == ["passed", "unjudgeable", "failed"]
    assert ask(paths[0], paths[2])[0] == 1


def test_a_bundle_is_judged_by_all_rules(ask, tmp_path):
    status, (said,) = ask(make_bundle(tmp_path).path, "--packets=7")
    assert status == 0
    assert outcomes(said) == dict.fromkeys(RULES, "passed")


@pytest.mark.parametrize(
    ("change", "outcome", "status"), [(list, "passed", 0), (lambda frames: frames[1:], "failed", 1)]
)
def test_a_bundle_of_frames_is_asked_what_its_scenario_asks(change, outcome, status, ask, tmp_path):
    assert (status, {"frames": outcome}) == _asked(ask, trial(tmp_path, "sizes", change).path)


@pytest.mark.parametrize(("missing", "outcome", "status"), [(0, "passed", 0), (100, "failed", 1)])
def test_a_bundle_of_lifecycle_is_asked_what_its_scenario_asks(missing, outcome, status, ask, tmp_path):
    course = CourseRecord(words="", name="idle")
    frames = map(ixy_frame, range(missing, missing + 100))
    made = make_bundle(tmp_path, frames, scenario="lifecycle", course=course)
    assert (status, {"idle": outcome}) == _asked(ask, made.path)


def test_a_bundle_of_soak_is_asked_what_its_scenario_asks(ask, tmp_path):
    path = make_bundle(tmp_path, scenario="soak", capture=CaptureRecord(file=None)).path
    status, found = _asked(ask, path)
    assert (status, found["soak-rate"], found["soak-alive-pcap"]) == (1, "skipped", "failed")
    (told,) = ask(path, "--rules=exits")[1]
    assert outcomes(told) == {"exits": "passed"}


def _asked(ask, path):
    status, (said,) = ask(path)
    return status, outcomes(said)


def test_a_bundle_with_an_option_that_no_rule_has_is_told_in_one_line(ask, tmp_path):
    bundle = make_bundle(tmp_path, rules={"order": {"nosuch": 1}})
    status, (said,) = ask(bundle.path)
    assert (status, said["problem"]["kind"]) == (2, "not a bundle")
    assert said["problem"]["title"].endswith("the rule 'order' has no option 'nosuch'")


def test_the_one_packet_of_a_capture_is_told_in_the_singular(ask, write):
    _, (said,) = ask(write(pcap(packets([ixy_frame(0)]))), "--rules=size,structure")
    titles = [finding["title"] for finding in said["findings"]]
    assert titles == ["the one packet has 60 bytes", "the one packet has ixy's structure"]


def test_a_bundle_without_a_capture_still_tells_how_the_roles_ended(ask, tmp_path):
    roles = {"pcap": make_run("pcap", ended_itself=False, stopped_by="KILL")}
    bundle = make_bundle(tmp_path, roles=roles, capture=CaptureRecord(file=None))
    status, (said,) = ask(bundle.path)
    assert (status, said["problem"]["kind"]) == (2, "missing")
    assert outcomes(said)["exits"] == "failed"


def test_rules_can_be_picked(ask, write, capsys):
    path = write(GOOD)
    status, (said,) = ask(path, "--rules=size,duplicates,size")
    assert (status, list(outcomes(said))) == (0, ["size", "duplicates"])
    assert cli.main(["judge", str(path), "--rules=sizes"]) == 2
    assert "did you mean 'size'?" in capsys.readouterr().err


def test_rules_that_prove_nothing_are_no_pass(ask, write):
    status, (said,) = ask(write(GOOD), "--rules=exits,count")
    assert (status, said["problem"]["kind"]) == (2, "not judged")


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "9" * 40, "²"])
def test_a_wrong_number_is_a_usage_error(number, write):
    done = run(write(GOOD), f"--packets={number}")
    assert done.returncode == 2
    assert b"is not a whole number" in done.stderr


def test_standard_input_can_be_given_once(write):
    done = run("-", "-", input=GOOD)
    assert done.returncode == 2
    assert b"once only" in done.stderr


PACKED = {
    "plain": GOOD,
    "pcapng": pcapng(packets(map(ixy_frame, range(100)))),
    "gzip": gzip.compress(GOOD),
    "gzip-members": gzip.compress(GOOD[:1000]) + gzip.compress(GOOD[1000:]),
    "zstd": zstandard.compress(GOOD),
    "zstd-frames": zstandard.compress(GOOD[:1000]) + zstandard.compress(GOOD[1000:]),
}


@pytest.mark.parametrize("name", PACKED)
def test_compressed_or_not_from_a_file_or_a_pipe(name, ask, write):
    status, (said,) = ask(write(PACKED[name]), "--packets=100")
    assert status == 0
    done = run("--json", "-", "--packets=100", input=PACKED[name])
    assert done.returncode == 0, done
    piped = json.loads(done.stdout)
    assert (piped["capture"], piped["findings"]) == ("-", said["findings"])


def test_a_failed_rule_shows_packets_of_a_compressed_capture(write):
    data = zstandard.compress(pcap(packets(map(ixy_frame, [0, 1, 1]))))
    done = run(write(data, "x.pcap.zst"))
    assert done.returncode == 1
    assert "frame 3 is the same as frame 2, byte for byte" in done.stdout.decode()


def test_a_named_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(command(tmp_path / "pipe", "--json"), stdout=subprocess.PIPE) as judge:
        (tmp_path / "pipe").write_bytes(GOOD)
        assert json.loads(judge.communicate(timeout=60)[0])["verdict"] == "passed"
    assert judge.returncode == 0


PEAK = """
import resource, sys
from pytest_ixy.cli import main
status = main(["judge", "--rules=size", sys.argv[1]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_bomb_does_not_fill_the_memory(pack, write):
    def peak(data):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, write(data)], capture_output=True, text=True, check=True, timeout=120
        )
        return int(done.stderr) >> 10

    zeros = GOOD + bytes(200 << 20)
    assert peak(pack(zeros)) < peak(pack(GOOD)) + 64


def test_a_full_disk_is_told(write, monkeypatch, ask):
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = write(gzip.compress(GOOD))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        status, (said,) = ask(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (status, said["problem"]["kind"]) == (2, "unreadable")
    assert "File too large" in said["problem"]["title"]


def test_people_get_a_table_and_the_messages_below(write):
    path = write(pcap(packets(map(ixy_frame, [0, 1, 1, 2]))))
    lines = run(path, "--packets=4").stdout.decode().splitlines()
    assert lines[0] == f"{path}: failed"
    assert [line.split()[1] for line in lines[1 : 1 + len(RULES)]] == RULES
    assert (
        lines[1 + RULES.index("duplicates")]
        == "  failed   duplicates       1 of 4 packets carries a sequence number seen before"
    )
    assert "  duplicates:" in lines[1 + len(RULES) :]
    assert not any("\x1b" in line for line in lines)


SIXTY_ONE = pcap(packets(ixy_frame(number, size=61) for number in range(3)))


def test_what_is_reported_shows_its_message_and_fails_nothing(write):
    done = run(write(SIXTY_ONE), "--packets=3", "--set=size.severity=report")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert lines[0].endswith(": passed")
    assert "  reported size             3 of 3 packets are not 60 bytes long" in lines
    assert lines[lines.index("  size:") + 1] == "    61 bytes: 3 packets"


def test_a_rule_can_be_switched_off(ask, write):
    status, (said,) = ask(write(SIXTY_ONE), "--set=size.severity=report", "--set=size.severity=off")
    assert (status, outcomes(said)["size"]) == (0, "skipped")


def chatty(evidence):
    return passed("chatty", "fine", {}, ["and this is why"])


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_what_passed_shows_its_message_when_asked_for(flag, write, capsys, monkeypatch):
    entry = EntryPoint("chatty", f"{__name__}:CHATTY", rules.GROUP)
    monkeypatch.setattr(rules, "entry_points", lambda group: [entry])
    rules._registry.cache_clear()
    try:
        path = str(write(GOOD))
        cli.main(["judge", path])
        assert "and this is why" not in capsys.readouterr().out
        cli.main(["judge", path, flag])
        assert capsys.readouterr().out.splitlines()[-2:] == ["  chatty:", "    and this is why"]
    finally:
        rules._registry.cache_clear()


CHATTY = Rule("chatty", "Passes.", chatty)


def test_the_dialect_can_be_given_by_name_and_by_file(ask, write, tmp_path):
    path = write(capture_of(shipped("go"), range(100)))
    assert outcomes(ask(path)[1][0])["sequence-bounds"] == "failed"
    assert ask(path, "--dialect=go", "--packets=100")[0] == 0
    (tmp_path / "mine.toml").write_text('[dialect]\nname = "c"\nnumber = {at = 56, order = "big"}\n')
    assert outcomes(ask(path, f"--dialect={tmp_path}/mine.toml")[1][0])["sequence-bounds"] == "passed"


def test_what_is_asked_for_wins_over_a_bundles_record(ask, tmp_path):
    frames = [frame_of(shipped("go"), number) for number in range(100)]
    terms = {"size": {"severity": "off"}, "sent": {"severity": "off"}}
    path = make_bundle(tmp_path, frames, dialect=shipped("go"), rules=terms).path
    status, (said,) = ask(path)
    assert (status, outcomes(said)["sequence-bounds"], outcomes(said)["size"]) == (0, "passed", "skipped")
    status, (said,) = ask(path, "--dialect=ixy-ci", "--set=size.severity=fail")
    assert status == 1
    found = outcomes(said)
    assert (found["sequence-bounds"], found["size"], found["sent"]) == ("failed", "passed", "skipped")


def test_a_record_that_cannot_be_set_is_status_2(ask, tmp_path):
    status, (said,) = ask(make_bundle(tmp_path, rules={"size": {"severity": "loud"}}).path)
    assert status == 2
    assert "manifest.json: 'severity' of the rule 'size' should be one of" in said["problem"]["title"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set=size"], "'size' is not of the form RULE.OPTION=VALUE"),
        (["--set=sise.severity=off"], "there is no rule 'sise', did you mean 'size'?"),
        (["--set=size.x=1"], "the rule 'size' has no option 'x'"),
        (["--set=size.severity=\x1b"], "should be one of fail, report, off, not '\\x1b'"),
        (["--dialect=rsut"], "there is no dialect 'rsut'; did you mean 'rust'?"),
        (["--dialect=./no\x1b"], "cannot read no\\x1b: No such file"),
        (["--dialect="], "there is no dialect ''"),
        (["--dialect=go", "--guess"], "not allowed with"),
    ],
)
def test_mistakes_are_told_before_anything_is_judged(arguments, words, write):
    done = run(write(GOOD), *arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert not done.stdout
    assert b"\x1b" not in done.stderr


def test_colours_on_a_terminal_only(write):
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(
        command(write(GOOD)), stdout=theirs, check=True, timeout=60, env={**environment, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert ": \x1b[32mpassed\x1b[0m" in shown


def test_hostile_names_and_terminals_that_know_no_unicode(write):
    path = write(pcap(packets(map(ixy_frame, [7] * 100))), "a\x1b[2J\nb")
    done = run(path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert b"\x1b" not in done.stdout
    assert b"a\\x1b[2J\\nb: failed" in done.stdout
    assert json.loads(run("--json", path).stdout)["capture"] == str(path)


def test_judging_imports_no_lab(write):
    code = (
        "import sys; from pytest_ixy.cli import main; main(['judge', sys.argv[1]]);"
        "print([name for name in ('scapy', 'paramiko', 'pyroute2', 'qemu', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, write(GOOD)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_it_starts_no_threads_and_reads_no_routes(write):
    code = (
        "import os, sys; from pytest_ixy.cli import main; main(['judge', sys.argv[1]]);"
        "from scapy.config import conf;"
        "print(os.listdir('/proc/self/task') == [str(os.getpid())], conf.route.routes, conf.route6.routes)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    capture = write(pcap(packets(map(ixy_frame, [7] * 100))))
    done = subprocess.run(
        [sys.executable, "-c", code, capture], capture_output=True, text=True, check=True, env=environment
    )
    assert "###[ IP ]###" in done.stdout
    assert done.stdout.splitlines()[-1] == "True [] []"
