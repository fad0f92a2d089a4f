"""Functions of one quantised tensor: whatever is computed from one element and constants is a table of 256 bytes.

The docstring of each handler is its line in the operator table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tenon.compiler.frontend.build import Epilogue
from tenon.compiler.frontend.quantisation import table_of
from tenon.compiler.frontend.reader import Reader, Refused, handles
from tenon.compiler.frontend.realise import realises
from tenon.compiler.frontend.values import Constant, Expression, FloatInput, Quantised
from tenon.compiler.ir import Lookup

__all__ = ["Function", "function_of", "of_one_element", "unary"]

_F32 = np.float32
_Real = Callable[[np.ndarray], np.ndarray]  # binary32 in, binary32 out


@dataclass(frozen=True)
class Function:
    """``apply`` of a dequantised element; ``exact``: the reference computes it by the same binary32 operations."""

    op: str
    apply: _Real
    exact: bool


def function_of(x) -> Function | None:
    """What a value computes from one tensor's element; None if it is no such value."""
    if not isinstance(x, Expression) or x.op not in ("dequantise", "function"):
        return None
    f = x.attributes if x.op == "function" else Function("Requantise", lambda real: real, True)
    if x.clip is None:
        return f
    low, high = (_F32(v) for v in x.clip)
    return Function("Clip", lambda real: np.clip(f.apply(real), low, high), f.exact)


def of_one_element(reader: Reader, op: str, xs: list, apply: Callable[..., np.ndarray], exact: bool) -> bool:
    """The node as a function of one element, if its operands ``xs`` are constants of one element and functions of the same
    tensor; False if they are not."""
    expressions = [x for x in xs if isinstance(x, Expression)]
    functions = {id(x): function_of(x) for x in expressions}
    if not expressions or None in functions.values() or any(
            not isinstance(x, Expression) and not (isinstance(x, Constant) and x.array.size == 1) for x in xs):
        return False
    first = expressions[0]
    if any(x.operands != first.operands for x in expressions):
        return False
    constants = {id(x): x.real.reshape(()) for x in xs if isinstance(x, Constant)}

    def whole(real: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            values = [constants[id(x)] if id(x) in constants else functions[id(x)].apply(real) for x in xs]
            return np.asarray(apply(*values), _F32)

    # With a quantised constant, the reference has an integer kernel of its own.
    exact = exact and all(f.exact for f in functions.values()) and all(x.scale is None for x in xs if isinstance(x, Constant))
    name = reader.node.output[0]
    nodes = tuple(dict.fromkeys(n for x in expressions for n in x.nodes)) + (reader.node_name,)
    outputs = tuple(dict.fromkeys(o for x in expressions for o in x.outputs)) + (name,)
    # A function that reads its tensor twice reads intermediate results more than once; that alone makes nothing float.
    reader.values[name] = Expression("function", first.operands, nodes, outputs, Function(op, whole, exact))
    return True


@realises("function")
def _realise(reader: Reader, e: Expression, end: Epilogue) -> None:
    f = function_of(replace(e, clip=end.clip))
    (reference,) = e.operands
    x = reader.of_tensor(reference.tensor)
    out = reader.like(reader.node.output[0], reference, end.y)
    reader.add_kernel(Lookup(reader.kernel_name(end.nodes), end.nodes, e.attributes.op, f.exact, reference.tensor, out.tensor,
                             table_of(f.apply, x, end.y)), out)


def unary(reader: Reader, apply: _Real, exact: bool) -> None:
    """The node as a function of its first input; ``exact``: the reference computes it by the same binary32 operations."""
    x, name = reader.value(0), reader.node.input[0]
    if isinstance(x, FloatInput):
        raise Refused(f"its input {name!r} is float: it must be quantised first (QuantizeLinear, DequantizeLinear)")
    if not of_one_element(reader, reader.node.op_type, [x], apply, exact):
        if isinstance(x, Expression):
            raise Refused(f"its input {name!r} is float: {x.nodes[-1]} must be followed by QuantizeLinear and DequantizeLinear")
        raise Refused(f"its input {name!r} must be a dequantised activation")


def _precise(function: Callable[[np.ndarray], np.ndarray]) -> _Real:
    """``function`` in binary64, rounded to binary32."""
    return lambda real: function(np.asarray(real, np.float64)).astype(_F32)


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


_TRANSCENDENTAL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Sigmoid": _sigmoid, "Tanh": np.tanh, "Erf": _erf, "Exp": np.exp, "Log": np.log, "Sqrt": np.sqrt,
    "Softplus": lambda x: np.log1p(np.exp(x)), "Softsign": lambda x: x / (1 + np.abs(x)), "Reciprocal": lambda x: 1 / x,
    "Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))), "Sin": np.sin, "Cos": np.cos, "Tan": np.tan, "Atan": np.arctan,
    "Asin": np.arcsin, "Acos": np.arccos, "Sinh": np.sinh, "Cosh": np.cosh, "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh,
}


