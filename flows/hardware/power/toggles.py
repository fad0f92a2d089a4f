"""Toggles of every net of a netlist, glitches among them, in many cycles at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tenon.flows.hardware.gates import CLOCK, CONSTANTS, Cell, Netlist
from tenon.flows.hardware.liberty import Library
from tenon.flows.hardware.power.functions import Function, function

__all__ = ["Gates", "settle", "toggles"]

_STEP_NS = 0.05  # times are its multiples: gates of this library take 0.05 to 0.5 ns


@dataclass(slots=True)
class _Output:
    """An output of a combinational cell."""

    net: int
    inputs: list[int]
    function: Function
    delay: int = 1


class Gates:
    """A netlist, ready for simulation: loads of its nets in pF, its registers, and all other outputs in an order in which they can
    be computed."""

    def __init__(self, netlist: Netlist, library: Library):
        self.netlist, self.library = netlist, library
        self.loads: dict[int, float] = defaultdict(float)
        for cell in netlist.cells:
            for pin, load in library.gates[cell.kind].inputs.items():
                self.loads[cell.pins[pin]] += load
        functions = _functions(library)
        self.registers: list[Cell] = []
        outputs: list[_Output] = []
        self.drivers: dict[int, tuple[Cell, str]] = {}
        for cell in netlist.cells:
            gate = library.gates[cell.kind]
            self.drivers |= {cell.pins[pin]: (cell, pin) for pin in gate.outputs}
            if gate.clock:
                self.registers.append(cell)
                continue
            inputs = [cell.pins[pin] for pin in gate.inputs]
            for pin in gate.outputs:
                net = cell.pins[pin]
                delay = max(1, round(gate.delay(self.loads[net]) / _STEP_NS))
                outputs.append(_Output(net, inputs, functions[cell.kind, pin], delay))
        self.readers: dict[int, list[_Output]] = defaultdict(list)
        for output in outputs:
            for net in {*output.inputs}:
                self.readers[net].append(output)
        self.order = self._forwards(outputs)

    def held(self, register: Cell) -> int:
        """The net of what a register holds."""
        return register.pins[self.library.gates[register.kind].outputs[0]]

    def taken(self, register: Cell) -> int:
        """The net of what a register takes at the clock's next edge."""
        return register.pins[self.library.gates[register.kind].data]

    def register_delay(self, register: Cell) -> int:
        return max(1, round(self.library.gates[register.kind].delay(self.loads[self.held(register)]) / _STEP_NS))

    def _forwards(self, outputs: list[_Output]) -> list[_Output]:
        computed = {output.net for output in outputs}
        waits = {output.net: sum(net in computed for net in {*output.inputs}) for output in outputs}
        ready = [output for output in outputs if not waits[output.net]]
        for output in ready:  # which grows meanwhile
            for reader in self.readers[output.net]:
                waits[reader.net] -= 1
                if not waits[reader.net]:
                    ready.append(reader)
        return ready


def settle(gates: Gates, held: Mapping[int, int], ones: int) -> dict[int, int]:
    """The value of every net at the end of the cycle, if registers hold ``held`` (by net): one bit of each for each cycle."""
    values = {**held, CONSTANTS[0]: 0, CONSTANTS[1]: ones, CLOCK: 0}
    for output in gates.order:
        values[output.net] = output.function([values[net] for net in output.inputs], ones)
    return values


def toggles(gates: Gates, settled: Mapping[int, int], follows: int, ones: int,
            progress: Callable[[float], None] = lambda ns: None) -> Iterator[tuple[int, int]]:
    """Each time that a net changes, and the cycles in which it does: (net, bits).

    ``settled`` are the values at the ends of the cycles; a cycle counts if its bit in ``follows`` is set, which the cycle before it
    has to precede. Registers change after the clock's edge, then all that follows from it, each gate after its own delay. A pulse
    that is shorter than a gate's delay does not get through it. ``progress`` is told the time in the cycle.
    """
    stay = ones ^ follows
    current = {net: (value << 1 & follows) | (value & stay) for net, value in settled.items()}
    coming: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by net: times and values, the last one is what it will end at
    due: dict[int, dict[int, None]] = defaultdict(dict)
    for register in gates.registers:
        net = gates.held(register)
        if settled[net] != current[net]:
            time = gates.register_delay(register)
            coming[net].append((time, settled[net]))
            due[time][net] = None
    time = 0
    while due:
        time += 1
        if time not in due:
            continue
        progress(time * _STEP_NS)
        changed: dict[int, _Output] = {}
        for net in due.pop(time):
            pending = coming[net]
            if not pending or pending[0][0] != time:
                continue
            value = pending.pop(0)[1]
            difference = value ^ current[net]
            if difference:
                yield net, difference
                current[net] = value
                changed.update((reader.net, reader) for reader in gates.readers[net])
        for output in changed.values():
            value = output.function([current[net] for net in output.inputs], ones)
            _schedule(output, value, current[output.net], coming[output.net], time, due, ones)
    if current != settled:
        raise AssertionError("nets did not end at what they settle at")


def _schedule(output: _Output, value: int, now: int, pending: list[tuple[int, int]], time: int, due, ones: int) -> None:
    """An output goes to ``value`` after its delay; where it is there already, what was to come before that does not."""
    back = ones ^ value ^ now
    pending[:] = [(when, (then & ~back) | (now & back)) for when, then in pending]
    if value != (pending[-1][1] if pending else now):
        pending.append((time + output.delay, value))
        due[time + output.delay][output.net] = None


def _functions(library: Library) -> dict[tuple[str, str], Function]:
    """Of each output of each combinational cell."""
    found = {}
    for cell in library.root.all("cell"):
        gate = library.gates[cell.arguments[0]]
        if not cell.all("ff") and not cell.all("latch"):
            pins = {pin.arguments[0]: pin for pin in cell.all("pin")}
            found |= {(gate.name, pin): function(pins[pin].values["function"][0], [*gate.inputs]) for pin in gate.outputs}
    return found
