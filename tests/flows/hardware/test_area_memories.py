"""Large memories by their parameters: as the hardware has them, and as Yosys maps them."""

from collections import Counter, defaultdict

import pytest

from tenon.flows.area_model.memories import Shape, cells_of, memories
from tenon.flows.area_model.sample import group_of
from tenon.flows.bench.area_samples import fitted
from tenon.flows.hardware.analysis import design_of
from tenon.flows.hardware.design import MEMORY
from tenon.hw.accelerator import engine_classes
from tenon.hw.buffers import activation_buffer, parameter_buffer, vector_buffer, weight_buffer
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import preset


def test_they_are_in_the_hardware():
    """Each is in the emitted design, in the module that is said to have it; they are nearly all that is there."""
    params = preset("edge16")
    design = design_of(params)
    there: dict[str, Counter[Shape]] = defaultdict(Counter)
    for part, instances in design.instances().items():
        for child, times in design.parts[part].children.items():
            if design.parts[child].module == MEMORY:
                values = design.parts[child].parameters
                there[group_of(part)][Shape(values["WIDTH"], values["DEPTH"], values["LANE"])] += instances * times
    said = {module: Counter(shapes) for module, shapes in memories(params).items()}
    for module, shapes in said.items():
        assert shapes <= there[module], module

    def bits(found):
        return sum(number * shape.width * shape.depth for shapes in found.values() for shape, number in shapes.items())

    assert 0.94 * bits(there) < bits(said) <= bits(there)


def test_shapes_are_those_of_the_parts():
    for p in fitted():
        shapes = memories(p)
        buffers = [activation_buffer(p), weight_buffer(p), *(vector_buffer(p, stream=s) for s in "xy")]
        parameters = [parameter_buffer(p, reader=reader) for reader in "bzsx"]
        for buffer in (*buffers, *parameters):
            here = [other for other in (*buffers, *parameters) if other.role == buffer.role]
            bank = Shape(8 * buffer.line, buffer.size // buffer.line // buffer.banks, 8)
            assert shapes[f"tenon_{buffer.role}"] == [bank] * (buffer.banks * len(here))
        bits = [ENCODING.used(kind.mnemonic(p)) for kind in engine_classes(p).values()]
        assert [shape.width for shape in shapes["tenon_engine_queue"]] == bits


@pytest.mark.parametrize(("shape", "cells"), [
    (Shape(32, 512, 8), {"EBR": 1}), (Shape(64, 4096, 8), {"EBR": 16}),
    (Shape(512, 512, 512), {"EBR": 15}), (Shape(256, 1024, 8), {"EBR": 16, "LUT4": 16}),
    (Shape(536, 8, 536), {"DPR16X4": 134, "FF": 536}), (Shape(16, 64, 16), {"DPR16X4": 16, "FF": 16, "LUT4": 52}),
    (Shape(21, 64, 21), {"EBR": 1}), (Shape(256, 32, 8), {"DPR16X4": 128, "FF": 256, "LUT4": 320}),
], ids=str)
def test_cells_of_a_memory(shape, cells):
    """As synthesis counted them."""
    assert cells_of(shape) == cells | {"memory bits": shape.width * shape.depth}
