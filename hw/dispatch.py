"""Dispatch: checks each instruction, hands it to its engine's queue, and ends the program."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.encoding import ENCODING, INSTRUCTION_BITS
from tenon.hw.legality import Legality, longest_walk
from tenon.hw.registers import ErrorCode

__all__ = ["Dispatch", "issue_cycles"]

ISSUE_CYCLES = 2  # beside the walk: judged, pushed
_STILL = 31  # cycles without work after which there will be none: many more than a token needs from one engine to another


def issue_cycles(mnemonics, memory_bytes) -> int:
    """Cycles from one instruction to the next, at most, while the bus brings them in time and queues have room."""
    return longest_walk(mnemonics, memory_bytes) + ISSUE_CYCLES


class Dispatch(wiring.Component):
    """Takes instructions in program order; the first illegal one, bus error, deadlock of tokens or END ends the program.

    So does STOP. A program that ends before its END is cut off at once: everything between dispatch and the bus is reset
    while the bus gets and gives what is owed. That reset ends every program, so that the next one starts clean.

    Parameters
    ----------
    mnemonics : list
        One for each engine, in the engines' order.
    memory_bytes : dict of str to int
        Size of each on-chip memory.

    Members
    -------
    start, stop : In(1)
        Pulses: begins a program; ends it.
    i_valid, i_instr, i_ready : In(1), In(1024), Out(1)
        From fetch.
    exhausted, fetch_quiet, fetch_stop : In(1), In(1), Out(1)
        Program used up without END; no fetch in flight; fetch nothing more.
    push, push_ready : per engine, Out(1), In(1)
        To the engines' queues; the instruction itself is ``i_instr``, held until taken.
    queues_idle, engines_busy : In(1)
        Every queue is empty and nothing owed; some engine has an instruction in flight.
    bus_error, token_error : In(4), In(1)
        Nonzero error code for one cycle; a token counter overflowed.
    cut, bus_quiet : Out(1), In(1)
        Resets fetch, queues, tokens and engines, and cuts them off from the bus; nothing is owed on the bus any more.
    running, finish, error, index : Out(1), Out(1), Out(4), Out(24)
        A program runs; a pulse at its end, with the error and the count of dispatched instructions.
    """

    def __init__(self, mnemonics, memory_bytes):
        self.mnemonics, self.memory_bytes = mnemonics, memory_bytes
        n = len(mnemonics)
        super().__init__({
            "start": In(1), "stop": In(1), "i_valid": In(1), "i_instr": In(INSTRUCTION_BITS), "i_ready": Out(1),
            "exhausted": In(1), "fetch_quiet": In(1), "fetch_stop": Out(1),
            "push": Out(1).array(n), "push_ready": In(1).array(n),
            "queues_idle": In(1), "engines_busy": In(1), "bus_error": In(4), "token_error": In(1),
            "cut": Out(1), "bus_quiet": In(1), "running": Out(1), "finish": Out(1), "error": Out(4), "index": Out(24),
        })

    def elaborate(self, platform):
        m = Module()
        legality = emit.instance(m, "legality", Legality(self.mnemonics, self.memory_bytes), reset=ResetSignal() | self.cut)
        offset, width = ENCODING.place("opcode")
        opcode = self.i_instr[offset:offset + width]
        verdict = Signal(4)
        chosen = Signal(len(self.mnemonics))  # the queue that is to get the instruction, which is legal
        pushed = Signal()
        ending = Signal()  # every instruction has come; this one has no room in its queue
        blocked = Signal()
        m.d.comb += [legality.i_instr.eq(self.i_instr), self.fetch_stop.eq(ending)]

        # Nothing will come, or find room, and nothing works: no token can change any more.
        still = Signal(range(_STILL + 1))
        deadlock = Signal()
        m.d.comb += deadlock.eq(still == _STILL)
        with m.If((ending | blocked) & ~self.engines_busy & ~self.queues_idle):
            m.d.sync += still.eq(still + ~deadlock)
        with m.Else():
            m.d.sync += still.eq(0)

        # Nothing but registers and the queue's room decide on a push.
        m.d.comb += [*(push.eq(own & ready & ~self.cut) for push, own, ready in zip(self.push, chosen, self.push_ready)),
                     pushed.eq(Cat(self.push).any())]
        with m.If(pushed | self.cut):
            m.d.sync += chosen.eq(0)

        def fail(code):
            with m.If(self.error == 0):
                m.d.sync += self.error.eq(code)
            m.d.sync += self.cut.eq(1)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.error.eq(0), self.index.eq(0), self.running.eq(1)]
                    m.next = "NEXT"
            with m.State("NEXT"):
                with m.If(self.cut):
                    m.next = "DRAIN"
                with m.Elif(self.i_valid):
                    with m.If(opcode == 0):
                        m.d.comb += self.i_ready.eq(1)
                        m.d.sync += self.index.eq(self.index + 1)
                        m.next = "END"
                    with m.Else():
                        m.d.comb += legality.start.eq(1)
                        m.next = "CHECK"
                with m.Elif(self.exhausted):
                    fail(ErrorCode.NO_END.value)
            with m.State("CHECK"):
                with m.If(self.cut):
                    m.next = "DRAIN"
                with m.Elif(legality.finish):
                    m.d.sync += verdict.eq(legality.error)
                    with m.If(legality.error == 0):
                        m.d.sync += chosen.eq(Cat(opcode == mnemonic.opcode for mnemonic in self.mnemonics))
                    m.next = "PUSH"
            with m.State("PUSH"):
                with m.If(self.cut):
                    m.next = "DRAIN"
                with m.Elif(verdict != 0):
                    fail(verdict)
                with m.Elif(pushed):
                    m.d.comb += self.i_ready.eq(1)
                    m.d.sync += self.index.eq(self.index + 1)
                    m.next = "NEXT"
                with m.Else():
                    m.d.comb += blocked.eq(1)
                    with m.If(deadlock):
                        fail(ErrorCode.DEADLOCK.value)
            with m.State("END"):
                m.d.comb += ending.eq(1)
                with m.If(self.cut):
                    m.next = "DRAIN"
                with m.Elif(deadlock):
                    fail(ErrorCode.DEADLOCK.value)
                with m.Elif(self.queues_idle & ~self.engines_busy & self.fetch_quiet):
                    m.d.sync += self.cut.eq(1)
                    m.next = "FINISH"
            with m.State("DRAIN"):
                with m.If(self.bus_quiet):
                    m.next = "FINISH"
            with m.State("FINISH"):
                m.d.comb += self.finish.eq(1)
                m.d.sync += [self.running.eq(0), self.cut.eq(0)]
                m.next = "IDLE"

        with m.If(self.running & ~self.finish):
            with m.If(self.bus_error != 0):
                fail(self.bus_error)
            with m.If(self.token_error):
                fail(ErrorCode.TOKEN.value)
            with m.If(self.stop):
                fail(ErrorCode.STOPPED.value)
        return m
