"""Structures on the wire: in Python, in gateware and in C they are the same bits."""

import random
import shutil
import subprocess

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.sim import Simulator

from tenon.hw.storage.layout import Layout, LayoutError, Mark, bits, c_header, markdown, octets
from tenon.hw.storage.nvme import identify, logs
from tenon.hw.storage.nvme.commands import COMMANDS, COPY_SOURCE_BLOCKS, COPY_SOURCE_BYTES, DATASET_RANGE, MEMORY_RANGE, CommandSet, command
from tenon.hw.storage.nvme.entries import COMPLETION, SUBMISSION, SUBMISSION_BYTES
from tenon.hw.storage.nvme.status import Status, StatusType

LAYOUTS = [SUBMISSION, COMPLETION, *(c.layout for c in COMMANDS), DATASET_RANGE, COPY_SOURCE_BLOCKS, COPY_SOURCE_BYTES, MEMORY_RANGE,
           identify.CONTROLLER, identify.NVM_NAMESPACE, identify.INDEPENDENT_NAMESPACE, identify.MEMORY_NAMESPACE,
           identify.COMPUTE_NAMESPACE, identify.DESCRIPTOR_HEAD, logs.EFFECT, logs.ERROR_ENTRY, logs.SMART, logs.PROGRAM_DESCRIPTOR]


def some(layout, rng):
    """A random value for each field, of which many are all zeros or all ones."""
    return {f.name: rng.choice([0, (1 << f.width) - 1, rng.getrandbits(f.width)]) for f in layout.fields}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_bytes(layout):
    rng = random.Random(layout.name)
    for _ in range(20):
        values = some(layout, rng)
        text = layout.pack(values)
        assert len(text) == layout.size and layout.unpack(text) == values and not layout.reserved(text)
    ones = layout.unpack(b"\xff" * layout.size)
    assert all(ones[f.name] == (1 << f.width) - 1 for f in layout.fields)
    assert layout.reserved(b"\xff" * layout.size) == (sum(f.width for f in layout.fields) < 8 * layout.size)


@pytest.mark.parametrize("layout", [SUBMISSION, COMPLETION, command("read").layout, command("execute_program").layout, logs.EFFECT],
                         ids=lambda layout: layout.name)
