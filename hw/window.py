"""WINDOW: slides windows over activations, channel by channel, and writes their sums or largest elements."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.array import OPERAND_BITS
from tenon.hw.buffers import activation_banks
from tenon.hw.decode import layout
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.mnemonics import WINDOW_ROWS, window
from tenon.hw.nest import AddressNest
from tenon.hw.params import SystolicParams
from tenon.hw.skid import Skid
from tenon.hw.window_lane import WindowLane
from tenon.hw.window_weights import WindowWeights

__all__ = ["WindowEngine"]

_OUTER = ("n", "k0", "o1", "o0", "x")
_AHEAD = 3  # words between issue and weights: in the register slice and behind it
_KEEP, _BIAS = 1, 2  # what a window begins with, as field `init` has it


class WindowEngine(wiring.Component):
    """Executes WINDOW instructions: one word of activations per cycle, which every tap of its column sums.

    Columns of a row pass one after the other, kernel row by kernel row within; where windows overlap, a column
    is read once. Words are of ``window_lanes`` elements in every memory. Four stages behind the nest: the word is read; its zero-point
    is subtracted; it is multiplied; it is added. Whoever is not granted asks again, and what is behind waits. A pass (a step of ``n`` and
    ``k0``) follows the former without a bubble if its weights have come; one that continues sums, ``drain`` cycles
    later, when all of those are written.

    Members
    -------
    i_valid, i_ready, i_instr : In(1), Out(1), In(1024)
        Taken in the cycle after its first pass begins; must stay until then.
    act_*, wgt_*, par_*, accr_* : `en`, `addr` Out, `grant`, `data` In
        Read ports: activations, weights, biases and zero-points, accumulators. Data the cycle after enable and grant.
    act_free : In(banks)
        In place of a grant: banks of the activations that are free.
    accw_en, accw_addr, accw_data, accw_grant : Out, Out, Out, In
        Writes accumulators.
    o_release, o_done, o_busy, o_stall_bank : Out(1)
        Pulses per instruction, in order: all operands have been read; all results are visible. An instruction is in
        flight, or its first weights are brought in. A port was not granted.
    """

    latency = 6  # cycles from the last word's issue to done
    release = 5
    drain = 5
    refill = 2

    def __init__(self, params: SystolicParams):
        self.params = p = params
        lanes = p.window_lanes

        def read(name, size, element_bits):
            return {f"{name}_en": Out(1), f"{name}_addr": Out(range(size * 8 // (lanes * element_bits))), f"{name}_grant": In(1),
                    f"{name}_data": In(lanes * element_bits)}

        act = read("act", p.activation_bytes, 8) | {"act_free": In(activation_banks(p))}
        del act["act_grant"]
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_instr": In(INSTRUCTION_BITS),
            **act, **read("wgt", p.weight_bytes, 8), **read("par", p.parameter_bytes, 32),
            **read("accr", p.accumulator_bytes, 32),
            "accw_en": Out(1), "accw_addr": Out(range(p.accumulator_bytes // (4 * lanes))), "accw_data": Out(32 * lanes),
            "accw_grant": In(1),
            "o_release": Out(1), "o_done": Out(1), "o_busy": Out(1), "o_stall_bank": Out(1),
        })

    @classmethod
    def mnemonic(cls, params: SystolicParams):
        """This engine's part of the covenant."""
        return window(params, latency=cls.latency, release=cls.release, drain=cls.drain, refill=cls.refill)

    def elaborate(self, platform):
        m = Module()
        p = self.params
        lanes, taps = p.window_lanes, p.window_taps
        f = data.View(layout(self.mnemonic(p)), self.i_instr)
        take = Signal()
        swap = Signal()
        issue = Signal()

        weights = emit.instance(m, "weights", WindowWeights(p))
        m.d.comb += [
            weights.offered.eq(self.i_valid & ~self.i_ready), weights.i_instr.eq(self.i_instr), weights.swap.eq(swap),
            self.wgt_en.eq(weights.wgt_en), self.wgt_addr.eq(weights.wgt_addr), weights.wgt_grant.eq(self.wgt_grant),
            weights.wgt_data.eq(self.wgt_data), weights.z_data.eq(self.par_data),
            take.eq(swap & weights.first),
        ]

        def kept(value, name):
            """A register with what the instruction says from its first pass on."""
            held = Signal.like(value, name=name, reset_less=True)
            with m.If(take):
                m.d.sync += held.eq(value)
            return held

        # Windows `hop` columns apart share columns if that is less than they have; then each column is one step of
        # level x. Else level t walks the columns of one window. An instruction's first weights take longer than this register.
        shared = Signal(reset_less=True)
        period = Signal(range(max(taps, 2)), reset_less=True)
        hops = Signal(16, reset_less=True)
        column_step = Signal(len(self.act_addr), reset_less=True)
        m.d.sync += [shared.eq(0), period.eq(f.n_t), hops.eq(f.n_x), column_step.eq(f.a_x)]
        for hop in reversed(range(1, taps)):
            with m.If((f.a_x == hop * f.a_t) & (f.n_t >= hop)):
                m.d.sync += [shared.eq(1), period.eq(hop - 1), hops.eq(hop * f.n_x + f.n_t), column_step.eq(f.a_t)]
        period, columns = kept(period, "period"), kept(f.n_t, "columns")

        m.submodules.words = words = AddressNest((*_OUTER, "t", "k1"), {"a": (*_OUTER, "t", "k1")}, widths={"a": len(self.act_addr)},
                                               indices={"k1": (WINDOW_ROWS - 1).bit_length()})
        m.submodules.sums = sums = AddressNest(_OUTER, {"d": ("n", "o1", "o0", "x"), "b": ("n",)},
                                             widths={"d": len(self.accw_addr), "b": len(self.par_addr)})
        for nest in (words, sums):
            m.d.comb += [nest.load.eq(take), *(getattr(nest, f"count_{level}").eq(f[f"n_{level}"]) for level in _OUTER)]
        m.d.comb += [
            words.base_a.eq(f.a), words.count_x.eq(hops), words.count_t.eq(Mux(shared, 0, f.n_t)), words.count_k1.eq(f.n_k1),
            *(getattr(words, f"stride_a_{level}").eq(f[f"a_{level}"]) for level in (*_OUTER, "t", "k1") if level != "x"),
            words.stride_a_x.eq(column_step), sums.base_d.eq(f.d), sums.base_b.eq(f.b), sums.stride_b_n.eq(f.b_n),
            *(getattr(sums, f"stride_d_{level}").eq(f[f"d_{level}"]) for level in ("n", "o1", "o0", "x")),
        ]

        # A row: windows begin every `period` + 1 columns until all have, and end as often, `columns` later.
        column_ends = Signal()
        row_ends = Signal()
        pass_ends = Signal()
        ends = Signal()
        to_begin = Signal.like(period, name="to_begin")
        to_end = Signal.like(columns, name="to_end")
        all_begun = Signal()
        begins = Signal()
        completes = Signal()
        m.d.comb += [
            column_ends.eq(words.last_k1), row_ends.eq(column_ends & words.last_t & words.last_x),
            pass_ends.eq(row_ends & words.last_o0 & words.last_o1), ends.eq(words.last),
            begins.eq(words.first_k1 & (to_begin == 0) & ~all_begun), completes.eq(column_ends & (to_end == 0)),
            words.step.eq(issue & ~ends), sums.step.eq(issue & begins & ~sums.last),
        ]
        with m.If(take):
            m.d.sync += [to_begin.eq(0), to_end.eq(f.n_t), all_begun.eq(0)]
        with m.Elif(issue):
            with m.If(begins & sums.last_x):
                m.d.sync += all_begun.eq(1)
            with m.If(row_ends):
                m.d.sync += [to_begin.eq(0), to_end.eq(columns), all_begun.eq(0)]
            with m.Elif(column_ends):
                m.d.sync += [to_begin.eq(Mux(to_begin == 0, period, to_begin - 1)),
                             to_end.eq(Mux(to_end == 0, period, to_end - 1))]

        # Passes. The former one's words may still need their weights: as many as there are, beside this one's own, that were
        # issued and have not met them. Without a stall that takes ``refill`` cycles, and never less: how long a pass takes for its
        # weights shall not depend on the one before.
        streaming = Signal()
        unissued = Signal()  # the pass's first word is to be issued
        moves = Signal()  # a word meets its weights
        waiting = Signal(range(_AHEAD + 1))  # words that have not
        own = Signal(range(_AHEAD + 1))  # words of this pass that were issued, at most as many as can wait
        begun = Signal(self.refill - 1)
        half = Signal()
        idle_half = Signal(init=1)
        m.d.comb += [swap.eq(weights.full & (~streaming | (issue & pass_ends))), weights.idle_half.eq(idle_half)]
        # ``waiting <= own`` in the next cycle: a word that is issued counts in both, and no more can wait than ``own`` counts up to.
        m.d.sync += [unissued.eq(swap | (unissued & ~issue)), waiting.eq(waiting + issue - moves), begun.eq(Cat(swap, begun)),
                     idle_half.eq(~swap & ~begun.any() & Mux(moves, waiting <= own + 1, waiting <= own))]
        with m.If(swap):
            m.d.sync += [streaming.eq(1), half.eq(~half), own.eq(0)]
        with m.Elif(issue):
            m.d.sync += [streaming.eq(~pass_ends), own.eq(own + (own != _AHEAD))]

        # What goes along with a word.
        word = data.StructLayout({
            "first": 1, "begins": 1, "start": 2, "bias": len(self.par_addr), "sum": len(self.accw_addr), "completes": 1,
            "ends": 1, "columns": len(columns), "largest": 1, "weighted": 1, "row": range(WINDOW_ROWS), "half": 1,
            "signed": 1, "zero": f.za.shape(), "address": len(self.act_addr),
        })
        issued = Signal(word)
        read = Signal(word, reset_less=True)
        offset = Signal(word, reset_less=True)
        added = Signal(word, reset_less=True)
        kind, init = kept(f.kind, "kind"), kept(f.init, "init")
        m.d.comb += [
            issued.first.eq(words.first_k1), issued.begins.eq(begins), issued.start.eq(Mux(words.first_k0, init, _KEEP)),
            issued.bias.eq(sums.address_b), issued.sum.eq(sums.address_d), issued.completes.eq(completes), issued.ends.eq(ends),
            issued.columns.eq(columns), issued.largest.eq(kind == 2), issued.weighted.eq(kind <= 1), issued.row.eq(words.index_k1),
            issued.half.eq(~half), issued.signed.eq(kept(f.act_signed, "act_signed")), issued.zero.eq(kept(f.za, "za")),
            issued.address.eq(words.address_a),
        ]

        # Stage 1: the word is there in the cycle after its grant, and only then. Else it is read again. Words come through a
        # register slice: whoever is not granted behind it is no part of the way from one address to the next.
        here = Signal()
        again = Signal()
        goes_in = Signal()
        granted = Signal()
        fresh = Signal()
        settled = Signal()
        waits = Signal()  # the pass continues sums that are not written yet
        m.submodules.words_ahead = ahead = Skid(word.size)
        queued = data.View(word, ahead.o)
        m.d.comb += [
            waits.eq(unissued & (issued.start == _KEEP) & ~settled), issue.eq(streaming & ~waits & ahead.i_ready),
            ahead.i_valid.eq(streaming & ~waits), ahead.i.eq(issued), ahead.o_ready.eq(goes_in),
            again.eq(here & ~moves), goes_in.eq(ahead.o_valid & ~again & self._free(queued.address)),
            self.act_en.eq(ahead.o_valid | again), self.act_addr.eq(Mux(again, read.address, queued.address)),
            granted.eq(goes_in | (again & self._free(read.address))),
        ]
        m.d.sync += [here.eq(goes_in | again), fresh.eq(granted)]
        with m.If(goes_in):
            m.d.sync += read.eq(queued)
        x = Signal(data.ArrayLayout(OPERAND_BITS, lanes), reset_less=True)
        with m.If(moves):
            m.d.sync += offset.eq(read)
            for c in range(lanes):
                byte = self.act_data.word_select(c, 8)
                m.d.sync += x[c].eq(Cat(byte, byte[7] & read.signed).as_signed() - read.zero.as_signed())

        # Stage 2: its products, and what a window begins with, which is there in the cycle after its grant, and only then.
        less_zero = Signal()
        multiplies = Signal()
        there = Signal()
        goes = Signal()
        startable = Signal()  # it is there, or the word has no need of it
        m.d.comb += [moves.eq(here & fresh & (~less_zero | multiplies)),
                     multiplies.eq(less_zero & (~there | goes) & startable),
                     weights.read.eq(moves), weights.half.eq(read.half), weights.row.eq(read.row),
                     weights.weighted.eq(read.weighted), weights.largest.eq(read.largest)]
        m.d.sync += less_zero.eq(moves | (less_zero & ~multiplies))
        begins_in = Signal(taps, reset_less=True)
        goes_on = Signal(reset_less=True)
        empty = Signal(reset_less=True)
        with m.If(multiplies):  # decoded before they go to every bit of every lane
            m.d.sync += [
                added.eq(offset), goes_on.eq(~offset.first), empty.eq(offset.start == 0),
                begins_in.eq(Cat(offset.first & (offset.columns == taps - 1 - tap) for tap in range(taps))),
            ]

        asks = Signal()
        next_word = Signal(word)
        m.d.comb += [
            next_word.eq(Mux(moves, read, offset)), asks.eq((moves | (less_zero & ~multiplies)) & next_word.begins),
            self.accr_en.eq(asks & (next_word.start == _KEEP)), self.accr_addr.eq(next_word.sum),
            weights.z_grant.eq(self.par_grant & ~(asks & (next_word.start == _BIAS))),
            self.par_en.eq(weights.z_en | (asks & (next_word.start == _BIAS))),
            self.par_addr.eq(Mux(asks & (next_word.start == _BIAS), next_word.bias, weights.z_addr)),
        ]
        m.d.sync += startable.eq((self.accr_en & self.accr_grant) | (asks & (next_word.start == _BIAS) & self.par_grant)
                                 | ~(next_word.begins & (next_word.start != 0)))

        # Stage 3: sums.
        complete = Signal()
        m.d.comb += goes.eq(there & ~(complete & ~self.accw_grant))
        m.d.sync += [
            settled.eq(~issue & ~ahead.o_valid & ~here & ~less_zero & ~there & ~(complete & ~self.accw_grant)),
            there.eq(multiplies | (there & ~goes)),
        ]
        for c in range(lanes):
            lane = emit.instance(m, f"lane_{c}", WindowLane(taps))
            m.d.comb += [
                lane.multiply.eq(multiplies), lane.x.eq(x[c]), lane.from_sum.eq(offset.start == _KEEP),
                lane.from_bias.eq(offset.start == _BIAS), lane.sum.eq(self.accr_data.word_select(c, 32)),
                lane.bias.eq(self.par_data.word_select(c, 32)),
                lane.w.eq(Cat(weights.w.word_select(tap * lanes + c, OPERAND_BITS) for tap in range(taps))),
                lane.enable.eq(goes), lane.begins.eq(begins_in), lane.goes_on.eq(goes_on), lane.empty.eq(empty),
                lane.maximum.eq(added.largest), self.accw_data.word_select(c, 32).eq(lane.o),
            ]

        # Stage 4: the last sum of each lane is what is written. Addresses move up as the sums do.
        where = added.sum
        for tap in range(taps):
            address = Signal.like(where, name=f"address{tap}", reset_less=True)
            with m.If(goes & ~goes_on):
                m.d.sync += address.eq(Mux(begins_in[tap], added.sum, where))
            where = address
        last = Signal(reset_less=True)
        with m.If(goes):
            m.d.sync += last.eq(added.ends)
        m.d.comb += [self.accw_en.eq(complete), self.accw_addr.eq(where)]
        m.d.sync += [
            complete.eq((goes & added.completes) | (complete & ~self.accw_grant)),
            self.o_release.eq(goes & added.ends), self.o_done.eq(complete & self.accw_grant & last),
        ]

        in_flight = Signal(range(8))
        # The queue hears of it a cycle later: whether a pass begins is found out late in a cycle.
        m.d.sync += [in_flight.eq(in_flight + take - self.o_done), self.i_ready.eq(take)]
        m.d.comb += self.o_busy.eq(weights.first | (in_flight != 0))
        m.d.sync += self.o_stall_bank.eq((self.act_en & ~granted) | (self.accr_en & ~self.accr_grant) | (complete & ~self.accw_grant)
                                         | (self.par_en & ~self.par_grant) | (self.wgt_en & ~self.wgt_grant))
        return m

    def _free(self, address):
        """Whether the activations' bank of ``address`` is: from the memory, for any address at once, as the address that is asked
        for is known late."""
        if len(self.act_free) == 1:
            return self.act_free
        top = len(self.act_addr)
        return self.act_free.bit_select(address[top - (len(self.act_free) - 1).bit_length():top], 1)
