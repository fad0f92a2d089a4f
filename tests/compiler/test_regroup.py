"""Channels in another order: shuffles as weights, copies by the array, and what stays a copy."""

import numpy as np
import pytest

from tenon.compiler.compile import compile_graph
from tenon.compiler.evaluate import evaluate
from tenon.compiler.ir import Conv, Graph, Lookup
from tenon.compiler.machine import Machine
from tenon.compiler.move import Move, Piece, Step
from tenon.compiler.regroup import regrouped
from tenon.tb.kernel_networks import COVENANTS, mismatches, random_inputs, tensor

_UNIT = [tuple(int(d == axis) for d in range(4)) for axis in range(4)]


def _pixels(shape):
    return tuple(Step(e, u, u) for e, u in zip(shape[:3], _UNIT) if e > 1)


def _piece(source, shape, first, to, loops):
    return Piece(source, (0, 0, 0, first), (0, 0, 0, to), (*_pixels(shape), *(Step(e, (0, 0, 0, a), (0, 0, 0, b)) for e, a, b in loops)))


class _Network:
    """Grows a graph whose tensors all have the pixels of one image."""

    def __init__(self, rng, dtype, image):
        self.rng, self.dtype, self.image = rng, dtype, image
        self.tensors, self.kernels, self.inputs = {}, [], []

    def tensor(self, channels, image=None):
        name = f"t{len(self.tensors)}"
        self.tensors[name] = tensor(name, *(image or self.image), channels, dtype=self.dtype)
        return self.tensors[name]

    def given(self, channels):
        t = self.tensor(channels)
        self.inputs.append(t.name)
        return t

    def table(self, x):
        y = self.tensor(x.shape[3])
        table = self.rng.permutation(256).astype(np.uint8)
        self.kernels.append(Lookup(f"{y.name}_table", (y.name,), "Table", True, x.name, y.name, table))
        return y

    def move(self, op, sources, y, pieces):
        self.kernels.append(Move(f"{y.name}_{op}", (f"{y.name}_{op}",), op, True, tuple(s.name for s in sources), y.name, tuple(pieces)))
        return y

    def concat(self, *sources):
        y, at, pieces = self.tensor(sum(s.shape[3] for s in sources)), 0, []
        for number, s in enumerate(sources):
            pieces.append(_piece(number, s.shape, 0, at, [(s.shape[3], 1, 1)]))
            at += s.shape[3]
        return self.move("Concat", sources, y, pieces)

    def shuffle(self, x, groups):
        each = x.shape[3] // groups
        return self.move("Transpose", [x], self.tensor(x.shape[3]), [_piece(0, x.shape, 0, 0, [(groups, each, 1), (each, 1, groups)])])

    def part(self, x, first, size):
        return self.move("Split", [x], self.tensor(size), [_piece(0, x.shape, first, 0, [(size, 1, 1)])])

    def conv(self, x, channels, side=1):
        y = self.tensor(channels)
        signed = bool(self.rng.integers(2))
        low, high = (-128, 128) if signed else (0, 256)
        per_channel = not signed and bool(self.rng.integers(2))
        weight = self.rng.integers(low, high, (side, side, x.shape[3], channels))
        zw = self.rng.integers(100, 150, channels if per_channel else 1) if not signed else np.zeros(1, int)
        lo, hi = y.bounds
        self.kernels.append(Conv(f"{y.name}_conv", (f"{y.name}_conv",), "Conv", True, x.name, y.name, weight,
                                 self.rng.integers(-999, 999, channels).astype(np.int32),
                                 self.rng.uniform(1e-4, 1e-3, channels).astype(np.float32), 3, zw, 3, lo, hi, pads=(side // 2,) * 4))
        return y

    def graph(self, *outputs):
        graph = Graph("shuffles", self.tensors, tuple(self.inputs), tuple(o.name for o in outputs), tuple(self.kernels))
        graph.verify()
        return graph


def _unit(seed, channels=None, image=(1, 14, 14)):
    """A unit of a ShuffleNet and the beginning of the next: two halves, joined, shuffled, taken apart."""
    rng = np.random.default_rng(seed)
    net = _Network(rng, str(rng.choice(("uint8", "int8"))), image)
    half = channels or int(rng.integers(5, 40))
    groups = int(rng.choice([g for g in (2, 3, 4) if 2 * half % g == 0]))
    a, b = net.table(net.given(half)), net.table(net.given(half))
    mixed = net.shuffle(net.concat(a, b), groups)
    first, second = net.part(mixed, 0, half), net.part(mixed, half, half)
    second = net.conv(second, half, int(rng.choice((1, 3))))
    again = net.shuffle(net.concat(first, second), 2)
    return net.graph(net.conv(again, 8), net.table(net.part(again, 1, 2 * half - 1)))


def _same(ours, graph, seed=0):
    ours.verify()
    inputs = random_inputs(graph, seed)
    got, wanted = evaluate(ours, inputs), evaluate(graph, inputs)
    assert all(np.array_equal(got[name], wanted[name]) for name in graph.outputs)


@pytest.mark.parametrize("name", COVENANTS)
def test_programs_of_shuffles_are_right(name):
    machine, changed = Machine(COVENANTS[name]), 0
    for seed in range(6):
        graph = _unit(seed, image=(1, 7, 6))
        ours = regrouped(machine, graph)
        _same(ours, graph, seed)
        assert sum(map(ours.macs, ours.kernels)) == sum(map(graph.macs, graph.kernels)), "products with zeros are no work"
        assert sorted(n for k in ours.kernels for n in k.nodes) == sorted(n for k in graph.kernels for n in k.nodes)
        changed += len(ours.kernels) < len(graph.kernels)
        for on_chip in (False, True):
            program = compile_graph(graph, COVENANTS[name], effort=1, on_chip=on_chip)
            assert mismatches(program, graph, random_inputs(graph, seed)) == 0, (seed, on_chip)
    assert changed > (0 if name == "tiny" else 3), "products with zeros are cheaper the larger the array"


def test_a_shuffle_is_no_work_but_weights():
    graph = _unit(1, channels=58)
    ours = regrouped(Machine(COVENANTS["edge16"]), graph)
    moves = [k for k in ours.kernels if isinstance(k, Move)]
    assert all(m.op == "Concat" and m.open for m in moves), "sources side by side, which folding makes no work"
    picked = [k for k in ours.kernels if isinstance(k, Conv) and k.counted == 0]
    assert [k.op for k in picked] == ["Split"], "what a table reads; convolutions choose for themselves"
    _same(ours, graph)
    program = compile_graph(graph, COVENANTS["edge16"], effort=1)
    assert {layer.engine for layer in program.layers} == {"MATRIX", "VECTOR"}


def test_channels_that_come_in_blocks_stay_as_they_are():
    rng = np.random.default_rng(2)
    net = _Network(rng, "uint8", (1, 9, 9))
    joined = net.concat(net.table(net.given(32)), net.table(net.given(48)))
    graph = net.graph(net.conv(joined, 8), net.table(net.part(joined, 16, 32)))
    assert regrouped(Machine(COVENANTS["edge16"]), graph).kernels == graph.kernels


def test_a_copy_that_the_array_would_make_slowly_stays_one():
    """Thousands of channels of few pixels: products with that many zeros take longer than bytes."""
    rng = np.random.default_rng(3)
    net = _Network(rng, "uint8", (1, 2, 2))
    mixed = net.shuffle(net.table(net.given(2048)), 2)
    graph = net.graph(net.table(mixed))
    assert regrouped(Machine(COVENANTS["tiny"]), graph).kernels == graph.kernels


def test_pixels_that_move_are_no_choice_of_channels():
    rng = np.random.default_rng(4)
    net = _Network(rng, "uint8", (1, 6, 6))
    x = net.table(net.given(10))
    turned = net.move("Transpose", [x], net.tensor(10), [Piece(0, (0, 0, 0, 0), (0, 0, 0, 0), (
        Step(6, _UNIT[1], _UNIT[2]), Step(6, _UNIT[2], _UNIT[1]), Step(5, (0, 0, 0, 2), (0, 0, 0, 1)), Step(2, _UNIT[3], (0, 0, 0, 5))))])
    graph = net.graph(net.conv(turned, 4))
    assert regrouped(Machine(COVENANTS["edge16"]), graph).kernels == graph.kernels
