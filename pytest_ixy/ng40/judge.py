"""What a run of a TeraVM lab proves: a pure function of its record for each step, list and case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pytest_ixy.ng40.names import CONFIG
from pytest_ixy.ng40.records import CaseRecord, Expected, LabRecord, ListRecord, Step
from pytest_ixy.printable import one_line, plain

Outcome = Literal["passed", "failed", "inconclusive", "error", "skipped", "reported"]
PASS, FAIL = "PASS", "FAIL"
INCONCLUSIVE = ("INCONC", "INCONCLUSIVE")
SHOWN = 20
ALL = 100.0
LIST = "list-"
"""Before a list's name, where a step on record stands for a list that could not be run."""


@dataclass(frozen=True)
class Verdict:
    """What one test says.

    Attributes:
        rule: What it is about, such as `basic/4G_UDP`; unique in a run.
        outcome: error is the lab's fault: nobody knows whether the build is good.
        title: One line.
        numbers: Facts by name.
        message: Several lines for people.
        log: Where in the bundle it can be read, such as `lists/basic.log:120`.
    """

    rule: str
    outcome: Outcome
    title: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    log: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return asdict(self)


def of_step(record: LabRecord, name: str) -> Verdict:
    """What came of a step."""
    done = record.step(name)
    if done is None:
        return _undone(record, name)
    message = "\n".join([*(f"note: {note}" for note in done.notes), done.message]).strip()
    return Verdict(name, done.outcome, one_line(done.title), dict(done.numbers), plain(message), done.log)


def _undone(record: LabRecord, name: str) -> Verdict:
    """Skipped, where something before it went wrong; else the run was cut off, and proves nothing of it."""
    broken = next((one for one in record.steps if one.outcome != "passed"), None)
    if broken is None:
        return Verdict(name, "error", "the run ended before it")
    return Verdict(name, "skipped", f"not done: {broken.name} {_went(broken)}: {one_line(broken.title)}")


def _went(broken: Step) -> str:
    return "could not be done" if broken.outcome == "error" else broken.outcome


def of_list(record: LabRecord, name: str) -> Verdict:
    """Whether a list ran to its end and proved something; its cases speak for themselves."""
    ran = record.testlist(name)
    if ran is None:
        missing = record.step(LIST + name)
        if missing is None:
            return _undone(record, name)
        return Verdict(name, "error", one_line(missing.title), {}, plain(missing.message), missing.log)
    counts = Counter(_outcome_of(case) for case in ran.cases)
    outcome, title = _ended(ran, counts)
    numbers: dict[str, int | float] = {
        **dict(counts.items()),
        "cases": len(ran.cases),
        "seconds": round(ran.seconds, 1),
    }
    return Verdict(name, outcome, one_line(title), numbers, plain("\n".join(_remarks(ran))), ran.log)


def _ended(ran: ListRecord, counts: Counter[Outcome]) -> tuple[Outcome, str]:
    tally = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
    said = f"{len(ran.cases)} cases: {tally}" if ran.cases else "no case"
    if ran.end != "finished":
        return "error", f"{ran.words or ran.end}; {said}"
    if not any(case.verdict for case in ran.cases):
        return "error", f"it ended without a single verdict: that proves nothing ({said})"
    if ran.verdict is None:
        return "error", f"it ended without a verdict on the list; {said}"
    if ran.verdict != PASS and set(counts) == {"passed"}:
        return _by_word(
            ran.verdict
        ), f"the list's verdict is {ran.verdict}, though all its cases passed; {said}"
    return "passed", f"{said}; the list's verdict: {ran.verdict}"


def _remarks(ran: ListRecord) -> Iterator[str]:
    if ran.status:
        yield f"the program's exit status was {ran.status}"
    yield from (f"not collected: {words}" for words in ran.lost)
    yield from ran.notes


def _outcome_of(case: CaseRecord) -> Outcome:
    """By its own verdict alone."""
    return _by_word(case.verdict)


def _by_word(verdict: str | None) -> Outcome:
    if verdict == PASS:
        return "passed"
    if verdict == FAIL:
        return "failed"
    return "inconclusive" if verdict in INCONCLUSIVE else "error"


