"""Formulas over an instruction's fields: its costs and rules, as text that a covenant's file can hold.

A formula has the syntax of Python and very little of it: fields, integers, ``+ - *``, ``//`` and ``%`` by numbers,
comparisons, ``and`` and ``or`` of those, ``max`` and ``min``. Files may come from anywhere, so nothing else is ever executed.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from types import CodeType

import numpy as np

__all__ = ["evaluate", "evaluate_all", "names"]

_MOST = 1 << 32  # constants
_FUNCTIONS = {"max": max, "min": min}
_OVER_ARRAYS = {
    "max": lambda *values: functools.reduce(np.maximum, values), "min": lambda *values: functools.reduce(np.minimum, values),
    "all": lambda *values: functools.reduce(np.logical_and, values), "any": lambda *values: functools.reduce(np.logical_or, values),
    "number": lambda truth: np.asarray(truth, np.int64),
}
_NODES = (ast.Expression, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.UnaryOp, ast.USub, ast.BoolOp,
          ast.And, ast.Or, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Load)


def evaluate(formula: str, env: Mapping[str, object]) -> int | bool:
    """Value of ``formula`` with its fields taken from ``env``; ValueError if it is no formula."""
    return eval(_compiled(formula)[0], {"__builtins__": _FUNCTIONS}, env)


def evaluate_all(formula: str, columns: Mapping[str, np.ndarray]) -> np.ndarray | int:
    """``evaluate`` for many at once: of each field an array of int64. A truth is 1 or 0; ``and`` and ``or`` are of truths alone."""
    return eval(_over_arrays(formula), {"__builtins__": _OVER_ARRAYS}, columns)


def names(formula: str) -> frozenset[str]:
    """Fields that ``formula`` depends on; ValueError if it is no formula."""
    return _compiled(formula)[1]


@functools.lru_cache(maxsize=1024)
def _compiled(formula: str) -> tuple[CodeType, frozenset[str]]:
    try:
        tree = ast.parse(formula, mode="eval")
        code = compile(tree, "<formula>", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        raise _refusal(formula) from None
    used, called = set(), set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.BoolOp | ast.Expression) and any(isinstance(child, ast.BoolOp) for child in ast.iter_child_nodes(node)):
            raise _refusal(formula)  # a truth is no number
        if isinstance(node, ast.BoolOp) and not all(isinstance(value, ast.BoolOp | ast.Compare) for value in node.values):
            raise _refusal(formula)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod) and not _divides(node.right):
            raise _refusal(formula)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords \
                and len(node.args) > 1:
            called.add(node.func)
        elif isinstance(node, ast.Name):
            used.add(node)
        elif not (isinstance(node, _NODES) or isinstance(node, ast.Constant) and type(node.value) is int and node.value < _MOST):
            raise _refusal(formula)
    return code, frozenset(n.id for n in used - called)


def _divides(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value > 0


@functools.lru_cache(maxsize=1024)
def _over_arrays(formula: str) -> CodeType:
    _compiled(formula)  # refuses what is none
    return compile(ast.fix_missing_locations(_OverArrays().visit(ast.parse(formula, mode="eval"))), "<formula>", "eval")


class _OverArrays(ast.NodeTransformer):
    """Comparisons, chains of them, ``and`` and ``or`` as calls that take arrays."""

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        terms = [self.visit(term) for term in (node.left, *node.comparators)]
        pairs = [ast.Compare(a, [op], [b]) for op, a, b in zip(node.ops, terms, terms[1:], strict=False)]
        return _call("number", [_call("all", pairs)])

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        return _call("number", [_call("all" if isinstance(node.op, ast.And) else "any", [self.visit(value) for value in node.values])])


def _call(function: str, arguments: list[ast.expr]) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), arguments, [])


def _refusal(formula) -> ValueError:
    return ValueError("a formula must consist of fields, integers, + - *, // and % by numbers, comparisons, and and or of those, max and "
                      f"min, not {str(formula)[:60]!r}")
