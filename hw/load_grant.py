"""Whether LOAD may write, known out of a register: where it writes next is known a cycle ahead, and so is where VECTOR does."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.buffers import VECTOR_BANKS, activation_banks
from tenon.hw.params import SystolicParams

__all__ = ["LOAD_TARGETS", "LoadGrant"]

#: Memories in the order of LOAD's field ``mem``.
LOAD_TARGETS = ("ACT", "WGT", "VEC", "PAR", "TAB")


class LoadGrant(wiring.Component):
    """Grants LOAD its write unless VECTOR, which cannot wait, writes into the same bank of the same memory.

    All that asks is known in the cycle before; so whoever waits for LOAD waits for a register. Nobody but these two writes into
    the activations, the vector buffer and the parameters. LOAD has the tables to itself, and the weights but for their readers.

    Members
    -------
    load_mem, load_addr : In(3), In(20)
        The memory, as in field ``mem``, and the byte address to which LOAD will write in the next cycle, if it does.
    act, vec, par : In(1)
        VECTOR will write into this memory in the next cycle.
    act_addr, vec_addr : In
        And to which word of ``cols`` bytes. The parameters are one bank.
    grant : Out(1)
        LOAD may, as far as VECTOR is concerned.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        super().__init__({
            "load_mem": In(3), "load_addr": In(20), "act": In(1), "vec": In(1), "par": In(1),
            "act_addr": In(range(params.activation_bytes // params.cols)), "vec_addr": In(range(params.vec_words)), "grant": Out(1, init=1),
        })

    def elaborate(self, platform):
        m = Module()
        p = self.params
        same = {"PAR": (self.par, Const(1))}
        for memory, writes, address, size, banks in (
                ("ACT", self.act, self.act_addr, p.activation_bytes, activation_banks(p)),
                ("VEC", self.vec, self.vec_addr, p.vector_bytes, VECTOR_BANKS)):
            top, bits = (size - 1).bit_length(), (banks - 1).bit_length()
            same[memory] = writes, self.load_addr[top - bits:top] == address[len(address) - bits:]
        refused = Signal()
        with m.Switch(self.load_mem):
            for memory, (writes, in_bank) in same.items():
                with m.Case(LOAD_TARGETS.index(memory)):
                    m.d.comb += refused.eq(writes & in_bank)
        m.d.sync += self.grant.eq(~refused)
        return m
