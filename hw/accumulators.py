"""The accumulators: words of int32 sums in banks, with a read and a write port for each engine that uses them."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory
from tenon.hw.params import SystolicParams

__all__ = ["Accumulators"]

#: Ports in order of priority, and the engines that they belong to. The first of each is always granted.
_READS, _WRITES = {"m": "MATRIX", "v": "VECTOR", "x": "WINDOW"}, {"w": "MATRIX", "xw": "WINDOW"}


class Accumulators(wiring.Component):
    """Banks, picked by the top bits of the word's address, each with one read and one write per cycle.

    A port is granted in the cycle it asks unless a port before it uses the same bank in the same direction. MATRIX
    comes first and cannot wait, so it has no grant. Reading what is being written gives either value.

    Members
    -------
    m_en, m_addr, m_data : In(1), In, Out(32 * cols)
        MATRIX reads: data the cycle after, for that cycle.
    v_*, x_* : likewise, and ``grant`` Out(1)
        VECTOR and WINDOW read: data the cycle after enable and grant.
    w_en, w_addr, w_data : In(1), In, In(32 * cols)
        MATRIX writes; the word comes a cycle after its address, so that the other port's grant is known early.
    xw_* : In(1), In, In(32 * cols), and ``grant`` Out(1)
        WINDOW writes.

    WINDOW's words have ``window_lanes`` elements: a part of a word each.
    """

    def __init__(self, params: SystolicParams):
        self.params = params
        self._parts = {name: params.cols // params.window_lanes if name in ("x", "xw") else 1 for name in (*_READS, *_WRITES)}
        members = {}
        for ports, data in ((_READS, Out), (_WRITES, In)):
            for name in ports:
                parts = self._parts[name]
                members |= {f"{name}_en": In(1), f"{name}_addr": In(range(params.acc_words * parts)),
                            f"{name}_data": data(32 * params.cols // parts)}
            members |= {f"{name}_grant": Out(1) for name in list(ports)[1:]}
        super().__init__(members)

    @staticmethod
    def readers(p: SystolicParams) -> tuple[str, ...]:
        """Engines in the order in which they are served."""
        return tuple(engine for engine in _READS.values() if p.window_taps or engine != "WINDOW")

    @staticmethod
    def writers(p: SystolicParams) -> tuple[str, ...]:
        """Likewise."""
        return tuple(engine for engine in _WRITES.values() if p.window_taps or engine != "WINDOW")

    def elaborate(self, platform):
        m = Module()
        p = self.params
        banks = [emit.instance(m, f"bank{b}", Memory(width=32 * p.cols, depth=p.acc_words // p.accumulator_banks,
                                                     lane_bits=32 * p.window_lanes)) for b in range(p.accumulator_banks)]
        high = (p.accumulator_banks - 1).bit_length()  # bits that pick a bank
        enable, data, grant = ({name: getattr(self, f"{name}_{what}", None) for name in (*_READS, *_WRITES)}
                               for what in ("en", "data", "grant"))
        enable["w"], address_w = Signal(name="w_en_then"), Signal.like(self.w_addr, name="w_addr_then", reset_less=True)
        m.d.sync += [enable["w"].eq(self.w_en), address_w.eq(self.w_addr)]
        part, address = {}, {}
        for name, parts in self._parts.items():
            whole, bits = address_w if name == "w" else getattr(self, f"{name}_addr"), (parts - 1).bit_length()
            part[name], address[name] = whole[:bits], whole[bits:]
        all_parts = p.cols // p.window_lanes

        for ports in (_READS, _WRITES):
            for b, bank in enumerate(banks):
                used, line, word, mask = 0, 0, 0, 0
                wants = {name: Signal(name=f"{name}_wants{b}") for name in ports}
                for name in ports:
                    m.d.comb += wants[name].eq(enable[name] & (address[name][-high:] == b))
                    if name == "xw":
                        free = Signal(name=f"bank{b}_free", init=1)
                        m.d.sync += free.eq(~(self.w_en & (self.w_addr[-high:] == b)))
                        with m.If(address[name][-high:] == b):
                            m.d.comb += grant[name].eq(free)
                    elif grant[name] is not None:
                        with m.If(address[name][-high:] == b):
                            m.d.comb += grant[name].eq(~used)
                    used |= wants[name]
                for name in reversed(ports):
                    line = Mux(wants[name], address[name][:-high], line)
                    if ports is _WRITES:
                        parts = self._parts[name]
                        word = Mux(wants[name], data[name].replicate(parts), word)
                        its = Cat(part[name] == k for k in range(parts)) if parts > 1 else Const(1).replicate(all_parts)
                        mask = Mux(wants[name], its, mask)
                if ports is _READS:
                    m.d.comb += [bank.r_en.eq(used), bank.r_addr.eq(line)]
                else:
                    m.d.comb += [bank.w_en.eq(mask), bank.w_addr.eq(line), bank.w_data.eq(word)]

        for name in _READS:
            from_bank = Signal(high, reset_less=True, name=f"{name}_bank")
            m.d.sync += from_bank.eq(address[name][-high:])
            line = Array(bank.r_data for bank in banks)[from_bank] if len(banks) > 2 else Mux(from_bank, banks[1].r_data, banks[0].r_data)
            if self._parts[name] > 1:
                from_part = Signal.like(part[name], name=f"{name}_part", reset_less=True)
                m.d.sync += from_part.eq(part[name])
                line = line.word_select(from_part, len(data[name]))
            m.d.comb += data[name].eq(line)
        return m
