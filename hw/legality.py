"""The hardware's judgement of an instruction: field ranges, and corner addresses of its loop nest."""

from __future__ import annotations

import ast
import functools
import itertools
import operator

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.acg.mnemonic import accesses, walk_steps
from tenon.hw.delay import delay
from tenon.hw.encoding import ENCODING, INSTRUCTION_BITS
from tenon.hw.registers import ErrorCode

__all__ = ["WALK_STAGES", "Legality", "longest_walk", "walk_cycles"]

_BASE_BITS, _STRIDE_BITS, _EXTENT_BITS = 25, 25, 17
_WIDTH = 46  # a sum of eight 24 x 16 bit products and a base


WALK_STAGES = 5  # registers between a step of the walk and the verdict: operands, products, their sum, corners, error


def walk_cycles(mnemonic, memory_bytes, fields) -> int:
    """Cycles from ``start`` to ``finish`` for an instruction that is legal: its steps, and the way of the last one."""
    return WALK_STAGES + walk_steps(mnemonic, fields, memory_bytes)


def longest_walk(mnemonics, memory_bytes) -> int:
    """The same for the slowest instruction."""
    longest = 0
    for mnemonic in mnemonics:
        choices = sorted({name for a in accesses(mnemonic) if a.memory in memory_bytes for name, _ in a.conditions})
        for values in itertools.product(*(range(mnemonic.field(name).high + 1) for name in choices)):
            longest = max(longest, walk_cycles(mnemonic, memory_bytes, dict(zip(choices, values, strict=True))))
    return longest


