"""Cuts runs of bus words into AXI4 bursts and keeps count of those in flight."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi import PAGE_BYTES, SEGMENT_BITS
from tenon.hw.params import SystolicParams
from tenon.hw.realign import words_bits

__all__ = ["Bursts", "burst_limit"]


def burst_limit(params: SystolicParams) -> int:
    """Beats of the longest burst, a power of two: bursts end where an address is a multiple of as many beats."""
    return min(params.burst_beats, PAGE_BYTES // params.bus_bytes)


class Bursts(wiring.Component):
    """One request per cycle, also for runs of one beat; at most ``max_outstanding`` in flight.

    Bursts end at multiples of ``burst_limit`` beats, and so at 4 KiB boundaries too.

    Members
    -------
    i_valid, i_ready, i_word, i_count, i_last, i_seg : In(1), Out(1), In, In, In(1), In(2)
        A run: address in bus words, words - 1, whether it is the last of its instruction, its segment.
    a_valid, a_ready, a_addr, a_len, a_seg : Out(1), In(1), Out(address_bits), Out(8), Out(2)
        The address channel.
    issue, issue_last : Out(1)
        A burst is offered from the next cycle on; it is the last one of an instruction.
    retire : In(1)
        The oldest burst in flight is complete.
    idle : Out(1)
        No run is held, no burst is in flight.
    full : Out(1)
        A burst waits because too many are in flight.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_word": In(params.address_bits - _shift(params)),
            "i_count": In(words_bits(params.bus_bytes)), "i_last": In(1), "i_seg": In(SEGMENT_BITS),
            "a_valid": Out(1), "a_ready": In(1), "a_addr": Out(params.address_bits), "a_len": Out(8), "a_seg": Out(SEGMENT_BITS),
            "issue": Out(1), "issue_last": Out(1), "retire": In(1), "idle": Out(1), "full": Out(1),
        })

    def ends_burst(self, word: Signal):
        """Whether the beat at this address (in bus words) is the last of its burst, though not of its run."""
        return word[:burst_limit(self.params).bit_length() - 1].all()

    def elaborate(self, platform):
        m = Module()
        bits = burst_limit(self.params).bit_length() - 1
        busy = Signal()
        last = Signal(reset_less=True)
        segment = Signal(SEGMENT_BITS, reset_less=True)
        word = Signal.like(self.i_word, reset_less=True)
        left = Signal.like(self.i_count, reset_less=True)
        in_flight = Signal(range(self.params.max_outstanding + 1))

        to_boundary = Signal(bits)
        length = Signal(bits)
        final = Signal()
        room = Signal()
        free = Signal()
        m.d.comb += [
            to_boundary.eq(~word[:bits]), final.eq(left <= to_boundary), length.eq(Mux(final, left, to_boundary)),
            room.eq((in_flight != self.params.max_outstanding) | self.retire), free.eq(~self.a_valid | self.a_ready),
            self.issue.eq(busy & room & free), self.issue_last.eq(final & last),
            self.i_ready.eq(~busy | (self.issue & final)),
            self.idle.eq(~busy & (in_flight == 0)), self.full.eq(busy & ~room),
        ]
        m.d.sync += in_flight.eq(in_flight + self.issue - self.retire)

        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [busy.eq(1), word.eq(self.i_word), left.eq(self.i_count), last.eq(self.i_last), segment.eq(self.i_seg)]
        with m.Elif(self.issue):
            m.d.sync += [busy.eq(~final), word.eq(Cat(Const(0, bits), word[bits:] + 1)), left.eq(left - length - 1)]

        request_word = Signal.like(word)
        request_length = Signal(8, reset_less=True)
        m.d.comb += [self.a_addr.eq(request_word << _shift(self.params)), self.a_len.eq(request_length)]
        with m.If(self.issue):
            m.d.sync += [self.a_valid.eq(1), request_word.eq(word), request_length.eq(length), self.a_seg.eq(segment)]
        with m.Elif(self.a_ready):
            m.d.sync += self.a_valid.eq(0)
        return m


def _shift(params: SystolicParams) -> int:
    return params.bus_bytes.bit_length() - 1
