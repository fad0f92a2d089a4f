"""Between the engines and the AXI4 port: registers on every channel, a window for every segment, and an orderly end at any time."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, ResetSignal, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi, emit
from tenon.hw.bursts import burst_limit
from tenon.hw.fetch import fetch_bursts
from tenon.hw.fifo import Fifo
from tenon.hw.params import SystolicParams
from tenon.hw.skid import Skid

__all__ = ["BusGuard"]


class BusGuard(wiring.Component):
    """Passes on what engines ask of the bus; everything towards the bus comes from registers, nothing is slowed down.

    Window: a request must lie in its segment's ``bytes`` from ``base`` on, counted in whole bus words, modulo the address
    space. One that does not is withheld, and all that come after it on its channel; ``o_error`` rises until ``cut``.

    Cut: while ``cut`` is high, nothing passes between engines and bus. A request on offer stays until it is taken, beats
    and responses are taken and dropped, and beats that are owed to a write are sent with no byte enabled. ``quiet``
    says that the bus owes nothing, and is owed nothing.

    A request takes ``request_cycles`` to the bus, a read beat or a response ``answer_cycles`` from it. A write's data
    come ``data_cycles`` after its request on the bus at the earliest, and take ``beat_cycles``.

    Members
    -------
    base, bytes : In(address_bits) x SEGMENTS
        Windows; all ones for ``bytes``: everywhere. Constant for two cycles before the first request, and after that.
    i_ar_fetch : In(1)
        The request belongs to no segment.
    i_ar_*, i_r_*, i_aw_*, i_w_*, i_b_* :
        The engines' channels, with the segment of each request; responses are always taken, lengths tell the last beat.
    ar_*, r_*, aw_*, w_*, b_* :
        The bus.
    cut, quiet, o_error : In(1), Out(1), Out(1)
    """

    request_cycles = 2
    data_cycles = 1
    beat_cycles = 2
    answer_cycles = 1

    def __init__(self, params: SystolicParams):
        self.params = params
        self._word_bits = params.address_bits - (params.bus_bytes - 1).bit_length()
        self._window = data.StructLayout({"first": self._word_bits, "end": self._word_bits, "over": 1, "whole": 1})
        addresses = data.ArrayLayout(params.address_bits, axi.SEGMENTS)
        bus = axi.channels(params)
        engines = {f"i_{name}": member.flip() for name, member in bus.items() if name not in ("w_last", "b_ready")}
        engines |= {f"i_{channel}_seg": In(axi.SEGMENT_BITS) for channel in ("ar", "aw")}
        super().__init__({
            "base": In(addresses), "bytes": In(addresses), "i_ar_fetch": In(1), **engines, **bus,
            "cut": In(1), "quiet": Out(1), "o_error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        windows = self._windows(m)
        ar_fresh, ar_bad = self._requests(m, "ar", windows, self.i_ar_fetch)
        aw_fresh, aw_bad = self._requests(m, "aw", windows, Const(0, 1))
        m.d.comb += self.o_error.eq(ar_bad | aw_bad)

        # Bursts that the bus has seen, and whose end it has not shown.
        most = self.params.max_outstanding
        reads = Signal(range(most + fetch_bursts(self.params) + 1))
        writes = Signal(range(most + 1))
        m.d.sync += [reads.eq(reads + ar_fresh - (self.r_valid & self.r_ready & self.r_last)),
                     writes.eq(writes + aw_fresh - self.b_valid)]
        m.d.comb += self.quiet.eq(~self.ar_valid & ~self.aw_valid & (reads == 0) & (writes == 0))

        answers = self._skid(m, "r_skid", Cat(self.r_data, self.r_resp, self.r_last), self.r_valid, self.i_r_ready)
        m.d.comb += [
            self.r_ready.eq(answers.i_ready), self.i_r_valid.eq(answers.o_valid),
            Cat(self.i_r_data, self.i_r_resp, self.i_r_last).eq(answers.o), self.b_ready.eq(1),
        ]
        m.d.sync += [self.i_b_valid.eq(self.b_valid & ~self.cut), self.i_b_resp.eq(self.b_resp)]
        self._data(m, aw_fresh)
        return m

    def _skid(self, m, name, item, valid, ready):
        """A skid buffer, empty while cut."""
        skid = emit.instance(m, name, Skid(len(item)), reset=ResetSignal() | self.cut)
        m.d.comb += [skid.i.eq(item), skid.i_valid.eq(valid), skid.o_ready.eq(ready)]
        return skid

    def _windows(self, m):
        """For each segment: first word; the one after the last; whether the window goes over the end of addresses; and
        whether it is everything. Sums have a cycle of their own: registers stand still during a run."""
        shift = (self.params.bus_bytes - 1).bit_length()
        windows = []
        for i in range(axi.SEGMENTS):
            window = Signal(self._window, name=f"window{i}", reset_less=True)
            end = Signal(self._word_bits + 2, name=f"end{i}")  # up to twice the address space: a whole one after the last word
            m.d.comb += end.eq((self.base[i] + self.bytes[i] + self.params.bus_bytes - 1) >> shift)
            m.d.sync += [
                window.first.eq(self.base[i][shift:]), window.whole.eq(window.over & (window.end >= window.first)),
                Cat(window.end, window.over).eq(Mux(self.bytes[i] == 0, self.base[i][shift:], Mux(end[-1], Const(-1, len(end) - 1), end))),
            ]
            windows.append(window.as_value())
        return Array(windows)

    def _requests(self, m, channel, windows, unbound):
        """Address channel: registered, compared with its window, and registered. Returns two signals: a request is on
        the bus for the first cycle; one is withheld."""
        shift = (self.params.bus_bytes - 1).bit_length()
        theirs = {name: getattr(self, f"i_{channel}_{name}") for name in ("valid", "ready", "addr", "len", "seg")}
        request = data.StructLayout({"word": self._word_bits, "len": 8, "seg": axi.SEGMENT_BITS, "unbound": 1})
        valid, addr, length = (getattr(self, f"{channel}_{name}") for name in ("valid", "addr", "len"))
        free = Signal(name=f"{channel}_free")
        fresh = Signal(name=f"{channel}_fresh")
        bad = Signal(name=f"{channel}_bad")
        skid = self._skid(m, f"{channel}_skid", Cat(theirs["addr"][shift:], theirs["len"], theirs["seg"], unbound), theirs["valid"], free)
        m.d.comb += theirs["ready"].eq(skid.i_ready)
        asked = data.View(request, skid.o)

        # No burst crosses a page, so the last word's address differs from the first's in low bits only.
        window = data.View(self._window, windows[asked.seg])
        low = (axi.PAGE_BYTES - 1).bit_length() - shift
        last = Cat((asked.word[:low] + asked.len)[:low], asked.word[low:])
        above = Signal(name=f"{channel}_above")
        below = Signal(name=f"{channel}_below")
        inside = Signal(name=f"{channel}_inside")
        m.d.comb += [
            above.eq(asked.word >= window.first), below.eq(last < window.end),
            inside.eq(asked.unbound | window.whole | Mux(window.over, above | below, above & below)),
        ]

        word = Signal(self._word_bits, name=f"{channel}_word", reset_less=True)
        beats = Signal(8, name=f"{channel}_beats", reset_less=True)
        m.d.comb += [free.eq((~valid | getattr(self, f"{channel}_ready")) & ~bad), addr.eq(word << shift), length.eq(beats)]
        with m.If(free):
            m.d.sync += [valid.eq(skid.o_valid & inside & ~self.cut), bad.eq(skid.o_valid & ~inside & ~self.cut),
                         word.eq(asked.word), beats.eq(asked.len)]
        with m.If(self.cut):
            m.d.sync += bad.eq(0)
        m.d.sync += fresh.eq(free & skid.o_valid & inside & ~self.cut)
        return fresh, bad

    def _data(self, m, fresh):
        """Write data: beats of bursts whose requests are on the bus; when cut, beats without effect in their place."""
        lengths = emit.instance(m, "lengths", Fifo(width=(burst_limit(self.params) - 1).bit_length(), depth=self.params.max_outstanding),
                                reset=ResetSignal() | (self.cut & self.quiet))
        begun = Signal(range(self.params.max_outstanding + 1))  # bursts on the bus that lack beats
        free = Signal(name="w_free")
        send = Signal()
        at_end = Signal()
        beat = Signal(range(burst_limit(self.params)))
        beats = self._skid(m, "w_skid", Cat(self.i_w_data, self.i_w_strb), self.i_w_valid, free)
        item = Signal(len(self.w_data) + len(self.w_strb), name="w_item", reset_less=True)
        m.d.comb += [
            Cat(self.w_data, self.w_strb).eq(item),
            self.i_w_ready.eq(beats.i_ready),
            lengths.i_valid.eq(self.i_aw_valid & self.i_aw_ready), lengths.i.eq(self.i_aw_len), lengths.o_ready.eq(send & at_end),
            free.eq((~self.w_valid | self.w_ready) & lengths.o_valid & ((begun != 0) | fresh)),
            send.eq(free & (beats.o_valid | self.cut)), at_end.eq(beat == lengths.o),
        ]
        with m.If(send):
            m.d.sync += [self.w_valid.eq(1), self.w_last.eq(at_end), beat.eq(Mux(at_end, 0, beat + 1)),
                         item.eq(Mux(self.cut, 0, beats.o))]
        with m.Elif(self.w_ready):
            m.d.sync += self.w_valid.eq(0)
        m.d.sync += begun.eq(begun + fresh - (send & at_end))
