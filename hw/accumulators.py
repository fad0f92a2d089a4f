"""The accumulators: words of int32 sums, updated by MATRIX while VECTOR reads."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import emit
from hw.memory import Memory
from hw.params import SystolicParams

__all__ = ["ACCUMULATOR_BANKS", "Accumulators"]

ACCUMULATOR_BANKS = 2


class Accumulators(wiring.Component):
    """Two banks, picked by the top bit of the word's address, each with one read and one write per cycle.

    MATRIX is always granted; VECTOR reads a bank that MATRIX does not read in the same cycle.

    Members
    -------
    m_en, m_addr, m_data : In(1), In, Out(32 * cols)
        MATRIX reads: data the cycle after.
    w_en, w_addr, w_data : In(1), In, In(32 * cols)
        MATRIX writes.
    v_en, v_addr, v_grant, v_data : In(1), In, Out(1), Out(32 * cols)
        VECTOR reads: data the cycle after enable and grant.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        address, word = range(params.acc_words), 32 * params.cols
        super().__init__({
            "m_en": In(1), "m_addr": In(address), "m_data": Out(word),
            "w_en": In(1), "w_addr": In(address), "w_data": In(word),
            "v_en": In(1), "v_addr": In(address), "v_grant": Out(1), "v_data": Out(word),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self.params.acc_words // ACCUMULATOR_BANKS
        m_bank, v_bank = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [m_bank.eq(self.m_addr[-1]), v_bank.eq(self.v_addr[-1])]
        m.d.comb += self.v_grant.eq(~(self.m_en & (self.m_addr[-1] == self.v_addr[-1])))
        data = []
        for b in range(ACCUMULATOR_BANKS):
            bank = emit.instance(m, f"bank{b}", Memory(width=32 * self.params.cols, depth=depth))
            by_matrix = self.m_en & (self.m_addr[-1] == b)
            m.d.comb += [
                bank.r_en.eq(by_matrix | (self.v_en & (self.v_addr[-1] == b))),
                bank.r_addr.eq(Mux(by_matrix, self.m_addr[:-1], self.v_addr[:-1])),
                bank.w_en.eq(self.w_en & (self.w_addr[-1] == b)), bank.w_addr.eq(self.w_addr[:-1]),
                bank.w_data.eq(self.w_data),
            ]
            data.append(bank.r_data)
        m.d.comb += [self.m_data.eq(Mux(m_bank, data[1], data[0])), self.v_data.eq(Mux(v_bank, data[1], data[0]))]
        return m
