"""A program's image for firmware: every part where its header says, tensors described in the model's order."""

import dataclasses
import struct

import pytest

from tenon.compiler import image
from tenon.compiler.compile import compile_graph
from tenon.tb.kernel_networks import COVENANTS, small_network


@pytest.fixture(scope="module")
def program():
    return compile_graph(small_network(), COVENANTS["edge8"], effort=1)


def header_of(packed):
    return dict(zip(image.HEADER, struct.unpack_from(f"<{len(image.HEADER)}I", packed)))


def tensors_of(packed):
    header = header_of(packed)
    size = 4 * len(image.TENSOR)
    return [dict(zip(image.TENSOR, struct.unpack_from("<7Iif", packed, header["tensors"] + i * size)))
            for i in range(header["inputs"] + header["outputs"])]


def test_every_part_is_where_the_header_says(program):
    packed = image.pack(program)
    header = header_of(packed)
    assert packed[:4] == image.MAGIC and header["version"] == image.VERSION
    assert header["fingerprint"] == int(program.covenant.fingerprint[:8], 16)
    assert header["bytes"] == len(packed) and header["code"] % image.ALIGNMENT == 0 == header["constants"] % image.ALIGNMENT
    assert packed[header["code"]:] == program.image() and header["instructions"] == len(program.instructions) + 1
    assert packed[header["constants"]:][:header["constants_bytes"]] == program.constants
    assert [header[f"{name}_bytes"] for name in ("arena", "inputs", "outputs")] == [
        program.segments[name] for name in ("ARENA", "INPUTS", "OUTPUTS")]
    assert header["inputs_bytes"] != header["outputs_bytes"] != header["arena_bytes"]  # else nothing told them apart


def test_tensors(program):
    described = tensors_of(image.pack(program))
    names = [*program.inputs, *program.outputs]
    assert len(described) == len(names) >= 2
    for fields, name in zip(described, names):
        tensor, home = program.tensors[name].tensor, program.tensors[name].home
        assert tuple(fields[d] for d in ("batch", "height", "width", "channels")) == tuple(tensor.shape)
        assert (program.covenant.segment_names[fields["segment"]], fields["offset"]) == (home.segment, home.offset)
        assert (fields["is_signed"], fields["zero_point"]) == (tensor.dtype == "int8", tensor.zero_point)
        assert fields["scale_bits"] == pytest.approx(tensor.scale, rel=1e-7)


def test_a_signed_tensor_with_a_negative_zero_point(program):
    name = program.outputs[0]
    placed = program.tensors[name]
    signed = dataclasses.replace(placed, tensor=dataclasses.replace(placed.tensor, dtype="int8", zero_point=-7))
    changed = dataclasses.replace(program, tensors={**program.tensors, name: signed})
    fields = tensors_of(image.pack(changed))[len(program.inputs)]
    assert (fields["is_signed"], fields["zero_point"]) == (1, -7)