def of_case(record: LabRecord, name: str, case_name: str) -> Verdict:
    """What the tester says of one case."""
    rule = f"{name}/{case_name}"
    ran, known = record.testlist(name), record.expected.get(name, Expected())
    if ran is None:
        whole = of_list(record, name)
        cause = f"not run: {whole.title}" if whole.outcome == "error" else whole.title
        return Verdict(rule, "skipped", cause)
    said = ran.case(case_name)
    if said is None or said.verdict is None:
        return Verdict(rule, "error", _never(ran, said, known), {}, "", ran.log)
    stranger = known.source == CONFIG and case_name not in known.cases
    if stranger and record.strict:
        title = (
            f"judged ({said.verdict}), but not expected: [lab] strict, and the list's cases do not name it"
        )
        return Verdict(rule, "error", title, _numbers(said), _text(said), _place(ran, said))
    return Verdict(
        rule, _settled(record, said), _title(said, stranger=stranger), _numbers(said), _text(said),
        _place(ran, said),
    )  # fmt: skip


def _never(ran: ListRecord, said: CaseRecord | None, known: Expected) -> str:
    if ran.end != "finished":
        return f"never judged: {ran.words or ran.end}"
    if said is not None:
        return "planned, but never judged"
    source = "config.toml" if known.source == CONFIG else f"the bundle {known.source}"
    return f"expected by {source}, but the list did not hold it"


def _settled(record: LabRecord, said: CaseRecord) -> Outcome:
    outcome = _outcome_of(said)
    return "reported" if outcome == "inconclusive" and record.inconclusive == "report" else outcome


def _title(said: CaseRecord, *, stranger: bool) -> str:
    words = [f"verdict {said.verdict}"]
    if len(said.verdicts) > 1:
        words.append(f"(of {', '.join(said.verdicts)})")
    if said.again:
        words.append(f"in the list; {said.again} when it was run once more, alone")
    if lost := _worst(said):
        words.append(f"beside {lost.percent:g} % loss ({lost.direction})")
    if stranger:
        words.append("(nobody expected this case)")
    return one_line(" ".join(words))


def _numbers(said: CaseRecord) -> dict[str, int | float | str]:
    numbers: dict[str, int | float | str] = {"verdict": said.verdict or ""}
    if said.seconds is not None:
        numbers["seconds"] = round(said.seconds, 1)
    if said.watched is not None:
        numbers["watch time (s)"] = said.watched
    if lost := _worst(said):
        numbers["loss %"] = lost.percent
    return numbers


def _worst(said: CaseRecord) -> Any:
    """The worst line of its table of losses, if packets were lost."""
    losses = [loss for loss in said.losses if loss.percent > 0]
    return max(losses, key=lambda loss: loss.percent, default=None)


def _text(said: CaseRecord) -> str:
    lines = [
        f"{loss.direction} {loss.between}: {loss.packets:,} packets, {loss.percent:g} %"
        for loss in said.losses[:SHOWN]
        if loss.percent > 0
    ]
    files = [f"file: {file}" for file in said.files[:SHOWN]]
    return plain("\n".join([*lines, *files]))


def _place(ran: ListRecord, said: CaseRecord) -> str:
    return f"{ran.log}:{said.last}" if said.last else ran.log


def user_plane(record: LabRecord) -> Verdict:
    """No case passed while all its packets were lost: verdicts are about the control plane only."""
    rule = "user-plane"
    judged = [(ran, case) for ran in record.lists for case in ran.cases if case.verdict == PASS]
    if not judged:
        return Verdict(rule, "skipped", "not judged: no case passed")
    tables = sum(bool(case.losses) for _, case in judged)
    dead = [(ran, case) for ran, case in judged if (lost := _worst(case)) and lost.percent >= ALL]
    numbers = {"passed": len(judged), "with a loss table": tables, "all lost": len(dead)}
    if not dead:
        return Verdict(rule, "passed", f"none of {len(judged)} passed cases lost all its packets", numbers)
    outcome: Outcome = "failed" if record.user_plane == "fail" else "reported"
    title = f"{len(dead)} of {len(judged)} passed cases lost all their packets: {dead[0][1].name}"
    lines = [f"{ran.name}/{case.name}: {_title(case, stranger=False)}" for ran, case in dead[:SHOWN]]
    return Verdict(rule, outcome, one_line(title), numbers, plain("\n".join(lines)))


def output(record: LabRecord) -> Verdict:
    """Everything that the tester printed in the place of a verdict could be read."""
    rule = "output"
    if not record.lists:
        return Verdict(rule, "skipped", "not judged: no list was run")
    flaws = [f"{ran.name}: {flaw}" for ran in record.lists for flaw in ran.flaws]
    if not flaws:
        return Verdict(rule, "passed", "all that the tester printed could be read")
    title = f"{len(flaws)} lines of the tester's output are not what they should be"
    return Verdict(rule, "reported", title, {"flaws": len(flaws)}, plain("\n".join(flaws[:SHOWN])))


RULES: Mapping[str, Callable[[LabRecord], Verdict]] = {"user-plane": user_plane, "output": output}
"""By name, in the order of their tests."""
