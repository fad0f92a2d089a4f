# amaranth: UnusedElaboratable=no
"""Byte memories behind their ports, in simulation, against an array of bytes."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.hw.buffers import activation_buffer, parameter_buffer, vector_buffer, weight_buffer
from tenon.hw.params import SystolicParams
from tenon.hw.scratchpad import Scratchpad
from tenon.tb.stream import Stream

SMALL = dict(activation_bytes=1024, weight_bytes=1024, vector_bytes=1024, parameter_bytes=1024, accumulator_bytes=1024)
SQUARE = SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, **SMALL)
WIDE = SystolicParams(rows=4, cols=16, lanes=16, bus_bits=64, **(SMALL | {"accumulator_bytes": 4096, "parameter_bytes": 2048}))
TALL = SystolicParams(rows=16, cols=8, lanes=8, bus_bits=32, **(SMALL | {"accumulator_bytes": 4096}))
KINDS = {
    "activations": activation_buffer, "weights": weight_buffer,
    "weights, one port": lambda p: weight_buffer(replace(p, weight_ports=1)),
    "biases": lambda p: parameter_buffer(p, reader="b"), "zero-points": lambda p: parameter_buffer(p, reader="z"),
    "vectors x": lambda p: vector_buffer(p, stream="x"), "vectors y": lambda p: vector_buffer(p, stream="y"),
    "three readers": lambda p: Scratchpad(role="test", size=1024, line=p.line_bytes, banks=4, writes={"a": p.cols, "b": p.bus_bytes},
                                          reads={"x": p.cols, "y": p.rows, "z": p.bus_bytes}),
}


def bits(values, width):
    """Random bytes of each cycle as the stream takes them: numbers, or rows of 32-bit words."""
    words = np.pad(values, ((0, 0), (0, -width % 4))).view("<u4")
    return words[:, 0] if width <= 4 else words


def stimulus(pad, rng, cycles):
    """Random accesses on all ports, close together; first of all, the first write port fills the memory."""
    ports = {**pad.reads, **pad.writes}
    inputs, filler = {}, next(iter(pad.writes))
    fill = pad.size // pad.writes[filler]
    spot = np.repeat(rng.integers(0, pad.size, (fill + cycles) // 8 + 1), 8)[:fill + cycles]
    for name, width in ports.items():
        enable = rng.random(fill + cycles) < 0.6
        enable[:fill] = name == filler
        address = np.where(rng.random(fill + cycles) < 0.5, spot, rng.integers(0, pad.size, fill + cycles)) // width
        address[:fill] = np.arange(fill) if name == filler else 0
        inputs |= {f"{name}_en": enable, f"{name}_addr": address}
        if name in pad.writes:
            mask = rng.integers(0, 1 << width, fill + cycles, dtype=np.uint64)
            mask[:fill] = (1 << width) - 1
            inputs |= {f"{name}_data": rng.integers(0, 256, (fill + cycles, width), dtype=np.uint8), f"{name}_mask": mask}
    return fill, inputs


def check(pad, fill, inputs, outputs):
    """Follows the accesses cycle by cycle; returns how often each port was refused, and reads that met a write."""
    held = np.zeros(pad.size, np.uint8)
    bank_bytes = pad.size // pad.banks
    refused = {name: 0 for name in (*pad.reads, *pad.writes)}
    due, met = {}, 0
    for cycle in range(len(inputs[f"{next(iter(pad.reads))}_en"])):
        for name, (value, known) in due.items():
            got = outputs[f"{name}_data"][cycle]
            got = np.asarray(got).reshape(-1).astype("<u4").view(np.uint8)[:pad.reads[name]]
            assert (got == value)[known].all(), f"cycle {cycle}: {name} reads {got}, not {value}"
        due, written, now = {}, np.zeros(pad.size, bool), held.copy()
        read = {int(inputs[f"{name}_addr"][cycle]) * width // bank_bytes
                for name, width in pad.reads.items() if inputs[f"{name}_en"][cycle]}
        for ports in (pad.writes, pad.reads):
            busy = set(read) if ports is pad.writes and pad.bank_ports == 1 else set()
            for name, width in ports.items():
                if not inputs[f"{name}_en"][cycle]:
                    continue
                first = int(inputs[f"{name}_addr"][cycle]) * width
                bank, where = first // bank_bytes, slice(first, first + width)
                free = bank not in busy
                assert outputs[f"{name}_grant"][cycle] == free, f"cycle {cycle}: grant of {name}"
                busy.add(bank)
                if not free:
                    refused[name] += 1
                elif ports is pad.writes:
                    lanes = (inputs[f"{name}_mask"][cycle] >> np.arange(width, dtype=np.uint64) & np.uint64(1)).astype(bool)
                    now[where][lanes] = inputs[f"{name}_data"][cycle][lanes]
                    written[where] |= lanes
                elif cycle >= fill:
                    due[name] = held[where].copy(), ~written[where]
                    met += written[where].any()
        held = now
    return refused, met


@pytest.mark.rtl
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("params", [SQUARE, WIDE, TALL], ids=lambda p: f"{p.rows}x{p.cols}")
def test_random_accesses(kind, params):
    pad = KINDS[kind](params)
    fill, inputs = stimulus(pad, np.random.default_rng(1), 3000)
    applied = {name: bits(values, values.shape[1]) if values.ndim == 2 else values for name, values in inputs.items()}
    for name, width in pad.writes.items():
        words = inputs[f"{name}_mask"].view("<u4").reshape(-1, 2)
        applied[f"{name}_mask"] = words if width > 32 else words[:, 0]
    refused, met = check(pad, fill, inputs, Stream(pad).run(applied))
    for ports in (pad.reads, pad.writes):
        first, *others = ports
        assert bool(refused[first]) == (ports is pad.writes and pad.bank_ports == 1), "the first port has priority"
        assert all(refused[name] > 50 for name in others)
    assert met > 100 or not met and pad.bank_ports == 1, "reads seldom met a write"


@pytest.mark.parametrize(("kwargs", "message"), [
    (dict(size=1000), r"^size must be a power of two, not 1000$"),
    (dict(banks=3), r"^banks must be a power of two, not 3$"),
    (dict(line=4), r"^port x must be at most a line, 4 bytes, not 8$"),
    (dict(reads={"x": 3}), r"^width of port x must be a power of two, not 3$"),
    (dict(banks=128), r"^size must be at least 2 lines in each bank, 2048 bytes, not 1024$"),
])
def test_rejects(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Scratchpad(**(dict(role="test", size=1024, line=8, banks=4, reads={"x": 8}, writes={"w": 4}) | kwargs))
