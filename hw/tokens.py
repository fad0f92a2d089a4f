"""Counting tokens: how instructions of different engines wait for one another."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SIGNAL_AHEAD", "TOKEN_LIMIT", "TokenCounters"]

TOKEN_LIMIT = 255  # of each kind that nobody has taken yet

#: Cycles from a signal to the soonest that an engine takes an instruction that waited for it: counted, found, granted. An engine
#: knows that long before its last access that it is the last, and may signal then: whoever is let in comes to memory after it.
SIGNAL_AHEAD = 3


class TokenCounters(wiring.Component):
    """``count`` counters of 8 bits, with all-or-nothing waits.

    An engine asks for a mask of tokens; when every counter in it is above zero, the engine is granted in the cycle
    after, and all of them drop by one. One engine is granted every other cycle, the first in order.
    Signals are counted in the cycle after they arrive, so grants never depend on them combinationally.

    Members
    -------
    want_valid, want, grant : per engine, In(1), In(count), Out(1)
        The engine's request, which stays until it is granted.
    released, done : per engine, In(count)
        Masks of tokens to add; zero when there is nothing to add.
    lacking : per engine, Out(count)
        Tokens of ``want`` that are not there; none while nothing is wanted.
    overflow : Out(1)
        A counter passed ``TOKEN_LIMIT``, and wrapped. The program was not legal.
    """

    def __init__(self, engines: int, count: int = 16):
        self.engines, self.count = engines, count
        super().__init__({
            "want_valid": In(1).array(engines), "want": In(count).array(engines), "grant": Out(1).array(engines),
            "released": In(count).array(engines), "done": In(count).array(engines),
            "lacking": Out(count).array(engines), "overflow": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        counters = [Signal(range(TOKEN_LIMIT + 1), name=f"counter{i}") for i in range(self.count)]
        empty = Signal(self.count)
        m.d.comb += empty.eq(Cat(c == 0 for c in counters))
        # Whoever can go on is found in one cycle and granted in the next. As a grant takes tokens, nobody is found beside it.
        able = Signal(self.engines)
        taken = 0
        consumed = 0
        for e in range(self.engines):
            m.d.comb += [
                self.lacking[e].eq(self.want[e] & empty & self.want_valid[e].replicate(self.count)),
                self.grant[e].eq(able[e] & ~taken),
            ]
            m.d.sync += able[e].eq(self.want_valid[e] & (self.lacking[e] == 0) & ~able.any())
            consumed = consumed | Mux(self.grant[e], self.want[e], 0)
            taken = taken | able[e]
        take = Signal(self.count)
        m.d.comb += take.eq(consumed)

        beyond = Signal(self.count)
        for i, counter in enumerate(counters):
            added = sum((self.released[e][i] + self.done[e][i] for e in range(self.engines)), 0)
            total = Signal(10, name=f"total{i}")
            m.d.comb += total.eq(counter + added - take[i])
            m.d.sync += [counter.eq(total), beyond[i].eq(total > TOKEN_LIMIT)]
        m.d.comb += self.overflow.eq(beyond.any())
        return m
