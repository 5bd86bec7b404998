"""The parser of what the tester prints: shapes, damage, limits; and that chunks do not matter."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ng40_output import TABLES, losses, told, whole

from pytest_ixy.ng40 import known
from pytest_ixy.ng40.lines import HALF, Line, Lines
from pytest_ixy.ng40.output import Transcript
from pytest_ixy.ng40.plan import Plan, planned
from pytest_ixy.ng40.records import CaseRecord, ListRecord

GOOD = whole([("4G_M2AS_UDP",), ("tc-attach.1", "FAIL", 100, 100), ("5x", "INCONC")], "FAIL")


def read(text, *, expected=(), plan=(), size=None):
    """The transcript of all of it, fed in pieces of one size."""
    data = text if isinstance(text, bytes) else text.encode()
    transcript = Transcript(expected, clock=lambda: 7.0)
    transcript.plan(plan)
    for begin in range(0, len(data), size or len(data) or 1):
        transcript.feed(data[begin : begin + (size or len(data))])
    transcript.finish()
    return transcript


def verdicts(transcript):
    return {case.name: case.verdict for case in transcript.records()}


def percentages(transcript):
    return {case.name: [loss.percent for loss in case.losses] for case in transcript.records()}


def test_a_whole_list_gives_verdicts_losses_and_lines():
    transcript = read(GOOD)
    assert verdicts(transcript) == {"4G_M2AS_UDP": "PASS", "tc-attach.1": "FAIL", "5x": "INCONC"}
    assert percentages(transcript) == {"4G_M2AS_UDP": [0, 0], "tc-attach.1": [100, 100], "5x": [0, 0]}
    assert (transcript.verdict, transcript.flaws) == ("FAIL", ())
    assert [case.watched for case in transcript.records()] == [18, 18, 18]
    down, up = transcript.records()[1].losses
    assert (down.direction, down.between, down.packets) == ("DL", "AS_PktTx-S1uPktRx", 185)
    assert (up.direction, up.between, up.packets) == ("UL", "S1uPktTx-AS_PktRx", 64)
    rows = GOOD.splitlines()
    for case in transcript.records():
        own = rows[case.first - 1 : case.last]
        assert (own[0], own[-1]) == ("Signaling Table", "Wait for RAN shutdown")
        assert f"Verdict({case.name}) = VERDICT_{case.verdict}" in own


def case(name, verdict, *percent):
    return {name: (verdict, list(percent))}


SHAPES = {
    "no blanks": ("Verdict(a)=VERDICT_PASS\n", case("a", "PASS"), 0),
    "many blanks": ("  Verdict ( a-b.c )   =   VERDICT_FAIL  \n", case("a-b.c", "FAIL"), 0),
    "windows line ends": ("Verdict(a) = VERDICT_PASS\r\nVerdict(b) = VERDICT_FAIL\r\n",
                          case("a", "PASS") | case("b", "FAIL"), 0),
    "an unknown verdict": ("Verdict(a) = VERDICT_WITH_NOTES\n", case("a", "WITH_NOTES"), 0),
    "inconclusive in full": ("Verdict(a) = VERDICT_INCONCLUSIVE\n", case("a", "INCONCLUSIVE"), 0),
    "none": ("Verdict(a) = VERDICT_NONE\n", case("a", "NONE"), 0),
    "error": ("Verdict(a) = VERDICT_ERROR\n", case("a", "ERROR"), 0),
    "two on one line": ("Verdict(a) = VERDICT_PASSVerdict(b) = VERDICT_FAIL\n",
                        case("a", "PASS") | case("b", "FAIL"), 0),
    "behind progress": ("Watchtime: 1 TimeVerdict(a) = VERDICT_PASS\n", case("a", "PASS"), 0),
    "before progress": ("Verdict(a) = VERDICT_PASSWatchtime: 18 Timeout: 1800\n", case("a", "PASS"), 0),
    "before other words": ("Verdict(a) = VERDICT_PASSdone\n", case("a", "PASS"), 0),
    "before a loss": ("Verdict(a) = VERDICT_PASSDL Loss= x-y= 1(pkts); 2.50(%)\n", case("a", "PASS", 2.5), 0),
    "cut name": ("Verdict(4G_ATVerdict(b) = VERDICT_PASS\n", case("b", "PASS"), 1),
    "cut word": ("Verdict(a) = VERD\nVerdict(b) = VERDICT_PASS\n", case("a", None) | case("b", "PASS"), 1),
    "cut verdict": ("Verdict(a) = VERDICT_PA", case("a", None), 1),
    "cut inconclusive": ("Verdict(a) = VERDICT_INCONCL\n", case("a", None), 1),
    "cut at the last line end": ("Verdict(a) = VERDICT_PASS", case("a", "PASS"), 0),
    "missing beginning": ("ATTACH) = VERDICT_PASS\n", {}, 1),
    "no beginning behind another": ("Verdict(a) = VERDICT_PASS b) = VERDICT_FAIL\n", case("a", "PASS"), 1),
    "no name of a case": ("Verdict(two words) = VERDICT_PASS\n", {}, 1),
    "no name at all": ("Verdict() = VERDICT_PASS\n", {}, 1),
    "a name beyond all limits": (f"Verdict({'a' * 161}) = VERDICT_PASS\n", {}, 1),
    "brackets in a name": ("Verdict(a(b)) = VERDICT_PASS\n", {}, 1),
    "a shell in a name": ("Verdict($(id)) = VERDICT_PASS\n", {}, 1),
    "a path for a name": ("Verdict(../../etc) = VERDICT_PASS\n", {}, 1),
    "good, then bad": ("Verdict(a) = VERDICT_PASS\nVerdict(a) = VERDICT_FAIL\n", case("a", "FAIL"), 0),
    "bad, then good": ("Verdict(a) = VERDICT_ERROR\nVerdict(a) = VERDICT_PASS\n", case("a", "ERROR"), 0),
    "colours": ("\x1b[1;32mVerdict(a)\x1b[0m = \x1b]0;title\x07VERDICT_PASS\x1b[K\n", case("a", "PASS"), 0),
    "nul bytes": ("Verd\0ict(a\0) = VERDICT_PA\0SS\n", case("a", "PASS"), 0),
    "overwritten progress": ("10 %\r20 %\rVerdict(a) = VERDICT_PASS\r100 %\n", case("a", "PASS"), 0),
    "named before": ("Run test case a\nVerdict(a) = VERDICT_PASS\n", case("a", "PASS"), 0),
    "named with a count": ("Run test case 1/31: 4G_a ...\n", case("4G_a", None), 0),
    "named with a full stop": ("Run test case: a.b.\n", case("a.b", None), 0),
    "a count of cases": ("Run test cases: 31\n", {}, 0),
    "named in vain": ("Run test case\n", {}, 1),
    "tables always before": (
        TABLES + losses(1, 2) + "Verdict(a) = VERDICT_PASS\n" + losses(3, 4) + "Verdict(b) = VERDICT_PASS\n",
        case("a", "PASS", 1, 2) | case("b", "PASS", 3, 4), 0),
    "table of a named case": ("Run test case a\n" + losses(1, 2) + "Verdict(a) = VERDICT_PASS\n",
                              case("a", "PASS", 1, 2), 0),
    "table behind a cut verdict": (
        "Verdict(a) = VERDICT_PASS\ndone\n" + TABLES + "Verd\n" + losses(100, 100) + "done\n" + told("b"),
        case("a", "PASS") | case("b", "PASS", 0, 0), 1),
    "table at the end of nothing": (losses(1, 2), {}, 1),
    "less than nothing lost": ("Verdict(a) = VERDICT_PASS\nDL Loss= x-y= -1(pkts); -0.76(%)\n",
                               case("a", "PASS", -0.76), 0),
    "a comma of a locale": ("Verdict(a) = VERDICT_PASS\nDL Loss= x-y= 1(pkts); 33,33(%)\n",
                            case("a", "PASS", 33.33), 0),
    "no number": ("Verdict(a) = VERDICT_PASS\nDL Loss= x-y= 0(pkts); -nan(%)\n", case("a", "PASS"), 1),
    "no packets": ("Verdict(a) = VERDICT_FAIL\n**** Packet Loss ****\nNo pkt DL tx\n", case("a", "FAIL"), 0),
    "cut list verdict": ("Testlist verdict = VER\n", {}, 1),
    "ends in mid-line": ("Verdict(a) = VERDICT_PASS\nVerd", case("a", "PASS"), 1),
    "nothing": ("", {}, 0),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape(shape):
    text, cases, flaws = SHAPES[shape]
    transcript = read(text)
    found = {name: (verdict, percentages(transcript)[name]) for name, verdict in verdicts(transcript).items()}
    assert found == cases
    assert len(transcript.flaws) == flaws
    assert all(flaw.isprintable() for flaw in transcript.flaws)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xfcberl\xe4uft\nVerdict(a) = VERDICT_PASS\n", "a"),
        ("überläuft Verdict(a) = VERDICT_PASS\n".encode(), "a"),
        (b"\xff\xfe\x9b31mVerdict(a) = VERDICT_PASS\xe9\n", "a"),
    ],
)
def test_bytes_of_any_locale_hide_no_verdict(data, name):
    assert verdicts(read(data)) == {name: "PASS"}


def test_a_name_with_odd_bytes_is_told_in_its_locale():
    (flaw,) = read(b"Verdict(\xc4rger) = VERDICT_PASS\n").flaws
    assert flaw == "line 1: a verdict of what is no name of a case: `Verdict(Ärger) = VERDICT_PASS`"


def test_verdicts_at_both_ends_of_a_very_long_line_are_read_and_the_rest_is_owned_up():
    line = b"Verdict(a) = VERDICT_PASS " + b"x" * 10_000_000 + b" Verdict(b) = VERDICT_FAIL\n"
    transcript = read(line, size=65536)
    assert verdicts(transcript) == {"a": "PASS", "b": "FAIL"}
    assert transcript.flaws == ("line 1: a very long line, whose middle was left out",)


def test_memory_does_not_grow_with_a_line():
    lines = Lines()
    for _ in range(1000):
        assert not list(lines.feed(b"x" * 10_000))
    assert len(lines._head) + len(lines._tail) == 2 * HALF


def test_several_verdicts_are_all_on_record_within_limits():
    (record,) = read("Verdict(a) = VERDICT_PASS\n" * 2 + "Verdict(a) = VERDICT_FAIL\n" * 100).records()
    assert record.verdicts[:3] == ("PASS", "PASS", "FAIL")
    assert len(record.verdicts) == known.MOST_VERDICTS


def test_numbers_of_cases_flaws_and_losses_have_limits():
    many = read("".join(f"Verdict(c{n}) = VERDICT_PASS\n" for n in range(known.MOST_CASES + 10)))
    assert len(many.records()) == known.MOST_CASES
    assert many.flaws == (f"more than {known.MOST_CASES:,} cases: the others are not on record",)
    cut = read("Verdict(\n" * 1000)
    assert len(cut.flaws) == known.MOST_FLAWS + 1
    assert cut.flaws[-1] == "… and 900 more"
    (lossy,) = read("Verdict(a) = VERDICT_PASS\n" + "DL Loss= x-y= 1(pkts); 1(%)\n" * 1000).records()
    assert len(lossy.losses) == known.MOST_LOSSES


def test_of_several_verdicts_of_the_list_the_worse_counts():
    assert read("Testlist verdict = VERDICT_PASS\nTestlist verdict = VERDICT_FAIL\n").verdict == "FAIL"
    assert read("Testlist verdict = VERDICT_PASS\n").verdict == "PASS"
    assert read("").verdict is None


def test_progress_tells_how_many_and_which():
    transcript = Transcript(["a", "b", "c"])
    assert str(transcript.progress()) == "0 of 3 cases"
    transcript.plan(["a", "b", "c", "d"])
    assert str(transcript.progress()) == "0 of 4 cases, a"
    transcript.feed(told("a").encode())
    assert str(transcript.progress()) == "1 of 4 cases, b"
    transcript.feed(told("e").encode() + b"Run test case d\nWatchtime: 1 Timeout: 5\n")
    assert str(transcript.progress()) == "2 of 5 cases, d"
    transcript.feed(b"Verdict(d) = VERDI")
    assert transcript.progress().judged == 2


def test_a_list_of_names_up_front_starts_none_of_them():
    transcript = Transcript()
    transcript.feed(b"Run test case a\nRun test case b\nRun test case c\nWatchtime: 1 Timeout: 5\n")
    assert str(transcript.progress()) == "0 of 3 cases, a"
    transcript.feed(told("a").encode())
    assert str(transcript.progress()) == "1 of 3 cases, b"


def test_seconds_run_from_the_first_sign_of_a_case_to_its_verdict():
    now = [100.0]
    transcript = Transcript(clock=lambda: now[0])
    for seconds, text in [
        (5, "Starting\n"),
        (7, "Signaling Table\n"),
        (2, "Watchtime: 1 Timeout: 9\n"),
        (3, "Verdict(a) = VERDICT_PASS\n"),
        (9, "Run test case b\n"),
        (4, "Verdict(b) = VERDICT_PASS\nVerdict(c) = VERDICT_PASS\n"),
    ]:
        now[0] += seconds
        transcript.feed(text.encode())
    assert [record.seconds for record in transcript.records()] == [5, 4, None]
    assert transcript.moved == 130


def test_a_plan_marks_cases_and_keeps_their_order():
    transcript = read("Verdict(b) = VERDICT_PASS\nVerdict(z) = VERDICT_PASS\n", plan=["a", "b"])
    assert [(case.name, case.planned, case.verdict) for case in transcript.records()] == [
        ("a", True, None),
        ("b", True, "PASS"),
        ("z", False, "PASS"),
    ]


LOG = """\
2026-01-01 10:00:00 Testlist basic.ntl
2026-01-01 10:00:00 Run test case 4G_M2AS_UDP
Verdict(4G_M2AS_UDP) = VERDICT_PASS
2026-01-01 10:03:00 Run test case tc-attach.1
2026-01-01 10:03:00 Run test case 4G_M2AS_UDP
"""


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_log_of_a_run_names_its_cases(size):
    plan = Plan()
    for begin in range(0, len(LOG), size):
        plan.feed(LOG[begin : begin + size].encode())
    assert plan.names == planned(LOG.encode()) == ("4G_M2AS_UDP", "tc-attach.1")


def test_a_log_of_many_names_is_bounded():
    text = "".join(f"Run test case c{n}\n" for n in range(known.MOST_CASES + 10))
    assert len(planned(text.encode())) == known.MOST_CASES


WORDS = [
    word.encode() for word in [*GOOD.splitlines(keepends=True)[:20], "Verdict(", "Verdict(a", ") = VERDICT_"]
]
WORDS += [
    b"PASS",
    b"FAIL\n",
    b"\r",
    b"\n",
    b"\0",
    b"\x1b[1m",
    b"\xe4",
    b"Run test case b\n",
    b"x" * 5000,
    b"done\n",
]
STREAMS = st.lists(st.sampled_from(WORDS) | st.binary(max_size=20), max_size=40).map(b"".join)


def summed(transcript):
    return transcript.records(), transcript.verdict, transcript.flaws, str(transcript.progress())


@given(STREAMS, st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_how_bytes_are_chunked(data, chance):
    transcript = Transcript(clock=lambda: 7.0)
    rest = data
    while rest:
        size = chance.randint(1, 1 + chance.choice([0, 3, 100, 20_000]))
        transcript.feed(rest[:size])
        rest = rest[size:]
    transcript.finish()
    assert summed(transcript) == summed(read(data))


@given(STREAMS)
def test_nothing_unprintable_and_nothing_unbounded_gets_through(data):
    transcript = read(data)
    record = ListRecord(
        name="x", file="x.ntl", end="cut-off", verdict=transcript.verdict, cases=transcript.records(),
        flaws=transcript.flaws, started="2026-01-01T00:00:00Z", seconds=1,
    )  # fmt: skip
    assert all(flaw.isprintable() for flaw in record.flaws)
    assert ListRecord.model_validate_json(record.model_dump_json()) == record
    assert all(isinstance(one, CaseRecord) for one in record.cases)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["PASS", "FAIL", "INCONC", "ERROR"]), min_size=1, max_size=30))
def test_every_case_of_a_sound_output_is_on_record(words):
    cases = [(f"{number}_case.{number}-x", word, number % 101, 0) for number, word in enumerate(words)]
    transcript = read(whole(cases))
    assert verdicts(transcript) == {name: word for name, word, _, _ in cases}
    assert percentages(transcript) == {name: [down, 0] for name, _, down, _ in cases}
    assert not transcript.flaws


@settings(max_examples=30)
@given(st.integers(0, 1 << 30))
def test_a_flipped_output_never_makes_a_failed_case_pass(seed):
    chance = random.Random(seed)
    data = bytearray(whole([("a", "FAIL"), ("b", "FAIL")], "FAIL").encode())
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    assert "PASS" not in verdicts(read(bytes(data))).values()


def test_lines_are_numbered_by_line_feeds_alone():
    lines = Lines()
    assert list(lines.feed(b"a\r\n\nb\rc\n")) == [Line(1, "a"), Line(3, "b"), Line(3, "c")]
    assert list(lines.feed(b"d")) == []
    assert list(lines.finish()) == [Line(4, "d", whole=False)]