class Legality(wiring.Component):
    """Says whether an instruction's fields are in range and its nest stays inside every on-chip memory.

    Corners are ``base + sum of max(0, stride * (extent - 1))`` and the same with ``min``, exact for affine
    addresses. A pipeline of one multiply-add per cycle walks through the accesses that the mnemonic's effect chooses;
    an instruction takes as many cycles as its accesses have terms and some for the pipeline, far fewer than it runs.

    Members
    -------
    start, i_instr : In(1), In(1024)
        A pulse; the instruction, held until ``finish``. Its opcode may be unknown.
    finish, error : Out(1), Out(4)
        A pulse with the verdict, ``hw.registers.ErrorCode``.
    """

    def __init__(self, mnemonics, memory_bytes):
        self.mnemonics, self.memory_bytes = mnemonics, memory_bytes
        idle = [mnemonic.name for mnemonic in mnemonics if not self._checked(mnemonic)]
        if idle:
            raise ValueError(f"instructions must access an on-chip memory, which {', '.join(idle)} does not")
        super().__init__({
            "start": In(1), "i_instr": In(INSTRUCTION_BITS), "finish": Out(1), "error": Out(4),
        })

    def elaborate(self, platform):
        m = Module()
        code = Signal(4)  # field check, settled in the cycle of start
        step = Signal(8)
        after = Signal(8)  # where the next access begins
        entry = Signal(8)
        opcode = self.i_instr[:4]
        chosen = Signal()
        walks = Signal()

        m.d.comb += code.eq(ErrorCode.OPCODE.value)
        program = 0
        with m.Switch(opcode):
            for mnemonic in self.mnemonics:
                with m.Case(mnemonic.opcode):
                    m.d.comb += [code.eq(Mux(self._field_error(m, mnemonic), ErrorCode.FIELD.value, 0)),
                                 entry.eq(program)]
                program += sum(a.steps for a in self._checked(mnemonic))

        # Operands of a step: a term of an access, with its base if it is the first, to be verified if it is the last.
        base = Signal(signed(_BASE_BITS))
        stride = Signal(signed(_STRIDE_BITS))
        extent = Signal(_EXTENT_BITS)
        limit = Signal(_BASE_BITS)
        first = Signal()
        verify = Signal()
        last = Signal()  # of the instruction
        position = 0
        with m.Switch(step):
            for mnemonic in self.mnemonics:
                fields = {f.name: (f, offset, width) for f, offset, width, _ in ENCODING.places(mnemonic)}

                def value(name, fields=fields):
                    f, offset, width = fields[name]
                    raw = self.i_instr[offset:offset + width]
                    return raw.as_signed() if f.low < 0 else raw  # extents stay n - 1, which is what is multiplied

                checked = self._checked(mnemonic)
                for access in checked:
                    condition = Const(1)
                    for name, values in access.conditions:
                        _, offset, width = fields[name]
                        condition = condition & self.i_instr[offset:offset + width].matches(*values)
                    for k, (s, n) in enumerate(access.terms or ((0, None),)):
                        with m.Case(position + k):
                            m.d.comb += [
                                stride.eq(value(s) if isinstance(s, str) else s), extent.eq(value(n) if n else 0),
                                chosen.eq(condition), base.eq(value(access.base)), first.eq(k == 0),
                                verify.eq(k == access.steps - 1),
                                limit.eq((self.memory_bytes[access.memory] - access.span) // access.unit),
                                after.eq(position + access.steps), last.eq(access is checked[-1]),
                            ]
                    position += access.steps

        ends = Signal()  # the walk's last step, taken or left out
        m.d.comb += ends.eq(last & (verify | ~chosen))
        with m.If(self.start):
            m.d.sync += [step.eq(entry), walks.eq(code == 0)]
        with m.Elif(walks):
            m.d.sync += [step.eq(Mux(chosen, step + 1, after)), walks.eq(~ends)]

        # One register each: operands, products of their halves, product, corners, verdict.
        taken = Signal(data.StructLayout({"base": signed(_BASE_BITS), "stride": signed(_STRIDE_BITS), "extent": _EXTENT_BITS}),
                       reset_less=True)
        flags = Signal(data.StructLayout({"first": 1, "limit": _BASE_BITS}))
        m.d.sync += [taken.base.eq(base), taken.stride.eq(stride), taken.extent.eq(extent)]
        m.d.comb += [flags.first.eq(first), flags.limit.eq(limit)]
        flags = data.View(flags.shape(), delay(m, flags.as_value(), 3))
        origin = delay(m, taken.base, 2).as_signed()

        half_stride, half_extent = _STRIDE_BITS // 2, _EXTENT_BITS // 2
        products = []
        for high_extent in (False, True):
            for high_stride in (False, True):
                s = taken.stride[half_stride:].as_signed() if high_stride else taken.stride[:half_stride]
                n = taken.extent[half_extent:] if high_extent else taken.extent[:half_extent]
                shape = (s * n).shape()
                part = Signal(shape, name=f"product{high_stride:d}{high_extent:d}", reset_less=True)
                m.d.sync += part.eq(s * n)
                products.append(part << (half_stride * high_stride + half_extent * high_extent))
        product = Signal(signed(_STRIDE_BITS + _EXTENT_BITS), reset_less=True)
        m.d.sync += product.eq(sum(products))

        low = Signal(signed(_WIDTH), reset_less=True)
        high = Signal(signed(_WIDTH), reset_less=True)
        m.d.sync += [low.eq(Mux(flags.first, origin, low) + Mux(product < 0, product, 0)),
                     high.eq(Mux(flags.first, origin, high) + Mux(product < 0, 0, product))]
        verified = delay(m, walks & chosen & verify, WALK_STAGES - 1, reset=True)
        limit = delay(m, flags.limit, 1)
        with m.If(self.start):
            m.d.sync += self.error.eq(code)
        with m.Elif(verified & ((low < 0) | (high > limit))):
            m.d.sync += self.error.eq(ErrorCode.ADDRESS.value)
        m.d.comb += self.finish.eq(delay(m, Mux(self.start, code != 0, walks & ends), WALK_STAGES, reset=True))
        return m

    def _checked(self, mnemonic):
        """Accesses of on-chip memories; DRAM addresses are the static checker's affair."""
        return [a for a in accesses(mnemonic) if a.memory in self.memory_bytes]

    def _field_error(self, m, mnemonic):
        """A field whose bits can hold more than its range does, or a broken rule."""
        bad = Const(0)
        values = {}
        for f, offset, width, _ in ENCODING.places(mnemonic):
            bits = self.i_instr[offset:offset + width]
            values[f.name] = bits.as_signed() if f.low < 0 else bits + max(f.low, 0)
            if f.kind == "f32":
                continue
            if f.low < 0:
                if -f.low < 1 << width - 1:
                    bad = bad | (bits.as_signed() < f.low)
                if f.high < (1 << width - 1) - 1:
                    bad = bad | (bits.as_signed() > f.high)
            elif f.high - f.low < (1 << width) - 1:
                bad = bad | (bits > f.high - f.low)
        for rule in mnemonic.rules:
            bad = bad | ~_gateware(ast.parse(rule, mode="eval").body, values)
        return bad


def _gateware(node: ast.expr, values):
    """A rule's expression, of comparisons joined by ``and`` and ``or``, as a value of one bit."""
    if isinstance(node, ast.BoolOp):
        parts = [_gateware(v, values) for v in node.values]
        combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return functools.reduce(combine, parts)
    if isinstance(node, ast.Compare):
        left, right = (values[v.id] if isinstance(v, ast.Name) else v.value for v in (node.left, node.comparators[0]))
        compare = {ast.Eq: operator.eq, ast.LtE: operator.le, ast.GtE: operator.ge}[type(node.ops[0])]
        return compare(left, right)
    raise ValueError(f"a rule for hardware must be comparisons joined by and, or: not {ast.unparse(node)}")
