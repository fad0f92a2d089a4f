"""One lane of the VECTOR chain: an int32, byte or binary32 number in, a byte or number out, binary32 between."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.acg.ops import RECIPROCAL_MAGIC, ROOT_MAGIC
from tenon.hw import emit
from tenon.hw.binary32 import FromInteger, FusedMultiplyAdd, MinMax, Multiply, Quantise, RoundClamp, registers
from tenon.hw.delay import remembered
from tenon.hw.memory import Memory
from tenon.hw.reduction import Reduction

__all__ = ["Lane"]

_Y_BITS = 10  # a byte of either sign less its zero-point

_SCALE = FromInteger.latency_of(32)
_ROUND = _SCALE + Multiply.latency
_REDUCE = _ROUND + RoundClamp.latency
_SWAP = _REDUCE + Reduction.latency
_SECOND = _SWAP + FusedMultiplyAdd.latency
_EXTREME = _SECOND + FusedMultiplyAdd.latency
_OUTPUT = _EXTREME + MinMax.latency
_TABLE = _OUTPUT + Quantise.latency


class Lane(wiring.Component):
    """Convert, scale, round and clamp, reduce, swap, two fused multiply-adds, min/max, output byte, byte table.

    Latency ``latency`` cycles; one element per cycle; order is kept; nothing ever stalls. A slot's settings are ports
    of their own, applied ``at[slot]`` cycles after the element came in, so that each element has its own settings. A
    slot that is to do nothing is given neutral constants: 1 and -0 for a multiply-add, -infinity for the maximum.

    Parameters
    ----------
    partials : int
        Depth of the reduction's ring.
    table_bytes : int
        Bytes of all tables, 256 each.
    line_bytes : int
        Bytes written to the tables at a time.

    Members
    -------
    x, y : In(signed(32)), In(8)
        The element's two operands; y's byte is read as signed where slot ``y`` says so.
    s, number : In(32), In(32)
        binary32 scale, and the number that stands for x where slot ``number`` says so, each as late as its slot's settings.
    now : In(range(NOW))
        Counts cycles: where a delay is in its memory.
    first, read_index, write_index, write
        Those of ``Reduction``, each at ``at`` of its name.
    slot_NAME : In(SLOTS[NAME])
        Settings of each slot.
    tab_en, tab_addr, tab_data, tab_mask : In
        Table writes: line and byte mask. Elements looked up meanwhile read old or new bytes.
    o : Out(8)
    word : Out(32)
        What the byte is made of, at ``at["word"]``.
    """

    SLOTS = {
        "convert": data.StructLayout({"zero": signed(9)}),
        "scale": data.StructLayout({"by_lane": 1, "value": 32}),
        "number": data.StructLayout({"used": 1, "reciprocal": 1, "root": 1}),
        "round": data.StructLayout({"offset": signed(9)}),
        "round_bounds": data.StructLayout({"low": signed(9), "high": signed(9)}),
        "rounds": data.StructLayout({"enable": 1}),
        "reduce": data.StructLayout({"maximum": 1}),
        "convert_y": data.StructLayout({"used": 1, "signed": 1, "zero": signed(9)}),
        "select1": data.StructLayout({"swap": 1, "times_y": 1, "plus_y": 1}),
        "constants1": data.StructLayout({"p": 32, "q": 32}),  # x * (p or y) + (q or y)
        "select2": data.StructLayout({"cross": 1, "times_y": 1}),
        "constants2": data.StructLayout({"p": 32, "q": 32}),  # x * (p or y) + q, or y * p + x
        "bound": data.StructLayout({"with_y": 1, "p": 32}),
        "extreme": data.StructLayout({"minimum": 1}),
        "output": data.StructLayout({"offset": signed(9)}),
        "output_bounds": data.StructLayout({"low": signed(9), "high": signed(9)}),
        "table": data.StructLayout({"enable": 1, "number": 8}),
    }
    at = {
        "convert": 0, "scale": _SCALE - 1, "number": _SCALE - 2, "round": _ROUND + 1, "round_bounds": _ROUND + 2,
        "rounds": _ROUND + RoundClamp.rounding, "reduce": _REDUCE,
        "convert_y": _SWAP - FromInteger.latency_of(_Y_BITS), "select1": _SWAP, "constants1": _SWAP,
        "select2": _SECOND, "constants2": _SECOND, "bound": _SECOND, "extreme": _EXTREME, "output": _OUTPUT + 1,
        "output_bounds": _OUTPUT + 2, "table": _TABLE,
        "word": _OUTPUT, "first": _REDUCE - 1, "read_index": _REDUCE - 1, "write_index": _SWAP - 1, "write": _SWAP - 1,
    }
    latency = _TABLE + 2
    NOW = 32  # no delay in a lane is longer

    def __init__(self, *, partials: int, table_bytes: int, line_bytes: int):
        self.partials, self.table_bytes, self.line_bytes = partials, table_bytes, line_bytes
        super().__init__({
            "x": In(signed(32)), "y": In(8), "s": In(32), "number": In(32),
            "now": In(range(self.NOW)),
            "first": In(1), "read_index": In(range(partials)), "write_index": In(range(partials)), "write": In(1),
            **{f"slot_{name}": In(layout) for name, layout in self.SLOTS.items()},
            "tab_en": In(1), "tab_addr": In(range(table_bytes // line_bytes)), "tab_data": In(8 * line_bytes),
            "tab_mask": In(line_bytes),
            "o": Out(8), "word": Out(32),
        })

    def elaborate(self, platform):
        m = Module()

        m.submodules.convert = convert = FromInteger()
        m.d.comb += [convert.i.eq(self.x), convert.offset.eq(self.slot_convert.zero)]

        number, is_number = registers(number=32, is_number=1)
        m.d.sync += [
            number.eq(Mux(self.slot_number.reciprocal, RECIPROCAL_MAGIC - self.number,
                          Mux(self.slot_number.root, ROOT_MAGIC - self.number[1:], self.number))),
            is_number.eq(self.slot_number.used),
        ]
        m.d.comb += [convert.number.eq(number), convert.replace.eq(is_number)]

        m.submodules.multiply = multiply = Multiply()
        scale, = registers(scale=32)
        m.d.sync += scale.eq(Mux(self.slot_scale.by_lane, self.s, self.slot_scale.value))
        m.d.comb += [multiply.a.eq(convert.o), multiply.b.eq(scale)]

        m.submodules.round_clamp = round_clamp = RoundClamp()
        m.d.comb += [
            round_clamp.x.eq(multiply.o),
            round_clamp.unrounded.eq(remembered(m, "unrounded", multiply.o, RoundClamp.rounding, self.now)),
            round_clamp.enable.eq(self.slot_rounds.enable), round_clamp.offset.eq(self.slot_round.offset),
            round_clamp.low.eq(self.slot_round_bounds.low), round_clamp.high.eq(self.slot_round_bounds.high),
        ]

        m.submodules.reduction = reduction = Reduction(self.partials)
        m.d.comb += [
            reduction.x.eq(round_clamp.o), reduction.maximum.eq(self.slot_reduce.maximum),
            reduction.first.eq(self.first), reduction.read_index.eq(self.read_index),
            reduction.write_index.eq(self.write_index), reduction.write.eq(self.write),
        ]

        # y stays a byte until the swap is near.
        m.submodules.convert_y = convert_y = FromInteger(_Y_BITS)
        byte = remembered(m, "bytes", self.y, self.at["convert_y"], self.now)
        number = Cat(byte, byte[7] & self.slot_convert_y.signed).as_signed()
        m.d.comb += [
            convert_y.i.eq(Mux(self.slot_convert_y.used, number, 0)), convert_y.offset.eq(self.slot_convert_y.zero),
        ]

        # Every form of a multiply-add is a choice of its operands; the result is never passed by.
        x = Signal(32)
        y = Signal(32)
        swap = self.slot_select1.swap
        m.d.comb += [x.eq(Mux(swap, convert_y.o, reduction.o)), y.eq(Mux(swap, reduction.o, convert_y.o))]
        fma1 = emit.instance(m, "fma1", FusedMultiplyAdd())
        m.d.comb += [
            fma1.a.eq(x),
            fma1.b.eq(Mux(self.slot_select1.times_y, y, self.slot_constants1.p)),
            fma1.c.eq(Mux(self.slot_select1.plus_y, y, self.slot_constants1.q)),
        ]

        y = remembered(m, "held1", y, FusedMultiplyAdd.latency, self.now)
        cross = self.slot_select2.cross
        fma2 = emit.instance(m, "fma2", FusedMultiplyAdd())
        m.d.comb += [
            fma2.a.eq(Mux(cross, y, fma1.o)),
            fma2.b.eq(Mux(self.slot_select2.times_y, y, self.slot_constants2.p)),
            fma2.c.eq(Mux(cross, fma1.o, self.slot_constants2.q)),
        ]

        bound = remembered(m, "bounds", Mux(self.slot_bound.with_y, y, self.slot_bound.p), FusedMultiplyAdd.latency, self.now)
        m.submodules.extreme = extreme = MinMax()
        m.d.comb += [
            extreme.a.eq(fma2.o), extreme.b.eq(bound),
            extreme.minimum.eq(self.slot_extreme.minimum),
        ]

        m.submodules.output = output = Quantise()
        m.d.comb += [
            self.word.eq(extreme.o),
            output.x.eq(extreme.o), output.offset.eq(self.slot_output.offset),
            output.low.eq(self.slot_output_bounds.low), output.high.eq(self.slot_output_bounds.high),
        ]

        # Table: a line is read, its byte chosen, and that or the one looked up.
        in_line = (self.line_bytes - 1).bit_length()
        table = emit.instance(m, "table", Memory(
            width=8 * self.line_bytes, depth=self.table_bytes // self.line_bytes, lane_bits=8))
        plain, enable, late_plain, late_enable, looked_up = registers(plain=8, enable=1, late_plain=8, late_enable=1, looked_up=8)
        m.d.comb += [
            table.r_en.eq(self.slot_table.enable),
            table.r_addr.eq(Cat(output.o[in_line:8], self.slot_table.number)),
            table.w_en.eq(Mux(self.tab_en, self.tab_mask, 0)),
            table.w_addr.eq(self.tab_addr), table.w_data.eq(self.tab_data),
        ]
        with m.Switch(plain[:in_line]):
            for byte in range(self.line_bytes):
                with m.Case(byte):
                    m.d.sync += looked_up.eq(table.r_data.word_select(byte, 8))
        m.d.sync += [
            plain.eq(output.o), enable.eq(self.slot_table.enable), late_plain.eq(plain), late_enable.eq(enable),
        ]
        m.d.comb += self.o.eq(Mux(late_enable, looked_up, late_plain))
        return m
