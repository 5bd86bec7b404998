"""The lines of keys, checked on every shape that TOML has."""

from __future__ import annotations

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ixy.tomlkeys import key_lines

SHAPES = '''\
# a comment with = and "quotes"
a = 1 # another
"quoted.key" = 2
'lit#eral' . b.c = "x = # no [comment]"
text = """
d = 1
[not.a.table] \\""" ""
end"""""
raw = \'\'\'
e = 'quoted' ''
\'\'\'
list = [ # comment ]
  "one", 'tw]o', """th
ree""", # more
  { f = 1, "g h" = [2,
     3] },
]
date = 1979-05-27 07:32:00Z

[ table . "sub.table" ]
h = { i.j = { k = true } }
[[many]]
l = 1
[[many]]
  l = 2
  [many.inner]
  m = -inf
[[many.deep]]
n = ""
[last]'''


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_key_has_its_line(newline):
    text = SHAPES.replace("\n", newline)
    tomli.loads(text)
    lines = key_lines(text)
    assert lines[("a",)] == 2
    assert lines[("quoted.key",)] == 3
    assert lines[("lit#eral", "b", "c")] == 4
    assert lines[("text",)] == 5
    assert ("d",) not in lines
    assert lines[("raw",)] == 9
    assert lines[("list",)] == 12
    assert [lines[("list", number)] for number in range(4)] == [13, 13, 13, 15]
    assert lines[("list", 3, "g h")] == 15
    assert lines[("list", 3, "g h", 1)] == 16
    assert lines[("date",)] == 18
    assert lines[("table", "sub.table")] == 20
    assert lines[("table", "sub.table", "h", "i", "j", "k")] == 21
    assert lines[("many", 0, "l")] == 23
    assert lines[("many", 1, "l")] == 25
    assert lines[("many", 1, "inner", "m")] == 27
    assert lines[("many", 1, "deep", 0, "n")] == 29
    assert lines[("last",)] == 30


def literal(text: str) -> str:
    return (
        '"'
        + "".join(
            f"\\U{ord(letter):08x}" if letter in '"\\' or ord(letter) < 32 else letter for letter in text
        )
        + '"'
    )


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
values = st.recursive(
    words.map(literal) | st.integers(-9, 9).map(str),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n".join(items) + "]"),
    max_leaves=4,
)


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(words, values, min_size=1, max_size=5))
def test_lines_of_any_file(pairs):
    text, expected, line = "", {}, 1
    for key, value in pairs.items():
        expected[(key,)] = line
        text += f"{literal(key)} = {value}\n\n"
        line = text.count("\n") + 1
    tomli.loads(text)
    lines = key_lines(text)
    assert {path: lines[path] for path in expected} == expected
