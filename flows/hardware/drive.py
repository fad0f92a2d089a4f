"""Gives every net of a netlist a driver that is strong enough: trees of buffers, and sizes where the library has some."""

from __future__ import annotations

import heapq
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field

from tenon.flows.errors import UserError
from tenon.flows.hardware.gates import CLOCK, CONSTANTS, Cell, Netlist
from tenon.flows.hardware.liberty import Gate, Library

__all__ = ["strengthen"]

_SIZED = re.compile(r"(INV|BUF|AND2|OR2)X\d+")  # cells that come in several strengths, and have the same pins in all of them


def strengthen(netlist: Netlist, library: Library) -> None:
    """Adds buffers and changes sizes, so that the slowest path from each net on takes least; the logic stays as it is.

    Nets are taken from the registers backwards: how long what follows a net takes is then known, with its buffers. The sinks of
    a net that have most time are gathered behind a buffer, again and again, and of all these trees that one is built with which
    the sink that has least time gets most. Delays count as linear in the load. The clock and constants are left alone.

    Raises
    ------
    UserError
        If gates drive each other in a loop.
    """
    _Strengthening(netlist, library).run()


@dataclass(order=True, slots=True)
class _Sink:
    """An input, or a buffer that is not built yet; ``after``: ns from there to the last register behind it, setup left out."""

    after: float
    number: int  # decides between equal ones, so that every run gives the same netlist
    load: float = field(compare=False)
    cell: Cell = field(compare=False)
    pin: str = field(compare=False)
    behind: list[_Sink] = field(compare=False, default_factory=list)


class _Strengthening:
    def __init__(self, netlist: Netlist, library: Library):
        self.netlist, self.gates = netlist, library.gates
        self.sizes: dict[str, list[Gate]] = defaultdict(list)
        for name, gate in library.gates.items():
            if match := _SIZED.fullmatch(name):
                self.sizes[match[1]].append(gate)
        self.buffer = min(self.sizes["BUF"], key=lambda gate: gate.ns_per_pf)
        (self.buffer_pin, self.buffer_load), = self.buffer.inputs.items()
        # The load with which a buffer's delay per factor of gain is least.
        self.best_load = min((n * self.buffer_load for n in range(2, 40)),
                             key=lambda load: self.buffer.delay(load) / math.log(load / self.buffer_load))
        #: What driving an input costs whatever drives it, mostly gates of the smallest size.
        self.upstream_ns_per_pf = max(gate.ns_per_pf for gate in self.sizes["INV"])
        self.after: dict[int, float] = {}  # by net: as _Sink.after, at the output that drives it, which is included
        self.drivers: dict[int, Cell] = {}
        self.inputs: dict[int, list[tuple[Cell, str]]] = defaultdict(list)
        for cell in netlist.cells:
            gate = self.gates[cell.kind]
            for pin, net in cell.pins.items():
                if pin in gate.outputs:
                    self.drivers[net] = cell
                elif net not in (*CONSTANTS, CLOCK):
                    self.inputs[net].append((cell, pin))

    def run(self) -> None:
        order = self._backwards()
        if len(order) < len(self.drivers):
            raise UserError(f"gates drive each other in a loop, one of them {self.netlist.names[self._in_a_loop(set(order))]}")
        for net in order:
            self._drive(net)

    def _is_register(self, cell: Cell) -> bool:
        return bool(self.gates[cell.kind].clock)

    def _backwards(self) -> list[int]:
        """Nets with a driver, each after all nets that follow it."""
        waiting = {net: sum(not self._is_register(cell) for cell, _ in self.inputs[net]) for net in self.drivers}
        ready = [net for net, count in waiting.items() if not count]
        order = []
        while ready:
            order.append(ready.pop())
            cell = self.drivers[order[-1]]
            if self._is_register(cell):
                continue
            for pin, net in cell.pins.items():
                if pin in self.gates[cell.kind].inputs and net in waiting:
                    waiting[net] -= 1
                    if not waiting[net]:
                        ready.append(net)
        return order

    def _in_a_loop(self, ordered: set[int]) -> int:
        """A net that follows itself: each that has no place in the order leads to another such."""
        net, seen = next(net for net in self.drivers if net not in ordered), set()
        while net not in seen:
            seen.add(net)
            readers = (cell for cell, _ in self.inputs[net] if not self._is_register(cell))
            outputs = (cell.pins[pin] for cell in readers for pin in self.gates[cell.kind].outputs)
            net = next(output for output in outputs if output not in ordered)
        return net

    def _drive(self, net: int) -> None:
        """Builds the best tree for one net, and chooses the size of its driver."""
        driver = self.drivers[net]
        match = _SIZED.fullmatch(driver.kind)
        sizes = self.sizes[match[1]] if match else [self.gates[driver.kind]]
        sinks = [self._sink(number, cell, pin) for number, (cell, pin) in enumerate(self.inputs[net])]
        heapq.heapify(sinks)
        load, after = sum(sink.load for sink in sinks), max((sink.after for sink in sinks), default=0.0)
        buffers: list[_Sink] = []
        trees = []  # time from the driver on, number of buffers, driver, and time with its own
        while True:
            gate = min(sizes, key=lambda size: self._cost(size, load))
            trees.append((after + self._cost(gate, load), len(buffers), gate, after + gate.delay(load)))
            if len(sinks) < 2 or load <= 2 * self.buffer_load:
                break
            group = [heapq.heappop(sinks), heapq.heappop(sinks)]
            grouped = group[0].load + group[1].load
            while sinks and grouped + sinks[0].load <= self.best_load:
                group.append(heapq.heappop(sinks))
                grouped += group[-1].load
            # What a memory or a port drives needs buffers of the part that reads it.
            part = driver.part or next((sink.cell.part for sink in group if sink.cell.part), "")
            cell = Cell(self.buffer.name, driver.path, {self.buffer_pin: net}, part)
            buffers.append(_Sink(group[-1].after + self.buffer.delay(grouped), len(self.inputs[net]) + len(buffers), self.buffer_load,
                                 cell, self.buffer_pin, group))
            heapq.heappush(sinks, buffers[-1])
            load += self.buffer_load - grouped
            after = max(after, buffers[-1].after)
        _, count, gate, self.after[net] = min(trees, key=lambda tree: tree[:2])
        driver.kind = gate.name
        for buffer in buffers[:count]:
            output = self.netlist.new_net(self.netlist.names[net])
            buffer.cell.pins[self.buffer.outputs[0]] = output
            self.netlist.cells.append(buffer.cell)
            for sink in buffer.behind:
                sink.cell.pins[sink.pin] = output

    def _sink(self, number: int, cell: Cell, pin: str) -> _Sink:
        gate = self.gates[cell.kind]
        after = 0.0 if gate.clock else max(self.after[cell.pins[output]] for output in gate.outputs)
        return _Sink(after, number, gate.inputs[pin], cell, pin)

    def _cost(self, gate: Gate, load: float) -> float:
        """Delay of a driver, and of what drives it in turn as far as that depends on its size."""
        return gate.delay(load) + max(gate.inputs.values()) * self.upstream_ns_per_pf
