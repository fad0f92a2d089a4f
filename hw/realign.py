"""Moves runs of bytes between memories whose alignments differ: takes aligned words, gives aligned words.

A *word* is ``bus_bytes`` bytes at a multiple of as many. A run is ``n`` bytes from source address ``src`` to
destination address ``dst``; of its bytes ``lo..hi`` come from the source and the others are a fill value.

Numbering words from those that hold the run's first byte, with ``ahead = src % B > dst % B``: destination word k
takes its upper lanes from source word ``k + ahead`` (called its *high* word) and its lower lanes from the one before
it (its *low* word). Lanes from ``split`` on are upper ones; all of them are if both sides are aligned alike.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Planner", "Realigner", "plan_layout", "words_bits"]


def words_bits(bus_bytes: int) -> int:
    """Bits of (words that one run touches) - 1, for runs of up to 65536 bytes at any address."""
    return (65536 // bus_bytes).bit_length()


def plan_layout(bus_bytes: int, dst_bits: int, tag_bits: int) -> data.StructLayout:
    """What the realigner has to know of a run. Lanes are byte positions in a word."""
    lane, count = _shift(bus_bytes), words_bits(bus_bytes)
    return data.StructLayout({
        "word": dst_bits - lane,  # address of the first destination word, in words
        "count": count,  # destination words - 1
        "head": lane, "tail": lane,  # first lane of the first word, last lane of the last one
        "sourced": 1,  # some bytes come from the source: those from
        "first": count, "first_lane": lane,  # this word and lane
        "last": count, "last_lane": lane,  # to this one
        "rotate": lane,  # destination lane j takes source lane j + rotate
        "split": lane,  # lanes from here on take the source word just arrived
        "preload": 1,  # word `first` needs its low word too
        "coast": 1,  # word `last` needs only its low word, which has arrived before
        "fill": 8, "final": 1, **_tag(tag_bits),  # passed on; `final`: the last run of an instruction
    })


def _tag(bits: int) -> dict[str, int]:
    """Verilog has no signals of no bits."""
    return {"tag": bits} if bits else {}


class Planner(wiring.Component):
    """Computes a run's plan, and which words it touches. Combinational.

    Members
    -------
    src, dst : In(src_bits), In(dst_bits)
        Byte addresses.
    n, lo, hi, sourced : In(16), In(16), In(16), In(1)
        Bytes - 1; first and last byte that come from the source, if any does.
    fill, last_run, tag : In(8), In(1), In(tag_bits)
    plan : Out(plan_layout)
    src_word, src_count : Out
        First source word that is needed, in words; words - 1.
    """

    def __init__(self, *, bus_bytes: int, src_bits: int, dst_bits: int, tag_bits: int = 0):
        self.bus_bytes, self.tag_bits = bus_bytes, tag_bits
        super().__init__({
            "src": In(src_bits), "dst": In(dst_bits), "n": In(16), "lo": In(16), "hi": In(16), "sourced": In(1),
            "fill": In(8), "last_run": In(1), **{name: In(bits) for name, bits in _tag(tag_bits).items()},
            "plan": Out(plan_layout(bus_bytes, dst_bits, tag_bits)),
            "src_word": Out(src_bits - _shift(bus_bytes)), "src_count": Out(words_bits(bus_bytes)),
        })

    def elaborate(self, platform):
        m = Module()
        lane = _shift(self.bus_bytes)
        src_lane, dst_lane = self.src[:lane], self.dst[:lane]

        def position(name, offset, byte):
            """(word, lane) of a byte of the run."""
            total = Signal(lane + words_bits(self.bus_bytes), name=name)
            m.d.comb += total.eq(offset + byte)
            return total[lane:], total[:lane]

        src_first, _ = position("src_first", src_lane, self.lo)
        src_last, _ = position("src_last", src_lane, self.hi)
        first, first_lane = position("dst_first", dst_lane, self.lo)
        last, last_lane = position("dst_last", dst_lane, self.hi)
        count, tail = position("dst_end", dst_lane, self.n)

        # The source word of a byte is its destination word's high or low word: one bit of difference tells which.
        ahead = Signal()
        low_first = Signal()
        low_last = Signal()
        alone = Signal()
        m.d.comb += [
            ahead.eq(src_lane > dst_lane),
            low_first.eq(src_first[0] ^ first[0] ^ ahead), low_last.eq(src_last[0] ^ last[0] ^ ahead),
            alone.eq(low_first & low_last & (first == last)),  # one low word is all: treat it as just arrived
        ]
        plan = self.plan
        m.d.comb += [
            plan.word.eq(self.dst[lane:]), plan.count.eq(count), plan.head.eq(dst_lane), plan.tail.eq(tail),
            plan.sourced.eq(self.sourced), plan.first.eq(first), plan.first_lane.eq(first_lane),
            plan.last.eq(last), plan.last_lane.eq(last_lane),
            plan.rotate.eq(src_lane - dst_lane), plan.split.eq(Mux(alone, 0, dst_lane - src_lane)),
            plan.preload.eq(low_first & ~alone), plan.coast.eq(low_last & ~alone),
            plan.fill.eq(self.fill), plan.final.eq(self.last_run), *([plan.tag.eq(self.tag)] if self.tag_bits else []),
            self.src_word.eq((self.src + self.lo) >> lane), self.src_count.eq(src_last - src_first),
        ]
        return m


class Realigner(wiring.Component):
    """Builds each destination word of the runs planned, in order: one per cycle.

    A run takes one cycle more if its first word needs two source words. The output is registered.

    Members
    -------
    i_valid, i_ready, i : In(1), Out(1), In(plan_layout)
    s_valid, s_ready, s_data : In(1), Out(1), In
        The source words that the plans need, in order.
    o_valid, o_ready, o_word, o_data, o_mask, o_last, o_final, o_tag : Out(1), In(1), Out ...
        Destination words with a bit per byte to be written; ``o_last`` marks the last of a run, ``o_final`` that of an
        instruction.
    starved : Out(1)
        Waits for a source word.
    """

    def __init__(self, *, bus_bytes: int, dst_bits: int, tag_bits: int = 0):
        self.bus_bytes, self.tag_bits = bus_bytes, tag_bits
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i": In(plan_layout(bus_bytes, dst_bits, tag_bits)),
            "s_valid": In(1), "s_ready": Out(1), "s_data": In(8 * bus_bytes),
            "o_valid": Out(1), "o_ready": In(1), "o_word": Out(dst_bits - _shift(bus_bytes)),
            "o_data": Out(8 * bus_bytes), "o_mask": Out(bus_bytes), "o_last": Out(1), "o_final": Out(1),
            **{f"o_{name}": Out(bits) for name, bits in _tag(tag_bits).items()}, "starved": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        plan, lanes = self.i, self.bus_bytes
        ones = Const(2**lanes - 1, lanes)

        def up_to(lane):
            return ones >> ~lane

        def onwards(lane):
            return ~(up_to(lane) >> 1)

        # Where in the run, and what this word needs.
        index = Signal.like(plan.count)
        loaded = Signal()
        at_end = Signal()
        at_first = Signal()
        at_last = Signal()
        inside = Signal()
        preloads = Signal()
        needs = Signal()
        free = Signal()
        gives = Signal()
        m.d.comb += [
            at_end.eq(index == plan.count), at_first.eq(index == plan.first), at_last.eq(index == plan.last),
            inside.eq(plan.sourced & (index >= plan.first) & (index <= plan.last)),
            preloads.eq(inside & at_first & plan.preload & ~loaded),
            needs.eq(inside & ~(at_last & plan.coast)),
            free.eq(~self.o_valid | self.o_ready),
            gives.eq(self.i_valid & ~preloads & (~needs | self.s_valid) & free),
            self.s_ready.eq(self.i_valid & (preloads | (needs & free))),
            self.i_ready.eq(gives & at_end),
            self.starved.eq(self.i_valid & needs & ~self.s_valid),
        ]
        with m.If(gives):
            m.d.sync += [index.eq(Mux(at_end, 0, index + 1)), loaded.eq(0)]
        with m.Elif(self.s_valid & self.s_ready):
            m.d.sync += loaded.eq(1)

        # The word just arrived, turned to the destination's lanes, and the one before it.
        turned = self.s_data
        for bit in range(_shift(lanes)):
            step = Signal(8 * lanes, name=f"turned{bit}")
            m.d.comb += step.eq(Mux(plan.rotate[bit], turned.rotate_right(8 << bit), turned))
            turned = step
        before = Signal(8 * lanes, reset_less=True)
        with m.If(self.s_valid & self.s_ready):
            m.d.sync += before.eq(turned)

        arrives = Signal(lanes)
        upper = Signal(lanes)
        m.d.comb += upper.eq(onwards(plan.split))
        with m.If(inside):
            m.d.comb += arrives.eq(Mux(at_first, onwards(plan.first_lane), ones)
                                   & Mux(at_last, up_to(plan.last_lane), ones))
        word = Cat(Mux(arrives[j], Mux(upper[j], turned.word_select(j, 8), before.word_select(j, 8)), plan.fill)
                   for j in range(lanes))

        out = Signal(data.StructLayout({"word": len(self.o_word), "data": 8 * lanes, "mask": lanes, "last": 1, "final": 1,
                                        **_tag(self.tag_bits)}), reset_less=True)
        m.d.comb += [getattr(self, f"o_{name}").eq(out[name]) for name in out.shape().members]
        with m.If(gives):
            m.d.sync += [
                self.o_valid.eq(1), out.word.eq(plan.word + index), out.data.eq(word), *([out.tag.eq(plan.tag)] if self.tag_bits else []),
                out.mask.eq(Mux(index == 0, onwards(plan.head), ones) & Mux(at_end, up_to(plan.tail), ones)),
                out.last.eq(at_end), out.final.eq(at_end & plan.final),
            ]
        with m.Elif(self.o_ready):
            m.d.sync += self.o_valid.eq(0)
        return m


def _shift(bus_bytes: int) -> int:
    return bus_bytes.bit_length() - 1
