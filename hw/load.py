"""LOAD: moves nests of byte runs from DRAM into the on-chip memories, filling what lies outside the tensor."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi
from tenon.hw.bursts import Bursts
from tenon.hw.bus_guard import BusGuard
from tenon.hw.decode import layout
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.fifo import Fifo
from tenon.hw.mnemonics import load
from tenon.hw.params import SystolicParams
from tenon.hw.realign import Planner, Realigner
from tenon.hw.runs import run_nest, walk

__all__ = ["ADDRESS_BITS", "LoadEngine"]

ADDRESS_BITS = 20  # byte addresses of on-chip memories

# Sums of a 16-bit (24-bit) base and four strides of as many bits, each taken up to 65535 times, are exact in these.
_Y_BITS, _X_BITS = 35, 43

_PLANS = 64  # runs between their requests and their data: more than bursts of one beat can be in flight


class LoadEngine(wiring.Component):
    """Executes LOAD instructions: one run requested and one word of ``bus_bytes`` bytes written per cycle.

    A run's bytes inside the guard are requested as bursts; the writer meets their data with the run's plan and adds
    the fill. Everything is in order. The first request is made ``request_cycles`` after the instruction is offered,
    the instruction is done ``finish_cycles`` after its last beat.

    Members
    -------
    i_valid, i_ready, i_instr : In(1), Out(1), In(1024)
        Taken with the instruction's last run, while data of earlier runs may be in flight; holds still till then.
    base : In(address_bits) x SEGMENTS
        DRAM addresses of the segments; constant while busy.
    ar_*, r_* :
        AXI4 read channels.
    w_en, w_grant, w_mem, w_addr, w_data, w_mask : Out(1), In(1), Out(3), Out(20), Out, Out
        Writes of aligned words: memory as in field ``mem``, byte address, a bit per byte to be written.
    next_mem, next_addr : Out(3), Out(20)
        ``w_mem`` and ``w_addr`` of the next cycle.
    o_release, o_done : Out(1)
        Pulses per instruction, in the same cycle: all is written.
    o_busy, o_stall_bank, o_stall_bus, o_error : Out(1)
        Something is in flight; no grant; waits for requests or data; pulse: a beat came with an error.
    """

    request_cycles = 7
    finish_cycles = 2

    def __init__(self, params: SystolicParams):
        self.params = params
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_instr": In(INSTRUCTION_BITS),
            "base": In(data.ArrayLayout(params.address_bits, axi.SEGMENTS)),
            **axi.request("ar", params.address_bits), **axi.read_data(params.bus_bits),
            "w_en": Out(1), "w_grant": In(1), "w_mem": Out(3), "w_addr": Out(ADDRESS_BITS),
            "w_data": Out(params.bus_bits), "w_mask": Out(params.bus_bytes), "next_mem": Out(3), "next_addr": Out(ADDRESS_BITS),
            "o_release": Out(1), "o_done": Out(1), "o_busy": Out(1), "o_stall_bank": Out(1), "o_stall_bus": Out(1),
            "o_error": Out(1),
        })

    @staticmethod
    def mnemonic(params: SystolicParams):
        """This engine's part of the covenant."""
        return load(params, latency=LoadEngine.request_cycles + BusGuard.request_cycles + BusGuard.answer_cycles + LoadEngine.finish_cycles)

    def elaborate(self, platform):
        m = Module()
        width, address_bits = self.params.bus_bytes, self.params.address_bits
        f = data.View(layout(self.mnemonic(self.params)), self.i_instr)

        # Coordinates of the next run.
        m.submodules.runs = runs = run_nest(m, f, s=address_bits, d=ADDRESS_BITS, y=_Y_BITS, x=_X_BITS)
        advance = Signal()  # every run moves on by one register
        walking = walk(m, runs, valid=self.i_valid, ready=self.i_ready, advance=advance)
        valid = Signal(3)  # a run in each of three registers
        with m.If(advance):
            m.d.sync += valid.eq(Cat(walking, valid))

        # Where it lies, and how far inside the guard: x + b in 0..x_lim - 1, or x alone for all bytes alike.
        x, y = runs.address_x.as_signed(), runs.address_y.as_signed()
        passed_on = {"n": 16, "x_run": 1, "fill": 8, "mem": 3, "seg": axi.SEGMENT_BITS}
        placed = Signal(data.StructLayout({
            "src": address_bits, "dst": ADDRESS_BITS, "final": 1, **passed_on,
            "room": signed(_X_BITS + 1),  # x_lim - 1 - x; negative beyond the limit
            "before": 16, "begins_before": 1, "reaches": 1, "in_y": 1,
        }), reset_less=True)
        with m.If(advance):
            m.d.sync += [
                placed.src.eq(self.base[f.seg] + runs.address_s), placed.dst.eq(runs.address_d), placed.final.eq(runs.last),
                *(placed[name].eq(f[name]) for name in passed_on),
                placed.room.eq(f.x_lim - 1 - x), placed.before.eq(-x), placed.begins_before.eq(x < 0), placed.reaches.eq(x + f.n >= 0),
                placed.in_y.eq((y >= 0) & (y < f.y_lim) & (f.x_lim != 0)),
            ]

        # Its bytes inside the guard, lo..hi.
        run = Signal(data.StructLayout({"src": address_bits, "dst": ADDRESS_BITS, "n": 16, "lo": 16, "hi": 16, "sourced": 1,
                                        "fill": 8, "final": 1, "mem": 3, "seg": axi.SEGMENT_BITS}), reset_less=True)
        with m.If(advance):
            m.d.sync += [
                *(run[name].eq(placed[name]) for name in ("src", "dst", "n", "fill", "final", "mem", "seg")),
                run.lo.eq(Mux(placed.x_run & placed.begins_before, placed.before, 0)),
                run.hi.eq(Mux(placed.x_run & (placed.room < placed.n), placed.room, placed.n)),
                run.sourced.eq(placed.in_y & (placed.room >= 0) & Mux(placed.x_run, placed.reaches, ~placed.begins_before)),
            ]

        # Planned, it goes to the requests and, as a plan, to the writer.
        m.submodules.planner = planner = Planner(bus_bytes=width, src_bits=address_bits, dst_bits=ADDRESS_BITS, tag_bits=3)
        m.d.comb += [planner.enable.eq(advance), planner.tag.eq(run.mem), planner.last_run.eq(run.final),
                     *(getattr(planner, name).eq(run[name]) for name in ("src", "dst", "n", "lo", "hi", "sourced", "fill"))]
        segment = Signal(axi.SEGMENT_BITS, reset_less=True)
        with m.If(advance):
            m.d.sync += segment.eq(run.seg)
        m.submodules.bursts = bursts = Bursts(self.params)
        m.submodules.plans = plans = Fifo(width=planner.plan.shape().size, depth=_PLANS)
        plan = planner.plan
        taken = Signal()
        m.d.comb += [
            taken.eq(valid[-1] & plans.i_ready & (bursts.i_ready | ~plan.sourced)), advance.eq(~valid[-1] | taken),
            plans.i_valid.eq(taken), plans.i.eq(plan),
            bursts.i_valid.eq(taken & plan.sourced), bursts.i_word.eq(planner.src_word), bursts.i_count.eq(planner.src_count),
            bursts.i_seg.eq(segment), self.ar_seg.eq(bursts.a_seg),
            self.ar_valid.eq(bursts.a_valid), bursts.a_ready.eq(self.ar_ready),
            self.ar_addr.eq(bursts.a_addr), self.ar_len.eq(bursts.a_len),
            bursts.retire.eq(self.r_valid & self.r_ready & self.r_last),
        ]

        # Data meets plan.
        m.submodules.realign = realign = Realigner(bus_bytes=width, dst_bits=ADDRESS_BITS, tag_bits=3)
        m.d.comb += [
            realign.i_valid.eq(plans.o_valid), plans.o_ready.eq(realign.i_ready), realign.i.eq(plans.o),
            realign.s_valid.eq(self.r_valid), self.r_ready.eq(realign.s_ready), realign.s_data.eq(self.r_data),
            self.w_en.eq(realign.o_valid), realign.o_ready.eq(self.w_grant), self.w_mem.eq(realign.o_tag),
            self.w_addr.eq(realign.o_word * width), self.w_data.eq(realign.o_data), self.w_mask.eq(realign.o_mask),
            self.next_mem.eq(realign.next_tag), self.next_addr.eq(realign.next_word * width),
        ]
        m.d.comb += self.o_release.eq(self.o_done)
        m.d.sync += [
            self.o_done.eq(self.w_en & self.w_grant & realign.o_final),
            self.o_error.eq(self.r_valid & self.r_ready & (self.r_resp != axi.OKAY)),
        ]

        m.d.comb += [
            self.o_busy.eq(self.i_valid | valid.any() | plans.busy | realign.busy | self.o_done | self.o_error),
            self.o_stall_bank.eq(self.w_en & ~self.w_grant),
            self.o_stall_bus.eq(~self.o_stall_bank & (realign.starved | (self.ar_valid & ~self.ar_ready))),
        ]
        return m
