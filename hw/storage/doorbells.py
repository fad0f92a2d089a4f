"""Doorbells: where the host and the controller are in each queue (NVM Express Base Specification 2.2, sections 3.1.4 and 3.3)."""

from __future__ import annotations

import enum

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DoorbellError", "Doorbells"]


class DoorbellError(enum.IntEnum):
    """What was wrong with a write, as an error event's information has it."""

    REGISTER = 0  # there is no such queue
    VALUE = 1  # beyond the queue's size, or beyond what the other side has left of it


class Doorbells(wiring.Component):
    """Heads and tails of ``pairs`` submission and completion queues, of at most ``entries`` entries each.

    A wrong write changes nothing and becomes an error event; of those that come while one waits, nothing is kept. A queue of n entries
    holds n - 1 at most.

    Members
    -------
    d_valid, d_queue, d_completion, d_enable, d_last : In(1), In, In(1), In(1), In
        Makes a queue, empty, or removes it. ``d_last``: entries, less one.
    w_valid, w_index, w_value : In(1), In(16), In(16)
        The host writes: doorbell 2q is submission queue q's tail, 2q + 1 completion queue q's head.
    e_valid, e_ready, e_error, e_index : Out(1), In(1), Out(1), Out(16)
        An error event, and the doorbell that it is about.
    pending : Out(pairs)
        Submission queues with entries that were not taken.
    s_queue, s_head, s_count, s_take, s_taken : In, Out, Out, In(1), In
        Of a submission queue: the first entry, and how many follow before its end, that one included; so many are taken.
    h_queue, h_head : In, Out
        Of a submission queue: the first entry, for whoever tells the host.
    c_queue, c_tail, c_phase, c_full, c_push : In, Out, Out(1), Out(1), In(1)
        Of a completion queue: where the next entry goes, its phase, whether there is no room for it; it is written.
    unread : Out(pairs)
        Completion queues with entries that the host has not read.
    """

    def __init__(self, *, pairs: int, entries: int):
        self.pairs, self.entries = pairs, entries
        queue, entry = range(pairs), range(entries)
        super().__init__({
            "d_valid": In(1), "d_queue": In(queue), "d_completion": In(1), "d_enable": In(1), "d_last": In(entry),
            "w_valid": In(1), "w_index": In(16), "w_value": In(16),
            "e_valid": Out(1), "e_ready": In(1), "e_error": Out(DoorbellError), "e_index": Out(16),
            "pending": Out(pairs),
            "s_queue": In(queue), "s_head": Out(entry), "s_count": Out(range(entries + 1)), "s_take": In(1),
            "s_taken": In(range(entries + 1)),
            "h_queue": In(queue), "h_head": Out(entry),
            "c_queue": In(queue), "c_tail": Out(entry), "c_phase": Out(1), "c_full": Out(1), "c_push": In(1),
            "unread": Out(pairs),
        })

    def elaborate(self, platform):
        m = Module()
        entry = range(self.entries)

        def bank(kind, shape, **options):
            """A register of each queue of a kind."""
            return Array(Signal(shape, name=f"{kind}{q}", **options) for q in range(self.pairs))

        # Of both kinds: ``ahead`` is moved by whoever adds entries, ``behind`` by whoever takes them.
        submission, completion = ({"there": bank(f"{kind}_there_", 1), "last": bank(f"{kind}_last_", entry, reset_less=True),
                                   "ahead": bank(f"{kind}_tail_", entry, reset_less=True),
                                   "behind": bank(f"{kind}_head_", entry, reset_less=True)} for kind in ("sq", "cq"))
        phase = bank("cq_phase_", 1, reset_less=True)

        def distance(of, name, begin, end):
            """Entries from ``begin`` to ``end``, around the queue's end if need be."""
            found = Signal(range(self.entries + 1), name=name)
            m.d.comb += found.eq(Mux(end >= begin, end - begin, end - begin + of + 1))
            return found

        # The host's writes take a cycle to be looked at.
        written, index, value = Signal(), Signal(16, reset_less=True), Signal(16, reset_less=True)
        m.d.sync += [written.eq(self.w_valid), index.eq(self.w_index), value.eq(self.w_value)]
        queue, of_completion = index[1:], index[0]
        exists, last, begin, end = Signal(), Signal(entry), Signal(entry), Signal(entry)
        chosen = queue[:max(1, (self.pairs - 1).bit_length())]
        for kind, mine in ((submission, ~of_completion), (completion, of_completion)):
            with m.If(mine):
                m.d.comb += [exists.eq((queue < self.pairs) & kind["there"][chosen]), last.eq(kind["last"][chosen]),
                             begin.eq(kind["behind"][chosen]), end.eq(kind["ahead"][chosen])]
        used = distance(last, "used", begin, end)
        moves = distance(last, "moves", Mux(of_completion, begin, end), value[:len(last)])
        right = Signal()
        m.d.comb += right.eq((value <= last) & (moves <= Mux(of_completion, used, last - used)))
        with m.If(self.e_ready):
            m.d.sync += self.e_valid.eq(0)
        with m.If(written & ~(exists & right) & (~self.e_valid | self.e_ready)):
            m.d.sync += [self.e_valid.eq(1), self.e_index.eq(index),
                         self.e_error.eq(Mux(exists, DoorbellError.VALUE, DoorbellError.REGISTER))]
        with m.If(written & exists & right):
            with m.If(of_completion):
                m.d.sync += completion["behind"][chosen].eq(value)
            with m.Else():
                m.d.sync += submission["ahead"][chosen].eq(value)

        # Submission: entries up to the tail, or to the end of the ring.
        s_last, s_tail = submission["last"][self.s_queue], submission["ahead"][self.s_queue]
        next_head = Signal(range(self.entries + 1))
        m.d.comb += [
            self.s_head.eq(submission["behind"][self.s_queue]), self.h_head.eq(submission["behind"][self.h_queue]),
            self.s_count.eq(Mux(s_tail >= self.s_head, s_tail - self.s_head, s_last - self.s_head + 1)),
            next_head.eq(self.s_head + self.s_taken),
        ]
        with m.If(self.s_take):
            m.d.sync += submission["behind"][self.s_queue].eq(Mux(next_head > s_last, 0, next_head))
        m.d.comb += self.pending.eq(Cat(t & (a != b) for t, a, b in zip(submission["there"], submission["ahead"], submission["behind"])))

        # Completion: the entry before the host's head stays free.
        c_last, c_head = completion["last"][self.c_queue], completion["behind"][self.c_queue]
        next_tail = Signal(entry)
        m.d.comb += [
            self.c_tail.eq(completion["ahead"][self.c_queue]), self.c_phase.eq(phase[self.c_queue]),
            next_tail.eq(Mux(self.c_tail == c_last, 0, self.c_tail + 1)),
            self.c_full.eq(~completion["there"][self.c_queue] | (next_tail == c_head)),
        ]
        with m.If(self.c_push & ~self.c_full):
            m.d.sync += [completion["ahead"][self.c_queue].eq(next_tail), phase[self.c_queue].eq(self.c_phase ^ (self.c_tail == c_last))]
        m.d.comb += self.unread.eq(Cat(t & (a != b) for t, a, b in zip(completion["there"], completion["ahead"], completion["behind"])))

        with m.If(self.d_valid):
            for kind, mine in ((submission, ~self.d_completion), (completion, self.d_completion)):
                with m.If(mine):
                    m.d.sync += [kind["there"][self.d_queue].eq(self.d_enable), kind["last"][self.d_queue].eq(self.d_last),
                                 kind["ahead"][self.d_queue].eq(0), kind["behind"][self.d_queue].eq(0)]
            with m.If(self.d_completion):
                m.d.sync += phase[self.d_queue].eq(1)
        return m
