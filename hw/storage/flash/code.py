"""The error-correcting code of a flash bus in gateware: an encoder and a decoder that take a bus word in each cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.storage.flash.field import Bch
from tenon.hw.storage.flash.linear import Linear, add
from tenon.hw.storage.flash.solver import KeySolver

__all__ = ["BchDecoder", "BchEncoder", "in_order"]


def in_order(word):
    """A bus word's bits as the code has them: the first byte's highest bit is the highest."""
    return Cat(*reversed([word[k:k + 8] for k in range(0, len(word), 8)]))


class BchEncoder(wiring.Component):
    """Parity of a codeword whose data have gone by, in bus words, zeros behind it.

    Members
    -------
    i_valid, i_first, i : In(1), In(1), In(width)
        A word of data, and whether it begins a codeword.
    o_next, o : In(1), Out(width)
        A word of parity, from the cycle after the last data on; the next one comes.
    """

    def __init__(self, code: Bch, *, width: int):
        self.code, self.width = code, width
        super().__init__({"i_valid": In(1), "i_first": In(1), "i": In(width), "o_next": In(1), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        bits = self.code.parity_bits
        state, before = Signal(bits, reset_less=True), Signal(bits)
        fed_back = self.code.step(self.width)
        m.d.comb += before.eq(Mux(self.i_first, 0, state))
        padded = Cat(Const(0, -bits % self.width), state)  # its highest word comes first
        m.d.comb += self.o.eq(in_order(padded[-self.width:]))
        with m.If(self.i_valid):
            highest = Cat(Const(0, max(0, self.width - bits)), before)[-self.width:]
            m.d.sync += state.eq((before << self.width) ^ fed_back(highest ^ in_order(self.i)))
        with m.Elif(self.o_next):
            m.d.sync += state.eq(state << self.width)
        return m


class BchDecoder(wiring.Component):
    """Corrects codewords as they go by: one comes in, the one before is solved, and the one before that goes out, errors or not.

    Parameters
    ----------
    lengths : (int, int)
        Words of a codeword, of which there are two kinds.

    Members
    -------
    i_valid, i_ready, i_last, i_kind, i : In(1), Out(1), In(1), In(1), In(width)
        A word, whether it ends its codeword, of which kind that is.
    o_valid, o_ready, o_last, o_kind, o : Out(1), In(1), Out(1), Out(1), Out(width)
        A corrected one, likewise.
    o_failed, o_errors : Out(1), Out
        With a codeword's last word: it has more errors than can be corrected; so many were.
    """

    def __init__(self, code: Bch, *, width: int, lengths: tuple[int, int]):
        self.code, self.width, self.lengths = code, width, lengths
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_last": In(1), "i_kind": In(1), "i": In(width),
            "o_valid": Out(1), "o_ready": In(1), "o_last": Out(1), "o_kind": Out(1), "o": Out(width),
            "o_failed": Out(1), "o_errors": Out(range(width * max(lengths) + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        t, width = self.code.t, self.width
        half = 1 << (max(self.lengths) - 1).bit_length()
        store = emit.instance(m, "store", Memory(width=width, depth=2 * half))
        solver = m.submodules.solver = KeySolver(self.code, first=[n * width - 1 for n in self.lengths], cycles=min(self.lengths))

        # Coming in: into the half of the store that the codeword before the last was in, once that has gone or right behind it.
        side, at = Signal(), Signal(range(half))
        full = Signal(range(3))  # halves whose codeword came and has not gone yet
        take, fill, empty = Signal(), Signal(), Signal()
        whole = Signal()  # syndromes are, and wait
        going, out_at, out_side = Signal(), Signal(range(half + 1)), Signal()
        m.d.comb += [
            self.i_ready.eq(~whole & ((full != 2) | (going & (out_at > at)))), take.eq(self.i_valid & self.i_ready),
            fill.eq(take & self.i_last), store.w_en.eq(take), store.w_addr.eq(Cat(at, side)), store.w_data.eq(self.i),
            solver.i_valid.eq(whole),
        ]
        m.d.sync += full.eq(full + fill - empty)
        with m.If(take):
            m.d.sync += [at.eq(Mux(self.i_last, 0, at + 1)), side.eq(side ^ self.i_last), solver.i_kind.eq(self.i_kind)]
        with m.If(fill):
            m.d.sync += whole.eq(1)
        with m.Elif(solver.i_ready):
            m.d.sync += whole.eq(0)
        self._sum_up(m, solver.i, take, at == 0)

        # Going out.
        reads, shown = Signal(), Signal()  # ``shown``: the word at ``out_at - 1`` is in the store's output
        kind, clean, length = Signal(), Signal(), Signal.like(solver.o_length)
        wrong, found, count = Signal(width), Signal.like(self.o_errors), Signal.like(self.o_errors)
        last = Signal(range(half))
        m.d.comb += [
            last.eq(Mux(kind, self.lengths[1] - 1, self.lengths[0] - 1)), reads.eq(going & (out_at <= last) & (~shown | self.o_ready)),
            store.r_en.eq(reads), store.r_addr.eq(Cat(out_at[:len(at)], out_side)), empty.eq(reads & (out_at == last)),
            count.eq(found + sum(wrong)), self.o_valid.eq(shown), self.o.eq(store.r_data ^ in_order(wrong)),
            self.o_last.eq(out_at == last + 1), self.o_kind.eq(kind), self.o_errors.eq(count),
            self.o_failed.eq(~clean & ((count != length) | (length > t))), solver.o_ready.eq(~going),
        ]
        with m.If(reads):
            m.d.sync += [shown.eq(1), out_at.eq(out_at + 1)]
        with m.Elif(self.o_ready):
            m.d.sync += shown.eq(0)
        with m.If(shown & self.o_ready):
            m.d.sync += found.eq(count)
            with m.If(self.o_last):
                m.d.sync += [going.eq(0), out_at.eq(0), out_side.eq(~out_side), found.eq(0), wrong.eq(0)]
        with m.If(solver.o_valid & ~going):
            m.d.sync += [going.eq(1), kind.eq(solver.o_kind), clean.eq(solver.o_clean), length.eq(solver.o_length)]
        self._search(m, solver, solver.o_valid & ~going, reads & ~clean, wrong)
        return m

    def _sum_up(self, m: Module, syndromes: Signal, take: Signal, begins) -> None:
        """Sums S(1), S(3), ... of a codeword's words, some of them at a time."""
        field, width = self.code.field, self.width
        exponents = range(1, 2 * self.code.t, 2)
        for some, low in _together(exponents, field.bits):
            of_word = Linear(len(some) * field.bits,
                             tuple(sum(field.power(j * k) << field.bits * i for i, j in enumerate(some)) for k in range(width)))
            before = [Mux(begins, 0, syndromes[low + field.bits * i:][:field.bits]) for i in range(len(some))]
            moved = Cat(field.times(field.power(j * width))(s) for j, s in zip(some, before))
            with m.If(take):
                m.d.sync += syndromes[low:low + len(moved)].eq(moved ^ of_word(in_order(self.i)))

    def _search(self, m: Module, solver: KeySolver, load, go, wrong: Signal) -> None:
        """Finds of each bit of a word whether it is a root's (Chien)."""
        field, width = self.code.field, self.width
        terms = [Signal(field.bits, name=f"term{i}", reset_less=True) for i in range(self.code.t + 1)]
        with m.If(load):
            m.d.sync += [term.eq(solver.o.word_select(i, field.bits)) for i, term in enumerate(terms)]
        with m.If(go):
            for some, _ in _together(range(width), field.bits):  # the first bit is the highest
                sums = add(field.times(*(field.power(i * k) for k in some))(term) for i, term in enumerate(terms))
                for n, k in enumerate(some):
                    m.d.sync += wrong[width - 1 - k].eq(sums[field.bits * n:][:field.bits] == 0)
            m.d.sync += [term.eq(field.times(field.power(i * width))(term)) for i, term in enumerate(terms)]


def _together(values: range, bits: int) -> list[tuple[range, int]]:
    """Values in groups whose elements of the field fit into a word of the machine that simulates, each with where its bits begin."""
    each = 64 // bits
    return [(values[k:k + each], k * bits) for k in range(0, len(values), each)]
