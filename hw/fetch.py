"""Instruction fetch: reads the program ahead into a small buffer."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.memory import Memory
from tenon.hw.params import SystolicParams

__all__ = ["FETCH_AHEAD", "Fetch", "fetch_beats", "fetch_bursts"]

FETCH_AHEAD = 4  # instructions requested before they are needed


def fetch_beats(params: SystolicParams) -> int:
    """Beats of one burst: an instruction, or as much of it as a burst may have."""
    return min(INSTRUCTION_BITS // params.bus_bits, params.burst_beats)


def fetch_bursts(params: SystolicParams) -> int:
    """Bursts in flight at most."""
    return FETCH_AHEAD * INSTRUCTION_BITS // params.bus_bits // fetch_beats(params)


class Fetch(wiring.Component):
    """Fetches ``length`` instructions from ``base`` and offers them in order.

    A burst is requested only when the buffer has room for it, so read data is never refused: the
    channel that fetch shares with LOAD cannot be blocked by it. A reset goes before every start.

    Parameters
    ----------
    bits : int
        An instruction's lower bits, which are asked for. Beats above them are not kept.

    Members
    -------
    start, base, length : In(1), In(address_bits), In(32)
        A pulse; address of the first instruction (a multiple of 128), number of instructions.
    stop : In(1)
        Requests nothing more.
    ar_valid, ar_addr, ar_ready : Out(1), Out(address_bits), In(1)
        One request is one instruction of 128 bytes, or ``fetch_beats`` of it.
    r_valid, r_data, r_error : In(1), In(bus_bits), In(1)
        Data beats in order; always accepted.
    o_valid, o_instr, o_ready : Out(1), Out(1024), In(1)
        The next instruction; 0 above what is kept.
    o_error : Out(1)
        A pulse: the bus answered a beat with an error.
    exhausted : Out(1)
        Every instruction of the program was taken.
    quiet : Out(1)
        No request is pending or in flight.
    """

    def __init__(self, params: SystolicParams, bits: int = INSTRUCTION_BITS):
        self.params, self.bits = params, bits
        super().__init__({
            "start": In(1), "base": In(params.address_bits), "length": In(32), "stop": In(1),
            "ar_valid": Out(1), "ar_addr": Out(params.address_bits), "ar_ready": In(1),
            "r_valid": In(1), "r_data": In(params.bus_bits), "r_error": In(1),
            "o_valid": Out(1), "o_instr": Out(INSTRUCTION_BITS), "o_ready": In(1),
            "o_error": Out(1), "exhausted": Out(1), "quiet": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        beats = INSTRUCTION_BITS // self.params.bus_bits
        kept = -(-self.bits // self.params.bus_bits)  # beats
        buffer = emit.instance(m, "buffer", Memory(width=kept * self.params.bus_bits, depth=FETCH_AHEAD, lane_bits=self.params.bus_bits))
        to_request = Signal(32)
        to_take = Signal(32)
        room = Signal(range(FETCH_AHEAD + 1), init=FETCH_AHEAD)  # entries neither requested nor held
        burst = fetch_beats(self.params)
        bursts = beats // burst  # of an instruction
        in_flight = Signal(range(fetch_bursts(self.params) + 1))
        full = Signal(range(FETCH_AHEAD + 1))
        asked = Signal()  # a burst, the last of an instruction; its end
        requested = Signal()
        answered = Signal()
        received = Signal()
        taken = Signal()
        piece = Signal(range(max(bursts, 2)))
        stopped = Signal(init=1)

        with m.If((room != 0) & (to_request != 0) & ~stopped & ~self.ar_valid):
            m.d.sync += self.ar_valid.eq(1)
        with m.If(asked):
            m.d.sync += [self.ar_valid.eq(0), self.ar_addr.eq(self.ar_addr + INSTRUCTION_BITS // 8 // bursts),
                         piece.eq(Mux(requested, 0, piece + 1)), to_request.eq(to_request - requested)]
        m.d.comb += [asked.eq(self.ar_valid & self.ar_ready), requested.eq(asked & (piece == bursts - 1))]

        entry = Signal(range(FETCH_AHEAD))
        beat = Signal(range(beats))
        m.d.comb += [
            received.eq(self.r_valid & (beat == beats - 1)),
            answered.eq(self.r_valid & ((beat & (burst - 1)) == burst - 1)),
            buffer.w_en.eq(Mux(self.r_valid, 1 << beat, 0)), buffer.w_addr.eq(entry),
            buffer.w_data.eq(self.r_data.replicate(kept)),
            self.o_error.eq(self.r_valid & self.r_error),
        ]
        with m.If(self.r_valid):
            m.d.sync += beat.eq(Mux(received, 0, beat + 1))
        with m.If(received):
            m.d.sync += entry.eq(entry + 1)

        # The memory's output register is the instruction on offer.
        out = Signal(range(FETCH_AHEAD))
        refill = Signal()
        m.d.comb += [
            taken.eq(self.o_valid & self.o_ready), refill.eq((full != 0) & (~self.o_valid | taken)),
            buffer.r_en.eq(refill), buffer.r_addr.eq(out), self.o_instr.eq(buffer.r_data),
            self.exhausted.eq((to_take == 0) & ~stopped),
            self.quiet.eq(~self.ar_valid & (in_flight == 0)),
        ]
        with m.If(refill):
            m.d.sync += [self.o_valid.eq(1), out.eq(out + 1)]
        with m.Elif(taken):
            m.d.sync += self.o_valid.eq(0)
        with m.If(taken):
            m.d.sync += to_take.eq(to_take - 1)
        m.d.sync += [
            room.eq(room - requested + refill), in_flight.eq(in_flight + asked - answered),
            full.eq(full + received - refill),
        ]

        with m.If(self.stop):
            m.d.sync += stopped.eq(1)
        with m.If(self.start):
            m.d.sync += [
                self.ar_addr.eq(self.base & ~127), to_request.eq(self.length), to_take.eq(self.length), stopped.eq(0),
            ]
        return m
