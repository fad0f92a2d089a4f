"""Performance counters: what each engine did, and why it did not, cycle by cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.registers import COUNTERS, ENGINES

__all__ = ["Counters"]


class Counters(wiring.Component):
    """One 32-bit counter for each entry of ``hw.registers.COUNTERS``; those of engines that are left out stay 0.

    Parameters
    ----------
    engines : int
        Engines that there are, the first ones of ``hw.registers.ENGINES``.

    Members
    -------
    clear, run : In(1)
        Zero all; count in this cycle.
    busy, bank, bus, head, granted : per engine, In(1)
        Instruction in flight; stalled by a memory bank; by the bus; an instruction waits in the queue;
        that instruction has its tokens.
    read_beat, write_beat : In(1)
    value : per counter, Out(32)
    """

    def __init__(self, engines: int = len(ENGINES)):
        self.engines = n = engines
        super().__init__({
            "clear": In(1), "run": In(1), "busy": In(1).array(n), "bank": In(1).array(n), "bus": In(1).array(n),
            "head": In(1).array(n), "granted": In(1).array(n), "read_beat": In(1), "write_beat": In(1),
            "value": Out(32).array(len(COUNTERS)),
        })

    def elaborate(self, platform):
        m = Module()
        events = {"CYCLES": 1, "READ_BEATS": self.read_beat, "WRITE_BEATS": self.write_beat}
        for e, engine in enumerate(ENGINES[:self.engines]):
            idle = ~self.busy[e]
            events |= {
                f"{engine}_BUSY": self.busy[e],
                f"{engine}_TOKEN": idle & self.head[e] & ~self.granted[e],
                f"{engine}_BANK": self.bank[e],
                f"{engine}_BUS": self.bus[e],
                f"{engine}_EMPTY": idle & ~self.head[e],
            }
        for value, name in zip(self.value, COUNTERS, strict=True):
            if name not in events:
                continue
            event = Signal(name=f"event_{name.lower()}")
            m.d.sync += event.eq(events[name])
            with m.If(self.clear):
                m.d.sync += value.eq(0)
            with m.Elif(self.run & (event if name != "CYCLES" else 1)):
                m.d.sync += value.eq(value + 1)
        return m
