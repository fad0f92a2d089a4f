"""What the accelerator may touch of the device's memory: windows, which firmware opens for each execution."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tenon.hw.axi import SLVERR
from tenon.hw.storage.bus import flipped, read_bus, write_bus

__all__ = ["Window", "WindowGuard"]

_IN_FLIGHT = 64  # bursts of each direction


class Window(enum.IntEnum):
    """Windows, in the order of their registers."""

    CODE = 0
    CONSTANTS = 1
    INPUTS = 2
    ARENA = 3
    OUTPUTS = 4

    @property
    def writable(self) -> bool:
        return self in (Window.ARENA, Window.OUTPUTS)


class WindowGuard(wiring.Component):
    """Lets a burst pass if it lies in one window that it may touch. Any other is answered here with SLVERR, when all that came before it on
    its channel have been answered, and touches nothing.

    Windows are counted in bus words: of one that begins or ends within a word, that word is not inside.

    Members
    -------
    base, bytes : In(address_bits) x windows
        Windows; 0 bytes: closed. They do not change while a burst is under way.
    i_* :
        The accelerator's port.
    ar_*, r_*, aw_*, w_*, b_* :
        The device's memory.
    """

    def __init__(self, *, address_bits: int, bits: int):
        self.address_bits, self.bits = address_bits, bits
        bus = {**read_bus(address_bits, bits), **write_bus(address_bits, bits)}
        super().__init__({"base": In(address_bits).array(len(Window)), "bytes": In(address_bits).array(len(Window)),
                          **flipped(bus, "i_"), **bus})

    def elaborate(self, platform):
        m = Module()
        shift = (self.bits // 8 - 1).bit_length()
        word = self.address_bits - shift
        first, end = ([Signal(word + 1, name=f"{name}_{w.name.lower()}") for w in Window] for name in ("first", "end"))
        for w in Window:
            m.d.sync += [first[w].eq((self.base[w] + (1 << shift) - 1) >> shift), end[w].eq((self.base[w] + self.bytes[w]) >> shift)]

        def channel(name: str, windows: list[Window], retired):
            """An address channel: (a request that is refused waits, how many are in flight, it is taken). Requests wait in a register."""
            i_valid, i_ready, i_addr, i_len = (getattr(self, f"i_{name}_{part}") for part in ("valid", "ready", "addr", "len"))
            held, looked, inside = Signal(name=f"{name}_held"), Signal(name=f"{name}_looked"), Signal(name=f"{name}_inside")
            addr, length = Signal(self.address_bits, name=f"{name}_held_addr"), Signal(8, name=f"{name}_held_len")
            in_flight, refuse = Signal(range(_IN_FLIGHT + 1), name=f"{name}_in_flight"), Signal(name=f"{name}_refuse")
            begin, goes = Signal(word, name=f"{name}_begin"), Signal(name=f"{name}_goes")
            behind = Signal(range((1 << word) + 257), name=f"{name}_behind")
            valid = getattr(self, f"{name}_valid")
            m.d.comb += [
                i_ready.eq(~held), begin.eq(addr[shift:]), behind.eq(begin + length + 1),
                valid.eq(held & looked & inside & (in_flight != _IN_FLIGHT)), goes.eq(valid & getattr(self, f"{name}_ready")),
                getattr(self, f"{name}_addr").eq(addr), getattr(self, f"{name}_len").eq(length),
                refuse.eq(held & looked & ~inside & (in_flight == 0)),
            ]
            with m.If(i_valid & i_ready):
                m.d.sync += [held.eq(1), looked.eq(0), addr.eq(i_addr), length.eq(i_len)]
            with m.If(held & ~looked):
                allowed = [(begin >= first[w]) & (behind <= end[w]) for w in windows]
                m.d.sync += [looked.eq(1), inside.eq(Cat(allowed).any())]
            with m.If(goes):
                m.d.sync += held.eq(0)
            m.d.sync += in_flight.eq(in_flight + goes - retired)
            return refuse, held, length, goes

        # Reads: beats of zeros.
        r_done = Signal()
        refuse_r, held_r, length_r, _ = channel("ar", list(Window), r_done)
        beat = Signal(8)
        m.d.comb += [
            r_done.eq(self.r_valid & self.r_ready & self.r_last),
            self.i_r_valid.eq(self.r_valid | refuse_r), self.i_r_data.eq(Mux(refuse_r, 0, self.r_data)),
            self.i_r_resp.eq(Mux(refuse_r, SLVERR, self.r_resp)), self.i_r_last.eq(Mux(refuse_r, beat == length_r, self.r_last)),
            self.r_ready.eq(self.i_r_ready & ~refuse_r),
        ]
        with m.If(refuse_r & self.i_r_ready):
            m.d.sync += beat.eq(beat + 1)
            with m.If(beat == length_r):
                m.d.sync += [beat.eq(0), held_r.eq(0)]

        # Writes: data are taken and dropped, then comes the answer.
        b_done = Signal()
        refuse_w, held_w, _, goes = channel("aw", [w for w in Window if w.writable], b_done)
        owed = Signal(range(_IN_FLIGHT + 1))  # bursts that have passed and whose data have not
        passes, dropped, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            b_done.eq(self.b_valid & self.b_ready), passes.eq(owed != 0),
            self.w_valid.eq(self.i_w_valid & passes), self.i_w_ready.eq(Mux(passes, self.w_ready, refuse_w & ~dropped)),
            self.w_data.eq(self.i_w_data), self.w_strb.eq(self.i_w_strb), self.w_last.eq(self.i_w_last),
            ends.eq(self.i_w_valid & self.i_w_ready & self.i_w_last),
            self.i_b_valid.eq(self.b_valid | dropped), self.i_b_resp.eq(Mux(dropped, SLVERR, self.b_resp)),
            self.b_ready.eq(self.i_b_ready & ~dropped),
        ]
        m.d.sync += owed.eq(owed + goes - (ends & passes))
        with m.If(ends & ~passes):
            m.d.sync += dropped.eq(1)
        with m.If(dropped & self.i_b_ready):
            m.d.sync += [dropped.eq(0), held_w.eq(0)]
        return m
