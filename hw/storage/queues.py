"""Where the queues are: what firmware has said of each."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.storage.prp import HOST_ADDRESS_BITS, PAGE_BYTES

__all__ = ["BASE_BITS", "QueueTable"]

BASE_BITS = HOST_ADDRESS_BITS - (PAGE_BYTES - 1).bit_length()


class QueueTable(wiring.Component):
    """Bases of queues, the completion queue of each submission queue, the interrupt of each completion queue. Answers come a cycle later.

    Members
    -------
    w_valid, w_queue, w_completion, w_base, w_other, w_interrupt : In(1), In, In(1), In, In, In(1)
        A queue, of which kind, and the page where it begins. ``w_other``: a submission queue's completion queue, or the vector of a
        completion queue, which interrupts or does not.
    f_queue, f_base : In, Out
        A submission queue's page, for fetching.
    s_queue, s_completion : In, Out
        A submission queue's completion queue.
    c_queue, c_base, c_vector, c_interrupt : In, Out, Out, Out(1)
        A completion queue.
    """

    def __init__(self, *, pairs: int):
        self.pairs = pairs
        queue = range(pairs)
        super().__init__({
            "w_valid": In(1), "w_queue": In(queue), "w_completion": In(1), "w_base": In(BASE_BITS), "w_other": In(queue),
            "w_interrupt": In(1),
            "f_queue": In(queue), "f_base": Out(BASE_BITS), "s_queue": In(queue), "s_completion": Out(queue),
            "c_queue": In(queue), "c_base": Out(BASE_BITS), "c_vector": Out(queue), "c_interrupt": Out(1),
        })

    def elaborate(self, platform):
        m = Module()

        def table(name, completion, values, asked, answers):
            memory = emit.instance(m, name, Memory(width=len(values), depth=self.pairs))
            m.d.comb += [
                memory.w_en.eq(self.w_valid & (self.w_completion == completion)), memory.w_addr.eq(self.w_queue),
                memory.w_data.eq(values),
                memory.r_en.eq(1), memory.r_addr.eq(asked), answers.eq(memory.r_data),
            ]

        table("submission_bases", 0, self.w_base, self.f_queue, self.f_base)
        table("submission_completions", 0, self.w_other, self.s_queue, self.s_completion)
        table("completions", 1, Cat(self.w_base, self.w_other, self.w_interrupt), self.c_queue,
              Cat(self.c_base, self.c_vector, self.c_interrupt))
        return m
