"""A system that LiteX builds with the generated wrapper: its own core runs the digits network through the C driver, in RTL."""

import logging
import struct
from pathlib import Path

import numpy as np
import pytest

from tenon.compiler.host import quantise_inputs
from tenon.compiler.image import pack
from tenon.flows.comparison import compare
from tenon.flows.generate import generate
from tenon.flows.run import prepare
from tenon.hw.presets import preset
from tenon.tb.soc.cross import compile_firmware
from tenon.tb.soc.litex import MAIN_RAM, build_litex, run_litex

pytestmark = pytest.mark.rtl

FIRMWARE = Path(__file__).parents[2] / "firmware"
IMAGE, INPUTS, OUTPUTS, ARENA, END = 0x1000, 0x3_0000, 0x3_2000, 0x3_4000, 0x4_0000  # in the main memory
OK = 0


@pytest.mark.parametrize("config", ["tiny", "edge8"])  # as wide as the system's bus; wider, so that LiteX converts
def test_the_system_runs_a_network(config, tmp_path):
    logging.disable(logging.INFO)  # LiteX tells of every step
    params = preset(config)
    generate(params, tmp_path / "rtl")
    system = build_litex(tmp_path / "rtl")
    (tmp_path / "generated").mkdir()
    for name, text in system.headers.items():
        (tmp_path / "generated" / name).write_text(text)
    sources = [FIRMWARE / "example" / "startup.S", FIRMWARE / "litex" / "run.c", FIRMWARE / "driver" / "tenon_driver.c"]
    elf = compile_firmware(sources, [FIRMWARE / "driver", tmp_path, tmp_path / "rtl"], FIRMWARE / "litex" / "link.ld", tmp_path / "run.elf")

    job = prepare("zoo:digits", params, runs=1)
    program, image = job.compiled.program, pack(job.compiled.program)
    memory = program.memory()
    for name, array in quantise_inputs(job.compiled.graph, job.feeds[0]).items():
        program.tensors[name].write(memory, array)
    ram = bytearray(END)
    placed = {"INPUTS": INPUTS, "OUTPUTS": OUTPUTS, "ARENA": ARENA}
    assert IMAGE + len(image) <= INPUTS and all(memory[n].size <= 0x2000 for n in ("INPUTS", "OUTPUTS"))
    struct.pack_into("<5I", ram, 0, MAIN_RAM + IMAGE, len(image), *(MAIN_RAM + at for at in placed.values()))
    ram[IMAGE:IMAGE + len(image)] = image
    ram[INPUTS:INPUTS + memory["INPUTS"].size] = memory["INPUTS"].tobytes()

    exit_code, cycles, after = run_litex(system, elf.read_bytes(), bytes(ram))
    assert exit_code == OK and struct.unpack_from("<I", after, 20) == (1,), "one interrupt ends the run"
    for name, at in placed.items():
        memory[name][:] = np.frombuffer(after, np.uint8, memory[name].size, at)
    tensors = {name: tensor.read(memory) for name, tensor in program.tensors.items()}
    comparison, _ = compare(program, job.compiled.graph, job.compiled.model, job.feeds, [tensors])
    assert comparison.total.mismatches == 0 and comparison.total.elements > 1000
