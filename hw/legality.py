"""The hardware's judgement of an instruction: field ranges, and corner addresses of its loop nest."""

from __future__ import annotations

import ast
import functools
import itertools
import operator

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.acg.mnemonic import INSTRUCTION_BITS, accesses
from tenon.hw.registers import ErrorCode

__all__ = ["Legality", "longest_walk"]

_WIDTH = 46  # a sum of eight 24 x 16 bit products and a base


def longest_walk(mnemonics, memory_bytes) -> int:
    """Cycles that the slowest instruction is looked at: a step for each operand, and more for those that are chosen."""
    longest = 0
    for mnemonic in mnemonics:
        checked = [a for a in accesses(mnemonic) if a.memory in memory_bytes]
        choices = sorted({name for a in checked for name, _ in a.conditions})
        for values in itertools.product(*(range(mnemonic.field(name).high + 1) for name in choices)):
            fields = dict(zip(choices, values, strict=True))
            longest = max(longest, sum(2 + len(a.terms) if a.chosen(fields) else 1 for a in checked))
    return longest


class Legality(wiring.Component):
    """Says whether an instruction's fields are in range and its nest stays inside every on-chip memory.

    Corners are ``base + sum of max(0, stride * (extent - 1))`` and the same with ``min``, exact for affine
    addresses. One multiply-add per cycle walks through the accesses that the mnemonic's effect chooses;
    an instruction takes as many cycles as its accesses have terms, far fewer than it runs.

    Members
    -------
    start, i_instr : In(1), In(1024)
        A pulse; the instruction, held until ``finish``. Its opcode may be unknown.
    finish, error : Out(1), Out(4)
        A pulse with the verdict, ``hw.registers.ErrorCode``.
    """

    def __init__(self, mnemonics, memory_bytes):
        self.mnemonics, self.memory_bytes = mnemonics, memory_bytes
        super().__init__({
            "start": In(1), "i_instr": In(INSTRUCTION_BITS), "finish": Out(1), "error": Out(4),
        })

    def elaborate(self, platform):
        m = Module()
        code = Signal(4)  # field check, settled in the cycle of start
        step = Signal(8)
        low = Signal(signed(_WIDTH))
        high = Signal(signed(_WIDTH))
        base = Signal(signed(_WIDTH))
        stride = Signal(signed(25))
        extent = Signal(17)
        chosen = Signal()
        limit = Signal(signed(_WIDTH))
        begin = Signal()
        verify = Signal()
        last = Signal()
        after = Signal(8)  # where the next access begins
        entry = Signal(8)
        opcode = self.i_instr[:4]

        m.d.comb += code.eq(ErrorCode.OPCODE.value)
        program = 0
        with m.Switch(opcode):
            for mnemonic in self.mnemonics:
                with m.Case(mnemonic.opcode):
                    m.d.comb += [code.eq(Mux(self._field_error(m, mnemonic), ErrorCode.FIELD.value, 0)),
                                 entry.eq(program)]
                program += sum(2 + len(a.terms) for a in self._checked(mnemonic)) + 1

        # The walk: begin, one step per term, verify; `last` ends a mnemonic's part.
        position = 0
        with m.Switch(step):
            for mnemonic in self.mnemonics:
                fields = {f.name: (f, offset, width) for f, offset, width, _ in mnemonic.layout()}

                def value(name, fields=fields):
                    f, offset, width = fields[name]
                    raw = self.i_instr[offset:offset + width]
                    return raw.as_signed() if f.low < 0 else raw  # extents stay n - 1, which is what is multiplied

                for access in self._checked(mnemonic):
                    condition = Const(1)
                    for name, values in access.conditions:
                        _, offset, width = fields[name]
                        condition = condition & self.i_instr[offset:offset + width].matches(*values)
                    with m.Case(position):
                        m.d.comb += [begin.eq(1), chosen.eq(condition), base.eq(value(access.base)),
                                     after.eq(position + 2 + len(access.terms))]
                    for k, (s, n) in enumerate(access.terms):
                        with m.Case(position + 1 + k):
                            m.d.comb += [stride.eq(value(s) if isinstance(s, str) else s), extent.eq(value(n))]
                    position += 1 + len(access.terms)
                    with m.Case(position):
                        bytes_ = self.memory_bytes[access.memory]
                        m.d.comb += [verify.eq(1), limit.eq((bytes_ - access.span) // access.unit)]
                    position += 1
                with m.Case(position):
                    m.d.comb += last.eq(1)
                position += 1

        product = Signal(signed(42))
        m.d.comb += product.eq(stride * extent)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.error.eq(code), step.eq(entry)]
                    m.next = "WALK"
            with m.State("WALK"):
                with m.If((self.error != 0) | last):
                    m.d.comb += self.finish.eq(1)
                    m.next = "IDLE"
                with m.Elif(begin):
                    m.d.sync += [low.eq(base), high.eq(base), step.eq(Mux(chosen, step + 1, after))]
                with m.Elif(verify):
                    m.d.sync += step.eq(step + 1)
                    with m.If((low < 0) | (high > limit)):
                        m.d.sync += self.error.eq(ErrorCode.ADDRESS.value)
                with m.Else():
                    m.d.sync += step.eq(step + 1)
                    with m.If(product < 0):
                        m.d.sync += low.eq(low + product)
                    with m.Else():
                        m.d.sync += high.eq(high + product)
        return m

    def _checked(self, mnemonic):
        """Accesses of on-chip memories; DRAM addresses are the static checker's affair."""
        return [a for a in accesses(mnemonic) if a.memory in self.memory_bytes]

    def _field_error(self, m, mnemonic):
        """A field whose bits can hold more than its range does, or a broken rule."""
        bad = Const(0)
        values = {}
        for f, offset, width, _ in mnemonic.layout():
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
