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
        "starts": 3,  # the first word of the run is the last one, and `first`, and `last`
        "fill": 8, "final": 1, **_tag(tag_bits),  # passed on; `final`: the last run of an instruction
    })


def _tag(bits: int) -> dict[str, int]:
    """Verilog has no signals of no bits."""
    return {"tag": bits} if bits else {}


class Planner(wiring.Component):
    """Computes a run's plan, and which words it touches, in two steps with a register between them.

    Members
    -------
    enable : In(1)
        Take the run; its plan is there from the next cycle on.
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
            "enable": In(1), "src": In(src_bits), "dst": In(dst_bits), "n": In(16), "lo": In(16), "hi": In(16), "sourced": In(1),
            "fill": In(8), "last_run": In(1), **{name: In(bits) for name, bits in _tag(tag_bits).items()},
            "plan": Out(plan_layout(bus_bytes, dst_bits, tag_bits)),
            "src_word": Out(src_bits - _shift(bus_bytes)), "src_count": Out(words_bits(bus_bytes)),
        })

    def elaborate(self, platform):
        m = Module()
        lane = _shift(self.bus_bytes)

        def held(name, value):
            register = Signal(len(value), name=name, reset_less=True)
            with m.If(self.enable):
                m.d.sync += register.eq(value)
            return register

        def position(name, offset, byte):
            """(word, lane) of a byte of the run."""
            total = held(name, (offset + byte)[:lane + words_bits(self.bus_bytes)])
            return total[lane:], total[:lane]

        src_first, _ = position("src_first", self.src[:lane], self.lo)
        src_last, _ = position("src_last", self.src[:lane], self.hi)
        first, first_lane = position("dst_first", self.dst[:lane], self.lo)
        last, last_lane = position("dst_last", self.dst[:lane], self.hi)
        count, tail = position("dst_end", self.dst[:lane], self.n)
        src_lane, dst_lane = held("src_lane", self.src[:lane]), held("dst_lane", self.dst[:lane])
        src_word, dst_word = held("src_word", (self.src + self.lo)[lane:len(self.src)]), held("dst_word", self.dst[lane:])
        sourced, fill, final = (held(f"{name}_then", getattr(self, name)) for name in ("sourced", "fill", "last_run"))

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
            plan.word.eq(dst_word), plan.count.eq(count), plan.head.eq(dst_lane), plan.tail.eq(tail),
            plan.sourced.eq(sourced), plan.first.eq(first), plan.first_lane.eq(first_lane),
            plan.last.eq(last), plan.last_lane.eq(last_lane),
            plan.rotate.eq(src_lane - dst_lane), plan.split.eq(Mux(alone, 0, dst_lane - src_lane)),
            plan.preload.eq(low_first & ~alone), plan.coast.eq(low_last & ~alone),
            plan.starts.eq(Cat(count == 0, first == 0, last == 0)), plan.fill.eq(fill), plan.final.eq(final),
            *([plan.tag.eq(held("tag_then", self.tag))] if self.tag_bits else []),
            self.src_word.eq(src_word), self.src_count.eq(src_last - src_first),
        ]
        return m


class Realigner(wiring.Component):
    """Builds each destination word of the runs planned, in order: one per cycle.

    A run takes one cycle more if its first word needs two source words. A plan is taken over; what a word needs is found
    in a cycle; in the next, or when its source is there, it is built into a register.

    Members
    -------
    i_valid, i_ready, i : In(1), Out(1), In(plan_layout)
    s_valid, s_ready, s_data : In(1), Out(1), In
        The source words that the plans need, in order.
    o_valid, o_ready, o_word, o_data, o_mask, o_last, o_final, o_tag : Out(1), In(1), Out ...
        Destination words with a bit per byte to be written; ``o_last`` marks the last of a run, ``o_final`` that of an
        instruction.
    next_word, next_tag : Out ...
        ``o_word`` and ``o_tag`` of the next cycle.
    busy, starved : Out(1), Out(1)
        Holds a word, or what one needs; waits for a source word.
    """

    def __init__(self, *, bus_bytes: int, dst_bits: int, tag_bits: int = 0):
        self.bus_bytes, self.tag_bits = bus_bytes, tag_bits
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i": In(plan_layout(bus_bytes, dst_bits, tag_bits)),
            "s_valid": In(1), "s_ready": Out(1), "s_data": In(8 * bus_bytes),
            "o_valid": Out(1), "o_ready": In(1), "o_word": Out(dst_bits - _shift(bus_bytes)),
            "o_data": Out(8 * bus_bytes), "o_mask": Out(bus_bytes), "o_last": Out(1), "o_final": Out(1),
            "next_word": Out(dst_bits - _shift(bus_bytes)),
            **{f"{which}_{name}": Out(bits) for name, bits in _tag(tag_bits).items() for which in ("o", "next")},
            "busy": Out(1), "starved": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        plan, lanes = self.i, self.bus_bytes
        ones = Const(2**lanes - 1, lanes)

        def up_to(lane):
            return ones >> ~lane

        def onwards(lane):
            return ~(up_to(lane) >> 1)

        # The run, and where in it the next word is: flags that are known a word ahead.
        run = Signal(plan.shape(), reset_less=True)
        holds = Signal()
        ready = Signal()  # for the next word
        moves = Signal()
        run_ends = Signal()

        def falls_on(name, position, at_once):
            """Whether the next word is the one at ``position`` of its run; so is the first one if ``at_once``."""
            left = Signal(len(position), name=f"to_{name}", reset_less=True)
            here = Signal(name=f"at_{name}", reset_less=True)
            with m.If(self.i_ready):
                m.d.sync += [left.eq(position), here.eq(at_once)]
            with m.Elif(moves):
                m.d.sync += [left.eq(left - 1), here.eq(left == 1)]
            return here

        positions = {"end": plan.count, "first": plan.first, "last": plan.last}
        at_end, at_first, at_last = (falls_on(*what, plan.starts[i]) for i, what in enumerate(positions.items()))
        at_start = Signal(reset_less=True)
        after_first = Signal(reset_less=True)
        after_last = Signal(reset_less=True)
        loaded = Signal(reset_less=True)
        inside = Signal()
        preloads = Signal()
        m.d.comb += [
            inside.eq(run.sourced & (at_first | after_first) & ~after_last),
            preloads.eq(run.sourced & at_first & run.preload & ~loaded),
            moves.eq(holds & ready & ~preloads), run_ends.eq(moves & at_end), self.i_ready.eq(~holds | run_ends),
        ]
        with m.If(self.i_ready):
            m.d.sync += [holds.eq(self.i_valid), run.eq(plan), at_start.eq(1), after_first.eq(0), after_last.eq(0), loaded.eq(0)]
        with m.Elif(moves):
            m.d.sync += [run.word.eq(run.word + 1), at_start.eq(0), after_first.eq(after_first | at_first),
                         after_last.eq(after_last | at_last)]
        with m.Elif(ready):
            m.d.sync += loaded.eq(1)

        # What this word needs.
        what = data.StructLayout({
            "takes": 1, "emits": 1, "rotate": len(run.rotate), "upper": lanes, "arrives": lanes, "fill": 8,
            "word": len(self.o_word), "mask": lanes, "last": 1, "final": 1, **_tag(self.tag_bits)})
        step = Signal(what, reset_less=True)
        planned = Signal()  # `step` is one
        with m.If(ready):
            m.d.sync += [
                planned.eq(holds), step.takes.eq(inside & (preloads | ~(at_last & run.coast))), step.emits.eq(~preloads),
                step.rotate.eq(run.rotate), step.upper.eq(onwards(run.split)), step.fill.eq(run.fill),
                step.arrives.eq(Mux(at_first, onwards(run.first_lane), ones) & Mux(at_last, up_to(run.last_lane), ones)
                                & inside.replicate(lanes)),
                step.word.eq(run.word), *([step.tag.eq(run.tag)] if self.tag_bits else []),
                step.mask.eq(Mux(at_start, onwards(run.head), ones) & Mux(at_end, up_to(run.tail), ones)),
                step.last.eq(at_end), step.final.eq(at_end & run.final),
            ]

        # The word just arrived, turned to the destination's lanes, and the one before it.
        free = Signal()
        goes = Signal()
        m.d.comb += [
            free.eq(~step.emits | ~self.o_valid | self.o_ready), goes.eq(planned & (~step.takes | self.s_valid) & free),
            ready.eq(~planned | goes), self.s_ready.eq(planned & step.takes & free),
            self.busy.eq(holds | planned | self.o_valid), self.starved.eq(planned & step.takes & ~self.s_valid),
        ]
        turned = self.s_data
        for bit in range(_shift(lanes)):
            turn = Signal(8 * lanes, name=f"turned{bit}")
            m.d.comb += turn.eq(Mux(step.rotate[bit], turned.rotate_right(8 << bit), turned))
            turned = turn
        before = Signal(8 * lanes, reset_less=True)
        with m.If(self.s_valid & self.s_ready):
            m.d.sync += before.eq(turned)
        word = Cat(Mux(step.arrives[j], Mux(step.upper[j], turned.word_select(j, 8), before.word_select(j, 8)), step.fill)
                   for j in range(lanes))

        passed_on = ("word", "mask", "last", "final", *_tag(self.tag_bits))
        out = Signal(data.StructLayout({"data": 8 * lanes} | {name: step[name].shape() for name in passed_on}), reset_less=True)
        m.d.comb += [getattr(self, f"o_{name}").eq(out[name]) for name in out.shape().members]
        builds = Signal()
        m.d.comb += [builds.eq(goes & step.emits),
                     *(getattr(self, f"next_{name}").eq(Mux(builds, step[name], out[name])) for name in ("word", *_tag(self.tag_bits)))]
        with m.If(builds):
            m.d.sync += [self.o_valid.eq(1), out.data.eq(word), *(out[name].eq(step[name]) for name in passed_on)]
        with m.Elif(self.o_ready):
            m.d.sync += self.o_valid.eq(0)
        return m


def _shift(bus_bytes: int) -> int:
    return bus_bytes.bit_length() - 1
