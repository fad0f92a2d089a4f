# amaranth: UnusedElaboratable=no
"""What programs are counted to do: against loops that are walked one step after the other, the event model, and RTL."""

import itertools
import random
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tenon.acg.encoding import Header
from tenon.acg.errors import CovenantError
from tenon.acg.expr import Choose, Op, Reduce
from tenon.acg.mnemonic import accesses
from tenon.compiler.activity import Operation, activity_of
from tenon.compiler.compile import compile_graph
from tenon.compiler.instruction import Instruction
from tenon.compiler.ir import Graph
from tenon.compiler.timing import time_program
from tenon.compiler.traffic import traffic_of
from tenon.flows.hardware.power.recorded import read_recorded
from tenon.hw.covenant import covenant
from tenon.hw.presets import PRESETS
from tenon.hw.registers import ErrorCode
from tenon.tb.gateware import verilog_of
from tenon.tb.kernel_networks import COVENANTS, conv, tensor
from tenon.tb.model import simulate_program
from tenon.tb.random_programs import SEGMENT_BYTES, random_instruction, random_program
from tenon.tb.random_runs import SHAPES, prepare
from tenon.tb.rtl import Run, run_rtl
from tenon.tb.waves import Waves


def one_by_one(graph, seed, count):
    """Random instructions of each mnemonic, each behind the one before."""
    rng = random.Random(seed)
    kinds = [m for m, _ in zip(itertools.cycle(graph.mnemonics), range(count))]
    return [replace(random_instruction(graph, m, graph.memory_bytes, rng, 200), header=Header(waits=k > 0, done=1))
            for k, m in enumerate(kinds)]


# Memories' ports.

