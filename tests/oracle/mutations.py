"""Small changes of a module that some test should notice: what could be otherwise in code that decides.

Comparisons, arithmetic, bits, booleans, whole numbers and slices are changed, one at a time. Texts are left
alone, and so is whatever is inside of an f-string: how a message is worded is no judgement.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "argmin": "argmax", "argmax": "argmin"}


@dataclass(frozen=True, eq=False)
class Mutation:
    """One node of a file's tree, and what stands in its place."""

    path: Path
    tree: ast.Module
    old: ast.AST
    new: ast.AST

    @property
    def line(self) -> int:
        return int(getattr(self.old, "lineno", 0))

    @property
    def words(self) -> str:
        """What changes, and the line that it stands in."""
        old, new = (ast.unparse(node).splitlines()[0] for node in (self.old, self.new))
        return f"`{old}` -> `{new}` in `{self.path.read_text().splitlines()[self.line - 1].strip()}`"

    def code(self) -> Any:
        """The module with the change, compiled; lines are counted as in the file."""
        swapped = _Swap(self.old, self.new).visit(self.tree)
        code = compile(ast.fix_missing_locations(swapped), self.path, "exec")
        _Swap(self.new, self.old).visit(self.tree)
        return code


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def mutations(path: Path) -> list[Mutation]:
    """All changes of a file, in the order of its nodes."""
    tree = ast.parse(path.read_text())
    return [Mutation(path, tree, old, new) for old in _nodes(tree) for new in _changes(old)]


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are run to decide something: neither texts nor what only types are told with."""
    if _guards_types(node):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"} or _of_types(node, name):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _nodes(child)


def _guards_types(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _of_types(node: ast.AST, name: str) -> bool:
    """Whether that field is what an alias such as `NDArray[np.int64]` has in brackets."""
    named = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    return named and node.value.id == "NDArray" and name == "slice"


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                yield _with(node, ops=[*ops[:at], COMPARISONS[type(op)](), *ops[at + 1 :]])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in ARITHMETIC:
            yield _with(node, op=ARITHMETIC[type(op)]())
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.If(test=ast.Name() | ast.Attribute() | ast.Call() as test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Slice(lower=lower, upper=upper):
            yield from ([_with(node, lower=None)] if lower else [])
            yield from ([_with(node, upper=None)] if upper else [])
        case _:
            yield from _leaf(node)


def _leaf(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool() as value):
            yield _with(node, value=not value)
        case ast.Constant(value=int() as value):
            yield _with(node, value=value + 1)
        case ast.Name(id=name) if name in NAMES:
            yield _with(node, id=NAMES[name])
        case ast.Attribute(attr=name) if name in NAMES:
            yield _with(node, attr=NAMES[name])
        case ast.Break():
            yield ast.copy_location(ast.Continue(), node)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new
