"""Lowering of any layer under any mapping of its space."""

from __future__ import annotations

from tenon.compiler.code import Code
from tenon.compiler.home import Home
from tenon.compiler.ir import Conv, Graph, Lookup
from tenon.compiler.layer import Layer
from tenon.compiler.lower.chain import ChainChoices, lower_chain
from tenon.compiler.lower.constants import Constants
from tenon.compiler.lower.conv import lower_conv
from tenon.compiler.lower.conv_plan import ConvChoices, ConvPlan
from tenon.compiler.lower.depthwise_plan import DepthwisePlan, is_depthwise
from tenon.compiler.lower.elementwise import PassChoices, PassPlan, lower_pass
from tenon.compiler.lower.emitter import Emitter
from tenon.compiler.lower.move import MoveChoices, lower_move
from tenon.compiler.lower.rows import lower_rows
from tenon.compiler.lower.rows_plan import RowsChoices, RowsPlan
from tenon.compiler.machine import Machine
from tenon.compiler.mapping import Mapping
from tenon.compiler.move import Move
from tenon.compiler.placement import TooSmall
from tenon.compiler.product import Matrices
from tenon.compiler.rows import Rows

__all__ = ["lower"]

_TABLE_BYTES = 256


def lower(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], mapping: Mapping, constants: Constants,
          number: int = 0, turn: int = 0) -> Code:
    """The layer's instructions, tokens not yet placed; what it reads from memory is added to ``constants``.

    Parameters
    ----------
    number, turn :
        Of the layer among all, and among those with weights: tables, and weights, of successive layers lie apart on chip.

    Raises
    ------
    CompileError
        Naming layer and nodes: a buffer is too small, or no instruction does what is needed.
    """
    out = Emitter(machine, f"{layer.name} ({', '.join(n for k in layer.kernels for n in k.nodes) or layer.op})", constants)
    tables = [each.main if isinstance(each.main, Lookup) else each.lookup for each in layer.chain]
    if sum(table is not None for table in tables) > len(machine.tables):
        raise out.fail("it has more tables than there is room for")
    addresses = []
    for table in tables:
        address = machine.tables[(number + len(addresses)) % len(machine.tables)] if table is not None else None
        addresses.append(address)
        if table is not None:
            data = table.table.astype("uint8").tobytes()
            out.load_run(_TABLE_BYTES, (out.fixed, constants.put(data)), (machine.memory("table"), address), ("table",))
    try:
        if layer.before:
            lower_chain(machine, graph, layer.chain, homes, ChainChoices(**mapping.choices), turn, out, addresses)
        else:
            _lower(machine, graph, layer, homes, mapping, turn, out, addresses[0])
    except TooSmall as reason:
        raise out.fail(f"{reason}; a configuration with a larger one may hold it") from None
    return out.code()


def _lower(machine: Machine, graph: Graph, layer: Layer, homes: dict[str, Home], mapping: Mapping, turn: int, out: Emitter,
           address: int | None) -> None:
    """By the kind of the layer's kernel. ``address``: of its table on chip, if it has one."""
    if isinstance(layer.main, Conv) and is_depthwise(machine, layer.main):
        lower_conv(DepthwisePlan(machine, graph, layer, homes, mapping.choices, turn), out, address)
    elif isinstance(layer.main, Conv):
        lower_conv(ConvPlan(machine, graph, layer, homes, ConvChoices(**mapping.choices), turn), out, address)
    elif isinstance(layer.main, Matrices):
        choices = ConvChoices(**mapping.choices)
        for i, (matrix, places, weights) in enumerate(layer.main.matrices(graph, layer, homes)):  # they take turns, as layers do
            lower_conv(ConvPlan(machine, graph, matrix, places, choices, turn + i, weights, layer.main.columns), out, address)
    elif isinstance(layer.main, Move):
        lower_move(machine, layer, homes, MoveChoices(**mapping.choices), out)
    elif isinstance(layer.main, Rows):
        lower_rows(RowsPlan(machine, graph, layer, homes, RowsChoices(**mapping.choices)), out)
    else:
        lower_pass(PassPlan(machine, graph, layer, homes, PassChoices(**mapping.choices)), out, address)
