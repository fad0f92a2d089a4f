"""The weights of WINDOW: brings in the next pass's while the engine works with this one's."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.array import OPERAND_BITS
from tenon.hw.decode import layout
from tenon.hw.delay import delay
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.memory import Memory
from tenon.hw.mnemonics import WINDOW_ROWS, window
from tenon.hw.nest import AddressNest
from tenon.hw.params import SystolicParams

__all__ = ["WindowWeights"]


class WindowWeights(wiring.Component):
    """Reads each pass's weights, less their zero-points, into one half of a small memory; the other half is in use.

    A pass is one step of the instruction's levels ``n`` and ``k0``. The first one is brought in while its
    instruction is still offered. Kinds without weights have a cycle where others have weights, and wait for no half.

    Members
    -------
    offered, i_instr : In(1), In(1024)
        The next instruction, there until the swap to its first pass.
    full, first : Out(1)
        A pass's weights can be used from the next cycle but one on; it is, or will be, the offered instruction's first.
    swap, idle_half : In(1)
        That pass begins, and its half is chosen; the other half may be overwritten.
    wgt_*, z_* : `en`, `addr` Out, `grant`, `data` In
        Read ports: weights, and zero-points out of parameters; the latter's may be refused for long.
    read, half, row, weighted, largest, w : In(1), In(1), In, In(1), In(1), Out(9 * taps * lanes)
        A row of weights, the cycle after: tap by tap, lanes within; all 1 if not ``weighted``, -1 for the ``largest``.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        lanes, taps = params.window_lanes, params.window_taps
        super().__init__({
            "offered": In(1), "i_instr": In(INSTRUCTION_BITS), "full": Out(1), "first": Out(1),
            "swap": In(1), "idle_half": In(1),
            "wgt_en": Out(1), "wgt_addr": Out(range(params.weight_bytes // lanes)), "wgt_grant": In(1),
            "wgt_data": In(8 * lanes),
            "z_en": Out(1), "z_addr": Out(range(params.parameter_bytes // (4 * lanes))), "z_grant": In(1),
            "z_data": In(32 * lanes),
            "read": In(1), "half": In(1), "row": In(range(WINDOW_ROWS)),
            "weighted": In(1), "largest": In(1), "w": Out(OPERAND_BITS * taps * lanes),
        })

    def elaborate(self, platform):
        m = Module()
        lanes, taps = self.params.window_lanes, self.params.window_taps
        f = data.View(layout(window(self.params)), self.i_instr)

        # One step of the nest is one word; kinds without weights have one word per pass.
        m.submodules.nest = nest = AddressNest(
            ("n", "k0", "k1", "t"), {"w": ("n", "k0", "k1", "t"), "z": ("n",)},
            widths={"w": len(self.wgt_addr), "z": len(self.z_addr)}, indices={"k1": len(self.row), "t": 2})
        begin = Signal()
        weighted_next = Signal()
        m.d.comb += [
            nest.load.eq(begin), weighted_next.eq(f.kind <= 1), nest.base_w.eq(f.w), nest.base_z.eq(f.z), nest.stride_z_n.eq(f.z_n),
            nest.count_n.eq(f.n_n), nest.count_k0.eq(f.n_k0),
            nest.count_k1.eq(Mux(weighted_next, f.n_k1, 0)), nest.count_t.eq(Mux(weighted_next, f.n_t, 0)),
            *(getattr(nest, f"stride_w_{level}").eq(f[f"w_{level}"]) for level in ("n", "k0", "k1", "t")),
        ]
        kept = {}
        for name, value in (("weighted", weighted_next), ("largest", f.kind == 2), ("is_signed", f.kind == 1),
                            ("per_column", f.zero_per_column), ("first_slot", taps - 1 - f.n_t)):
            kept[name] = Signal(len(value) if name != "first_slot" else range(max(taps, 2)), name=name, reset_less=True)
            with m.If(begin):
                m.d.sync += kept[name].eq(value)

        active = Signal()
        untaken = Signal()
        loaded = Signal()
        zero_due = Signal()
        work = Signal()
        fetch = Signal()
        pass_ends = Signal()
        m.d.comb += [
            begin.eq(self.offered & ~active & ~untaken & ~loaded),
            work.eq(active & ~loaded & (self.idle_half | ~kept["weighted"])),
            self.z_en.eq(work & zero_due), self.z_addr.eq(nest.address_z),
            self.wgt_en.eq(work & ~zero_due & kept["weighted"]), self.wgt_addr.eq(nest.address_w),
            fetch.eq(work & ~zero_due & (self.wgt_grant | ~kept["weighted"])),
            pass_ends.eq(fetch & nest.last_k1 & nest.last_t), nest.step.eq(fetch & ~nest.last),
            self.full.eq(loaded | pass_ends), self.first.eq(untaken),
        ]
        m.d.sync += loaded.eq(self.full & ~self.swap)
        with m.If(begin):
            m.d.sync += [active.eq(1), untaken.eq(1), zero_due.eq(weighted_next & f.zero_per_column)]
        with m.Else():
            with m.If(self.swap):
                m.d.sync += untaken.eq(0)
            with m.If(pass_ends & nest.last):
                m.d.sync += active.eq(0)
            with m.If(pass_ends | (self.z_en & self.z_grant)):
                m.d.sync += zero_due.eq(pass_ends & kept["weighted"] & kept["per_column"])

        # Words arrive the cycle after; zero-points stay until the next ones.
        zeros = Signal(data.ArrayLayout(OPERAND_BITS, lanes), reset_less=True)
        zeros_arrive, arrives = delay(m, self.z_en & self.z_grant, 1, reset=True), delay(m, fetch, 1, reset=True)
        with m.If(begin):
            m.d.sync += [zeros[c].eq(f.zw) for c in range(lanes)]
        with m.Elif(zeros_arrive):
            m.d.sync += [zeros[c].eq(self.z_data.word_select(c, 32)) for c in range(lanes)]
        half = Signal()
        with m.If(pass_ends):
            m.d.sync += half.eq(~half)
        row, slot = delay(m, nest.index_k1, 1), delay(m, nest.index_t, 1)
        to_half = delay(m, half, 1)

        # Behind both halves are two rows for kinds without weights: whoever writes one writes what it holds.
        store = emit.instance(m, "store", Memory(width=OPERAND_BITS * taps * lanes, depth=2 * WINDOW_ROWS + 2,
                                                 lane_bits=OPERAND_BITS * lanes))

        def place(weighted, row, half, largest):
            return Mux(weighted, Cat(row, half), 2 * WINDOW_ROWS | largest)

        words = []
        for c in range(lanes):
            byte = self.wgt_data.word_select(c, 8)
            weight = Signal(OPERAND_BITS, name=f"weight{c}")
            m.d.comb += weight.eq(Mux(
                kept["weighted"], Cat(byte, byte[7] & kept["is_signed"]).as_signed() - zeros[c].as_signed(),
                Mux(kept["largest"], -1, 1)))
            words.append(weight)
        masks = Cat(arrives & (~kept["weighted"] | (kept["first_slot"] + slot == tap)) for tap in range(taps))
        m.d.comb += [
            store.w_en.eq(masks), store.w_addr.eq(place(kept["weighted"], row, to_half, kept["largest"])),
            store.w_data.eq(Cat(words).replicate(taps)),
            store.r_en.eq(self.read), store.r_addr.eq(place(self.weighted, self.row, self.half, self.largest)),
            self.w.eq(store.r_data),
        ]
        return m
