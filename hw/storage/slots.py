"""Slots: commands in the drive, from when they have been fetched until the host can see that they have ended."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.fifo import Fifo
from tenon.hw.memory import Memory
from tenon.hw.storage.complete import STATUS_BITS

__all__ = ["SlotTable"]

_CID_BITS, _RESULT_BITS = 16, 64


class SlotTable(wiring.Component):
    """Gives slots out, tells firmware what came, and brings what has ended to whoever posts completions: exactly once each.

    A command has ended when somebody says so first; who says so again, or of a slot that holds none, changes nothing. Its slot is free
    when its completion is posted.

    Members
    -------
    free, a_slot, a_take : Out, Out, In(1)
        Slots that are free, the next one, and that it is taken.
    n_valid, n_slot, n_queue, n_cid : In(1), In, In, In(16)
        A command is in the slot, of which queue, and its name.
    s_valid, s_slot, s_queue : In(1), In, In
        A command is firmware's: each at most once.
    m_valid, m_ready, m_slot, m_queue : Out(1), In(1), Out, Out
        Commands for firmware, in the order in which they came, and of which queue they are.
    f_valid, f_ready, f_slot, f_status, f_result : In(1), Out(1), In, In(15), In(64)
        A command has ended, and how.
    f_wrong : Out(1)
        There is none in that slot.
    p_valid, p_ready, p_again, p_slot, p_queue, p_cid, p_status, p_result : Out(1), In(1), In(1), Out, Out, Out, Out, Out
        A completion; it is taken, or is to come again.
    posted, posted_slot, posted_queue : In(1), In, In
        One that was taken is posted.
    open : Out(slots)
        Slots with a command that has not ended.
    q_queue, q_commands : In, Out
        Of a queue: commands that came and whose completions are not posted.
    """

    def __init__(self, *, pairs: int, slots: int):
        self.pairs, self.slots = pairs, slots
        slot, queue = range(slots), range(pairs)
        super().__init__({
            "free": Out(range(slots + 1)), "a_slot": Out(slot), "a_take": In(1),
            "n_valid": In(1), "n_slot": In(slot), "n_queue": In(queue), "n_cid": In(_CID_BITS),
            "s_valid": In(1), "s_slot": In(slot), "s_queue": In(queue), "m_valid": Out(1), "m_ready": In(1), "m_slot": Out(slot),
            "m_queue": Out(queue),
            "f_valid": In(1), "f_ready": Out(1), "f_slot": In(slot), "f_status": In(STATUS_BITS), "f_result": In(_RESULT_BITS),
            "f_wrong": Out(1),
            "p_valid": Out(1), "p_ready": In(1), "p_again": In(1), "p_slot": Out(slot), "p_queue": Out(queue), "p_cid": Out(_CID_BITS),
            "p_status": Out(STATUS_BITS), "p_result": Out(_RESULT_BITS), "posted": In(1), "posted_slot": In(slot),
            "posted_queue": In(queue),
            "open": Out(slots),
            "q_queue": In(queue), "q_commands": Out(range(slots + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        bits = (self.slots - 1).bit_length()

        # Slots that were never given out, and then those that came back.
        m.submodules.returned = returned = Fifo(width=bits, depth=self.slots)
        fresh = Signal(range(self.slots + 1))
        m.d.comb += [
            self.a_slot.eq(Mux(fresh != self.slots, fresh, returned.o)),
            returned.o_ready.eq(self.a_take & (fresh == self.slots)), returned.i.eq(self.posted_slot), returned.i_valid.eq(self.posted),
        ]
        with m.If(self.a_take & (fresh != self.slots)):
            m.d.sync += fresh.eq(fresh + 1)
        # What came back counts when it can be taken.
        shown, there = Signal(range(self.slots + 1)), Signal(range(self.slots + 1))
        m.d.comb += [there.eq(self.slots - fresh + shown), self.free.eq(Mux((fresh == self.slots) & ~returned.o_valid, 0, there))]
        m.d.sync += shown.eq(shown + (returned.i_valid & returned.i_ready) - (returned.o_valid & returned.o_ready))

        # What came: whose it is stays in a memory.
        m.submodules.mailbox = mailbox = Fifo(width=bits + len(self.m_queue), depth=self.slots)
        owners = emit.instance(m, "owners", Memory(width=(self.pairs - 1).bit_length() + _CID_BITS, depth=self.slots))
        ends = emit.instance(m, "ends", Memory(width=STATUS_BITS + _RESULT_BITS, depth=self.slots))
        m.d.comb += [
            mailbox.i_valid.eq(self.s_valid), mailbox.i.eq(Cat(self.s_slot, self.s_queue)), self.m_valid.eq(mailbox.o_valid),
            Cat(self.m_slot, self.m_queue).eq(mailbox.o),
            mailbox.o_ready.eq(self.m_ready),
            owners.w_en.eq(self.n_valid), owners.w_addr.eq(self.n_slot), owners.w_data.eq(Cat(self.n_cid, self.n_queue)),
        ]

        counts = Array(Signal(range(self.slots + 1), name=f"commands{queue}") for queue in range(self.pairs))
        for queue, count in enumerate(counts):
            m.d.sync += count.eq(count + (self.n_valid & (self.n_queue == queue)) - (self.posted & (self.posted_queue == queue)))
        m.d.comb += self.q_commands.eq(counts[self.q_queue])

        # What has ended waits for its turn; what finds its queue full has its turn again behind all others.
        m.submodules.ended = ended = Fifo(width=bits, depth=self.slots)
        again, ends_now, slot = Signal(), Signal(), Signal(bits)
        m.d.comb += [
            again.eq(self.p_valid & self.p_ready & self.p_again), self.f_ready.eq(~again),
            ends_now.eq(self.f_valid & self.f_ready & self.open.bit_select(self.f_slot, 1)),
            self.f_wrong.eq(self.f_valid & self.f_ready & ~self.open.bit_select(self.f_slot, 1)),
            ends.w_en.eq(ends_now), ends.w_addr.eq(self.f_slot), ends.w_data.eq(Cat(self.f_status, self.f_result)),
            ended.i_valid.eq(ends_now | again), ended.i.eq(Mux(again, slot, self.f_slot)),
        ]
        for number in range(self.slots):
            with m.If(ends_now & (self.f_slot == number)):
                m.d.sync += self.open[number].eq(0)
            with m.Elif(self.n_valid & (self.n_slot == number)):
                m.d.sync += self.open[number].eq(1)

        # One is shown at a time, until it is taken.
        m.d.comb += [
            owners.r_addr.eq(ended.o), ends.r_addr.eq(ended.o), self.p_slot.eq(slot),
            Cat(self.p_cid, self.p_queue).eq(owners.r_data), Cat(self.p_status, self.p_result).eq(ends.r_data),
        ]
        with m.FSM():
            with m.State("NEXT"):
                m.d.comb += [ended.o_ready.eq(1), owners.r_en.eq(ended.o_valid), ends.r_en.eq(ended.o_valid)]
                with m.If(ended.o_valid):
                    m.d.sync += slot.eq(ended.o)
                    m.next = "SHOW"
            with m.State("SHOW"):
                m.d.comb += self.p_valid.eq(1)
                with m.If(self.p_ready):
                    m.next = "NEXT"
        return m
