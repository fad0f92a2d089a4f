"""The error-correcting code of a flash bus in gateware: an encoder and a decoder that take a bus word in each cycle."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.storage.flash.field import Bch, apply

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
        of_state, of_word = self.code.step(self.width)
        m.d.comb += before.eq(Mux(self.i_first, 0, state))
        padded = Cat(Const(0, -bits % self.width), state)  # its highest word comes first
        m.d.comb += self.o.eq(in_order(padded[-self.width:]))
        with m.If(self.i_valid):
            m.d.sync += state.eq(apply(of_state, before) ^ apply(of_word, in_order(self.i)))
        with m.Elif(self.o_next):
            m.d.sync += state.eq(state << self.width)
        return m


class BchDecoder(wiring.Component):
    """Corrects codewords as they go by: while one comes in, the one before is solved and goes out.

    A codeword without errors takes as many cycles as it has words; one with errors, 4t and some more.

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
        field, t, width = self.code.field, self.code.t, self.width
        half = 1 << (max(self.lengths) - 1).bit_length()
        store = emit.instance(m, "store", Memory(width=width, depth=2 * half))

        # Coming in: one half of the store is filled, and the syndromes S(1), S(3), ... are summed up.
        side, at, kind = Signal(), Signal(range(half)), Signal()
        filled = Signal()  # the half that came is to be solved
        odd = [Signal(field.bits, name=f"s{j}") for j in range(1, 2 * t, 2)]
        take, begins = Signal(), Signal()
        m.d.comb += [
            self.i_ready.eq(~filled), take.eq(self.i_valid & self.i_ready), begins.eq(at == 0),
            store.w_en.eq(take), store.w_addr.eq(Cat(at, side)), store.w_data.eq(self.i),
        ]
        word = in_order(self.i)
        for j, syndrome in zip(range(1, 2 * t, 2), odd):
            of_word = tuple(sum((field.power(j * k) >> row & 1) << k for k in range(width)) for row in range(field.bits))
            before = Mux(begins, 0, syndrome)
            with m.If(take):
                m.d.sync += syndrome.eq(apply(field.times(field.power(j * width)), before) ^ apply(of_word, word))
        with m.If(take):
            m.d.sync += [at.eq(Mux(self.i_last, 0, at + 1)), filled.eq(self.i_last), kind.eq(self.i_kind)]

        # Solving: the polynomial whose roots are where the errors are (Berlekamp and Massey, without division).
        everything = [Signal(field.bits, name=f"all{j}", reset_less=True) for j in range(1, 2 * t + 1)]
        window = [Signal(field.bits, name=f"window{i}", reset_less=True) for i in range(t + 1)]  # S(r + 1 - i)
        locator = [Signal(field.bits, name=f"locator{i}", reset_less=True) for i in range(t + 1)]
        other = [Signal(field.bits, name=f"other{i}", reset_less=True) for i in range(t + 1)]
        gamma, delta = Signal(field.bits, reset_less=True), Signal(field.bits, reset_less=True)
        step, length = Signal(range(2 * t + 1)), Signal(range(2 * t + 2))
        discrepancy = Const(0, field.bits)
        for a, s in zip(locator, window):
            discrepancy = discrepancy ^ field.multiply(a, s)

        # Going out: of each bit, whether it is a root's.
        reads, out_at, out_side, out_kind = Signal(), Signal(range(half + 1)), Signal(), Signal()
        clean = Signal()  # no errors
        last = Array(Const(n - 1, len(out_at)) for n in self.lengths)[out_kind]
        terms = [Signal(field.bits, name=f"term{i}", reset_less=True) for i in range(t + 1)]
        wrong = Signal(width)
        for k in range(width):  # the first bit is the highest
            total = Const(0, field.bits)
            for i, term in enumerate(terms):
                total = total ^ apply(field.times(field.power(i * k)), term)
            m.d.comb += wrong[width - 1 - k].eq(~clean & (total == 0))
        shown = Signal()  # the word at ``out_at - 1`` is in the store's output
        found = Signal.like(self.o_errors)
        count = Signal.like(self.o_errors)
        m.d.comb += [
            count.eq(found + sum(wrong)), self.o_valid.eq(shown), self.o.eq(store.r_data ^ in_order(wrong)),
            self.o_last.eq(out_at == last + 1), self.o_kind.eq(out_kind), self.o_errors.eq(count),
            self.o_failed.eq(~clean & ((count != length) | (length > t))),
            store.r_en.eq(reads), store.r_addr.eq(Cat(out_at[:len(at)], out_side)),
        ]
        going = Signal()

        with m.FSM():
            with m.State("WAIT"):
                with m.If(filled & ~going):
                    m.d.sync += [window[0].eq(odd[0]), out_side.eq(side), out_kind.eq(kind), side.eq(~side), filled.eq(0), length.eq(0),
                                 step.eq(0), gamma.eq(1), clean.eq(~Cat(*odd).any())]
                    m.d.sync += [everything[j - 1].eq(s) for j, s in zip(range(1, 2 * t, 2), odd)]
                    m.d.sync += [w.eq(0) for w in window[1:]]
                    m.d.sync += [x.eq(1 if i == 0 else 0) for i, x in enumerate(locator)]
                    m.d.sync += [x.eq(1 if i == 0 else 0) for i, x in enumerate(other)]
                    m.next = "SQUARES"
            with m.State("SQUARES"):  # S(2j) is S(j) squared; those that need others' squares come step by step
                square = field.square()
                for j in range(2, 2 * t + 1, 2):
                    m.d.sync += everything[j - 1].eq(apply(square, everything[j // 2 - 1]))
                m.d.sync += step.eq(step + 1)
                with m.If(clean):
                    m.d.sync += going.eq(1)
                    m.next = "OUT"
                with m.Elif(step == (2 * t).bit_length()):
                    m.d.sync += step.eq(0)
                    m.next = "DISCREPANCY"
            with m.State("DISCREPANCY"):
                m.d.sync += delta.eq(discrepancy)
                m.next = "UPDATE"
            with m.State("UPDATE"):
                shifted = [Const(0, field.bits), *other[:-1]]
                m.d.sync += [a.eq(field.multiply(gamma, a) ^ field.multiply(delta, b)) for a, b in zip(locator, shifted)]
                with m.If((delta != 0) & ((length << 1) <= step)):
                    m.d.sync += [*(b.eq(a) for a, b in zip(locator, other)), gamma.eq(delta), length.eq(step + 1 - length)]
                with m.Else():
                    m.d.sync += [b.eq(s) for b, s in zip(other, shifted)]
                m.d.sync += [step.eq(step + 1), *(w.eq(v) for w, v in zip(window[1:], window))]
                m.d.sync += window[0].eq(Array([*everything[1:], Const(0, field.bits)])[step])
                m.next = "DISCREPANCY"
                with m.If(step == 2 * t - 1):
                    m.next = "PLACE"
            with m.State("PLACE"):  # the first bit's power is that of the codeword's length
                for i, (term, coefficient) in enumerate(zip(terms, locator)):
                    placed = [apply(field.times(field.power(-i * (n * width - 1))), coefficient) for n in self.lengths]
                    m.d.sync += term.eq(Mux(out_kind, placed[1], placed[0]))
                m.d.sync += going.eq(1)
                m.next = "OUT"
            with m.State("OUT"):
                m.d.comb += reads.eq((out_at <= last) & (~shown | self.o_ready))
                with m.If(self.o_ready | ~shown):
                    m.d.sync += [shown.eq(reads), out_at.eq(out_at + reads)]
                with m.If(shown & self.o_ready):
                    m.d.sync += [found.eq(count), *(term.eq(apply(field.times(field.power(i * width)), term))
                                                    for i, term in enumerate(terms))]
                    with m.If(self.o_last):
                        m.d.sync += [going.eq(0), out_at.eq(0), found.eq(0), shown.eq(0)]
                        m.next = "WAIT"
        return m
