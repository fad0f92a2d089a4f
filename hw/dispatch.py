"""Dispatch: checks each instruction, hands it to its engine's queue, and ends the program."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.acg.mnemonic import HEADER, INSTRUCTION_BITS
from tenon.hw.legality import Legality, longest_walk
from tenon.hw.registers import ErrorCode

__all__ = ["Dispatch", "issue_cycles"]

_STILL = 31  # cycles without work after which there will be none: many more than a token needs from one engine to another


def issue_cycles(mnemonics, memory_bytes) -> int:
    """Cycles from one instruction to the next, at most, while the bus brings them in time and queues have room."""
    return longest_walk(mnemonics, memory_bytes) + 3  # taken up, judged, pushed


class Dispatch(wiring.Component):
    """Takes instructions in program order; the first illegal one, bus error, deadlock of tokens or END ends the program.

    After an error nothing more is issued: engines finish what they hold (as the bus always answers), then every queue is
    cleared, so that the next program starts clean.

    Parameters
    ----------
    mnemonics : list
        One for each engine, in the engines' order.
    memory_bytes : dict of str to int
        Size of each on-chip memory.

    Members
    -------
    start : In(1)
        Begins a program.
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
    halt, clear : Out(1)
        To the queues and token counters.
    running, finish, error, index : Out(1), Out(1), Out(4), Out(24)
        A program runs; a pulse at its end, with the error and the count of dispatched instructions.
    """

    def __init__(self, mnemonics, memory_bytes):
        self.mnemonics, self.memory_bytes = mnemonics, memory_bytes
        n = len(mnemonics)
        super().__init__({
            "start": In(1), "i_valid": In(1), "i_instr": In(INSTRUCTION_BITS), "i_ready": Out(1),
            "exhausted": In(1), "fetch_quiet": In(1), "fetch_stop": Out(1),
            "push": Out(1).array(n), "push_ready": In(1).array(n),
            "queues_idle": In(1), "engines_busy": In(1), "bus_error": In(4), "token_error": In(1),
            "halt": Out(1), "clear": Out(1), "running": Out(1), "finish": Out(1), "error": Out(4), "index": Out(24),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.legality = legality = Legality(self.mnemonics, self.memory_bytes)
        offset, width = HEADER["opcode"]
        opcode = self.i_instr[offset:offset + width]
        verdict = Signal(4)
        ending = Signal()  # every instruction has come; this one has no room in its queue
        blocked = Signal()
        m.d.comb += [legality.i_instr.eq(self.i_instr), self.fetch_stop.eq(self.finish | self.halt | ending)]

        # Nothing will come, or find room, and nothing works: no token can change any more.
        still = Signal(range(_STILL + 1))
        deadlock = Signal()
        m.d.comb += deadlock.eq(still == _STILL)
        with m.If((ending | blocked) & ~self.engines_busy & ~self.queues_idle):
            m.d.sync += still.eq(still + ~deadlock)
        with m.Else():
            m.d.sync += still.eq(0)

        def fail(code):
            with m.If(self.error == 0):
                m.d.sync += self.error.eq(code)
            m.d.sync += self.halt.eq(1)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [self.error.eq(0), self.index.eq(0), self.running.eq(1), self.halt.eq(0)]
                    m.next = "NEXT"
            with m.State("NEXT"):
                with m.If(self.halt):
                    m.next = "ABORT"
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
                with m.If(legality.finish):
                    m.d.sync += verdict.eq(legality.error)
                    m.next = "PUSH"
            with m.State("PUSH"):
                with m.If(self.halt):
                    m.next = "ABORT"
                with m.Elif(verdict != 0):
                    fail(verdict)
                with m.Elif(deadlock):
                    fail(ErrorCode.DEADLOCK.value)
                with m.Else():
                    m.d.comb += blocked.eq(1)
                    for e, mnemonic in enumerate(self.mnemonics):
                        with m.If((opcode == mnemonic.opcode) & self.push_ready[e]):
                            m.d.comb += [self.push[e].eq(1), self.i_ready.eq(1), blocked.eq(0)]
                            m.d.sync += self.index.eq(self.index + 1)
                            m.next = "NEXT"
            with m.State("END"):
                m.d.comb += ending.eq(1)
                with m.If(self.halt):
                    m.next = "ABORT"
                with m.Elif(deadlock):
                    fail(ErrorCode.DEADLOCK.value)
                with m.Elif(self.queues_idle & ~self.engines_busy & self.fetch_quiet):
                    m.next = "FINISH"
            with m.State("ABORT"):
                with m.If(~self.engines_busy & self.fetch_quiet):
                    m.next = "FINISH"
            with m.State("FINISH"):
                m.d.comb += [self.finish.eq(1), self.clear.eq(1)]
                m.d.sync += [self.running.eq(0), self.halt.eq(0)]
                m.next = "IDLE"

        with m.If(self.running & (self.bus_error != 0)):
            fail(self.bus_error)
        with m.If(self.running & self.token_error):
            fail(ErrorCode.TOKEN.value)
        return m
