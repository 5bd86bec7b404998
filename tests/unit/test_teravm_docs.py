"""docs/teravm.md and docs/ways: every key is told, and what they show can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import tomli
from pydantic import BaseModel

from pytest_ixy.config import Config
from pytest_ixy.gate.policy import Leave, Policy
from pytest_ixy.labtable import AgwTable, ConnectTable, FegTable, LabHost, LabTable, ListTable, Ng40Table
from pytest_ixy.ng40.judge import RULES
from pytest_ixy.tomlfile import TomlFile

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "teravm.md").read_text()
PAGES = [DOCS / "teravm.md", *sorted((DOCS / "ways").glob("*.md"))]
HOSTS = {"agw": AgwTable, "feg": FegTable, "ng40": Ng40Table}
TABLES = {
    "in `[lab]`": (LabTable, ()),
    "in `[lab.agw]`, `[[lab.feg]]`, `[lab.ng40]`": (LabHost, ()),
    "in `[lab.agw]` besides": (AgwTable, LabHost.model_fields),
    "in `[[lab.feg]]` besides": (FegTable, LabHost.model_fields),
    "in `[lab.ng40]` besides": (Ng40Table, LabHost.model_fields),
    "in `[[lab.lists]]`": (ListTable, ()),
    "in `[lab.connect]`": (ConnectTable, ()),
}


def rows(head):
    """Keys and defaults of the table with that head, as the page has them."""
    (found,) = re.findall(rf"^\| {re.escape(head)} \|.*\n\|---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    for line in found.splitlines():
        names, default = (cell.strip() for cell in line.split("|")[1:3])
        keys = re.findall(r"`([a-z0-9_]+)`", names)
        defaults = default.split(", ") if len(keys) > 1 and ", " in default else [default] * len(keys)
        yield from zip(keys, defaults, strict=True)


def shown(value):
    """A default as the page writes it."""
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    listed = ", ".join(f'"{each}"' for each in value) if isinstance(value, list) else None
    return f"`{value}`" if listed is None else f"`[{listed}]`"


@pytest.mark.parametrize("head", TABLES)
def test_every_key_of_the_tables_stands_in_the_page(head):
    model, inherited = TABLES[head]
    assert sorted(key for key, _ in rows(head)) == sorted(set(model.model_fields) - set(inherited))


@pytest.mark.parametrize("head", TABLES)
def test_the_defaults_are_those_of_the_tables(head):
    model = TABLES[head][0]
    for key, default in rows(head):
        field = model.model_fields[key]
        if field.is_required() or key in ("root", "name", "cases") or is_table(field):
            continue
        assert default == shown(field.get_default(call_default_factory=True)), key


def is_table(field):
    inner = [field.annotation, *get_args(field.annotation)]
    return any(isinstance(each, type) and issubclass(each, BaseModel) for each in inner)


def test_the_rules_and_the_policys_keys_stand_in_the_page():
    for rule in RULES:
        assert f"`teravm/rules/{rule}`" in PAGE
    for key in Policy.model_fields:
        assert f"| `{key}` |" in PAGE
    for key in Leave.model_fields:
        assert f"`{key}`" in PAGE


def blocks(path):
    return re.findall(r"^```toml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_what_the_pages_show_is_accepted(path):
    found = blocks(path)
    assert found
    for text in found:
        data = tomli.loads(text)
        if "lab" not in data:
            TomlFile(path.name, text, data).check(Policy)
            continue
        rest = {"agw": {"host": "a"}, "ng40": {"host": "n"}, "lists": [{"file": "l.ntl"}]}
        TomlFile(path.name, text, {"lab": {**rest, **data["lab"]}}).check(Config)


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        target, _, anchor = link.partition("#")
        there = (path.parent / target) if target else path
        assert there.is_file(), link
        assert not anchor or anchor in anchors(there), link


@pytest.mark.parametrize("name", ["idle", "rules"])
def test_a_list_has_no_name_that_is_somebody_elses_id(name):
    lab = {"agw": {"host": "a"}, "ng40": {"host": "n"}, "lists": [{"file": f"{name}.ntl"}]}
    with pytest.raises(ValueError, match=f"should not call a list `{name}`"):
        LabTable(**lab)
