"""The queue in front of an engine: decoded instructions, their waits, and the signals they owe."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.encoding import ENCODING, INSTRUCTION_BITS
from tenon.hw.fifo import Fifo
from tenon.hw.memory import Memory
from tenon.hw.params import SystolicParams

__all__ = ["EngineQueue"]

_IN_FLIGHT = 16  # instructions that an engine may hold at once, from issue to done
_AHEAD = 2  # instructions that may have their tokens before they are taken


class EngineQueue(wiring.Component):
    """Holds ``queue_depth`` instructions of one engine in order, and issues each when its tokens are there. The next but one
    may have its tokens already.

    The engine answers every instruction with one release pulse (operands read) and one done pulse
    (results visible), both in order; the queue turns them into the tokens that the instruction signals. The release may not
    come later than the done: ``idle`` looks at what is not done, and the Fifo of releases has room for the instructions
    that wait here and for those that are not done.

    Parameters
    ----------
    bits : int
        Of an instruction that this engine looks at, header included.

    Members
    -------
    push, w_instr, push_ready : In(1), In(bits), Out(1)
        From dispatch; a push while not ready is lost.
    want_valid, want, grant : Out(1), Out(16), In(1)
        To the token counters.
    i_valid, i_instr, i_ready : Out(1), Out(bits), In(1)
        To the engine.
    e_release, e_done : In(1)
        Pulses from the engine.
    released, done : Out(16)
        Tokens to add in this cycle.
    mark_valid, mark : Out(1), Out(12)
        The instruction that is done in this cycle carries this mark.
    head, active, idle : Out(1)
        An instruction waits at the head; the engine holds, or is about to take, one; nothing at all is here.
    """

    def __init__(self, params: SystolicParams, bits: int = INSTRUCTION_BITS):
        self.params, self.bits, self.role = params, bits, f"engine_queue_{bits}_bits"
        t = params.tokens
        super().__init__({
            "push": In(1), "w_instr": In(bits), "push_ready": Out(1),
            "want_valid": Out(1), "want": Out(t), "grant": In(1),
            "i_valid": Out(1), "i_instr": Out(bits), "i_ready": In(1),
            "e_release": In(1), "e_done": In(1), "released": Out(t), "done": Out(t),
            "mark_valid": Out(1), "mark": Out(12), "head": Out(1),
            "active": Out(1), "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self.params.queue_depth
        store = emit.instance(m, "store", Memory(width=self.bits, depth=depth))
        write = Signal(range(depth))
        read = Signal(range(depth))
        stored = Signal(range(depth + 1))  # written and not yet moved to the head
        fetch = Signal()
        take = Signal()
        head = Signal()

        # The memory's output register is the head: it is refilled when the engine takes it.
        m.d.comb += [
            take.eq(self.i_valid & self.i_ready),
            fetch.eq((stored != 0) & (~head | take)),
            self.push_ready.eq(stored != depth),
            store.w_en.eq(self.push), store.w_addr.eq(write), store.w_data.eq(self.w_instr),
            store.r_en.eq(fetch), store.r_addr.eq(read), self.i_instr.eq(store.r_data), self.head.eq(head),
        ]
        with m.If(self.push):
            m.d.sync += write.eq(write + 1)
        with m.If(fetch):
            m.d.sync += [read.eq(read + 1), head.eq(1)]
        with m.Elif(take):
            m.d.sync += head.eq(0)
        m.d.sync += stored.eq(stored + self.push - fetch)

        def field(name: str):
            offset, width = ENCODING.place(name)
            return self.w_instr[offset:offset + width]

        # Tokens are acquired in order, for the head and, while the engine still works on that, for the one behind it: what
        # they are lies in a memory of its own.
        m.submodules.waits = waits = Fifo(width=self.params.tokens, depth=depth)
        acquired = Signal(range(_AHEAD + 1))  # instructions that have their tokens and are not taken
        in_flight = Signal(range(_IN_FLIGHT + 1))
        m.d.comb += [
            waits.i_valid.eq(self.push), waits.i.eq(field("waits")), waits.o_ready.eq(self.grant),
            self.want_valid.eq(waits.o_valid & (acquired != _AHEAD)), self.want.eq(waits.o),
            self.i_valid.eq(head & (acquired != 0) & (in_flight != _IN_FLIGHT)),
        ]
        m.d.sync += [acquired.eq(acquired + self.grant - take), in_flight.eq(in_flight + take - self.e_done)]

        # What is signalled waits in memories from the beginning, so that taking an instruction moves nothing there.
        tokens, marks = self.params.tokens, ENCODING.place("mark")[1]
        owed = 1 << (depth + _IN_FLIGHT - 1).bit_length()
        m.submodules.to_release = to_release = Fifo(width=tokens, depth=owed)
        m.submodules.to_finish = to_finish = Fifo(width=tokens + marks, depth=owed)
        m.d.comb += [
            to_release.i_valid.eq(self.push), to_release.i.eq(field("release")), to_release.o_ready.eq(self.e_release),
            to_finish.i_valid.eq(self.push), to_finish.i.eq(Cat(field("done"), field("mark"))), to_finish.o_ready.eq(self.e_done),
        ]
        with m.If(self.e_release):
            m.d.comb += self.released.eq(to_release.o)
        with m.If(self.e_done):
            m.d.comb += [self.done.eq(to_finish.o[:tokens]), self.mark.eq(to_finish.o[tokens:]),
                         self.mark_valid.eq(to_finish.o[tokens:] != 0)]
        m.d.comb += [self.idle.eq(~head & (stored == 0) & (in_flight == 0)), self.active.eq((acquired != 0) | (in_flight != 0))]
        return m
