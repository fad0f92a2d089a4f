"""MATRIX: streams activations through tiles of weights and accumulates the sums."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.array import OPERAND_BITS, SystolicArray
from tenon.hw.choice import one_hot
from tenon.hw.decode import layout
from tenon.hw.delay import delay
from tenon.hw.encoding import INSTRUCTION_BITS
from tenon.hw.memory import Memory
from tenon.hw.mnemonics import matrix
from tenon.hw.nest import AddressNest
from tenon.hw.params import SystolicParams

__all__ = ["MatrixEngine"]

_KS, _MS = ("k3", "k2", "k1", "k0"), ("m2", "m1", "m0")
_KEEP, _BIAS = 1, 2  # what a sum starts from, as field `init` has it
_WEIGHTS_TO_ARRAY = 2  # cycles from a row's issue to the array's edge: memory, zero-point
_VECTORS_TO_ARRAY = 3  # one more: so the next weights may be issued in the cycle after a swap is, and be in time


class MatrixEngine(wiring.Component):
    """Executes MATRIX instructions: a tile of weights takes ``max(vectors, rows)`` cycles, without a bubble between
    (``max(vectors, cols)`` if its words are columns).

    The loader reads the next tile's weights while the streamer sends this one's vectors, also across
    instructions. What has been issued never stalls: its ports are its own, or always granted. A vector whose sums
    continue those of one of the two vectors before it waits until those are written, or of the three before it with an
    ``accumulator_register``, which comes between what the sums start from and the adder: it is read a cycle sooner.

    Operands have nine bits: a zero-point is to be one that its operand's type can have.

    Members
    -------
    i_valid, i_ready, i_instr : In(1), Out(1), In(1024)
        Taken in the cycle after the loader has finished the former instruction's last tile and handed it over; must stay until then.
    act_*, wgt_*, z_*, b_*, accr_* : `en`, `addr` Out, `data` In
        Read ports, one word each: activations, weights, zero-points, biases, accumulators.
    accw_en, accw_addr, accw_data : Out
        Writes accumulators; the word a cycle after its address.
    o_release, o_done, o_busy, o_settles : Out(1)
        As VECTOR's.
    o_stall_bank, o_stall_bus : Out(1)
        A vector waits for sums; always 0: this engine has nothing to do with the bus.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        p = params

        def read(name, words, bits):
            return {f"{name}_en": Out(1), f"{name}_addr": Out(range(words)), f"{name}_data": In(bits)}

        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_instr": In(INSTRUCTION_BITS),
            **read("act", p.act_words, 8 * p.rows), **read("wgt", p.wgt_words, 8 * p.cols),
            **read("z", p.par_words, 32 * p.cols), **read("b", p.par_words, 32 * p.cols),
            **read("accr", p.acc_words, 32 * p.cols),
            "accw_en": Out(1), "accw_addr": Out(range(p.acc_words)), "accw_data": Out(32 * p.cols),
            "o_release": Out(1), "o_done": Out(1), "o_busy": Out(1), "o_settles": Out(1), "o_stall_bank": Out(1),
            "o_stall_bus": Out(1),
        })

    @staticmethod
    def latency(params: SystolicParams) -> int:
        """Cycles from the last vector's issue to done, when whoever is let in will read its sums."""
        return _VECTORS_TO_ARRAY + MatrixEngine.array_latency(params)

    @staticmethod
    def array_latency(params: SystolicParams) -> int:
        """Cycles from a vector at the array to its sums."""
        return SystolicArray.latency(params.rows, params.cols, product_register=bool(params.product_register))

    @classmethod
    def mnemonic(cls, params: SystolicParams):
        """This engine's part of the covenant."""
        return matrix(params, latency=cls.latency(params), transposable=SystolicArray.transposable(params.rows, params.cols))

    def elaborate(self, platform):
        m = Module()
        p = self.params
        f = data.View(layout(self.mnemonic(p)), self.i_instr)
        take = Signal()
        swap = Signal()
        ready = Signal()
        m.d.comb += take.eq(self.i_valid & ~self.i_ready & ready)
        m.d.sync += self.i_ready.eq(take)  # the queue hears of it a cycle later: whether a tile ends is found out late in a cycle

        def kept(value, name, when):
            """A register that takes ``value`` at the end of cycles with ``when``."""
            held = Signal.like(value, name=name, reset_less=True)
            with m.If(when):
                m.d.sync += held.eq(value)
            return held

        # Loader: walks the weight tiles' rows, or columns, the last one first.
        last = Const(p.rows - 1)
        if SystolicArray.transposable(p.rows, p.cols):
            last = Mux(f.transposed, p.cols - 1, p.rows - 1)
        m.submodules.loader = loader = AddressNest(
            ("n", *_KS, "row"), {"w": ("n", *_KS, "row"), "z": ("n",)}, widths={"w": len(self.wgt_addr), "z": len(self.z_addr)},
            indices={"row": (max(p.rows, p.cols) - 1).bit_length()})
        m.d.comb += [
            loader.load.eq(take), loader.count_row.eq(last), loader.stride_w_row.eq(-1),
            loader.base_w.eq(f.w + last), loader.base_z.eq(f.z), loader.stride_z_n.eq(f.z_n),
        ]
        for level in ("n", *_KS):
            m.d.comb += [getattr(loader, f"count_{level}").eq(f[f"n_{level}"]),
                         getattr(loader, f"stride_w_{level}").eq(f[f"w_{level}"])]
        loading = Signal()  # the loader has rows to read
        begin = Signal()  # a row is read in this cycle
        loaded = Signal()  # a tile waits in the shadows for the streamer
        full = Signal()  # it will, or does
        m.d.comb += [
            begin.eq(loading & ~loaded), loader.step.eq(begin & ~loader.last),
            full.eq(loaded | (begin & loader.last_row)),
        ]
        m.d.sync += loaded.eq(full & ~swap)
        with m.If(take):
            m.d.sync += loading.eq(1)
        with m.Elif(begin & loader.last):
            m.d.sync += loading.eq(0)

        # Streamer: at an instruction's first tile it takes over what the loader's instruction says.
        widths = {"a": len(self.act_addr), "d": len(self.accw_addr), "b": len(self.b_addr)}
        stream_fields = {n: kept(f[n], f"next_{n}", take) for n in (*(f"n_{x}" for x in ("n", *_KS, *_MS)), "act_signed", "za", "init")}
        stream_fields |= {n: kept(f[n][:widths[n[0]]], f"next_{n}", take) for n in (
            "a", *(f"a_{x}" for x in (*_KS, *_MS)), "d", *(f"d_{x}" for x in ("n", *_MS)), "b", "b_n")}
        handed = Signal(init=1)  # the streamer has what it needs of the loader's instruction
        first_swap = Signal()
        m.d.comb += [
            first_swap.eq(swap & ~handed),
            ready.eq((~loading | (begin & loader.last)) & (~full | swap)),
        ]
        with m.If(take):
            m.d.sync += handed.eq(0)
        with m.Elif(swap):
            m.d.sync += handed.eq(1)

        m.submodules.streamer = streamer = AddressNest(("n", *_KS, *_MS), {
            "a": ("n", *_KS, *_MS), "d": ("n", *_MS), "b": ("n",)}, widths=widths)
        m.d.comb += [streamer.load.eq(first_swap)]
        for operand in "adb":
            m.d.comb += getattr(streamer, f"base_{operand}").eq(stream_fields[operand])
        for level in ("n", *_KS, *_MS):
            m.d.comb += getattr(streamer, f"count_{level}").eq(stream_fields[f"n_{level}"])
            for operand in "adb":
                if f"{operand}_{level}" in stream_fields:
                    m.d.comb += getattr(streamer, f"stride_{operand}_{level}").eq(stream_fields[f"{operand}_{level}"])
        # Between tiles the nest already shows the next tile's first vector; it is sent after the swap.
        streaming = Signal()
        issue = Signal()
        waits = Signal()
        tile_end = Signal()
        m.d.comb += [
            issue.eq(streaming & ~waits), streamer.step.eq(issue & ~streamer.last),
            tile_end.eq(streamer.last_m0 & streamer.last_m1 & streamer.last_m2),
            swap.eq(full & (~streaming | (issue & tile_end))),
        ]
        with m.If(swap):
            m.d.sync += streaming.eq(1)
        with m.Elif(issue & tile_end):
            m.d.sync += streaming.eq(0)
        act_signed = kept(stream_fields["act_signed"], "act_signed", first_swap)
        za = kept(stream_fields["za"], "za", first_swap)
        init = kept(stream_fields["init"], "init", first_swap)

        # Sums are read while those of the two vectors before are still to be written, or of the three if they are read sooner.
        first_k = Cat(getattr(streamer, f"first_{k}") for k in _KS).all()
        mode = Signal(2)
        address = streamer.address_d
        sooner = p.accumulator_register  # cycles that what the sums start from is read before it must be
        m.d.comb += mode.eq(Mux(first_k, init, _KEEP))
        near = [delay(m, issue, n, reset=True) & (delay(m, address, n) == address) for n in range(1, 3 + sooner)]
        m.d.comb += [waits.eq((mode == _KEEP) & Cat(near).any()), self.o_stall_bank.eq(streaming & waits)]

        # Edges: read, subtract the zero-point.
        array = emit.instance(m, "array", SystolicArray(p.rows, p.cols, product_register=bool(p.product_register)))
        wgt_signed = kept(f.wgt_signed, "wgt_signed", take)
        per_column = kept(f.zero_per_column, "zero_per_column", take)
        zw = kept(f.zw, "zw", take)
        m.d.comb += [
            self.act_en.eq(delay(m, issue, 1, reset=True)), self.act_addr.eq(delay(m, streamer.address_a, 1)),
            self.wgt_en.eq(begin), self.wgt_addr.eq(loader.address_w),
            self.z_en.eq(begin & per_column), self.z_addr.eq(loader.address_z),
        ]
        # What belongs to a word is delayed with it: the next instruction may follow in the next cycle.
        x_signed, x_zero = delay(m, act_signed, 2), delay(m, za, 2).as_signed()
        w_signed, w_scalar, w_columns = delay(m, wgt_signed, 1), delay(m, zw, 1), delay(m, per_column, 1)
        x_edge = Signal(OPERAND_BITS * p.rows, reset_less=True)
        w_edge = Signal(OPERAND_BITS * p.cols, reset_less=True)
        for r in range(p.rows):
            m.d.sync += x_edge.word_select(r, OPERAND_BITS).eq(_operand(self.act_data.word_select(r, 8), x_signed) - x_zero)
        for c in range(p.cols):
            zero = Mux(w_columns, self.z_data.word_select(c, 32)[:OPERAND_BITS], w_scalar).as_signed()
            m.d.sync += w_edge.word_select(c, OPERAND_BITS).eq(_operand(self.wgt_data.word_select(c, 8), w_signed) - zero)
        m.d.comb += [
            array.x.eq(x_edge), array.w.eq(w_edge), array.swap.eq(delay(m, swap, _VECTORS_TO_ARRAY, reset=True)),
            array.load.eq(delay(m, begin, _WEIGHTS_TO_ARRAY, reset=True)),
            array.beat.eq(delay(m, loader.index_row, _WEIGHTS_TO_ARRAY)),
        ]
        if SystolicArray.transposable(p.rows, p.cols):
            m.d.comb += array.transposed.eq(delay(m, kept(f.transposed, "transposed", take), _WEIGHTS_TO_ARRAY))

        # What the sums will need waits in a ring while they are under way.
        way = _VECTORS_TO_ARRAY + self.array_latency(p) - 1 - sooner  # the ring gives its word so long before the sums arrive
        depth = 1 << (way + 1).bit_length()
        ends = Signal()
        m.d.comb += ends.eq(issue & streamer.last)
        waiting = Cat(address, streamer.address_b, mode == _KEEP, mode == _BIAS, ends)  # decoded: VECTOR's grant waits for it
        ring = emit.instance(m, "ring", Memory(width=len(waiting), depth=depth))
        now = Signal(range(depth))
        m.d.sync += now.eq(now + 1)
        m.d.comb += [
            array.now.eq(now), ring.w_en.eq(issue), ring.w_addr.eq(now), ring.w_data.eq(waiting),
        ]
        arriving = delay(m, issue, way - 1, reset=True)
        m.d.comb += [ring.r_en.eq(arriving), ring.r_addr.eq(now - (way - 1))]
        kept_word = data.View(data.StructLayout(
            {"sums": len(address), "bias": len(self.b_addr), "keeps": 1, "biased": 1, "ends": 1}), ring.r_data)
        reading = delay(m, arriving, 1, reset=True)
        m.d.comb += [
            self.accr_en.eq(reading & kept_word.keeps), self.accr_addr.eq(kept_word.sums),
            self.b_en.eq(reading & kept_word.biased), self.b_addr.eq(kept_word.bias),
        ]
        adding = delay(m, reading, 1 + sooner, reset=True)
        kept_then, biased_then, where = delay(m, kept_word.keeps, 1), delay(m, kept_word.biased, 1), delay(m, kept_word.sums, 1 + sooner)
        written = Signal(32 * p.cols, reset_less=True)
        for c in range(p.cols):
            start = one_hot((kept_then, self.accr_data.word_select(c, 32)), (biased_then, self.b_data.word_select(c, 32)))
            if p.accumulator_register:
                held = Signal(32, name=f"start{c}", reset_less=True)
                m.d.sync += held.eq(start)
                start = held
            m.d.sync += written.word_select(c, 32).eq(array.o_sums.word_select(c, 32) + start)
        m.d.comb += [self.accw_en.eq(adding), self.accw_addr.eq(where), self.accw_data.eq(written)]

        # The bias is the last of the operands to be read. Sums are added in the cycle after that and written in the next: before
        # anybody comes for them, who is let in no sooner than ``SIGNAL_AHEAD`` cycles from now.
        m.d.comb += [self.o_release.eq(delay(m, reading & kept_word.ends, 1 + sooner, reset=True)), self.o_done.eq(self.o_release)]
        in_flight = Signal(range(way + 8))
        m.d.sync += in_flight.eq(in_flight + take - self.o_done)
        m.d.comb += [self.o_busy.eq(in_flight != 0), self.o_settles.eq(delay(m, adding, 1, reset=True))]
        return m


def _operand(byte, is_signed):
    """A byte of either signedness as a signed number of nine bits."""
    return Cat(byte, byte[7] & is_signed).as_signed()
