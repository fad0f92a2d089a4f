# amaranth: UnusedElaboratable=no
"""An engine's queue in simulation, cycle by cycle against a model that also makes the stimuli: no push without room, no
pulse from an engine that owes none."""

from collections import deque

import numpy as np
import pytest

from tenon.hw.encoding import ENCODING
from tenon.hw.engine_queue import EngineQueue
from tenon.hw.presets import preset
from tenon.tb.stream import Stream

pytestmark = pytest.mark.rtl

PARAMS = preset("tiny")
MOST = 16  # instructions in flight
WORDS = 32


def field(instruction, name):
    offset, width = ENCODING.place(name)
    return sum(int(word) << 32 * i for i, word in enumerate(instruction)) >> offset & (1 << width) - 1


class Model:
    """The queue by its promises. ``step`` takes a cycle's wishes, and returns its inputs and what must be seen."""

    def __init__(self):
        self.stored, self.head, self.acquired = deque(), None, 0
        self.waits, self.next_waits = deque(), None  # tokens to acquire: those in memory, those shown
        self.to_release, self.to_finish = deque(), deque()
        self.held = 0  # cycles in which as many are in flight as there may be

    def step(self, push, instruction, grant, ready, release, done):
        flight = len(self.to_finish)
        want_valid = self.next_waits is not None and self.acquired < 2
        offered = self.head is not None and self.acquired > 0 and flight < MOST
        self.held += self.head is not None and self.acquired > 0 and flight == MOST
        push, grant = push and len(self.stored) < PARAMS.queue_depth, grant and want_valid
        release, done = release and bool(self.to_release), done and flight > len(self.to_release)
        take = offered and ready
        seen = {
            "push_ready": len(self.stored) < PARAMS.queue_depth, "want_valid": want_valid, "i_valid": offered,
            "head": self.head is not None, "active": self.acquired > 0 or flight > 0,
            "idle": self.head is None and not self.stored and not flight,
            "released": field(self.to_release[0], "release") if release else 0,
            "done": field(self.to_finish[0], "done") if done else 0,
            "mark_valid": done and field(self.to_finish[0], "mark") > 0,
        }
        if seen["mark_valid"]:
            seen["mark"] = field(self.to_finish[0], "mark")
        if want_valid:
            seen["want"] = self.next_waits
        if offered:
            seen["i_instr"] = self.head
        if release:
            self.to_release.popleft()
        if done:
            self.to_finish.popleft()
        if take:
            self.to_release.append(self.head)
            self.to_finish.append(self.head)
        refill = self.stored and (self.head is None or take)
        self.acquired += bool(grant) - bool(take)
        if self.waits and (self.next_waits is None or grant):
            self.next_waits = self.waits.popleft()
        elif grant:
            self.next_waits = None
        self.head = self.stored.popleft() if refill else None if take else self.head
        if push:
            self.stored.append(instruction)
            self.waits.append(field(instruction, "waits"))
        inputs = {"push": push, "grant": grant, "i_ready": ready, "e_release": release, "e_done": done}
        return inputs, seen


#: How often an engine takes what it is offered, has read its operands, and is done, in so many of a hundred cycles.
ENGINES = {"slow": (20, 20, 20), "quick": (90, 90, 90), "deep": (90, 30, 15)}


@pytest.mark.parametrize("engine", ENGINES)
def test_queue(engine):
    rng, cycles = np.random.default_rng(7), 5000
    instructions = rng.integers(0, 1 << 32, (cycles, WORDS), dtype=np.uint64).astype(np.uint32)
    offset, width = ENCODING.place("mark")
    assert offset % 32 + width <= 32
    instructions[rng.random(cycles) < 0.3, offset // 32] &= np.uint32(~(((1 << width) - 1) << offset % 32) & 0xFFFFFFFF)
    model, given, wanted = Model(), [], []
    pushes = np.repeat(rng.random(cycles // 250) < 0.7, 250)  # and times without, in which the queue runs empty
    for cycle in range(cycles):
        lucky = rng.random(5) < (0.6, 0.5, *np.array(ENGINES[engine]) / 100)
        inputs, seen = model.step(lucky[0] and pushes[cycle], instructions[cycle], *lucky[1:])
        given.append(inputs)
        wanted.append(seen)
    stream = Stream(EngineQueue(PARAMS))
    found = stream.run({n: np.array([g[n] for g in given], int) for n in given[0]} | {"w_instr": instructions})
    for cycle, seen in enumerate(wanted):
        for output, value in seen.items():
            assert np.array_equal(found[output][cycle], value), (cycle, output)
    counts = {n: sum(bool(np.any(s.get(n, 0))) for s in wanted) for n in ("released", "done", "mark_valid", "i_instr", "want", "idle")}
    counts |= {"no room": sum(not s["push_ready"] for s in wanted), "done without mark": counts["done"] - counts["mark_valid"]}
    never = ("idle",) if engine == "deep" else ()  # it always holds something
    assert min(count for what, count in counts.items() if what not in never) > 20, counts
    assert (model.held > 20) == (engine != "quick"), "as many in flight as there may be, or never"