def walked(p, instruction):
    """Bytes through ports, from loops as the engines' descriptions have them, step by step."""
    f, line, parameters, sums = instruction.fields, p.line_bytes, max(4 * p.cols, p.bus_bytes), 4 * p.cols
    seen = Counter()

    def steps(*levels):
        return itertools.product(*(range(f[f"n_{level}"]) for level in levels))

    if instruction.mnemonic.name == "MATRIX":
        for _, *k in steps("n", "k3", "k2", "k1", "k0"):
            for _word in range(p.cols if f.get("transposed") else p.rows):
                seen["WGT", False] += line
                seen["PAR", False] += parameters * f["zero_per_column"]
            for _ in steps("m2", "m1", "m0"):
                seen["ACT", False] += line
                seen["ACC", False] += sums * (any(k) or f["init"] == 1)
                seen["PAR", False] += parameters * (not any(k) and f["init"] == 2)
                seen["ACC", True] += sums
    elif instruction.mnemonic.name == "VECTOR":
        for *_, q1, q0, _ in steps("o2", "o1", "o0", "q1", "q0", "i"):
            source = "ACC" if f["x_sel"] == 0 else "VEC" if f["x_sel"] <= 2 else None
            seen[source, False] += sums if source == "ACC" else line if source else 0
            seen["VEC", False] += line * (f["y_sel"] > 0)
            for _ in range(p.cols // p.lanes):
                seen["PAR", False] += parameters * ((f["x_sel"] > 2) + f["s_sel"])
            if (q1, q0) == (f["n_q1"] - 1, f["n_q0"] - 1):
                target, size = (("VEC", 2 * p.cols), ("ACT", p.cols), ("PAR", 4 * sums))[f["d_sel"]]
                seen[target, True] += size
                seen["TAB", False] += f["table"] * line * p.cols
    elif instruction.mnemonic.name == "WINDOW":
        hop = next((h for h in range(1, p.window_taps) if f["a_x"] == h * f["a_t"] and h < f["n_t"]), None)
        for _, k0 in steps("n", "k0"):
            if f["kind"] < 2:
                seen["WGT", False] += line * f["n_k1"] * f["n_t"]
                seen["PAR", False] += parameters * f["zero_per_column"]
            for _ in steps("o1", "o0"):
                columns = {(x * hop + t if hop else (x, t)) for x, t in steps("x", "t")}
                seen["ACT", False] += line * len(columns) * f["n_k1"]
            for _ in steps("o1", "o0", "x"):
                seen["ACC", False] += sums * (k0 > 0 or f["init"] == 1)
                seen["PAR", False] += parameters * (k0 == 0 and f["init"] == 2)
                seen["ACC", True] += 4 * p.window_lanes
    elif instruction.mnemonic.name == "LOAD":
        memory, copies = (("ACT", 1), ("WGT", 1), ("VEC", 2), ("PAR", 4), ("TAB", p.lanes))[f["mem"]]
        for _ in steps("l3", "l2", "l1", "l0"):
            seen[memory, True] += f["n"] * copies
    else:
        for _ in steps("l3", "l2", "l1", "l0"):
            seen["VEC", False] += line * -(-f["n"] // p.bus_bytes)
    return +seen


@pytest.mark.parametrize("shape", SHAPES)
def test_ports_against_loops(shape):
    p, graph = SHAPES[shape], covenant(SHAPES[shape])
    program, total = one_by_one(graph, 2, 200), Counter()
    for instruction in program:
        mine = walked(p, instruction)
        counted = Counter(activity_of(graph, [instruction]).port_bytes)
        assert +counted == mine, (instruction.mnemonic.name, instruction.fields)
        total += mine
    assert Counter(activity_of(graph, program).port_bytes) == total
    moved_in_effects = {(a.memory, a.write) for m in graph.mnemonics for a in accesses(m) if a.memory in graph.memory_bytes}
    assert set(total) == moved_in_effects, "every access of every effect goes through some port"


# Operations.

def operations(instruction):
    """By walking the slots that the instruction chooses; a node that several slots share is computed once."""
    f, seen, done = instruction.fields, Counter(), set()
    floats = {"add": Operation.ADD, "sub": Operation.ADD, "mul": Operation.MULTIPLY, "fma": Operation.FMA}

    def is_float(expr):
        while isinstance(expr, Choose):
            expr = expr.alternatives[f[expr.field]]
        if isinstance(expr, Op):
            return expr.name not in ("rne", "u8") and (expr.name in ("f32", "fma") or expr.name.startswith("guess")
                                                      or is_float(expr.args[0]))
        element = getattr(expr, "element", None) or getattr(getattr(expr, "operand", None), "element", None)
        return element == "f32" if element else is_float(expr.children[0])

    def visit(expr, points):
        while isinstance(expr, Choose):
            expr = expr.alternatives[f[expr.field]]
        if id(expr) in done:
            return
        done.add(id(expr))
        if isinstance(expr, Reduce):
            inner = points * int(np.prod([l.count(f) for l in expr.loops]))
            if is_float(expr.body):
                seen[Operation.ADD if expr.op == "add" else Operation.INTEGER_ADD] += inner - points
                visit(expr.body, inner)
            elif isinstance(expr.body, Op) and (expr.op, expr.body.name) == ("add", "mul"):
                seen[Operation.MAC] += inner
            else:
                seen[Operation.INTEGER_ADD] += inner - points
            return
        if isinstance(expr, Op) and expr.name in ("add", "sub", "mul", "fma", "max", "min"):
            seen[floats.get(expr.name, Operation.INTEGER_ADD) if is_float(expr) else Operation.INTEGER_ADD] += points
        for child in expr.children:
            visit(child, points)

    visit(instruction.mnemonic.effect.expr, int(np.prod([l.count(f) for l in instruction.mnemonic.effect.loops])))
    return seen


@pytest.mark.parametrize("shape", ["4x4", "16x8"])
def test_operations_against_effects(shape):
    graph, total = covenant(SHAPES[shape]), Counter()
    program = [i for i in one_by_one(graph, 3, 300) if i.mnemonic.unit not in ("LOAD", "STORE")]
    for instruction in program:
        mine = operations(instruction)
        assert Counter(activity_of(graph, [instruction]).operations) == mine, (instruction.mnemonic.name, instruction.fields)
        total += mine
    assert Counter(activity_of(graph, program).operations) == total and all(total[o] > 0 for o in Operation)


@pytest.mark.parametrize(("rows", "depth", "columns"), [(16, 32, 24), (5, 12, 9), (3, 8, 17)])
def test_products_that_fill_up_tiles(rows, depth, columns):
    """The array's products are the network's, and those with the zeros that fill up its rows and columns."""
    x, y = tensor("x", 1, 1, rows, depth), tensor("y", 1, 1, rows, columns)
    kernel = conv(np.random.default_rng(0), x, y, (1, 1), channels_out=columns)
    program = compile_graph(Graph("product", {"x": x, "y": y}, ("x",), ("y",), (kernel,)), COVENANTS["edge8"])
    macs = activity_of(program.covenant, program.instructions).operations[Operation.MAC]
    padded = rows * (-(-depth // 8) * 8) * (-(-columns // 8) * 8)
    assert macs == padded and sum(layer.macs for layer in program.layers) == rows * depth * columns


# DRAM.

@pytest.mark.parametrize("name", ["tiny", "edge8", "edge32"])
def test_bus_words_against_the_cycle_model(name):
    graph, seen = covenant(PRESETS[name]), Counter()
    for seed in range(25):
        program = random_program(graph, seed).instructions
        counters = simulate_program(program, graph).counters
        counted = activity_of(graph, program)
        beats = counted.dram_read_bytes + counted.fetched_bytes, counted.dram_written_bytes
        assert beats == tuple(graph.bus_bytes * counters[f"{way}_BEATS"] for way in ("READ", "WRITE")), seed
        traffic = traffic_of(graph, program)
        assert (traffic.read, traffic.written, traffic.fetched) <= (counted.dram_read_bytes, *beats[1:], counted.fetched_bytes)
        thrice = activity_of(graph, [*program] * 3)
        assert (thrice.dram_read_bytes, thrice.dram_written_bytes) == (3 * counted.dram_read_bytes, 3 * counted.dram_written_bytes)
        timed = time_program(graph, program)
        assert (timed.read_beats, timed.write_beats) == tuple(b // graph.bus_bytes for b in beats)
        seen.update(read=counted.dram_read_bytes, written=counted.dram_written_bytes, unaligned=counted.dram_read_bytes - traffic.read)
    assert min(seen.values()) > 100


def test_no_instruction_at_all():
    activity = activity_of(covenant(PRESETS["tiny"]), [])
    assert (activity.fetched_bytes, activity.dram_read_bytes, activity.instructions) == (128, 0, 0)
    assert not any(activity.operations.values()) and not activity.port_bytes


def test_covenants_that_say_nothing_of_ports():
    graph = covenant(PRESETS["tiny"])
    noted = dict(graph.notes["port_bytes"])
    program = [Instruction(graph.mnemonic("LOAD"), graph.mnemonic("LOAD").complete({}))]
    with pytest.raises(CovenantError, match="^the covenant of tiny does not note what goes through its memories' ports: derive it anew$"):
        activity_of(replace(graph, notes={}), program)
    for wrong in ({}, [], noted | {"LOAD": [["ACT", "writes", "n"]]}, noted | {"LOAD": [["DRAM", "write", "n"]]},
                  noted | {"LOAD": [["ACT", "write", "n_m0"]]}, noted | {"LOAD": [["ACT", "write", "print(1)"]]}, noted | {"LOAD": 3}):
        with pytest.raises(CovenantError, match="^the covenant of tiny notes no bytes through ports: ") as refused:
            activity_of(replace(graph, notes={"port_bytes": wrong}), program)
        assert "\n" not in str(refused.value)


# RTL.

MEMORIES = {"activations": "ACT", "weights": "WGT", "accumulators": "ACC", "vectors": "VEC", "parameters": "PAR", "vector": "TAB"}
BANK = re.compile(r"(\w+)\.bank\d+|(vector)\.lane_\d+\.table")


def recorded_bytes(path, p):
    """Bytes through all banks of each memory, by their enables in a record."""
    lines = {name: p.line_bytes for name in ("activations", "weights", "vectors_x", "vectors_y", "vector")}
    lines |= {f"parameters_{reader}": max(4 * p.cols, p.bus_bytes) for reader in "bzsx"} | {"accumulators": 4 * p.cols}
    banks = {"activations": 2, "weights": 1, "vectors_x": 4, "vectors_y": 4, "accumulators": 2}
    ports = {}
    for name, line in lines.items():
        lane = 4 * p.window_lanes if name == "accumulators" else 1
        places = [f"{name}.bank{b}" for b in range(banks.get(name, 1))] if name != "vector" else [
            f"vector.lane_{n}.table" for n in range(p.lanes)]
        for place in places:
            writes = line // lane
            ports[f"{place}.r_en"] = name, False, line
            ports |= {f"{place}.w_en" + (f"[{bit}]" if writes > 1 else ""): (name, True, lane) for bit in range(writes)}
    recorded, seen = read_recorded(path, "tenon_system.dut", ports), Counter()
    for signal, (name, write, size) in ports.items():
        seen[MEMORIES[name.partition("_")[0]], write] += recorded.bits[signal].bit_count() * size
    return seen


@pytest.mark.rtl
def test_against_rtl(tmp_path):
    """Every byte through banks and over the bus, of instructions one by one; over the bus, of programs that overlap, too."""
    p, graph = SHAPES["16x8"], covenant(SHAPES["16x8"])
    single, compiled = one_by_one(graph, 1, 60), prepare(5, p).program
    programs = [(single, dict.fromkeys(graph.segment_names, SEGMENT_BYTES)), (compiled.instructions, compiled.segments)]
    programs += [(random_program(graph, seed).instructions, dict.fromkeys(graph.segment_names, SEGMENT_BYTES)) for seed in (1, 2)]
    image, runs, at = [], [], 0

    def put(contents):
        nonlocal at
        place, at = at, at + -(-max(len(contents), 1) // 4096) * 4096
        image.append((place, contents))
        return place

    for instructions, segments in programs:
        start = put(graph.sequencer.encoding.image(instructions))
        bases = tuple(put(bytes(segments[name])) for name in graph.segment_names)
        runs.append(Run(start, len(instructions) + 1, bases, 2_000_000, sizes=tuple(segments[name] for name in graph.segment_names)))
    waves = Waves(tmp_path / "ports.vcd", end=2_000_000)  # of the first run
    result = run_rtl(verilog_of(p), p, runs, image=image, waves=waves)
    for (instructions, _), outcome in zip(programs, result.runs, strict=True):
        counted = activity_of(graph, instructions)
        assert outcome.error is ErrorCode.NONE
        assert outcome.counters["READ_BEATS"] * p.bus_bytes == counted.dram_read_bytes + counted.fetched_bytes
        assert outcome.counters["WRITE_BEATS"] * p.bus_bytes == counted.dram_written_bytes
    assert all(result.runs[k].counters["WRITE_BEATS"] for k in (0, 1))
    assert not any(result.runs[0].counters[f"{unit.name}_BANK"] for unit in graph.units), "who waits may read again"
    counted, seen = dict(activity_of(graph, single).port_bytes), recorded_bytes(waves.path, p)
    assert seen.pop(("TAB", False)) >= counted.pop(("TAB", False)) > 0  # enabled as long as an instruction that looks up is under way
    runs_stored = sum(int(np.prod([i.fields[f"n_l{level}"] for level in range(4)])) for i in single if i.mnemonic.name == "STORE")
    extra = seen.pop(("VEC", False)) - counted.pop(("VEC", False))  # runs of STORE may begin within a word of the bus
    assert 0 <= extra <= runs_stored * p.line_bytes
    assert dict(seen) == counted and all(counted.values())