def test_gateware_has_the_same_slices(layout):
    m = Module()
    view = data.View(layout.shape, Signal(8 * layout.size))
    slices = {f.name: Signal(f.width, name=f.name) for f in layout.fields}
    m.d.comb += [s.eq(getattr(view, name)) for name, s in slices.items()]

    async def bench(ctx):
        rng = random.Random(4)
        for _ in range(20):
            values = some(layout, rng)
            ctx.set(view.as_value(), int.from_bytes(layout.pack(values), "little"))
            assert {name: ctx.get(s) for name, s in slices.items()} == values

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")
def test_c_reads_and_writes_the_same_bits(tmp_path):
    """A program that is written from the tables unpacks random structures and packs them again."""
    rng = random.Random(5)
    (tmp_path / "wire.h").write_text(c_header("WIRE_H", LAYOUTS))
    body, expected = [], []
    for number, layout in enumerate(LAYOUTS):
        values = some(layout, rng)
        text = layout.pack(values)
        words = ", ".join(f"{int.from_bytes(text[k:k + 4], 'little'):#x}u" for k in range(0, layout.size, 4))
        prefix = layout.name.upper()
        body += [f"    static uint32_t in{number}[{prefix}_BYTES / 4] = {{{words}}}, out{number}[{prefix}_BYTES / 4];"]
        for f in layout.fields:
            name = f"{prefix}_{f.name.upper()}"
            if f.low // 32 == f.high // 32:
                body.append(f'    printf("%lx\\n", (unsigned long)wire_get(in{number}, {name}));')
                body.append(f"    wire_set(out{number}, {name}, wire_get(in{number}, {name}));")
            else:
                body.append(f"    show((uint8_t *)in{number} + {name}_OFFSET, {name}_SIZE);")
                body.append(f"    memcpy((uint8_t *)out{number} + {name}_OFFSET, (uint8_t *)in{number} + {name}_OFFSET, {name}_SIZE);")
            expected.append(f"{values[f.name]:x}")
        body.append(f"    if (memcmp(in{number}, out{number}, {prefix}_BYTES)) return {number + 1};")
    source = ['#include <stdio.h>', '#include <string.h>', '#include "wire.h"',
              'static void show(const uint8_t *bytes, unsigned size) {', "    int zero = 1;",
              '    while (size--) if (bytes[size] || !zero || !size) {',
              '        printf(zero ? "%x" : "%02x", bytes[size]);', "        zero = 0;", "    }", '    printf("\\n");', "}",
              "int main(void) {", *body, "    return 0;", "}", ""]
    (tmp_path / "wire.c").write_text("\n".join(source))
    subprocess.run(["gcc", "-std=c11", "-Wall", "-Werror", "-o", "wire", "wire.c"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "wire"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == expected


def test_what_is_no_structure_is_refused():
    a = bits("a", 0, 7, 4, "", "")
    for words, fields in (("overlaps", (a, bits("b", 0, 4, 0, "", ""))), ("overlaps", (bits("a", 1, 0, 0, "", ""),)),
                          ("no name, or of two", (a, bits("a", 0, 3, 0, "", ""))), ("no name", (bits("a b", 0, 3, 0, "", ""),)),
                          ("neither within a dword", (bits("a", 0, 35, 4, "", ""),))):
        with pytest.raises(ValueError, match=words):
            Layout("wrong", 8 if "neither" in words else 4, "", fields)


def test_what_does_not_fit_is_refused():
    for words, values in (("no field 'nobody'", {"nobody": 1}), ("8 bits, which do not hold 256", {"opcode": 256}),
                          ("do not hold -1", {"opcode": -1}), ("16 bits, not 3 bytes", {"cid": b"abc"})):
        with pytest.raises(LayoutError, match=words):
            SUBMISSION.pack(values)
    with pytest.raises(LayoutError, match="64 bytes, not 63"):
        SUBMISSION.unpack(bytes(63))
    assert SUBMISSION.unpack(SUBMISSION.pack(cid=b"\x01\x02"))["cid"] == 0x201


def test_commands_are_apart():
    """By their opcodes within each set; their own dwords leave those alone that all commands have."""
    for group in CommandSet:
        opcodes = [c.opcode for c in COMMANDS if c.set is group]
        assert len(set(opcodes)) == len(opcodes) > 0
    assert len({c.name for c in COMMANDS}) == len(COMMANDS)
    common = SUBMISSION.pack({f.name: (1 << f.width) - 1 for f in SUBMISSION.fields if not f.name.startswith("cdw")})
    for known in COMMANDS:
        assert known.layout.size == SUBMISSION_BYTES
        mine = known.layout.pack({f.name: (1 << f.width) - 1 for f in known.layout.fields if f.name != "dlen"})  # where metadata would be
        assert not any(a & b for a, b in zip(common, mine)), known.name
    assert command("read").to_host and not command("read").to_controller and command("write").to_controller
    with pytest.raises(KeyError, match="there is no command 'fly'"):
        command("fly")


def test_statuses_are_apart():
    assert len({s.value for s in Status}) == len(Status) and all(s.code < 256 for s in Status)
    assert (Status.PROGRAM_NOT_ACTIVATED.type, Status.PROGRAM_NOT_ACTIVATED.code) == (StatusType.COMMAND, 0x98)


def test_documentation():
    text = markdown(command("read").layout)
    assert "| bytes 47:40 | `slba` | first block |" in text and "| dword 12, bit 30 | `fua` |" in text and "| bytes 49:48 | `nlb` |" in text
    assert octets("x", 5, 1, "", "").where == "byte 5" and Mark.OURS.value in markdown(identify.MEMORY_NAMESPACE)
