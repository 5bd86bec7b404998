"""In every dialect the fast judge says what the slow one says, and what a forwarder leaves undone is red."""

from __future__ import annotations

import faults
import pytest
from amount import examples
from bench import Bench
from formats import FORMATS
from hypothesis import given
from hypothesis import strategies as st
from test_agreement import assert_agreement

from pytest_ixy.dialect import Dialect, names, shipped

COUNT = 100

WIDE = Dialect.model_validate({
    "name": "wide",
    "template": " ".join([shipped("c").template, *["5a"] * 40]),
    "number": {"at": 60, "width": 8, "order": "big", "first": 1},
    "touched": [{"at": 0, "set": "aa bb"}, {"at": 44, "add": 300, "width": 2, "order": "big"}],
})  # fmt: skip
NARROW = Dialect.model_validate({"name": "c", "number": {"at": 50, "width": 1}})
DIALECTS = [*map(shipped, names()), WIDE, NARROW]


@pytest.fixture(scope="module")
def benches(tmp_path_factory) -> dict[str, Bench]:
    folder = tmp_path_factory.mktemp("dialects")
    return {str(at): Bench(folder / str(at), dialect) for at, dialect in enumerate(DIALECTS)}


@pytest.mark.parametrize("which", range(len(DIALECTS)), ids=[dialect.name for dialect in DIALECTS])
def test_a_good_capture_of_each_dialect_passes(benches, which):
    found = benches[str(which)].outcomes(FORMATS[0].file(faults.good(COUNT, dialect=DIALECTS[which])), COUNT)
    assert set(found.values()) <= {"passed", "skipped"}
    assert found["payload"] == found["count"] == "passed"
    numbered = DIALECTS[which].number is not None
    assert {found[rule] for rule in ("fresh", "sequence-bounds", "duplicates", "order", "loss")} == {
        "passed" if numbered else "skipped"
    }


@pytest.mark.parametrize("which", [at for at, dialect in enumerate(DIALECTS) if dialect.touched])
def test_a_forwarder_that_touches_nothing_is_red_in_each_dialect(benches, which):
    untouched = Dialect.model_validate({**DIALECTS[which].model_dump(), "touched": ()})
    assert untouched.arriving != DIALECTS[which].arriving
    found = benches[str(which)].outcomes(FORMATS[0].file(faults.good(COUNT, dialect=untouched)), COUNT)
    assert found["payload"] == "failed"


@examples(300)
@given(data=st.data(), which=st.integers(0, len(DIALECTS) - 1), form=st.sampled_from(FORMATS))
def test_agreement_in_each_dialect(benches, data, which, form):
    """Packets of this dialect and of others, some with a byte changed or cut, in whatever order."""
    frames = data.draw(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([which, which, which, 0, 5]))))
    found = [faults.dialect_frame(DIALECTS[kind], number) for number, kind in frames]
    for place, at, value, size in data.draw(st.lists(CHANGES, max_size=4)):
        if place < len(found):
            frame = bytearray(found[place])
            frame[at % len(frame)] = value
            found[place] = bytes(frame[:size])
    count = data.draw(st.integers(1, 30))
    file = form.file(faults.packets(found))
    assert_agreement(benches[str(which)], file, count, DIALECTS[which])


CHANGES = st.tuples(
    st.integers(0, 20), st.integers(0, 99), st.integers(0, 255), st.sampled_from([99, 99, 60, 59, 45, 41])
)
