"""How rules are told what to do: who may say it, who wins, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from bundles import make_bundle
from captures import ixy_frame, packets, pcap
from dialects import capture_of

from pytest_ixy import bundle as bundles
from pytest_ixy import manifest, rules, spec
from pytest_ixy.alone import players
from pytest_ixy.bare import open_any
from pytest_ixy.bundle import CaptureRecord, ProviderRecord, TargetRecord
from pytest_ixy.dialect import DEFAULT, find, shipped
from pytest_ixy.errors import UsageError
from pytest_ixy.progress import Progress
from pytest_ixy.providers import registry
from pytest_ixy.providers.base import Testbed
from pytest_ixy.rules import Finding, Option, Rule, judge
from pytest_ixy.settings import resolve
from pytest_ixy.target import Target
from pytest_ixy.terms import Terms, judged, parse
from pytest_ixy.topology import forward_topology

ROLES = 'pktgen = "./gen"\nfwd = "./fwd"\npcap = "./cap"\n'
TARGET = TargetRecord(label="it@1234567", name="it", source="", ref=None, commit="1234567", dirty=False)


def told(evidence):
    """What counts, as a title."""
    terms = evidence.terms("loose")
    return Finding("loose", "passed", " ".join(f"{option.name}={option.of(terms):g}" for option in OPTIONS))


OPTIONS = (Option("slack", 0.5, "a share", maximum=1), Option("most", 3, "a count"))
LOOSE = Rule("loose", "Says what is set.", told, options=OPTIONS)


@pytest.fixture(autouse=True)
def _loose(monkeypatch, tmp_path):
    """A rule with options, as another distribution would bring it."""
    entry = EntryPoint("loose", f"{__name__}:LOOSE", rules.GROUP)
    monkeypatch.setattr(rules, "entry_points", lambda group: [entry])
    monkeypatch.chdir(tmp_path)
    rules._registry.cache_clear()
    yield
    rules._registry.cache_clear()


def refused(*texts):
    with pytest.raises(UsageError) as caught:
        parse(texts)
    return str(caught.value)


def test_texts_become_tables_and_the_later_one_counts():
    texts = ["loose.slack=0.25", "size.severity = report", "loose.most=7", "loose.slack=1"]
    assert parse(texts) == {"loose": {"slack": 1, "most": 7}, "size": {"severity": "report"}}
    assert parse([]) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loose", "'loose' is not of the form RULE.OPTION=VALUE"),
        ("loose.slack", "is not of the form"),
        ("slack=1", "is not of the form"),
        ("", "is not of the form"),
        ("loose.most=" + "9" * 9999, "is not of the form"),
        ("lose.most=1", "there is no rule 'lose', did you mean 'loose'?"),
        ("loose.mist=1", "the rule 'loose' has no option 'mist', did you mean 'most'?"),
        ("loose.most=1.5", "'most' of the rule 'loose' should be a whole number, not '1.5'"),
        ("loose.most=", "should be a whole number"),
        ("loose.most=-1", "should be a whole number from 0 to"),
        ("loose.slack=nan", "should be a number from 0 to 1"),
        ("loose.slack=inf", "should be a number from 0 to 1"),
        ("loose.slack=much", "should be a number, not 'much'"),
        ("loose.severity=1", "should be one of fail, report, off"),
        ("loose.severity=Fail", "should be one of fail, report, off, not 'Fail'"),
    ],
)
def test_what_cannot_be_set_is_refused_in_a_sentence(text, words):
    assert words in refused("size.severity=off", text)


@pytest.mark.parametrize("text", ["\x1b[2J", "lo\x1b[2Jose.most=1", "loose.\x1b[2J=1", "loose.most=\x1b[2J"])
def test_nothing_hostile_is_printed(text):
    assert "\x1b" not in refused(text)


def test_the_stronger_terms_win_option_by_option():
    weak = Terms(shipped("c"), {"loose": {"slack": 0.1, "most": 1}})
    strong = Terms(None, {"loose": {"most": 2}, "size": {"severity": "off"}})
    assert strong.over(weak) == Terms(
        shipped("c"), {"loose": {"slack": 0.1, "most": 2}, "size": {"severity": "off"}}
    )
    assert Terms(shipped("go")).over(weak).dialect == shipped("go")


# who may say it

SOURCES = ("target", "config", "ini", "environment", "command line")


def settle(sources):
    """The terms that count for a trial when each of those sources says `loose.most`, from 1 on."""
    values = {source: index for index, source in enumerate(SOURCES, 1) if source in sources}
    config = f"[rules.loose]\nmost = {values['config']}\n" if "config" in values else ""
    Path("config.toml").write_text(config)
    target = f"[rules.loose]\nmost = {values['target']}\n" if "target" in values else ""
    Path("ixy-ci.toml").write_text(ROLES + target)
    settings = resolve(
        cli={
            "config": "config.toml",
            "set": [f"loose.most={values['command line']}"] if "command line" in values else None,
        },
        environ={"IXY_SET": f"size.severity=off loose.most={values['environment']}"}
        if "environment" in values
        else {},
        ini={"set": [f"loose.most={values['ini']}", "count.severity=off"]} if "ini" in values else {},
    )
    return left(settings).rules


def left(settings, **guests):
    """The manifest of a trial with these settings and the ixy-ci.toml of the working directory."""
    target = Target(TARGET, spec.read(Path(), "it"), Path(), "")
    testbed = Testbed("run", forward_topology(settings.pci), ProviderRecord(name="qemu"), (), {})
    cast = {role: "owner/other" if role in guests else "target" for role in players()}
    setup = manifest.Setup(testbed, registry.load("qemu"), {}, target, {}, settings, cast, guests)
    manifest.leave_unrun(setup, 100, Path("left"), Progress(lambda _: None))
    return bundles.load(Path("left")).manifest


def test_who_sends_says_how_packets_look_and_who_forwards_what_becomes_of_them(tmp_path):
    settings = resolve(cli={}, environ={}, ini={})
    guest = Target(TARGET, spec.Spec(dialect=shipped("rust")), tmp_path, "")
    Path("ixy-ci.toml").write_text(ROLES + '[dialect]\nname = "c"\n')
    found = left(settings, pktgen=guest)
    assert (found.dialect.sent, found.dialect.touched) == (shipped("rust").sent, shipped("c").touched)
    assert found.guests == {"pktgen": TARGET}
    assert found.rules == {}


def test_where_nobody_says_what_becomes_of_them_it_is_only_reported(tmp_path):
    Path("ixy-ci.toml").write_text(ROLES)
    guest = Target(TARGET, spec.Spec(dialect=shipped("rust")), tmp_path, "")
    found = left(resolve(cli={}, environ={}, ini={}), pktgen=guest)
    assert found.dialect.sent == shipped("rust").sent
    assert found.rules == {"payload": {"severity": "report"}}


@pytest.mark.parametrize("strongest", range(len(SOURCES)))
def test_target_config_ini_environment_and_command_line_win_in_that_order(strongest):
    found = settle(SOURCES[: strongest + 1])
    assert found["loose"] == {"most": strongest + 1}
    assert ("size" in found, "count" in found) == (strongest >= 3, strongest >= 2)


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_is_heard_alone(source):
    assert settle([source])["loose"] == {"most": SOURCES.index(source) + 1}


def test_nothing_set_leaves_nothing():
    assert settle([]) == {}


def test_the_dialect_asked_for_wins_over_the_targets():
    Path("ixy-ci.toml").write_text(ROLES + '[dialect]\nname = "go"\n')
    assert left(resolve(cli={}, environ={}, ini={})).dialect == shipped("go")
    for source in (
        {"cli": {"dialect": "rust"}},
        {"environ": {"IXY_DIALECT": "rust"}},
        {"ini": {"dialect": "rust"}},
    ):
        assert left(resolve(**{"cli": {}, "environ": {}, "ini": {}, **source})).dialect == shipped("rust")
    Path("config.toml").write_text('dialect = "rust"\n')
    assert left(resolve(cli={"config": "config.toml"}, environ={}, ini={})).dialect == shipped("rust")


def test_a_file_with_a_dialect_is_found_from_where_it_was_named():
    Path("conf").mkdir()
    Path("conf/mine.toml").write_text('name = "c"\ntouched = [{at = 5, add = 1}]\n')
    Path("conf/config.toml").write_text('dialect = "./mine.toml"\n')
    found = resolve(cli={"config": "conf/config.toml"}, environ={}, ini={}).terms.dialect
    assert [touch.at for touch in found.touched] == [5]
    assert resolve(cli={"dialect": "conf/mine.toml"}, environ={}, ini={}).terms.dialect == found


MISTAKES = {
    "\n[rules.loose]\nmist = 1\n": ":3: the rule 'loose' has no option 'mist'",
    "[rules.lose]\nmost = 1\n": ":2: there is no rule 'lose'",
    "[rules]\nloose.most = 9e9\n": ":2: 'most' of the rule 'loose' should be a whole number",
    "[rules.loose]\nslack = nan\n": ":2: 'slack' of the rule 'loose' should be a number",
    "[rules.loose]\nmost = [1]\n": ":2: 'most' in [rules.loose] should be a number or a word, not an array",
    "[rules.loose]\nmost = true\n": ":2: 'most' in [rules.loose] should be a number or a word, not a boolean",
    "[rules.loose]\nmost = 0x" + "f" * 60_000: "should be a smaller number",
    "[rules.loose]\nseverity = 'loud'\n": ":2: 'severity' of the rule 'loose' should be one of fail",
    "\nrules = 3\n": ":2: 'rules' should be",
    '[rules."' + "x" * 500 + '"]\ny = 1': "should have at most 80 characters",
    '[rules."\\u001b[2J"]\nx = [1]': "'x' in [rules.\\x1b[2J] should be",
    '[rules."\\u001b"]\nx = 1': ":2: there is no rule '\\x1b'",
}


@pytest.mark.parametrize("file", ["config.toml", "ixy-ci.toml"])
@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_files_with_mistakes_are_refused_with_the_line(text, file):
    Path("config.toml").write_text("")
    Path("ixy-ci.toml").write_text(ROLES)
    Path(file).write_text((ROLES if file == "ixy-ci.toml" else "") + text)
    with pytest.raises(UsageError) as caught:
        left(resolve(cli={"config": "config.toml"}, environ={}, ini={}))
    words = MISTAKES[text]
    line = words.startswith(":")
    where = f"{file}:{int(words[1]) + (file == 'ixy-ci.toml') * 3}" if line else ""
    assert where + words[2 if line else 0 :] in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            {"cli": {"set": ["loose.most=x"]}},
            "--ixy-set: 'most' of the rule 'loose' should be a whole number",
        ),
        ({"environ": {"IXY_SET": "lose.most=1"}}, "IXY_SET: there is no rule 'lose'"),
        ({"ini": {"set": ["loose=1"]}}, "ini key ixy_set: 'loose=1' is not of the form"),
        ({"cli": {"set": ["loose.most=\x07"]}}, "has a control character"),
        ({"cli": {"dialect": "rsut"}}, "--ixy-dialect: there is no dialect 'rsut'; did you mean 'rust'?"),
        ({"environ": {"IXY_DIALECT": "./no\x1b"}}, "IXY_DIALECT: './no\\x1b' has a control character"),
        ({"ini": {"dialect": "./ixy-ci.toml"}}, "ini key ixy_dialect: cannot read"),
        ({"cli": {"dialect": ""}}, "--ixy-dialect: is empty"),
    ],
)
def test_mistakes_name_who_made_them(source, words):
    with pytest.raises(UsageError) as caught:
        resolve(**{"cli": {}, "environ": {}, "ini": {}, **source})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('dialect = "rsut"', "config.toml:1: dialect: there is no dialect 'rsut'; did you mean 'rust'?"),
        ('dialect = "./gone.toml"', "gone.toml: No such file"),
        ('dialect = "a\\u0007b"', "config.toml:1: dialect: 'a\\x07b' has a control character"),
        ("dialect = 3", "config.toml:1: 'dialect' should be a valid string"),
    ],
)
def test_a_dialect_in_config_toml_is_checked(text, words):
    Path("config.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        resolve(cli={"config": "config.toml"}, environ={}, ini={})
    assert words in str(caught.value)


# dialects from files


def test_a_file_without_a_dialect_is_told():
    Path("ixy-ci.toml").write_text(ROLES)
    with pytest.raises(UsageError, match="holds no dialect"):
        find("ixy-ci.toml")
    Path("ixy-ci.toml").write_text(ROLES + '[dialect]\nname = "rsut"\n')
    with pytest.raises(UsageError, match=r"ixy-ci.toml:4: 'dialect' there is no dialect 'rsut'"):
        find("./ixy-ci.toml")


def test_the_name_of_a_file_cannot_harm_a_terminal():
    with pytest.raises(UsageError) as caught:
        find("./\x1b[2J\udc80.toml")
    assert str(caught.value) == "cannot read \\x1b[2J\\udc80.toml: No such file or directory"
    Path("\x1b.toml").write_text("template = 3")
    with pytest.raises(UsageError) as caught:
        find("\x1b.toml")
    assert str(caught.value).startswith("\\x1b.toml:1: 'template' should be")


# judging by them


def title(bundle):
    return judge(bundle, ["loose"])[0].title


def test_a_bundle_is_judged_by_its_record_and_what_is_asked_for_over_that(tmp_path):
    made = make_bundle(tmp_path, rules={"loose": {"most": 5, "slack": 0.25}}, dialect=shipped("go"))
    as_recorded = judged(made, Terms())
    assert title(as_recorded) == "slack=0.25 most=5"
    asked = judged(made, Terms(shipped("c"), {"loose": {"most": 6}}))
    assert title(asked) == "slack=0.25 most=6"
    assert (as_recorded.manifest.dialect, asked.manifest.dialect) == (shipped("go"), shipped("c"))
    assert bundles.load(made.path).manifest.rules == {"loose": {"most": 5, "slack": 0.25}}


def test_what_is_on_record_of_rules_that_are_not_installed_is_passed_over(tmp_path):
    made = make_bundle(tmp_path, rules={"theirs": {"x": "y"}, "loose": {"most": 5}})
    assert judged(made, Terms()).manifest.rules == {"loose": {"most": 5}}


@pytest.mark.parametrize("terms", [{"most": "many"}, {"slack": 7}, {"nope": 1}, {"severity": "\x1b"}])
def test_what_is_on_record_and_cannot_be_set_is_refused(terms, tmp_path):
    made = make_bundle(tmp_path, rules={"loose": terms})
    with pytest.raises(UsageError, match=r"manifest\.json: .*loose") as caught:
        judged(bundles.load(made.path), Terms())
    assert "\x1b" not in str(caught.value)


def test_a_capture_alone_is_judged_by_what_is_asked_for(tmp_path):
    file = tmp_path / "go.pcap"
    file.write_bytes(capture_of(shipped("go"), range(100)))
    found = open_any(file, 100, Terms(shipped("go"), {"loose": {"most": 4}}))
    assert found.alone
    assert {one.outcome for one in judge(found, ["sequence-bounds", "duplicates", "structure"])} == {"passed"}
    assert title(found) == "slack=0.5 most=4"
    assert judge(open_any(file, 100), ["sequence-bounds"])[0].failed
    assert shipped(DEFAULT) == shipped()


def test_severity_makes_a_broken_rule_report_or_keeps_it_from_being_asked(tmp_path):
    (tmp_path / "c.pcap").write_bytes(pcap(packets([ixy_frame(0, size=61)])))
    for severity, outcome in (("fail", "failed"), ("report", "reported"), ("off", "skipped")):
        found = open_any(tmp_path / "c.pcap", 1, Terms(rules={"size": {"severity": severity}}))
        assert judge(found, ["size"])[0].outcome == outcome


def test_a_record_of_no_capture_keeps_its_class(tmp_path):
    made = make_bundle(tmp_path, capture=CaptureRecord(file=None))
    assert judged(made, Terms()).capture is None
    assert judged(made, Terms()).manifest.started < datetime.now(UTC)
