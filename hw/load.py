"""LOAD: moves nests of byte runs from DRAM into the on-chip memories, filling what lies outside the tensor."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.acg.mnemonic import INSTRUCTION_BITS
from tenon.hw import axi
from tenon.hw.bursts import Bursts
from tenon.hw.bus_guard import BusGuard
from tenon.hw.decode import layout
from tenon.hw.fifo import Fifo
from tenon.hw.mnemonics import load
from tenon.hw.params import SystolicParams
from tenon.hw.realign import Planner, Realigner, plan_layout
from tenon.hw.runs import LEVELS, Runs

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
    o_release, o_done : Out(1)
        Pulses per instruction, in the same cycle: all is written.
    o_busy, o_stall_bank, o_stall_bus, o_error : Out(1)
        Something is in flight; no grant; waits for requests or data; pulse: a beat came with an error.
    """

    request_cycles = 3
    finish_cycles = 2

    def __init__(self, params: SystolicParams):
        self.params = params
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_instr": In(INSTRUCTION_BITS),
            "base": In(data.ArrayLayout(params.address_bits, axi.SEGMENTS)),
            **axi.request("ar", params.address_bits), **axi.read_data(params.bus_bits),
            "w_en": Out(1), "w_grant": In(1), "w_mem": Out(3), "w_addr": Out(ADDRESS_BITS),
            "w_data": Out(params.bus_bits), "w_mask": Out(params.bus_bytes),
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
        m.submodules.runs = runs = Runs(s=address_bits, d=ADDRESS_BITS, y=_Y_BITS, x=_X_BITS)
        for name in runs.widths:
            m.d.comb += getattr(runs, f"{name}_base").eq(f[name])
            m.d.comb += [getattr(runs, f"{name}_stride")[l].eq(f[f"{name}_l{l}"]) for l in range(LEVELS)]
        m.d.comb += [runs.count[l].eq(f[f"n_l{l}"]) for l in range(LEVELS)]

        # Its bytes inside the guard, lo..hi: x + b in 0..x_lim - 1, or x alone for all bytes alike.
        x, y = runs.x.as_signed(), runs.y.as_signed()
        room = Signal(signed(_X_BITS + 1))  # x_lim - 1 - x; negative beyond the limit
        lo = Signal(16)
        hi = Signal(16)
        sourced = Signal()
        m.d.comb += [
            room.eq(f.x_lim - 1 - x),
            lo.eq(Mux(f.x_run & (x < 0), -x, 0)), hi.eq(Mux(f.x_run & (room < f.n), room, f.n)),
            sourced.eq((y >= 0) & (y < f.y_lim) & (room >= 0) & (f.x_lim != 0)
                    & Mux(f.x_run, (x + f.n >= 0), (x >= 0))),
        ]

        # One run, planned while it is held.
        held = Signal()
        step = Signal()
        taken = Signal()
        m.submodules.planner = planner = Planner(bus_bytes=width, src_bits=address_bits, dst_bits=ADDRESS_BITS, tag_bits=3)
        run = Signal(data.StructLayout({"src": address_bits, "seg": axi.SEGMENT_BITS, "dst": ADDRESS_BITS, "n": 16, "lo": 16,
                                        "hi": 16, "sourced": 1, "fill": 8, "last_run": 1, "tag": 3}), reset_less=True)
        m.d.comb += [step.eq(self.i_valid & (~held | taken)), runs.step.eq(step), self.i_ready.eq(step & runs.last)]
        m.d.comb += [getattr(planner, name).eq(run[name]) for name in run.shape().members if name != "seg"]
        with m.If(step):
            m.d.sync += [
                held.eq(1), run.src.eq(self.base[f.seg] + runs.s), run.seg.eq(f.seg), run.dst.eq(runs.d), run.n.eq(f.n), run.lo.eq(lo),
                run.hi.eq(hi), run.sourced.eq(sourced), run.fill.eq(f.fill), run.last_run.eq(runs.last), run.tag.eq(f.mem),
            ]
        with m.Elif(taken):
            m.d.sync += held.eq(0)

        # It goes to the requests and, as a plan, to the writer.
        m.submodules.bursts = bursts = Bursts(self.params)
        m.submodules.plans = plans = Fifo(width=plan_layout(width, ADDRESS_BITS, 3).size, depth=_PLANS)
        m.d.comb += [
            taken.eq(held & plans.i_ready & (bursts.i_ready | ~run.sourced)),
            plans.i_valid.eq(taken), plans.i.eq(planner.plan),
            bursts.i_valid.eq(taken & run.sourced), bursts.i_word.eq(planner.src_word), bursts.i_count.eq(planner.src_count),
            bursts.i_seg.eq(run.seg), self.ar_seg.eq(bursts.a_seg),
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
        ]
        m.d.comb += self.o_release.eq(self.o_done)
        m.d.sync += [
            self.o_done.eq(self.w_en & self.w_grant & realign.o_final),
            self.o_error.eq(self.r_valid & self.r_ready & (self.r_resp != axi.OKAY)),
        ]

        m.d.comb += [
            self.o_busy.eq(self.i_valid | held | plans.busy | self.w_en | self.o_done | self.o_error),
            self.o_stall_bank.eq(self.w_en & ~self.w_grant),
            self.o_stall_bus.eq(~self.o_stall_bank & (realign.starved | (self.ar_valid & ~self.ar_ready))),
        ]
        return m