@handles(*_TRANSCENDENTAL)
def _transcendental(reader: Reader, node) -> None:
    """Of one tensor, as a table: the function in binary64, rounded to binary32 before it is quantised."""
    unary(reader, _precise(_TRANSCENDENTAL[node.op_type]), False)


@handles("Gelu")
def _gelu(reader: Reader, node) -> None:
    """Of one tensor, as a table; exact and tanh approximation."""
    if reader.attributes().get("approximate", b"none") == b"tanh":
        unary(reader, _precise(lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))), False)
    else:
        unary(reader, _precise(lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))), False)


@handles("Elu", "Selu", "Celu")
def _elu(reader: Reader, node) -> None:
    """Of one tensor, as a table."""
    a = reader.attributes()
    kind = node.op_type
    alpha = float(a.get("alpha", 1.67326319217681884765625 if kind == "Selu" else 1.0))
    gamma = float(a.get("gamma", 1.05070102214813232421875)) if kind == "Selu" else 1.0
    inner = alpha if kind == "Celu" else 1.0
    unary(reader, _precise(lambda x: gamma * np.where(x > 0, x, alpha * np.expm1(x / inner))), False)


@handles("LeakyRelu", "HardSigmoid", "HardSwish", "Neg", "Abs", "ThresholdedRelu", "Floor", "Ceil", "Round", "Sign")
def _piecewise(reader: Reader, node) -> None:
    """Of one tensor, as a table, in binary32 as the operator is written."""
    a = reader.attributes()
    alpha = _F32(a.get("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2}.get(node.op_type, 1.0)))
    beta = _F32(a.get("beta", 0.5))
    one, zero, sixth = _F32(1), _F32(0), _F32(1) / _F32(6)
    apply = {
        "LeakyRelu": lambda x: np.where(x >= 0, x, alpha * x),
        "HardSigmoid": lambda x: np.clip(alpha * x + beta, zero, one),
        "HardSwish": lambda x: x * np.clip(x * sixth + _F32(0.5), zero, one),
        "Neg": np.negative, "Abs": np.abs, "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint, "Sign": np.sign,
        "ThresholdedRelu": lambda x: np.where(x > alpha, x, zero),
    }[node.op_type]
    unary(reader, apply, True)


@handles("Cast")
def _cast(reader: Reader, node) -> None:
    """Where it is free: of a float to float."""
    x = reader.value(0)
    if reader.attributes()["to"] != 1 or not isinstance(x, Expression | Constant) or isinstance(x, Constant) and x.array.dtype != _F32:
        raise Refused("only a cast from float to float is supported")
    reader.values[node.output[0]] = replace(x, outputs=(*x.outputs, node.output[0])) if isinstance(x, Expression) else x


@handles("QLinearSigmoid", "QLinearLeakyRelu")
def _integer(reader: Reader, node) -> None:
    """As Sigmoid and LeakyRelu."""
    x = reader.value(0)
    if not isinstance(x, Quantised):
        raise Refused(f"its input {node.input[0]!r} must be a quantised activation")
    q, y = reader.quantisation(1, 2), reader.quantisation(3, 4)
    reader.read_as(x.reference, q)
    alpha = _F32(reader.attributes().get("alpha", 0.01))
    sigmoid = node.op_type == "QLinearSigmoid"
    apply = _precise(_sigmoid) if sigmoid else lambda real: np.where(real >= 0, real, alpha * real)
    out = reader.like(node.output[0], x.reference, y)
    reader.add_kernel(Lookup(reader.kernel_name((reader.node_name,)), (reader.node_name,), node.op_type[7:], not sigmoid,
                             x.reference.tensor, out.tensor, table_of(apply, q, y)), out)
