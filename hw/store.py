"""STORE: moves nests of byte runs from the vector buffer to DRAM."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi
from tenon.hw.bursts import Bursts
from tenon.hw.bus_guard import BusGuard
from tenon.hw.decode import layout
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.fifo import Fifo
from tenon.hw.load import ADDRESS_BITS
from tenon.hw.mnemonics import store
from tenon.hw.params import SystolicParams
from tenon.hw.realign import Planner, Realigner, words_bits
from tenon.hw.runs import run_nest, walk

__all__ = ["StoreEngine"]

_PLANS = 64  # runs between their requests and their data: more than bursts of one beat can be in flight
_SPARES = 3  # words read ahead: one on its way, one that arrives, one in use


class StoreEngine(wiring.Component):
    """Executes STORE instructions: one run requested, one word read and one beat written per cycle.

    Requests run ahead of the data; a beat is offered in the cycle of its burst's request at the earliest.
    Everything is in order. The first request is made ``request_cycles`` after the instruction is offered, the first beat
    ``beat_cycles`` after its first run is; the instruction is done ``finish_cycles`` after its last response.

    Members
    -------
    i_valid, i_ready, i_instr : In(1), Out(1), In(1024)
        Taken with the instruction's last run, while earlier runs may be in flight; holds still till then.
    base : In(address_bits) x SEGMENTS
        DRAM addresses of the segments; constant while busy.
    aw_*, w_*, b_* :
        AXI4 write channels.
    r_en, r_grant, r_addr, r_data : Out(1), In(1), Out(20), In
        Reads of aligned words of ``bus_bytes`` bytes; byte address; data in the cycle after the grant.
    o_release, o_done : Out(1)
        Pulses per instruction: the last word is read; the last write is confirmed.
    o_busy, o_stall_bank, o_stall_bus, o_error : Out(1)
        Something is in flight; no grant; the bus takes no request or beat, or owes responses before anything else can
        go on; pulse: a write was answered with an error.
    """

    request_cycles = 6
    beat_cycles = 8
    finish_cycles = 1

    def __init__(self, params: SystolicParams):
        self.params = params
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_instr": In(INSTRUCTION_BITS),
            "base": In(data.ArrayLayout(params.address_bits, axi.SEGMENTS)),
            **axi.request("aw", params.address_bits), **axi.write_data(params.bus_bits), **axi.write_response(),
            "r_en": Out(1), "r_grant": In(1), "r_addr": Out(ADDRESS_BITS), "r_data": In(params.bus_bits),
            "o_release": Out(1), "o_done": Out(1), "o_busy": Out(1), "o_stall_bank": Out(1), "o_stall_bus": Out(1),
            "o_error": Out(1),
        })

    @staticmethod
    def mnemonic(params: SystolicParams):
        """This engine's part of the covenant."""
        beat = max(StoreEngine.request_cycles + BusGuard.request_cycles + BusGuard.data_cycles,
                   StoreEngine.beat_cycles + BusGuard.beat_cycles)
        return store(params, latency=beat + BusGuard.answer_cycles + StoreEngine.finish_cycles)

    def elaborate(self, platform):
        m = Module()
        width, address_bits = self.params.bus_bytes, self.params.address_bits
        f = data.View(layout(self.mnemonic(self.params)), self.i_instr)

        # Coordinates of the next run.
        m.submodules.runs = runs = run_nest(m, f, s=ADDRESS_BITS, d=address_bits)
        advance = Signal()  # every run moves on by one register
        walking = walk(m, runs, valid=self.i_valid, ready=self.i_ready, advance=advance)
        valid = Signal(2)  # a run in each of two registers
        run = Signal(data.StructLayout({"src": ADDRESS_BITS, "dst": address_bits, "seg": axi.SEGMENT_BITS, "n": 16, "final": 1}),
                     reset_less=True)
        segment = Signal(axi.SEGMENT_BITS, reset_less=True)
        with m.If(advance):
            m.d.sync += [valid.eq(Cat(walking, valid)), run.src.eq(runs.address_s), run.dst.eq(self.base[f.seg] + runs.address_d),
                         run.seg.eq(f.seg), run.n.eq(f.n), run.final.eq(runs.last), segment.eq(run.seg)]

        # Planned, it goes to the requests, to the reader and, as a plan, to the writer. The latter two have queues, so that
        # requests can run ahead by a memory's latency.
        m.submodules.planner = planner = Planner(bus_bytes=width, src_bits=ADDRESS_BITS, dst_bits=address_bits)
        m.d.comb += [
            planner.enable.eq(advance), planner.src.eq(run.src), planner.dst.eq(run.dst), planner.n.eq(run.n), planner.lo.eq(0),
            planner.hi.eq(run.n), planner.sourced.eq(1), planner.last_run.eq(run.final),
        ]
        words = data.StructLayout({"word": ADDRESS_BITS - (width.bit_length() - 1), "count": words_bits(width),
                                   "final": 1})
        m.submodules.bursts = bursts = Bursts(self.params)
        m.submodules.plans = plans = Fifo(width=planner.plan.shape().size, depth=_PLANS)
        m.submodules.reads = reads = Fifo(width=words.size, depth=_PLANS)
        plan = planner.plan
        taken = Signal()
        m.d.comb += [
            taken.eq(valid[-1] & plans.i_ready & reads.i_ready & bursts.i_ready), advance.eq(~valid[-1] | taken),
            plans.i_valid.eq(taken), plans.i.eq(plan),
            reads.i_valid.eq(taken), reads.i.eq(Cat(planner.src_word, planner.src_count, plan.final)),
            bursts.i_valid.eq(taken), bursts.i_word.eq(plan.word), bursts.i_count.eq(plan.count),
            bursts.i_last.eq(plan.final), bursts.i_seg.eq(segment), self.aw_seg.eq(bursts.a_seg),
            self.aw_valid.eq(bursts.a_valid), bursts.a_ready.eq(self.aw_ready),
            self.aw_addr.eq(bursts.a_addr), self.aw_len.eq(bursts.a_len),
        ]

        # Reader: one word per cycle as long as there is room for all that were asked for. They wait in registers, in
        # order, the first one foremost.
        read = data.View(words, reads.o)
        word = Signal.like(read.word, reset_less=True)
        left = Signal.like(read.count, reset_less=True)
        final = Signal(reset_less=True)
        reading = Signal()
        asked = Signal()
        arrives = Signal()
        at_end = Signal()
        spare = [Signal(self.params.bus_bits, name=f"spare{i}", reset_less=True) for i in range(_SPARES)]
        spares = Signal(range(_SPARES + 1))
        used = Signal()
        m.d.comb += [
            self.r_en.eq(reading & (spares + arrives < _SPARES)), self.r_addr.eq(word * width),
            asked.eq(self.r_en & self.r_grant), at_end.eq(left == 0), reads.o_ready.eq(~reading | (asked & at_end)),
        ]
        m.d.sync += [arrives.eq(asked), self.o_release.eq(asked & at_end & final), spares.eq(spares + arrives - used)]
        with m.If(reads.o_ready):
            m.d.sync += [reading.eq(reads.o_valid), word.eq(read.word), left.eq(read.count), final.eq(read.final)]
        with m.Elif(asked):
            m.d.sync += [word.eq(word + 1), left.eq(left - 1)]
        for i, register in enumerate(spare):
            with m.If(arrives & (spares == i + used)):
                m.d.sync += register.eq(self.r_data)
            with m.Elif(used & (i < _SPARES - 1)):
                m.d.sync += register.eq(spare[min(i + 1, _SPARES - 1)])

        # Data meets plan. A burst's beats may be offered once its request has been.
        offered = Signal(range(self.params.max_outstanding + 1))  # bursts whose requests are ahead of their last beat
        m.submodules.realign = realign = Realigner(bus_bytes=width, dst_bits=address_bits)
        m.d.comb += [
            realign.i_valid.eq(plans.o_valid), plans.o_ready.eq(realign.i_ready), realign.i.eq(plans.o),
            realign.s_valid.eq(spares != 0), used.eq(realign.s_valid & realign.s_ready), realign.s_data.eq(spare[0]),
            self.w_valid.eq(realign.o_valid & (offered != 0)), realign.o_ready.eq(self.w_ready & (offered != 0)),
            self.w_data.eq(realign.o_data), self.w_strb.eq(realign.o_mask),
            self.w_last.eq(realign.o_last | bursts.ends_burst(realign.o_word)),
        ]
        m.d.sync += offered.eq(offered + bursts.issue - (self.w_valid & self.w_ready & self.w_last))

        # Responses come in order: one bit per burst in flight tells which of them ends an instruction.
        depth = self.params.max_outstanding
        ends = Signal(depth, reset_less=True)
        issued = Signal(range(depth))
        answered = Signal(range(depth))
        m.d.comb += [self.b_ready.eq(1), bursts.retire.eq(self.b_valid)]
        with m.If(bursts.issue):
            m.d.sync += [ends.bit_select(issued, 1).eq(bursts.issue_last), issued.eq(issued + 1)]
        with m.If(self.b_valid):
            m.d.sync += answered.eq(answered + 1)
        m.d.sync += [self.o_done.eq(self.b_valid & ends.bit_select(answered, 1)),
                     self.o_error.eq(self.b_valid & (self.b_resp != axi.OKAY))]

        blocked = (self.aw_valid & ~self.aw_ready) | (realign.o_valid & ~realign.o_ready)
        m.d.comb += [
            self.o_busy.eq(self.i_valid | valid.any() | plans.busy | reads.busy | reading | arrives | ~bursts.idle | self.o_release
                           | self.o_done | self.o_error),
            self.o_stall_bank.eq(self.r_en & ~self.r_grant),
            self.o_stall_bus.eq(~self.o_stall_bank & (blocked | ~(reading | arrives | realign.busy))
                                & ~bursts.idle),
        ]
        return m
